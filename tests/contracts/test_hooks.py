"""Hooks of modules, parameters and tensors."""

from __future__ import annotations

import copy

import pytest
import torch

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
#: Where every pose has a backward pass of its own, one for each pose.
CHUNKS = {'store': 1}


def run(kit, mode, model, **kwargs):
    """Gradients in `.grad`, and the readout."""
    readout = kit.MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        max_nodes_per_chunk=CHUNKS.get(mode, 30),
        **kwargs,
    )
    readout(kit.make_batch()).pow(2).sum().backward()
    return [p.grad for p in model.parameters()], readout


@pytest.mark.parametrize('mode', MODES)
def test_parameter_hooks_see_the_sum_once(kit, mode):
    model = kit.make_model('tiny').module
    other = copy.deepcopy(model)
    seen, posted = [], []
    for m in (model, other):
        m.head.weight.register_hook(lambda grad: 2 * grad)
        m.conv.nn[0].bias.register_hook(lambda grad: grad.clamp(max=0.01))
    model.head.bias.register_hook(seen.append)
    model.head.bias.register_post_accumulate_grad_hook(
        lambda parameter: posted.append(parameter.grad.clone())
    )
    expected, _ = run(kit, 'full', other)
    got, _ = run(kit, mode, model)
    assert kit.relative_error(got, expected, mode) <= 1e-10
    assert len(seen) == len(posted) == 1
    assert torch.equal(posted[0], model.head.bias.grad)


@pytest.mark.parametrize('mode', MODES)
def test_forward_hooks_run_once_per_chunk_and_pass(kit, mode):
    model = kit.make_model('tiny').module
    other = copy.deepcopy(model)
    calls = []
    for m in (model, other):
        m.head.register_forward_pre_hook(lambda module, args: (2 * args[0],))
        m.conv.register_forward_hook(lambda module, args, out: out.tanh())
    model.head.register_forward_hook(
        lambda module, args, out: calls.append(torch.is_grad_enabled())
    )
    expected, _ = run(kit, 'full', other)
    got, readout = run(kit, mode, model)
    assert kit.relative_error(got, expected, mode) <= 1e-10
    chunks, mode = readout.last_plan.num_chunks, readout.last_plan.mode
    if mode == 'recompute':  # the first chunk is looked at with its graph
        assert calls[:chunks] == [True] + [False] * (chunks - 1)
        assert calls[chunks:] and all(calls[chunks:])
    else:
        assert calls in ([True] * chunks, [True] * (chunks + 1))


@pytest.mark.parametrize('mode', MODES)
def test_backward_hooks_of_modules(kit, mode):
    """They may change gradients, as in plain autograd."""
    model = kit.make_model('tiny').module
    other = copy.deepcopy(model)
    calls = []
    for m in (model, other):
        m.head.register_full_backward_hook(
            lambda module, grads_in, grads_out: (0.5 * grads_in[0],)
        )
        m.conv.register_full_backward_pre_hook(
            lambda module, grads: (3 * grads[0],)
        )
    model.head.register_full_backward_hook(
        lambda module, grads_in, grads_out: calls.append(len(grads_out[0]))
    )
    expected, _ = run(kit, 'full', other)
    got, readout = run(kit, mode, model)
    assert kit.relative_error(got, expected, mode) <= 1e-10
    assert readout.last_plan.counts.backward == 7
    assert sum(calls) == 90  # each atom of each pose once


@pytest.mark.parametrize('mode', MODES)
def test_hooks_of_tensors_inside(kit, mode):
    model = kit.make_model('tiny').module
    other = copy.deepcopy(model)

    def scale(module, args, out):
        if out.requires_grad:
            out.register_hook(lambda grad: None if grad is None else 3 * grad)

    for m in (model, other):
        m.conv.register_forward_hook(scale)
    expected, _ = run(kit, 'full', other)
    got, _ = run(kit, mode, model)
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_hooks_of_outputs_and_predictions(kit, mode):
    model = kit.make_model('tiny').module
    readout = kit.MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=CHUNKS.get(mode, 30)
    )
    out = readout(kit.make_batch())
    seen = []
    out.register_hook(seen.append)
    out.retain_grad()
    out.sum().backward()
    assert len(seen) == 1 and seen[0].eq(1).all() and out.grad.eq(1).all()


@pytest.mark.parametrize('mode', ['store', 'stream', 'recompute', 'auto'])
def test_saved_tensor_hooks_of_the_user(kit, mode):
    """Around forward and backward, as `save_on_cpu` has them."""
    model = kit.make_model('tiny').module
    expected, _ = run(kit, 'full', copy.deepcopy(model))
    packed = []

    def pack(tensor):
        packed.append(tensor)
        return tensor.clone()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        got, _ = run(kit, mode, model)
    assert packed
    assert kit.relative_error(got, expected, mode) <= 1e-10
