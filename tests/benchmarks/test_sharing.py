"""What sharing saves, counted."""

import pytest
import torch
from torch_geometric.data import Batch

from benchmarks.cases import one_set
from benchmarks.problem import Problem
from benchmarks.settings import Settings
from benchmarks.sharing import Deep, Sweep, counted, counts, sweeps
from tests.trusting import Trusting


@pytest.fixture(params=['schnet', 'e3nn'])
def problem(request):
    settings = Deep(quick=True, repeats=1, layers=3)
    return Problem(one_set('chain', request.param, 'mean', 9), settings)


def test_messages_and_products_are_those_that_ran(problem):
    model, layers = problem.ours, 3
    pose = problem.connect(problem.sets[0]).pose(0)
    batch = Batch.from_data_list([pose])
    with counted(model) as one:
        model(batch)
    assert one['messages'] == layers * pose.num_edges
    with counted(model) as two:
        model(batch)
        model(batch)
    assert two == {key: 2 * value for key, value in one.items()}
    assert one['products'] > 0
    assert not any('aggregate' in vars(layer) for layer in model.layers)


def test_counts(problem, monkeypatch):
    # A look, which another test has, would be most of the time.
    monkeypatch.setattr(
        'pyg_multipose.nn.multi_pose_readout.Verdict', Trusting
    )
    first = counts(problem)
    # The receptor's own share is a ninth.
    assert 1 / 9 < first['messages'] < 0.2
    assert 0.1 < first['products'] < 0.25
    assert all(p.grad is None for p in problem.ours.parameters())


def test_an_error_leaves_the_model_as_it_was(problem):
    with pytest.raises(RuntimeError), counted(problem.ours):
        raise RuntimeError
    for layer in problem.ours.layers:
        assert 'aggregate' not in vars(layer)


def test_depth_and_cutoff(kit):
    settings = Deep(quick=True, cutoff=6.0, layers=5)
    made = Problem(one_set('pocket', 'schnet', 'mean', 2), settings)
    assert len(made.ours.layers) == 5
    assert made.ours.cutoff == 6.0
    made = Problem(one_set('pocket', 'e3nn', 'mean', 2), settings)
    assert len(made.ours.layers) == 5


def test_counts_do_not_depend_on_the_machine():
    settings = Deep(quick=True, repeats=1, layers=2)
    made = Problem(one_set('pocket', 'schnet', 'mean', 2), settings)
    assert counts(made) == counts(made)


def test_a_figure():
    sweep = Sweep('pocket', 'schnet', 4.5, 2, 3)
    torch.manual_seed(0)
    figure = sweep.figure(Settings(quick=True, repeats=1))
    assert figure['case'] == vars(sweep) and figure['kind'] == 'sharing'
    assert figure['time']['median'] > 0
    assert 'time' not in Sweep('pocket', 'schnet', 4.5, 3, 3).figure(
        Settings(quick=True, repeats=1)
    )


def test_what_is_measured():
    found = sweeps(Settings())
    assert len(found) == len(set(found))
    assert {s.cutoff for s in found} == {4.5, 5.0, 6.0}
    assert {s.layers for s in found} == {2, 3, 4, 5, 6}
    assert {s.poses for s in found} == {1, 9}
    assert sum(s.seconds(Settings()) for s in found) < 15 * 60
    assert sweeps(Settings(), 'sharing') == found
    assert sweeps(Settings(), 'bars') == []
