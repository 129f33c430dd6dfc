"""What strategies cost: every way computes the same."""

import pytest
import torch

from benchmarks.cases import one_set
from benchmarks.settings import Settings
from benchmarks.strategies import (
    ALL,
    ONCE,
    OURS,
    Row,
    rows,
    runners_of,
    strategy_tables,
)

SETTINGS = Settings(quick=True, repeats=1)


@pytest.mark.parametrize('model', ['schnet', 'e3nn'])
def test_all_ways_have_one_gradient(kit, model):
    made = kit.problem(one_set('pocket', model, 'mean', 3))
    row = Row('pocket', model, 'mean', 3)
    runners = runners_of(made, row.ways)
    outcomes = {}
    for name, runner in runners.items():
        runner.clear()
        loss = runner.forward(runner.collate(runner.prepare()))
        loss.backward()
        model_ = runner.model.model
        grads = {n: p.grad for n, p in model_.named_parameters()}
        outcomes[name] = loss.detach(), grads
    loss, grads = outcomes.pop(ALL.name)
    for name, (other, got) in outcomes.items():
        assert torch.allclose(other, loss, rtol=1e-9), name
        if name != OURS.name:  # whose parameters have other names
            error = kit.relative_error(
                [got[key] for key in grads], list(grads.values())
            )
            assert error < 1e-7, name
    plans = {n: r.readout.last_plan for n, r in runners.items() if r.readout}
    for name, plan in plans.items():
        assert 'encoded' in plan.receptor, name
    assert not hasattr(made.plain, 'encode_receptor')
    assert runners[ONCE.name].readout.last_plan.counts.encoded == 1


def test_what_is_measured():
    found = rows(Settings())
    assert len(found) == len(set(found)) == 4
    assert {row.poses for row in found} == {9}
    assert rows(Settings(), 'strategies') == found
    assert rows(Settings(), 'bars') == []
    assert sum(row.seconds(Settings()) for row in found) < 15 * 60


def test_a_table():
    row = Row('pocket', 'schnet', 'mean', 3)
    figure = row.figure(SETTINGS)
    assert figure['case'] == vars(row)
    ((title, table),) = strategy_tables({'figures': [figure]})
    assert '3 poses' in title and len(table.splitlines()) == 2 + len(row.ways)
    assert list(strategy_tables({'figures': []})) == []
