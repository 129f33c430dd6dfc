"""What only a CUDA device can show; on a CPU the replay is tested alike."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(),
    reason='no CUDA device: random numbers and memory of CUDA are not tested',
)
MODES = ['full', 'store', 'stream', 'recompute', 'auto']


def run(kit, mode, model, batch, **kwargs):
    torch.manual_seed(5)
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode, **kwargs)
    out = readout(batch)
    states = torch.get_rng_state(), torch.cuda.get_rng_state()
    grads = kit.gradients(out.sum(), list(model.parameters()))
    assert torch.equal(states[0], torch.get_rng_state())
    assert torch.equal(states[1], torch.cuda.get_rng_state())
    return [out, *grads], states, readout


@pytest.mark.parametrize('mode', MODES)
def test_dropout(kit, mode):
    """The same masks as `full`; CUDA's generator ends where `full` leaves."""
    model = kit.TinyGNN(dropout=0.5).double().cuda()
    batch = kit.make_batch(sizes=((4, 3, 5, 4),)).to('cuda')
    kwargs = {'max_nodes_per_chunk': 1 if mode == 'store' else 30}
    expected, states, _ = run(kit, 'full', model, batch, **kwargs)
    got, ends, _ = run(kit, mode, model, batch, **kwargs)
    assert all(map(torch.equal, states, ends))
    # Sums of scatter are not in order on a GPU.
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('mode', ['full', 'store', 'recompute', 'auto'])
def test_grad_scaler(kit, mode, dtype):
    model = kit.TinyGNN().cuda()
    batch = kit.make_batch().to('cuda')
    batch.x, batch.pos = batch.x.float(), batch.pos.float()
    readout = kit.MultiPoseReadout(
        model, 'free_energy', gradient=mode, max_nodes_per_chunk=30
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler('cuda', init_scale=2.0**10)
    before = [p.clone() for p in model.parameters()]
    with torch.autocast('cuda', dtype):
        loss = readout(batch).pow(2).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**10
    for new, old in zip(model.parameters(), before, strict=True):
        assert new.isfinite().all() and not torch.equal(new, old)


@pytest.mark.parametrize('mode', MODES)
def test_a_batch_that_stays_on_the_host(kit, mode):
    model = kit.TinyGNN().double().cuda()
    batch = kit.make_batch()
    kwargs = {'max_nodes_per_chunk': 1 if mode == 'store' else 30}
    expected, _, _ = run(kit, mode, model, batch.to('cuda'), **kwargs)
    got, _, _ = run(kit, mode, model, batch.to('cpu'), **kwargs)
    assert got[0].is_cuda
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', ['full', 'recompute'])
def test_gradients_of_positions_on_the_host(kit, mode):
    model = kit.TinyGNN().double().cuda()
    forces = []
    for device in ('cuda', 'cpu'):
        batch = kit.make_batch().to(device)
        batch.pos.requires_grad_()
        readout = kit.MultiPoseReadout(model, 'mean', mode)
        (force,) = torch.autograd.grad(readout(batch).sum(), [batch.pos])
        assert force.device.type == device
        forces.append(force.cpu())
    torch.testing.assert_close(*forces, rtol=1e-10, atol=1e-12)


class Large(nn.Module):
    """Takes 4 MiB for each atom while it runs."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, batch):
        block = torch.zeros(batch.num_nodes, 2**20, device='cuda')
        return self.model(batch) + 0 * block[:, :1].sum()


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_out_of_memory(kit, mode):
    model = Large(kit.TinyGNN().double()).cuda()
    batch = kit.make_batch(sizes=((4,) * 16,)).to('cuda')
    expected, _, _ = run(kit, 'full', model.model, batch)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    # 208 atoms take 832 MiB, and half of that is there.
    used = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((used + 2**29) / total)
    try:
        with pytest.warns(UserWarning, match='Out of memory'):
            got, _, readout = run(kit, mode, model, batch)
        assert readout.last_plan.max_nodes <= 104
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            readout(batch)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert kit.relative_error(got, expected, mode) <= 1e-10
