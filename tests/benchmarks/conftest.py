"""Small problems in float64."""

import math
import sys
from pathlib import Path

import pytest
import torch

# The benchmark is a program beside the package, run in the checkout.
sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.cases import Case  # noqa: E402
from benchmarks.problem import Problem, Runner  # noqa: E402
from benchmarks.settings import Settings  # noqa: E402
from benchmarks.ways import WAYS  # noqa: E402
from tests.trusting import trusting  # noqa: E402

QUICK = Settings(quick=True, repeats=1)


def problem(case, settings=QUICK):
    """A problem whose positions and weights are double."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # e3nn rounds its constants to it
    try:
        made = Problem(case, settings)
    finally:
        torch.set_default_dtype(before)
    for graph in [*made.sets, *made.poses]:
        graph.pos = graph.pos.double()
    return made


def step(made, way):
    """The loss and the gradients of a way on a problem."""
    runner = Runner(WAYS[way], made)
    if runner.readout is not None:
        trusting(runner.readout)
    runner.clear()
    loss = runner.forward(runner.collate(runner.prepare()))
    loss.backward()
    gradients = [parameter.grad for parameter in runner.parameters]
    runner.clear()
    return loss.detach(), gradients


def relative_error(got, expected):
    """The largest relative error of gradients; None must meet None or 0."""
    total = max(e.norm().item() for e in expected if e is not None)
    assert total > 0
    worst = 0.0
    for g, e in zip(got, expected, strict=True):
        g = torch.zeros(()) if g is None else g
        e = torch.zeros_like(g) if e is None else e
        scale = max(e.norm().item(), 1e-4 * total)  # some are 0 in theory
        error = (g - e).norm().item() / scale
        assert not math.isnan(error)  # which `max` would lose
        worst = max(worst, error)
    return worst


@pytest.fixture
def kit():
    """The functions above, for test modules."""
    from types import SimpleNamespace

    return SimpleNamespace(
        Case=Case,
        QUICK=QUICK,
        problem=problem,
        relative_error=relative_error,
        step=step,
    )
