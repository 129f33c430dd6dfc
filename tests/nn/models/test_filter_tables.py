"""Filters from a table, beside those that are computed."""

import copy

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet, filter_tables
from pyg_multipose.nn.models.schnet_layer import SchNetLayer
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 4.5
#: In double precision tables pay from so many pairs on.
ENOUGH = 2 * 96 * 5


def make(dtype=torch.float64, cls=SchNet, gaussians=6, **kwargs):
    torch.manual_seed(7)
    model = cls(8, 11, 2, gaussians, CUTOFF, **kwargs)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.to(dtype)


@pytest.fixture
def looked(monkeypatch):
    """How many tables were taken."""
    out = []
    interpolate = SchNetLayer.edge_filters

    def filters(self, geometry):
        if len(geometry) == 3:
            out.append(len(geometry[1]))
        return interpolate(self, geometry)

    monkeypatch.setattr(SchNetLayer, 'edge_filters', filters)
    return out


def geometry(size, dtype=torch.float64):
    """Pairs of all lengths, up to beyond the cutoff."""
    generator = torch.Generator().manual_seed(size)
    length = 1.2 * CUTOFF * torch.rand(size, generator=generator)
    pos = torch.zeros(2 * size, 3, dtype=dtype)
    pos[size:, 0] = length.to(dtype)
    index = torch.arange(size)
    return pos, torch.stack([index, index + size])


@pytest.mark.parametrize('scale', [0.1, 1.0, 2.0])
@pytest.mark.parametrize('gaussians', [6, 50])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_filters(dtype, gaussians, scale):
    model = make(dtype, gaussians=gaussians)
    with torch.no_grad():
        for layer in model.layers:
            layer.mlp[0].weight.mul_(scale)
    pos, edges = geometry(10_000, dtype)
    tables = model.filter_tables(pos, edges)
    geometries = model.layer_geometries(pos, edges, tables)
    exact = model.edge_geometry(pos, edges)
    beyond = pos[10_000:, 0] > CUTOFF
    assert beyond.any()
    # Rounding, of lengths too, is what it is without tables.
    bound = {torch.float32: 4e-6, torch.float64: 1e-12}[dtype]
    for layer, at in zip(model.layers, geometries, strict=True):
        assert len(at[0]) < 5000
        (found,), (expected,) = (
            layer.edge_filters(at), layer.edge_filters(exact)
        )  # fmt: skip
        assert found.shape == (10_000, 11)
        gap = (found - expected).detach().abs().max()
        assert float(gap) < bound * float(expected.detach().abs().max())
        assert not found[beyond].any() and not expected[beyond].any()


@pytest.mark.parametrize('gaussians', [6, 50, 300])
def test_as_exact_as_single_precision(gaussians):
    model, (pos, edges) = (
        make(torch.float32, gaussians=gaussians),
        geometry(20_000, torch.float32),
    )
    tables = model.filter_tables(pos, edges)
    found = model.layer_geometries(pos, edges, tables)[0]
    direct = model.edge_geometry(pos, edges)
    layer = model.layers[0]
    with torch.no_grad():
        found, direct = (layer.edge_filters(x)[0] for x in (found, direct))
        exact = copy.deepcopy(layer).double()
        (exact,) = exact.edge_filters(
            copy.deepcopy(model).double().edge_geometry(pos.double(), edges)
        )
    error, usual = ((x - exact).abs().max() for x in (found, direct))
    assert 0 < error < 2 * usual < 1e-5 * exact.abs().max()


def all_of(function, model):
    out = function(model)
    grads = torch.autograd.grad(out.square().sum(), list(model.parameters()))
    return [out, *grads]


def close(found, expected, atol=1e-11):
    for one, two in zip(found, expected, strict=True):
        scale = max(float(two.detach().abs().max()), 1.0)
        torch.testing.assert_close(one, two, rtol=0.0, atol=atol * scale)


def test_model(pose_set, looked, direct):
    batch = Batch.from_data_list(pose_set.to_poses()[:3])
    model = make()
    expected = direct(all_of, lambda model: model(batch), model)
    assert not looked
    close(all_of(lambda model: model(batch), model), expected)
    assert len(looked) == 2 and looked[0] > ENOUGH


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_poses_take_the_tables_of_their_receptor(
    mode, pose_set, looked, direct
):
    """Whose own edges are few."""
    model = make()
    readout = MultiPoseReadout(
        model,
        'mean',
        mode,
        max_nodes_per_chunk=1,
        share_receptor=True,
    )

    def predict(model):
        return readout(pose_set)

    expected = direct(all_of, predict, model)
    assert not looked
    close(all_of(predict, model), expected)
    assert looked[0] > ENOUGH and any(n < ENOUGH for n in looked)
    whole = MultiPoseReadout(model, 'mean', 'full', share_receptor=False)
    close(all_of(lambda model: whole(pose_set), model), expected)


def test_second_order(pose_set, looked, direct):
    """Gradients with respect to parameters, of such gradients."""
    batch = Batch.from_data_list(pose_set.to_poses()[:3])
    model = make()

    def second(model):
        parameters = list(model.parameters())
        grads = torch.autograd.grad(
            model(batch).sum(), parameters, create_graph=True
        )
        total = sum(grad.square().sum() for grad in grads)
        return torch.autograd.grad(total, parameters, allow_unused=True)

    expected = direct(second, model)
    found = second(model)
    assert looked
    for one, two in zip(found, expected, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            close([one], [two], 1e-10)


class Shorter(SchNet):
    def edge_geometry(self, pos, edge_index):
        return super().edge_geometry(0.9 * pos, edge_index)


class Squared(SchNetLayer):
    def edge_filters(self, geometry):
        return (super().edge_filters(geometry)[0].square(),)


def replace_layer(model):
    model.interactions[1] = Squared(8, 6, 11).double()


def hook(model):
    model.interactions[0].mlp[0].register_forward_hook(
        lambda module, args, out: 2 * out
    )


def replace_mlp(model):
    model.interactions[0].mlp[1] = torch.nn.Tanh()


def patch_geometry(model):
    known = model.edge_geometry
    model.edge_geometry = lambda pos, edges: known(0.9 * pos, edges)


def spoil(model):
    model.interactions[1].mlp[2].weight.data[3, 1] = torch.nan


CHANGES = [replace_layer, hook, replace_mlp, patch_geometry, spoil]


@pytest.mark.parametrize('change', CHANGES)
def test_whoever_changed_a_filter_is_asked(change):
    model, (pos, edges) = make(), geometry(2000)
    assert model.filter_tables(pos, edges) is not None
    change(model)
    assert model.filter_tables(pos, edges) is None


def test_subclass_with_a_geometry_of_its_own(pose_set):
    batch = Batch.from_data_list(pose_set.to_poses()[:3])
    ours, theirs = make(), make(cls=Shorter)
    shorter = batch.clone()
    shorter.pos = 0.9 * shorter.pos
    torch.testing.assert_close(theirs(batch), ours(shorter))
    assert theirs.filter_tables(batch.pos, batch.edge_index) is None


def test_positions_that_need_gradients():
    """Their error would be larger; tables of a receptor are left alone."""
    model, (pos, edges) = make(), geometry(2000)
    tables = model.filter_tables(pos, edges)
    assert len(model.layer_geometries(pos, edges, tables)[0]) == 3
    pos.requires_grad_()
    assert model.filter_tables(pos, edges) is None
    assert len(model.layer_geometries(pos, edges, tables)[0]) == 2


def test_few_edges_and_other_types():
    model = make()
    assert model.filter_tables(*geometry(ENOUGH)) is None
    assert model.filter_tables(*geometry(ENOUGH + 1)) is not None
    pos, edges = geometry(20_000, torch.float32)
    assert make(torch.bfloat16).filter_tables(pos, edges) is None
    with torch.autocast('cpu'):
        assert make(torch.float32).filter_tables(pos, edges) is None
    assert make(torch.float32).filter_tables(pos, edges) is not None
    pos, edges = pos.to('meta'), edges.to('meta')
    assert make(torch.float32).filter_tables(pos, edges) is None


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_filters_that_are_too_steep(dtype):
    """As exact as a table ever is: else filters are computed."""
    model, (pos, edges) = make(dtype), geometry(5000, dtype)
    assert model.filter_tables(pos, edges) is not None
    with torch.no_grad():
        model.interactions[0].mlp[0].weight.mul_(1000.0)
    assert model.filter_tables(pos, edges) is None


def test_what_is_compared_is_what_is_found(monkeypatch):
    """The bound is that of the largest error between knots."""
    model, (pos, edges) = make(), geometry(2000)
    errors = []
    for layer, told in zip(
        model.layers,
        model.layer_geometries(pos, edges, model.filter_tables(pos, edges)),
        strict=True,
    ):
        with torch.no_grad():
            exact = layer.edge_filters(model.edge_geometry(pos, edges))[0]
            gap = (layer.edge_filters(told)[0] - exact).abs().max()
        errors.append(float(gap / exact.abs().max()))
    bound = 2 * max(errors)
    monkeypatch.setitem(filter_tables._BOUND, torch.float64, bound)
    assert model.filter_tables(pos, edges) is not None
    monkeypatch.setitem(filter_tables._BOUND, torch.float64, bound / 20)
    assert model.filter_tables(pos, edges) is None


def test_a_position_that_is_not_a_number(pose_set):
    model = make()
    poses = pose_set.to_poses()[:3]
    poses[1].pos = poses[1].pos.clone()
    poses[1].pos[-1] = torch.nan
    batch = Batch.from_data_list(poses)
    assert model.filter_tables(batch.pos, batch.edge_index) is not None
    found = model(batch).isnan().squeeze(1).tolist()
    assert found == [False, True, False]


def test_default_type(pose_set):
    batch = Batch.from_data_list(pose_set.to_poses()[:3])
    model = make()
    expected = model(batch)
    try:
        torch.set_default_dtype(torch.float64)
        found = model(batch)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)


def test_functional_call(pose_set, looked):
    batch = Batch.from_data_list(pose_set.to_poses()[:3])
    model = make()
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1)
    given = dict(other.named_parameters())
    found = torch.func.functional_call(model, given, (batch,))
    torch.testing.assert_close(found, other(batch))
    assert looked


def test_inference_keeps_tables_with_the_receptor(pose_set, looked):
    model = make()
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    with torch.no_grad():
        readout(pose_set)
        del looked[:]
        first = readout(pose_set)
        again, looked[:] = len(looked), []
        assert again and max(looked, default=0) < ENOUGH
        model.interactions[0].mlp[0].weight.mul_(1.5)
        other = readout(pose_set)
        assert max(looked) > ENOUGH
    assert not torch.allclose(first, other)
    whole = MultiPoseReadout(model, 'mean', 'full', share_receptor=False)
    torch.testing.assert_close(whole(pose_set), other)


def test_several_receptors(pose_set, looked):
    other = RadiusGraph(CUTOFF)(MproMoonshot('test')[1])
    other.pos = other.pos.double()
    batch = Batch.from_data_list([pose_set, other])
    model = make()
    shared = MultiPoseReadout(model, 'mean', share_receptor=True)
    whole = MultiPoseReadout(model, 'mean', 'full', share_receptor=False)
    torch.testing.assert_close(shared(batch), whole(batch))
    assert looked
