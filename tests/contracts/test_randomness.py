"""Models that draw random numbers, couple poses or change buffers."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn

from pyg_multipose.nn import MaxCombination

MODES = ['store', 'stream', 'recompute']


def run(kit, mode, model, batch, combination='free_energy', **kwargs):
    torch.manual_seed(5)
    readout = kit.MultiPoseReadout(model, combination, gradient=mode, **kwargs)
    out = readout(batch)
    after = torch.get_rng_state()
    grads = kit.gradients(out.sum(), list(model.parameters()))
    assert torch.equal(after, torch.get_rng_state())  # backward draws nothing
    return [out, *grads], after, readout


@pytest.mark.parametrize('combination', ['mean', 'max', 'free_energy'])
@pytest.mark.parametrize('max_nodes', [1, 30])
@pytest.mark.parametrize('mode', MODES)
def test_dropout(kit, mode, combination, max_nodes):
    """The same masks as `full` with the same chunks, and the same RNG."""
    model = kit.TinyGNN(dropout=0.5).double()
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))
    kwargs = {'max_nodes_per_chunk': max_nodes}
    expected, after, _ = run(kit, 'full', model, batch, combination, **kwargs)
    got, rng, _ = run(kit, mode, model, batch, combination, **kwargs)
    assert torch.equal(after, rng)
    assert kit.relative_error(got, expected, mode) <= 1e-10


def test_dropout_skips_whole_chunks(kit):
    model = kit.TinyGNN(dropout=0.5).double()
    batch = kit.make_batch(sizes=((4,) * 8,))
    hard = MaxCombination(scale=1e7)
    _, _, readout = run(
        kit, 'recompute', model, batch, hard, max_nodes_per_chunk=26
    )
    assert readout.last_plan.num_chunks == 4
    assert readout.last_plan.counts.backward == 2  # the chunk with the best


@pytest.mark.parametrize('mode', MODES)
def test_batch_norm(kit, mode):
    """Statistics of the chunk, updated once, as in `full`; a warning."""
    model = kit.TinyGNN(norm=nn.BatchNorm1d(8)).double()
    other = copy.deepcopy(model)
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))
    kwargs = {'max_nodes_per_chunk': 30}
    with pytest.warns(UserWarning, match='statistics'):
        expected, _, _ = run(kit, 'full', model, batch, **kwargs)
    with pytest.warns(UserWarning, match='statistics'):
        got, _, readout = run(kit, mode, other, batch, **kwargs)
    assert readout.last_plan.num_chunks > 1
    assert kit.relative_error(got, expected, mode) <= 1e-10
    for name, buffer in other.named_buffers():
        assert torch.equal(buffer, model.get_buffer(name)), name
    model.eval(), other.eval()
    expected, _, _ = run(kit, 'full', model, batch, **kwargs)
    got, _, _ = run(kit, mode, other, batch, **kwargs)
    assert kit.relative_error(got, expected, mode) <= 1e-10


def test_coupled_poses_without_a_trace(kit):
    """A normalisation nobody knows: found by comparing predictions."""

    class Centred(nn.Module):
        def forward(self, h):
            return h - h.mean(dim=0)

    model = kit.TinyGNN(norm=Centred()).double()
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))
    kwargs = {'max_nodes_per_chunk': 30, 'combination': 'max'}
    expected, _, _ = run(kit, 'full', model, batch, **kwargs)
    got, _, _ = run(kit, 'recompute', model, batch, **kwargs)
    assert kit.relative_error(got, expected) <= 1e-10


def test_generator_of_its_own_is_noticed(kit):
    generator = torch.Generator().manual_seed(0)

    class Noise(nn.Module):
        def forward(self, h):
            return h + torch.rand(h.shape, generator=generator).to(h)

    model = kit.TinyGNN(norm=Noise()).double()
    readout = kit.MultiPoseReadout(model, gradient='recompute')
    out = readout(kit.make_batch())
    with pytest.raises(RuntimeError, match='does not reproduce'):
        out.sum().backward()


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.parametrize('mode', ['full', 'store', 'stream', 'recompute'])
@pytest.mark.parametrize('gradient', [True, False])
def test_exception_leaves_everything_as_it_was(kit, mode, gradient):
    class Trap(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(8)
            self.calls = 0

        def forward(self, h):
            self.calls += 1
            if self.calls == 3:
                raise MemoryError('out of memory')
            return self.norm(h)

    model = kit.TinyGNN(norm=Trap()).double()
    before = copy.deepcopy(model.state_dict())
    names = [(n, id(p)) for n, p in model.named_parameters()]
    readout = kit.MultiPoseReadout(model, gradient=mode, max_nodes_per_chunk=1)
    with torch.set_grad_enabled(gradient), pytest.raises(MemoryError):
        readout(kit.make_batch())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert names == [(n, id(p)) for n, p in model.named_parameters()]
    assert all(p.grad is None for p in model.parameters())


def test_exception_in_the_second_pass(kit):
    class Trap(nn.Module):
        def __init__(self):
            super().__init__()
            self.armed = threading.Event()

        def forward(self, h):
            if self.armed.is_set():
                raise MemoryError('out of memory')
            return h

    trap = Trap()
    model = kit.TinyGNN(norm=trap).double()
    names = [(n, id(p)) for n, p in model.named_parameters()]
    out = kit.MultiPoseReadout(model, gradient='recompute')(kit.make_batch())
    trap.armed.set()
    with pytest.raises(MemoryError):
        out.sum().backward()
    assert names == [(n, id(p)) for n, p in model.named_parameters()]
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize('mode', ['stream', 'recompute'])
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(kit, mode, dtype):
    """Error against float32 at most about twice that of `full`."""
    if mode == 'stream' and dtype == torch.float16:
        readout = kit.MultiPoseReadout(kit.TinyGNN(), gradient=mode)
        batch = kit.make_batch()
        batch.x, batch.pos = batch.x.float(), batch.pos.float()
        with torch.autocast('cpu', dtype):
            with pytest.raises(ValueError, match='bfloat16'):
                readout(batch)
        return
    model = kit.TinyGNN()
    batch = kit.make_batch(sizes=((4, 3, 5, 4), (3, 4)))
    batch.x, batch.pos = batch.x.float(), batch.pos.float()
    kwargs = {'max_nodes_per_chunk': 30}
    exact, _, _ = run(kit, 'full', model, batch, **kwargs)

    def error(mode):
        readout = kit.MultiPoseReadout(
            model, 'free_energy', gradient=mode, **kwargs
        )
        with torch.autocast('cpu', dtype):
            out = readout(batch)
            # Casts made by the first pass must not serve somebody else.
            model.head(torch.ones(1, 8)).sum().backward()
        assert model.head.weight.grad is not None
        assert out.dtype == torch.float32
        grads = kit.gradients(out.sum(), list(model.parameters()))
        return kit.relative_error([out, *grads], exact)

    assert error(mode) <= 2 * error('full')
