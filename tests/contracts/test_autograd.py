"""Backward as users of plain autograd expect it."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
TWO_PASSES = ['store', 'stream', 'recompute']


def readout_of(kit, model, mode, **kwargs):
    return kit.MultiPoseReadout(
        model,
        kwargs.pop('combination', 'free_energy'),
        gradient=mode,
        max_nodes_per_chunk=25,
        **kwargs,
    )


def expected_gradients(kit, model, batch, combination='free_energy'):
    readout = kit.MultiPoseReadout(model, combination)
    combined = kit.combine(readout.combination, kit.plain(model, batch), batch)
    return combined, kit.gradients(combined.sum(), list(model.parameters()))


@pytest.mark.parametrize('mode', MODES)
def test_forward_does_not_touch_grad_rng_or_dtype(kit, mode):
    model = kit.make_model('tiny').module
    marks = [torch.full_like(p, 7.0) for p in model.parameters()]
    for parameter, mark in zip(model.parameters(), marks, strict=True):
        parameter.grad = mark
    state = torch.get_rng_state()
    readout_of(kit, model, mode)(kit.make_batch())
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    for parameter, mark in zip(model.parameters(), marks, strict=True):
        assert parameter.grad is mark and mark.eq(7).all()


@pytest.mark.parametrize('mode', MODES)
def test_forward_prints_nothing(kit, mode, capfd):
    out = readout_of(kit, kit.make_model('tiny').module, mode)(
        kit.make_batch()
    )
    out.sum().backward()
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('mode', MODES)
def test_accumulation(kit, mode):
    """Two batches before a step; backward in the other order."""
    model = kit.make_model('tiny').module
    first, second = kit.make_batch(seed=0), kit.make_batch(seed=10)
    total = [
        a + b
        for a, b in zip(
            expected_gradients(kit, model, first)[1],
            expected_gradients(kit, model, second)[1],
            strict=True,
        )
    ]
    readout = readout_of(kit, model, mode)
    one, two = readout(first).sum(), readout(second).sum()
    two.backward()
    one.backward()
    grads = [p.grad for p in model.parameters()]
    assert kit.relative_error(grads, total, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_backward_of_one_set_then_another(kit, mode):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    _, expected = expected_gradients(kit, model, batch)
    out = readout_of(kit, model, mode)(batch)
    out[0].backward(retain_graph=True)
    out[2].backward(retain_graph=True)
    out[1].backward()
    grads = [p.grad for p in model.parameters()]
    assert kit.relative_error(grads, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_second_backward_needs_retain_graph(kit, mode):
    out = readout_of(kit, kit.make_model('tiny').module, mode)(
        kit.make_batch()
    )
    out.sum().backward()
    with pytest.raises(RuntimeError, match='second time'):
        out.sum().backward()


@pytest.mark.parametrize('mode', MODES)
def test_two_losses_on_one_prediction(kit, mode):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    tensors = list(model.parameters())
    combined, _ = expected_gradients(kit, model, batch)
    out = readout_of(kit, model, mode)(batch)
    for loss in (torch.sum, lambda y: y.pow(3).mean()):
        assert (
            kit.relative_error(
                kit.gradients(loss(out), tensors),
                kit.gradients(loss(combined), tensors),
                mode,
            )
            <= 1e-10
        )


@pytest.mark.parametrize('mode', MODES)
def test_gradient_of_some_parameters(kit, mode):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    combined, _ = expected_gradients(kit, model, batch)
    tensors = [model.head.weight]
    got = kit.gradients(readout_of(kit, model, mode)(batch).sum(), tensors)
    expected = kit.gradients(combined.sum(), tensors)
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_frozen_unused_and_shared_parameters(kit, mode):
    model = kit.make_model('tiny').module
    model.head.bias.requires_grad_(False)
    model.unused = nn.Linear(3, 3).double()
    model.conv.nn[2].weight = nn.Parameter(torch.randn(8, 8).double())
    model.tied = model.conv.nn[2]  # a submodule under two names
    model.again = nn.Linear(8, 8, bias=False)
    model.again.weight = model.conv.nn[2].weight  # weight tying
    batch = kit.make_batch()
    tensors = [p for p in model.parameters() if p.requires_grad]

    def grads(combined):
        for parameter in tensors:
            parameter.grad = None
        combined.sum().backward()
        return [p.grad for p in tensors]

    reference = kit.MultiPoseReadout(model, 'free_energy')
    combined = kit.combine(
        reference.combination, kit.plain(model, batch), batch
    )
    expected = grads(combined)
    got = grads(readout_of(kit, model, mode)(batch))
    assert model.head.bias.grad is None
    assert model.unused.weight.grad is None
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', TWO_PASSES)
def test_zeros_when_nothing_matters(kit, mode):
    model = kit.make_model('tiny').module
    readout = readout_of(kit, model, mode)
    (readout(kit.make_batch()) * 0).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad.eq(0).all()
    if mode == 'recompute':
        assert readout.last_plan.counts.backward == 0


@pytest.mark.parametrize('mode', MODES)
def test_parameters_shared_with_the_head(kit, mode):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    tensors = list(model.parameters())
    combined, _ = expected_gradients(kit, model, batch)

    def loss(out):
        return (out * model.head.weight.sum()).sum()

    got = kit.gradients(loss(readout_of(kit, model, mode)(batch)), tensors)
    expected = kit.gradients(loss(combined), tensors)
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', TWO_PASSES)
@pytest.mark.parametrize('name', ['head.weight', 'conv.nn.0.bias'])
def test_parameter_changed_in_place(kit, mode, name):
    model = kit.make_model('tiny').module
    out = readout_of(kit, model, mode)(kit.make_batch())
    with torch.no_grad():
        model.get_parameter(name).add_(0.1)
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        out.sum().backward()


@pytest.mark.parametrize('change', ['data', 'fused', 'set_'])
def test_parameter_changed_behind_autograd(kit, change):
    model = kit.make_model('tiny').module
    out = readout_of(kit, model, 'recompute')(kit.make_batch())
    if change == 'data':
        model.head.weight.data.mul_(1 + 1e-6)
    elif change == 'set_':
        model.head.weight.data = model.head.weight.data * 1.5
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    with pytest.raises(RuntimeError, match='changed|modified'):
        out.sum().backward()


@pytest.mark.parametrize('key', ['pos', 'x', 'z', 'edge_index'])
@pytest.mark.parametrize('bypass', [False, True])
def test_input_changed_in_place(kit, key, bypass):
    batch = kit.make_batch()
    model = kit.make_model('schnet' if key == 'z' else 'tiny')
    readout = kit.MultiPoseReadout(
        model.module, 'mean', gradient='recompute', inputs=model.inputs
    )
    out = readout(batch)
    value = batch[key].data if bypass else batch[key]
    if key == 'edge_index':
        value[:, -4:] = value[:, -8:-4]
    elif key == 'z':
        value.copy_(value % 9 + 1)
    else:
        value.mul_(1.01)
    with pytest.raises(RuntimeError, match='changed|modified|reproduce'):
        out.sum().backward()


@pytest.mark.parametrize('mode', MODES)
def test_train_and_eval_flipped(kit, mode):
    model = kit.TinyGNN(dropout=0.5).double()
    batch = kit.make_batch()
    tensors = list(model.parameters())
    readout = readout_of(kit, model, mode)
    torch.manual_seed(3)
    expected = kit.gradients(readout(batch).sum(), tensors)
    torch.manual_seed(3)
    out = readout(batch)
    readout.eval()
    got = kit.gradients(out.sum(), tensors)
    assert kit.relative_error(got, expected) == 0
    assert not model.training


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('context', [torch.no_grad, torch.inference_mode])
def test_without_gradient(kit, mode, context):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    combined, _ = expected_gradients(kit, model, batch)
    readout = readout_of(kit, model, mode)
    with context():
        out, poses, weights = readout(
            batch, return_poses=True, return_weights=True
        )
    assert not out.requires_grad and not poses.requires_grad
    assert not weights.requires_grad
    assert torch.allclose(out, combined, rtol=1e-12)
    assert readout.last_plan.mode == 'none'
    assert readout.last_plan.counts.forward == 7
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize('mode', MODES)
def test_nothing_requires_grad(kit, mode):
    model = kit.make_model('tiny').module.requires_grad_(False)
    out = readout_of(kit, model, mode)(kit.make_batch())
    assert not out.requires_grad


def test_double_backward_in_full(kit):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    batch.pos.requires_grad_()
    tensors = list(model.parameters())

    def force_loss(energy):
        (force,) = torch.autograd.grad(
            energy.sum(), batch.pos, create_graph=True
        )
        return kit.gradients(force.pow(2).sum(), tensors)

    combined, _ = expected_gradients(kit, model, batch)
    got = force_loss(readout_of(kit, model, 'full')(batch))
    assert kit.relative_error(got, force_loss(combined), 'full') <= 1e-10


@pytest.mark.parametrize('mode', TWO_PASSES)
def test_double_backward_is_refused(kit, mode):
    """Also if the upstream gradient does not require grad."""
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    leaf = model.head.weight
    if mode == 'recompute':
        leaf = batch.pos.requires_grad_()
    energy = readout_of(kit, model, mode)(batch).sum()
    with pytest.raises(RuntimeError, match="gradient='full'"):
        torch.autograd.grad(energy, leaf, create_graph=True)


def test_loss_on_poses_is_refused_by_stream(kit):
    readout = readout_of(kit, kit.make_model('tiny').module, 'stream')
    combined, poses = readout(kit.make_batch(), return_poses=True)
    with pytest.raises(RuntimeError, match='recompute'):
        (combined.sum() + poses.sum()).backward()
    combined, poses = readout(kit.make_batch(), return_poses=True)
    combined.sum().backward()  # looking at them is fine


@pytest.mark.parametrize('mode', ['store', 'stream'])
def test_inputs_that_require_grad_are_refused(kit, mode):
    batch = kit.make_batch()
    batch.pos.requires_grad_()
    readout = readout_of(kit, kit.make_model('tiny').module, mode)
    with pytest.raises(ValueError, match=r"'pos'.*gradient='recompute'"):
        readout(batch)


@pytest.mark.parametrize('mode', TWO_PASSES)
def test_tensor_reached_by_closure_is_refused(kit, mode):
    model = kit.make_model('tiny').module
    secret = torch.ones(1, dtype=torch.float64, requires_grad=True)
    model.register_forward_hook(lambda module, args, out: out * secret)
    readout = readout_of(kit, model, mode)
    with pytest.raises(ValueError, match='neither one of its parameters'):
        readout(kit.make_batch())
    assert secret.grad is None


@pytest.mark.parametrize('mode', MODES)
def test_parameter_hooks_fire_once(kit, mode):
    model = kit.make_model('tiny').module
    fired = []
    model.head.weight.register_hook(fired.append)
    readout_of(kit, model, mode)(kit.make_batch()).sum().backward()
    assert len(fired) == 1
    assert torch.equal(fired[0], model.head.weight.grad)


@pytest.mark.parametrize('mode', MODES)
def test_functional_call(kit, mode):
    model = kit.make_model('tiny').module
    readout = readout_of(kit, model, mode)
    batch = kit.make_batch()
    values = {
        name: (p.detach() * 1.1).requires_grad_()
        for name, p in readout.named_parameters()
    }
    out = torch.func.functional_call(readout, values, (batch,))
    got = kit.gradients(out.sum(), list(values.values()))
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1)
    expected = expected_gradients(kit, other, batch)[1]
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('reentrant', [True, False])
@pytest.mark.parametrize('mode', ['stream', 'recompute', 'store'])
def test_checkpointing_inside_the_model(kit, mode, reentrant):
    from torch.utils.checkpoint import checkpoint

    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    expected = expected_gradients(kit, model, batch)[1]
    inner = model.conv.nn.forward
    model.conv.nn.forward = lambda h: checkpoint(
        inner, h.requires_grad_(), use_reentrant=reentrant
    )
    # (Reentrant checkpoints work under .backward() only, in plain torch too.)
    readout_of(kit, model, mode)(batch).sum().backward()
    got = [parameter.grad for parameter in model.parameters()]
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_pickle_deepcopy_and_state_dict(kit, mode):
    model = kit.make_model('tiny').module
    readout = readout_of(kit, model, mode)
    batch = kit.make_batch()
    expected = readout(batch)
    expected.sum().backward()
    assert torch.equal(copy.deepcopy(readout)(batch), expected)
    assert torch.equal(pickle.loads(pickle.dumps(readout))(batch), expected)
    assert set(readout.state_dict()) == {
        f'model.{key}' for key in model.state_dict()
    }
    file = io.BytesIO()
    torch.save(readout.state_dict(), file)
    file.seek(0)
    other = readout_of(kit, kit.TinyGNN().double(), mode)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(batch), expected)


@pytest.mark.parametrize('mode', ['store', 'stream', 'recompute'])
def test_half_precision_parameters(kit, mode):
    """bfloat16 gradients are summed in float32."""
    model = kit.make_model('tiny').module
    batch = kit.make_batch(sizes=((3,) * 40,))
    exact = expected_gradients(kit, model, batch, 'mean')[1]
    half = copy.deepcopy(model).to(torch.bfloat16)
    for key in ('x', 'pos'):
        batch[key] = batch[key].to(torch.bfloat16)

    def error(mode):
        out = readout_of(kit, half, mode, combination='mean')(batch)
        got = kit.gradients(out.sum(), list(half.parameters()))
        return max(
            ((g.double() - e).norm() / e.norm()).item()
            for g, e in zip(got, exact, strict=True)
        )

    assert error(mode) <= 2 * error('full')
