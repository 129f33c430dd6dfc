"""Training steps under autocast with a gradient scaler, and half models."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
HALF = [torch.float16, torch.bfloat16]
#: stream takes gradients before the loss is scaled, and refuses fp16.
CASES = [
    (mode, dtype)
    for mode in MODES
    for dtype in HALF
    if (mode, dtype) != ('stream', torch.float16)
]


def single(batch):
    for key in ('x', 'pos'):
        batch[key] = batch[key].float()
    return batch


def train(kit, model, mode, dtype, scale, steps=1, **kwargs):
    """Steps as in torch's recipe; gradients are those of the last."""
    model = copy.deepcopy(model)
    batch = single(kit.make_batch(sizes=((4, 3, 5, 4), (3, 4))))
    readout = kit.MultiPoseReadout(
        model,
        'free_energy',
        gradient=mode,
        max_nodes_per_chunk=30,
        memory_budget=kwargs.pop('memory_budget', None),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler(
        'cpu', init_scale=scale, enabled=dtype is not None
    )
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            loss = (readout(batch) - 1).pow(2).sum()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        grads = [p.grad.clone() for p in model.parameters()]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1e3)
        scaler.step(optimizer)
        scaler.update()
    return grads, list(model.parameters()), scaler.get_scale()


@pytest.mark.parametrize('size', [1.0, 1e-3])
@pytest.mark.parametrize(('mode', 'dtype'), CASES)
def test_training_step(kit, mode, dtype, size):
    """About as close to float32 as `full`, small gradients included."""
    torch.manual_seed(0)
    model = kit.TinyGNN()
    with torch.no_grad():
        model.head.weight.mul_(size)  # so that gradients of the layer are
    scale = 2.0**9
    exact, _, _ = train(kit, model, 'full', None, scale)
    full, _, _ = train(kit, model, 'full', dtype, scale)
    got, after, now = train(kit, model, mode, dtype, scale)
    error = kit.relative_error(full, exact)
    assert kit.relative_error(got, exact) <= 2 * error < 0.2
    assert now == scale
    for new, old, grad in zip(after, model.parameters(), got, strict=True):
        assert torch.allclose(new, old - 0.1 * grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('size', [1e-2, 1e-4])
@pytest.mark.parametrize('mode', ['store', 'recompute', 'auto'])
def test_small_gradients_with_a_budget(kit, mode, size):
    """In fp16; with some graphs held, some evaluated again."""
    torch.manual_seed(0)
    model = kit.TinyGNN()
    with torch.no_grad():
        model.head.weight.mul_(size)
    scale, budget = 2.0**9, {'memory_budget': 40_000}
    exact, _, _ = train(kit, model, 'full', None, scale)
    full, _, _ = train(kit, model, 'full', torch.float16, scale)
    got, _, _ = train(kit, model, mode, torch.float16, scale, **budget)
    assert kit.relative_error(got, exact) <= 2 * kit.relative_error(
        full, exact
    )


@pytest.mark.parametrize(('mode', 'dtype'), CASES)
def test_overflow_skips_the_step(kit, mode, dtype):
    torch.manual_seed(0)
    model = kit.TinyGNN()
    scale = 2.0**40 if dtype == torch.float16 else 2.0**127
    grads, after, now = train(kit, model, mode, dtype, scale)
    assert any(not grad.isfinite().all() for grad in grads)
    assert now == scale / 2
    for new, old in zip(after, model.parameters(), strict=True):
        assert torch.equal(new, old)


@pytest.mark.parametrize('mode', ['store', 'recompute', 'auto'])
def test_finds_a_scale(kit, mode):
    """After some skipped steps it trains."""
    torch.manual_seed(0)
    model = kit.TinyGNN()
    grads, after, now = train(kit, model, mode, torch.float16, 2.0**24, 20)
    assert 1 <= now < 2.0**24
    assert all(grad.isfinite().all() for grad in grads)
    for new, old in zip(after, model.parameters(), strict=True):
        assert not torch.equal(new, old)


@pytest.mark.parametrize('bad', [False, True])
def test_scale_of_store_survives_a_bad_pose(kit, bad):
    """A pose that is masked does not cost the others their precision."""

    class Bad(kit.TinyGNN):
        def forward(self, batch):
            out = super().forward(batch)
            nodes = torch.bincount(batch.batch, minlength=batch.num_graphs)
            bad = nodes.view(-1, 1) == 14
            return out * torch.where(bad, torch.nan, 1.0)

    torch.manual_seed(0)
    model = Bad()
    with torch.no_grad():
        model.head.weight.mul_(1e-4)
    batch = single(kit.make_batch(sizes=((5 if bad else 4, 3, 4, 2),)))

    def grads(mode, dtype):
        readout = kit.MultiPoseReadout(
            model, 'mean', gradient=mode, nonfinite='mask'
        )
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            out = readout(batch).sum() * 2.0**13
        return kit.gradients(out, list(model.parameters()))

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        exact = grads('full', None)
        error = kit.relative_error(grads('full', torch.float16), exact)
        got = grads('store', torch.float16)
    assert kit.relative_error(got, exact) <= 2 * error < 0.2


@pytest.mark.parametrize('dtype', HALF)
@pytest.mark.parametrize('mode', ['store', 'stream', 'recompute', 'auto'])
def test_half_precision_parameters(kit, mode, dtype):
    """Gradients of many poses are summed in float32."""
    model = kit.make_model('tiny').module
    batch = kit.make_batch(sizes=((3,) * 40,))
    combination = kit.MultiPoseReadout(model, 'mean').combination
    combined = kit.combine(combination, kit.plain(model, batch), batch)
    exact = kit.gradients(combined.sum(), list(model.parameters()))
    half = copy.deepcopy(model).to(dtype)
    for key in ('x', 'pos'):
        batch[key] = batch[key].to(dtype)

    def error(mode, budget=None):
        readout = kit.MultiPoseReadout(
            half,
            'mean',
            gradient=mode,
            max_nodes_per_chunk=25,
            memory_budget=budget,
        )
        got = kit.gradients(readout(batch).sum(), list(half.parameters()))
        assert all(g.dtype == dtype for g in got)
        return max(
            ((g.double() - e).norm() / e.norm()).item()
            for g, e in zip(got, exact, strict=True)
        )

    assert error(mode, 20_000 if mode == 'auto' else None) <= 2 * error('full')
