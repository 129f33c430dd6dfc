"""Promising poses first: nothing changes but what `stream` skips."""

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.gradient.plan.best_first import in_order


def batch_with(kit, model, sign=1.0):
    """A batch that knows the predictions beforehand."""
    sets = []
    for of_set in kit.make_batch().to_data_list():
        with torch.no_grad():
            score = sign * kit.plain(model, Batch.from_data_list([of_set]))
        sets.append(of_set.put('score', score, 'pose'))
    return Batch.from_data_list(sets)


def step(kit, model, batch, **kwargs):
    readout = kit.MultiPoseReadout(
        model, 'max', 'stream', max_nodes_per_chunk=1, **kwargs
    )
    model.zero_grad()
    out = readout(batch)
    out.sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    return out.detach(), grads, readout.last_plan.counts


@pytest.fixture
def model(kit):
    model = kit.make_model('tiny').module
    with torch.no_grad():
        model.head.weight.mul_(1000)
    return model


@pytest.mark.parametrize('key, sign', [('score', 1.0), ('-score', -1.0)])
def test_skips_all_but_the_best(kit, model, key, sign):
    batch = batch_with(kit, model, sign)
    out, expected, _ = step(kit, model, batch)
    best, grads, counts = step(kit, model, batch, best_first=key)
    assert torch.allclose(best, out, rtol=1e-12)
    for got, value in zip(grads, expected, strict=True):
        assert torch.allclose(got, value, rtol=1e-9, atol=1e-12)
    assert counts.backward == counts.mattered == 3
    worst = 'score' if key == '-score' else '-score'
    _, _, counts = step(kit, model, batch, best_first=worst)
    assert counts.backward == counts.poses


def test_predictions_keep_their_places(kit, model):
    batch = batch_with(kit, model)
    readout = kit.MultiPoseReadout(model, 'max', 'stream', best_first='-score')
    _, weights = readout(batch, return_weights=True)
    _, expected = kit.MultiPoseReadout(model, 'max', 'full')(
        batch, return_weights=True
    )
    assert torch.allclose(weights, expected)


def test_missing_scores_come_last(kit, model):
    batch = batch_with(kit, model)
    batch.score = torch.tensor([3.0, float('nan'), 1, 2, 0, 5, 4])
    readout = kit.MultiPoseReadout(
        model, 'max', 'stream', best_first='score', max_nodes_per_chunk=1
    )
    readout(batch)
    from pyg_multipose.data import Layout

    tables = {'score': batch.score}
    assert in_order(Layout(batch), tables, 'score').tolist() == [
        2, 3, 0, 1, 4, 6, 5,
    ]  # fmt: skip


@pytest.mark.parametrize('key', ['nothing', 'z', '-'])
def test_unknown_score(kit, model, key):
    readout = kit.MultiPoseReadout(model, 'max', 'stream', best_first=key)
    with pytest.raises(ValueError, match='one number for each pose'):
        readout(kit.make_batch())
