"""Models whose buffers change, and which read them in the same pass."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch

from pyg_multipose.gradient import Evaluation, LiveBytes
from pyg_multipose.nn import MaxCombination

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
EVERY = 'mean'  # every pose matters

pytestmark = pytest.mark.filterwarnings(
    'ignore:BatchNorm1d takes its statistics'
)


class Counts(nn.Module):
    """A running counter that the output depends on."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.register_buffer('steps', torch.zeros(()))

    def forward(self, h):
        out = h * (1 + 0.1 * self.steps)
        if self.how == 'in place':
            self.steps += 1
        elif self.how == 'data':  # past autograd's version counters
            self.steps.data.add_(1)
        elif self.how == 'replaced':
            self.steps = self.steps + 1
        elif self.how == 'every third':
            with torch.no_grad():
                self.steps.copy_(torch.floor(self.steps) + 1 / 3 + 1e-3)
        return out


class RunningMean(nn.Module):
    """Subtracts a mean over all calls up to now, which starts as None."""

    def __init__(self):
        super().__init__()
        self.register_buffer('mean', None)

    def forward(self, h):
        new = h.detach().mean(0)
        self.mean = new if self.mean is None else 0.9 * self.mean + 0.1 * new
        return h - self.mean


class Twice(nn.Module):
    """One buffer under two names: written here, read there."""

    def __init__(self):
        super().__init__()
        self.write = nn.Module()
        self.write.register_buffer('state', torch.ones(()))
        self.read = nn.Module()
        self.read.register_buffer('state', self.write.state)

    def forward(self, h):
        self.write.state.mul_(1.1)
        return h * self.read.state


def spectral(parametrized):
    linear = nn.Linear(8, 8)
    if parametrized:
        return nn.utils.parametrizations.spectral_norm(linear)
    return nn.utils.spectral_norm(linear)


def normalised(**kwargs):
    # (Not linear: the mean of what is normalised has no gradient.)
    return nn.Sequential(nn.BatchNorm1d(8, **kwargs), nn.SiLU())


CASES = {
    'spectral_norm': lambda: spectral(False),
    'parametrized spectral_norm': lambda: spectral(True),
    'counter': lambda: Counts('in place'),
    'counter by .data': lambda: Counts('data'),
    'counter replaced': lambda: Counts('replaced'),
    'changes once': lambda: Counts('every third'),
    'running mean': RunningMean,
    'one buffer, two names': Twice,
    'batch norm': lambda: normalised(),
    'batch norm, mean of all': lambda: normalised(momentum=None),
    'batch norm, no statistics': lambda: normalised(track_running_stats=False),
}


def chunked(kit, model, batch, max_nodes, within_sets, combination):
    """Plain autograd over the chunks that a mode sees."""
    chunks = Evaluation(
        copy.deepcopy(model),
        batch,
        max_nodes=max_nodes,
        within_sets=within_sets,
    ).chunks
    poses = [
        pose for of_set in batch.to_data_list() for pose in of_set.to_poses()
    ]
    out = [
        model(Batch.from_data_list([poses[number] for number in chunk]))
        for chunk in chunks
    ]
    combined = kit.combine(combination, torch.cat(out), batch)
    return combined, len(chunks)


def state(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('mode', MODES)
def test_exact(kit, mode, name):
    """Values, gradients and buffers of plain autograd over the chunks."""
    torch.manual_seed(0)
    model = kit.TinyGNN(norm=CASES[name]()).double()
    plain = copy.deepcopy(model)
    batch = kit.make_batch()
    kwargs = {'max_nodes_per_chunk': 1 if mode == 'store' else 30}
    readout = kit.MultiPoseReadout(model, EVERY, gradient=mode, **kwargs)
    combined, num_chunks = chunked(
        kit,
        plain,
        batch,
        kwargs['max_nodes_per_chunk'],
        mode in ('stream', 'auto'),
        readout.combination,
    )
    expected = kit.gradients(combined.pow(2).sum(), list(plain.parameters()))
    out = readout(batch)
    assert readout.last_plan.num_chunks == num_chunks > 2
    after = state(model)
    got = kit.gradients(out.pow(2).sum(), list(model.parameters()))
    assert kit.relative_error([out], [combined], mode) <= 1e-10
    assert kit.relative_error(got, expected, mode) <= 1e-10
    assert after.keys() == dict(plain.named_buffers()).keys()
    for key, buffer in plain.named_buffers():
        assert torch.allclose(after[key], buffer, rtol=1e-12), key
        assert torch.equal(model.get_buffer(key), after[key]), key


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('chunks', [3, 5])
def test_auto_with_some_graphs_held(kit, name, chunks):
    torch.manual_seed(0)
    model = kit.TinyGNN(norm=CASES[name]()).double()
    other = copy.deepcopy(model)
    batch = kit.make_batch()
    batch.pos.requires_grad_()  # so it is not `stream`
    kwargs = {'max_nodes_per_chunk': 14}
    size = kit.MultiPoseReadout(
        copy.deepcopy(model), EVERY, memory_budget=10**9, **kwargs
    ).plan(batch)
    readout = kit.MultiPoseReadout(
        model, EVERY, memory_budget=size.bytes * chunks // 7, **kwargs
    )
    combined, _ = chunked(kit, other, batch, 14, True, readout.combination)
    out = readout(batch)
    assert readout.last_plan.mode == 'mixed'
    tensors = [list(m.parameters()) + [batch.pos] for m in (model, other)]
    got = kit.gradients(out.sum(), tensors[0])
    expected = kit.gradients(combined.sum(), tensors[1])
    assert kit.relative_error(got, expected, 'auto') <= 1e-10


def test_whole_chunks_are_skipped(kit):
    """A chunk without weight has no second pass, also in between."""
    model = kit.TinyGNN(norm=Counts('in place')).double()
    other = copy.deepcopy(model)
    batch = kit.make_batch(sizes=((4,) * 8,))
    hard = MaxCombination(scale=1e7)
    readout = kit.MultiPoseReadout(
        model, hard, gradient='recompute', max_nodes_per_chunk=26
    )
    combined, num_chunks = chunked(kit, other, batch, 26, False, hard)
    got = kit.gradients(readout(batch).sum(), list(model.parameters()))
    expected = kit.gradients(combined.sum(), list(other.parameters()))
    assert kit.relative_error(got, expected) <= 1e-10
    assert num_chunks == 4
    assert readout.last_plan.counts.backward == 2


def test_two_backward_passes_and_a_change_in_between(kit):
    """Copies of the buffers are used, not what the model has by then."""
    model = kit.TinyGNN(norm=Counts('in place')).double()
    readout = kit.MultiPoseReadout(
        model, EVERY, gradient='recompute', max_nodes_per_chunk=14
    )
    out = readout(kit.make_batch())
    first = kit.gradients(out.sum(), list(model.parameters()))
    model.norm.steps.fill_(50)
    again = kit.gradients(out.sum(), list(model.parameters()))
    assert kit.relative_error(again, first) == 0
    assert model.norm.steps == 50


def held(kit, norm, count):
    model = kit.TinyGNN(norm=norm).double()
    readout = kit.MultiPoseReadout(
        model, EVERY, gradient='recompute', max_nodes_per_chunk=26
    )
    batch = kit.make_batch(sizes=((4,) * count,))
    with LiveBytes() as live:
        out = readout(batch)
    assert out.requires_grad
    return live.held() - 3 * 8 * count  # vectors as long as the predictions


def test_what_it_costs(kit):
    """One copy a chunk of what is read and changed; nothing else."""
    few, many = 8, 128  # poses, two a chunk
    constant = nn.Identity()
    constant.register_buffer('constant', torch.ones(1000))
    fingerprint = 8
    bare = held(kit, nn.Identity(), many)
    assert held(kit, constant, many) <= bare + fingerprint
    # Batch statistics are written and not read.
    norm = nn.BatchNorm1d(8)
    assert held(kit, norm, many) <= 1.05 * held(kit, norm, few)
    grown = held(kit, Counts('in place'), many) - held(
        kit, Counts('in place'), few
    )
    assert grown <= 8 * (many - few) // 2  # one float64 for each chunk
    once = [held(kit, Counts('every third'), n) for n in (few, many)]
    assert once[1] <= 1.05 * once[0]


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('mode', MODES)
def test_exception_puts_buffers_back(kit, mode, name):
    class Fails(nn.Module):
        calls = 0

        def __init__(self, norm):
            super().__init__()
            self.norm = norm
            self.register_buffer('unset', None)

        def forward(self, h):
            self.calls += 1
            torch.rand(3)
            self.unset = torch.ones(1)
            out = self.norm(h)
            if self.calls % 4 == 0:
                raise MemoryError('no more')
            return out

    model = kit.TinyGNN(norm=Fails(CASES[name]())).double()
    objects = [m._buffers.copy() for m in model.modules()]
    values = [
        {k: b if b is None else b.clone() for k, b in of.items()}
        for of in objects
    ]
    readout = kit.MultiPoseReadout(
        model, EVERY, gradient=mode, max_nodes_per_chunk=14
    )
    random = torch.get_rng_state()
    with pytest.raises(MemoryError):
        readout(kit.make_batch())
    assert torch.equal(random, torch.get_rng_state())
    for module, old, value in zip(
        model.modules(), objects, values, strict=True
    ):
        for key, buffer in module._buffers.items():
            assert buffer is old[key]
            assert buffer is None or torch.equal(buffer, value[key])


def test_masked_poses_need_chunks_of_their_own(kit):
    """Evaluating what is left of a chunk would change the buffers again."""

    class Bad(kit.TinyGNN):
        def forward(self, batch):
            out = super().forward(batch)
            bad = torch.bincount(batch.batch) == 9 + 6
            return torch.where(bad.view(-1, 1), torch.nan, out)

    for max_nodes, mode in ((1, 'full'), (30, 'full'), (30, 'stream')):
        model = Bad(norm=Counts('in place')).double()
        readout = kit.MultiPoseReadout(
            model,
            EVERY,
            gradient=mode,
            nonfinite='mask',
            max_nodes_per_chunk=max_nodes,
        )
        batch = kit.make_batch(sizes=((4, 6, 3), (2, 6, 4)))
        if max_nodes == 1:
            with pytest.warns(UserWarning, match='Left out 2 poses'):
                assert readout(batch).isfinite().all()
            assert model.norm.steps == 6
        else:
            with pytest.raises(ValueError, match='max_nodes_per_chunk=1'):
                readout(batch)
            assert model.norm.steps == 0
