"""Weights of paths from a table, beside those that are computed."""

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN
from pyg_multipose.nn.models.equivariant_conv import EquivariantConv

CUTOFF = 4.5
#: In double precision tables pay from so many edges on.
ENOUGH = 2 * 8 * 16 * 4


def make(dtype=torch.float64, basis='gaussian', num_radial=4, **kwargs):
    torch.manual_seed(7)
    model = EquivariantGNN(
        '6x0e+3x1o+2x2e',
        num_layers=3,
        cutoff=CUTOFF,
        num_radial=num_radial,
        radial_basis=basis,
        **kwargs,
    )
    return model.to(dtype)


@pytest.fixture
def looked(monkeypatch):
    """How many edges were looked up, call by call."""
    out = []
    filters = EquivariantConv.edge_filters

    def counted(self, geometry):
        if len(geometry) == 4:
            out.append(len(geometry[0]))
        return filters(self, geometry)

    monkeypatch.setattr(EquivariantConv, 'edge_filters', counted)
    return out


def geometry(size, dtype=torch.float64):
    """Edges of all lengths, from coincident atoms to beyond the cutoff."""
    generator = torch.Generator().manual_seed(size)
    length = 1.2 * CUTOFF * torch.rand(size, generator=generator)
    length[0] = 0.0
    pos = torch.zeros(2 * size, 3, dtype=dtype)
    pos[size:, 0] = length.to(dtype)
    index = torch.arange(size)
    return pos, torch.stack([index, index + size])


@pytest.mark.parametrize(
    ('basis', 'num_radial'), [('bessel', 8), ('gaussian', 8), ('bessel', 2)]
)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_weights(dtype, basis, num_radial):
    model = make(dtype, basis, num_radial)
    pos, edges = geometry(20_000, dtype)
    with torch.no_grad():
        tables = model.filter_tables(pos, edges)
        told = model.layer_geometries(pos, edges, tables)
        exact = model.edge_geometry(pos, edges)
    beyond = pos[20_000:, 0] > CUTOFF
    assert beyond.any()
    # Rounding, of lengths too, is what it is without tables.
    bound = {torch.float32: 4e-6, torch.float64: 2e-12}[dtype]
    for layer, at in zip(model.layers, told, strict=True):
        assert len(at) == 4 and len(at[1]) < 7000
        with torch.no_grad():
            harmonics, found = layer.edge_filters(at)
            same, expected = layer.edge_filters(exact)
        assert torch.equal(harmonics, same)
        gap = (found - expected).abs().max()
        assert float(gap) < bound * float(expected.abs().max())
        assert not found[beyond].any() and not expected[beyond].any()


def all_of(function, model):
    out = function(model)
    parameters = list(model.parameters())
    return [out, *torch.autograd.grad(out.square().sum(), parameters)]


def close(found, expected, atol=1e-11):
    for one, two in zip(found, expected, strict=True):
        scale = max(float(two.detach().abs().max()), 1.0)
        torch.testing.assert_close(one, two, rtol=0.0, atol=atol * scale)


def test_model(pose_set, looked, direct):
    batch = Batch.from_data_list(pose_set.to_poses()[:2])
    model = make()
    expected = direct(all_of, lambda model: model(batch), model)
    assert not looked
    close(all_of(lambda model: model(batch), model), expected)
    assert looked == 3 * [batch.edge_index.size(1)]


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_poses_take_the_tables_of_their_receptor(
    mode, pose_set, looked, direct
):
    model = make()
    readout = MultiPoseReadout(
        model, 'mean', mode, max_nodes_per_chunk=1, share_receptor=True
    )

    def predict(model):
        return readout(pose_set)

    expected = direct(all_of, predict, model)
    assert not looked
    close(all_of(predict, model), expected)
    assert looked[0] > ENOUGH and any(n < ENOUGH for n in looked)
    whole = MultiPoseReadout(model, 'mean', 'full', share_receptor=False)
    close(all_of(lambda model: whole(pose_set), model), expected)


class Doubled(EquivariantConv):
    def edge_filters(self, geometry):
        harmonics, weights = super().edge_filters(geometry)
        return harmonics, 2 * weights


def other_layer(model):
    model.convs[0].__class__ = Doubled


def hook(model):
    model.convs[1].radial_mlp[0].register_forward_hook(
        lambda module, args, out: 2 * out
    )


def other_network(model):
    model.convs[1].radial_mlp[1] = torch.nn.Identity()


def other_basis(model):
    model.basis = torch.nn.Module()


def other_envelope(model):
    model.envelope.forward = torch.ones_like


def earlier_end(model):
    model.envelope.cutoff = 0.5 * CUTOFF


def other_geometry(model):
    known = model.edge_geometry
    model.edge_geometry = lambda pos, edges: known(0.9 * pos, edges)


def steep(model):
    model.convs[0].radial_mlp[0].weight.data.mul_(1e4)


CHANGES = [
    other_layer,
    hook,
    other_network,
    other_basis,
    other_envelope,
    earlier_end,
    other_geometry,
    steep,
]


@pytest.mark.parametrize('change', CHANGES)
def test_whoever_changed_a_weight_is_asked(change):
    model, (pos, edges) = make(), geometry(3000)
    assert model.filter_tables(pos, edges) is not None
    change(model)
    assert model.filter_tables(pos, edges) is None


class Shorter(EquivariantGNN):
    def edge_geometry(self, pos, edge_index):
        return super().edge_geometry(0.9 * pos, edge_index)


def test_subclass_with_a_geometry_of_its_own():
    model, (pos, edges) = make(), geometry(3000)
    model.__class__ = Shorter
    assert model.filter_tables(pos, edges) is None


def test_other_cases():
    model, (pos, edges) = make(), geometry(3000)
    assert model.filter_tables(pos, edges[:, :ENOUGH]) is None
    assert model.filter_tables(pos, edges[:, : ENOUGH + 1]) is not None
    assert model.filter_tables(pos.requires_grad_(), edges) is None
    pos, edges = geometry(3000, torch.float32)
    assert make(torch.bfloat16).filter_tables(pos, edges) is None
    with torch.autocast('cpu'):
        assert make(torch.float32).filter_tables(pos, edges) is None
    assert make(torch.float32).filter_tables(pos, edges) is not None


def test_a_position_that_is_not_a_number(pose_set):
    poses = pose_set.to_poses()[:2]
    poses[1].pos = poses[1].pos.clone()
    poses[1].pos[-1] = torch.nan
    batch, model = Batch.from_data_list(poses), make()
    assert model.filter_tables(batch.pos, batch.edge_index) is not None
    assert model(batch).isnan().tolist() == [False, True]
