"""Bytes held at the end of forward, deterministic."""

from __future__ import annotations

import pytest

from pyg_multipose.gradient import LiveBytes
from pyg_multipose.nn import MaxCombination, MeanCombination


def held(
    kit, mode, count, name='tiny', combination='max', share=False, **call
):
    """Live bytes at the end of forward, predictions aside."""
    model = kit.make_model(name)
    batch = kit.make_batch(sizes=((4,) * count,))
    readout = kit.MultiPoseReadout(
        model.module,
        combination,
        gradient=mode,
        inputs=model.inputs,
        max_nodes_per_chunk=208,
        share_receptor=share,
    )
    with LiveBytes() as live:
        out = readout(batch, **call)
    predictions = count * 8 * (2 if call else 1)
    assert out is not None
    return live.held() - predictions


@pytest.mark.parametrize('name', ['tiny', 'schnet', 'e3nn'])
@pytest.mark.parametrize('mode', ['stream', 'recompute'])
def test_flat_in_the_number_of_poses(kit, mode, name):
    few, many = held(kit, mode, 8, name), held(kit, mode, 512, name)
    slack = 512 * 8 * 3  # a few vectors as long as the predictions
    assert many <= 1.05 * few + slack
    per_pose = (held(kit, 'full', 16, name) - held(kit, 'full', 8, name)) / 8
    assert many < 20 * per_pose  # and it is not the graph


@pytest.mark.parametrize('mode', ['stream', 'recompute'])
def test_a_shared_receptor_is_held_once(kit, mode):
    few, many = (
        held(kit, mode, count, 'schnet', share=True) for count in (64, 512)
    )
    assert many <= 1.05 * few + 512 * 8 * 3


def test_recompute_is_flat_with_a_loss_on_poses(kit):
    few = held(kit, 'recompute', 8, combination='mean', return_poses=True)
    many = held(kit, 'recompute', 512, combination='mean', return_poses=True)
    assert many <= 1.05 * few + 512 * 8 * 3


def test_full_and_store_grow(kit):
    """What the other modes save, they save against this."""
    assert held(kit, 'full', 64) > 6 * held(kit, 'full', 8)
    assert held(kit, 'store', 64) > 6 * held(kit, 'store', 8)
    model = kit.make_model('tiny').module
    size = sum(p.numel() * 8 for p in model.parameters())
    assert held(kit, 'store', 64) >= 64 * size


@pytest.mark.parametrize(
    'mode', ['full', 'store', 'stream', 'recompute', 'auto']
)
def test_inference_holds_only_predictions(kit, mode):
    import torch

    readout = kit.MultiPoseReadout(
        kit.make_model('tiny').module,
        MeanCombination(),
        gradient=mode,
        max_nodes_per_chunk=208,
        share_receptor=False,
    )
    batch = kit.make_batch(sizes=((4,) * 256,))
    with LiveBytes() as live, torch.no_grad():
        out = readout(batch)
    assert out.numel() == 1
    assert live.held() <= 256 * 8


@pytest.mark.parametrize('mode', ['stream', 'recompute'])
def test_one_graph_at_a_time(kit, mode):
    """Also where a pose is skipped, whose graph no backward pass frees."""
    model = kit.make_model('tiny')
    batch = kit.make_batch(sizes=((4,) * 16,))
    readout = kit.MultiPoseReadout(
        model.module,
        MaxCombination(scale=1e6),
        gradient=mode,
        inputs=model.inputs,
        max_nodes_per_chunk=1,
    )
    graph = held(kit, 'full', 16) / 16
    before = []
    with LiveBytes() as live:
        model.module.register_forward_pre_hook(
            lambda *_: before.append(live.held())
        )
        readout(batch).sum().backward()
    assert readout.last_plan.counts.backward < 16 <= len(before)
    assert max(before) < min(before[1:]) + 0.5 * graph
