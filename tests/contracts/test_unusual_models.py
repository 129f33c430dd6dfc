"""Models that do what users' models do, and that once gave wrong gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.nn import LayerNorm
from torch_geometric.utils import scatter

from pyg_multipose.nn import MaxCombination

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
TWO_PASSES = ['store', 'stream', 'recompute']


def gradients(kit, model, mode, batch, combination='mean', **kwargs):
    readout = kit.MultiPoseReadout(
        model,
        combination,
        gradient=mode,
        **{'max_nodes_per_chunk': 25, **kwargs},
    )
    out = readout(batch)
    tensors = [p for p in model.parameters() if p.requires_grad]
    return [out.detach(), *kit.gradients(out.sum(), tensors)]


class Added(nn.Module):
    """Two parameters whose gradients are views of one storage."""

    def __init__(self, view=False):
        super().__init__()
        self.first = nn.Parameter(torch.ones(4).double())
        self.second = nn.Parameter(torch.full((4,), 2.0).double())
        self.view = view

    def forward(self, batch):
        if self.view:
            both = self.first.view(4) + self.second.view(4)
        else:
            both = (self.first[None] + self.second[None])[0]
        h = (batch.x * both).sum(1)
        return scatter(h, batch.batch, 0, batch.num_graphs)


@pytest.mark.parametrize('view', [False, True])
@pytest.mark.parametrize('mode', MODES)
def test_gradients_that_share_storage(kit, mode, view):
    batch = kit.make_batch()
    expected = gradients(kit, Added(view), 'full', batch)
    got = gradients(kit, Added(view), mode, batch)
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('offset', [0.0, -12.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_coupled_poses_with_an_offset(kit, dtype, offset):
    """An offset of all predictions does not hide that poses are coupled."""

    class Coupled(kit.TinyGNN):
        def forward(self, batch):
            return 0.03 * super().forward(batch) + offset

    model = Coupled(norm=LayerNorm(8)).to(dtype)
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))
    batch.x, batch.pos = batch.x.to(dtype), batch.pos.to(dtype)
    sharp = MaxCombination(scale=1e5)  # so that poses leave their chunk
    expected = gradients(kit, model, 'full', batch, sharp)
    got = gradients(kit, model, 'recompute', batch, sharp)
    limit = 1e-10 if dtype == torch.float64 else 1e-4
    assert kit.relative_error(got, expected) <= limit


def test_numpy_noise_with_an_offset_is_noticed(kit):
    import numpy as np

    random = np.random.default_rng(0)

    class Noise(kit.TinyGNN):
        def forward(self, batch):
            mask = torch.from_numpy(random.random(batch.num_graphs))
            noise = 0.02 * mask.view(-1, 1).float()
            return super().forward(batch) * noise - 12

    model = Noise()
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))
    batch.x, batch.pos = batch.x.float(), batch.pos.float()
    readout = kit.MultiPoseReadout(
        model, 'free_energy', gradient='recompute', max_nodes_per_chunk=25
    )
    out = readout(batch)
    with pytest.raises(RuntimeError, match='does not reproduce'):
        out.sum().backward()


@pytest.mark.parametrize('in_place', [True, False])
def test_buffer_changed_in_between(kit, in_place):

    class Shifted(kit.TinyGNN):
        def forward(self, batch):
            return super().forward(batch) - 12

    model = Shifted(norm=nn.BatchNorm1d(8)).eval()
    batch = kit.make_batch()
    batch.x, batch.pos = batch.x.float(), batch.pos.float()
    readout = kit.MultiPoseReadout(model, gradient='recompute')
    out = readout(batch)
    if not in_place:  # the graph has its own, as it has its parameters
        expected = kit.gradients(out.sum(), list(model.parameters()))
        model.norm.running_mean = model.norm.running_mean + 1e-2
        got = kit.gradients(out.sum(), list(model.parameters()))
        assert kit.relative_error(got, expected) == 0
        return
    model.norm.running_mean.data.add_(1e-2)
    with pytest.raises(RuntimeError, match='changed between forward'):
        out.sum().backward()


@pytest.mark.parametrize('mode', TWO_PASSES)
def test_cache_of_a_parameter_is_refused(kit, mode):
    class Cached(kit.TinyGNN):
        cache = None

        def forward(self, batch):
            if self.cache is None:
                self.cache = self.head.weight.t() + 0
            return super().forward(batch) + self.cache.sum()

    model = Cached().double()
    batch = kit.make_batch()

    def run():
        readout = kit.MultiPoseReadout(
            model, 'mean', gradient=mode, max_nodes_per_chunk=25
        )
        readout(batch).sum().backward()

    if mode == 'recompute':
        with pytest.raises(ValueError, match="'head.weight' by a reference"):
            run()
        return
    run()  # every chunk runs on the same leaves
    got = [p.grad for p in model.parameters()]
    model.zero_grad()
    model.cache = None
    expected = gradients(kit, model, 'full', batch)[1:]
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', TWO_PASSES)
def test_reference_to_a_parameter_is_named(kit, mode):
    class Refers(kit.TinyGNN):
        def forward(self, batch):
            return super().forward(batch) + self.kept[0].sum()

    model = Refers().double()
    model.kept = [model.head.weight]
    readout = kit.MultiPoseReadout(model, gradient=mode)
    with pytest.raises(ValueError, match="'head.weight' by a reference"):
        readout(kit.make_batch())


@pytest.mark.parametrize('mode', ['stream', 'recompute', 'store'])
def test_foreign_leaf_in_a_later_chunk(kit, mode):
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)

    class Foreign(kit.TinyGNN):
        def forward(self, batch):
            out = super().forward(batch)
            return out * weight if batch.num_nodes <= 12 else out

    readout = kit.MultiPoseReadout(
        Foreign().double(), 'mean', gradient=mode, max_nodes_per_chunk=16
    )
    batch = kit.make_batch(sizes=((6, 6, 3, 3),))
    with pytest.raises(ValueError, match='neither one of its parameters'):
        readout(batch).sum().backward()
    assert weight.grad is None


@pytest.mark.parametrize('mode', MODES)
def test_foreign_leaf_and_everything_frozen(kit, mode):
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)

    class Foreign(kit.TinyGNN):
        def forward(self, batch):
            return super().forward(batch) * weight

    model = Foreign().double().requires_grad_(False)
    readout = kit.MultiPoseReadout(model, gradient=mode)
    if mode == 'full':
        readout(kit.make_batch()).sum().backward()
        assert weight.grad is not None
        return
    with pytest.raises(ValueError, match='neither one of its parameters'):
        readout(kit.make_batch())


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_model_without_parameters_in_float64(kit, mode):
    """The tolerance is that of the predictions."""

    class Distances(nn.Module):
        def forward(self, batch):
            source, target = batch.edge_index
            length = (batch.pos[source] - batch.pos[target]).pow(2).sum(1)
            return scatter(length, batch.batch[source], 0, batch.num_graphs)

    batch = kit.make_batch()
    batch.pos.requires_grad_()
    readout = kit.MultiPoseReadout(
        Distances(), 'free_energy', gradient=mode, max_nodes_per_chunk=25
    )
    combined = kit.combine(
        readout.combination, kit.plain(Distances(), batch), batch
    )
    expected = kit.gradients(combined.sum(), [batch.pos])
    got = kit.gradients(readout(batch).sum(), [batch.pos])
    assert kit.relative_error(got, expected, mode) <= 1e-10


def test_a_feature_of_little_weight_keeps_its_poses(kit):
    """What may be dropped is decided for each feature by itself."""
    model = kit.TinyGNN(out_channels=2).double()
    batch = kit.make_batch()
    weight = torch.tensor([1.0, 1e-20], dtype=torch.float64)

    def grad(mode):
        readout = kit.MultiPoseReadout(model, gradient=mode)
        out = (readout(batch) * weight).sum()
        return kit.gradients(out, [model.head.weight])[0][1]

    assert torch.allclose(grad('recompute'), grad('full'), rtol=1e-10, atol=0)


@pytest.mark.parametrize('mode', MODES)
def test_output_that_does_not_require_grad(kit, mode):
    class Cut(kit.TinyGNN):
        def forward(self, batch):
            with torch.no_grad():
                return super().forward(batch)

    readout = kit.MultiPoseReadout(
        Cut().double(), gradient=mode, max_nodes_per_chunk=25
    )
    assert not readout(kit.make_batch()).requires_grad


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_model_that_changes_the_batch_in_place(kit, mode):
    class Scales(kit.TinyGNN):
        def forward(self, batch):
            batch.pos.mul_(2)
            batch.x = batch.x + 1
            return super().forward(batch)

    model = Scales().double()
    batch = kit.make_batch()
    before = batch.pos.clone()
    batch.pos.requires_grad_()
    tensors = [*model.parameters(), batch.pos]

    def run(mode):
        readout = kit.MultiPoseReadout(
            model, 'mean', gradient=mode, max_nodes_per_chunk=25
        )
        return kit.gradients(readout(batch).sum(), tensors)

    assert kit.relative_error(run(mode), run('full'), mode) <= 1e-10
    assert torch.equal(before, batch.pos.detach())


@pytest.mark.parametrize('mode', TWO_PASSES)
def test_sparse_gradients(kit, mode):
    class Embeds(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(20, 1, sparse=True)

        def forward(self, batch):
            h = self.embedding(batch.z)
            return scatter(h, batch.batch, 0, batch.num_graphs)

    model = Embeds().double()
    batch = kit.make_batch()
    expected = gradients(kit, model, 'full', batch)
    got = gradients(kit, model, mode, batch)
    dense = [[g.to_dense() for g in of] for of in (got, expected)]
    assert kit.relative_error(*dense, mode) <= 1e-10


def test_poses_of_stream_do_not_alias_parameters(kit):
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.ones(1))

        def forward(self, batch):
            return self.value.expand(batch.num_graphs)

    model = Constant()
    readout = kit.MultiPoseReadout(model, 'mean', gradient='stream')
    _, poses = readout(kit.make_batch(), return_poses=True)
    with torch.no_grad():
        model.value.fill_(6)
    assert poses.eq(1).all()


@pytest.mark.parametrize('mode', MODES)
def test_two_readouts_share_a_model(kit, mode):
    inner = kit.make_model('tiny').module
    first = kit.MultiPoseReadout(inner, 'mean', gradient=mode)
    second = kit.MultiPoseReadout(inner, 'max', gradient='recompute')
    batch = kit.make_batch()
    tensors = list(inner.parameters())
    total = first(batch).sum() + second(batch).sum()
    plain = kit.plain(inner, batch)
    expected = sum(
        kit.combine(r.combination, plain, batch).sum() for r in (first, second)
    )
    assert (
        kit.relative_error(
            kit.gradients(total, tensors), kit.gradients(expected, tensors)
        )
        <= 1e-10
    )
