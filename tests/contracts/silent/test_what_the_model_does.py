"""Kind 1: sharing goes by what a model does, not by the methods it has."""

import functools
import types

import pytest
import torch
from torch import nn
from torch.nn.modules import module as of_all
from torch.nn.utils import parametrizations, parametrize
from torch_geometric.nn import GATv2Conv

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers
from pyg_multipose.nn.models.schnet_layer import SchNetLayer


def schnet(kind=SchNet, **kwargs):
    return kind(8, 8, 1, 6, cutoff=1.5, **kwargs)


def layers():
    return SharedLayers(
        nn.Embedding(100, 8), [GATv2Conv(8, 8)], nn.Linear(8, 1)
    )


def test_models_as_they_come_share(silent):
    """Else nothing below would mean anything."""
    for model in (schnet(), layers()):
        ways = silent.shares_right(
            model, silent.complexes(), words=None, all_ways=True
        )
        assert [*ways] == silent.ALL_WAYS
        for (_, share), shared in ways.items():
            assert shared == bool(share)


# Subclasses ##################################################################


class Scaled(SchNet):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, batch):
        return super().forward(batch) * self.scale


class Called(Scaled):
    forward = SchNet.forward

    def __call__(self, batch):
        return super().__call__(batch) * self.scale


class SquashedInteract(SchNet):
    def interact(self, z, pos, edge_index, num_layers=None):
        return super().interact(z, pos, edge_index, num_layers).tanh()


class SquashedPropagate(SchNet):
    def propagate(self, *args, **kwargs):
        return super().propagate(*args, **kwargs).tanh()


class Pooled(SchNet):
    def pool_atoms(self, contribution, index, dim_size, is_ligand=None):
        out = super().pool_atoms(contribution, index, dim_size, is_ligand)
        return out.tanh()


class Read(SchNet):
    def readout(self, x, z=None):
        return super().readout(x, z) + x.mean()


class Geometry(SchNet):
    """Lengths relative to the mean of the call."""

    def edge_geometry(self, pos, edge_index):
        return super().edge_geometry(pos - pos.mean(0) * pos.std(), edge_index)


class Centred(SchNet):
    """Positions relative to the mean of all atoms enter the features."""

    def embed(self, z):
        x = super().embed(z)
        return x - x.mean(0)


class EncodedTwice(SchNet):
    """The receptor is encoded in another way than complexes are."""

    def encode_receptor(self, receptor):
        state = super().encode_receptor(receptor)
        return state._replace(contribution=2 * state.contribution)


class PosesOnly(SchNet):
    def forward_poses(self, poses, state):
        return super().forward_poses(poses, state) * 1.001


class ManyPoses(SchNet):
    """Right for two poses, wrong for more."""

    def forward_poses(self, poses, state):
        out = super().forward_poses(poses, state)
        return out * (2 / max(len(out), 2))


class LargeGraphs(SchNet):
    """Whole complexes are scaled if they are large."""

    def forward(self, batch):
        return super().forward(batch) * (1.0 if len(batch.z) < 70 else 2.0)


class CountsGraphs(SchNet):
    """What many graphs give together."""

    def forward(self, batch):
        out = super().forward(batch)
        return out - out.mean() if len(out) > 2 else out


SUBCLASSES = [
    *(Scaled, Called, SquashedInteract, SquashedPropagate, Pooled, Read),
    *(Geometry, Centred, EncodedTwice, PosesOnly, ManyPoses),
]


@pytest.mark.parametrize('kind', SUBCLASSES)
def test_subclass_of_schnet(silent, kind):
    silent.shares_right(
        schnet(kind),
        silent.complexes(),
        all_ways=kind is Scaled,
        max_nodes_per_chunk=10**6,
    )


@pytest.mark.parametrize('kind', [LargeGraphs, CountsGraphs])
def test_what_two_poses_do_not_show(silent, kind):
    silent.shares_right(
        schnet(kind), silent.complexes(), max_nodes_per_chunk=10**6
    )


def overriding(name):
    """A layer of SchNet with one method of its own."""

    def method(self, *args, **kwargs):
        out = getattr(SchNetLayer, name)(self, *args, **kwargs)
        if name == 'edge_filters':
            return tuple(part.tanh() for part in out)
        return out.tanh()

    return type(f'Own_{name}', (SchNetLayer,), {name: method})


@pytest.mark.parametrize(
    'name', ['forward', 'aggregate', 'source', 'update', 'edge_filters']
)
def test_layer_with_a_method_of_its_own(silent, name):
    model = schnet()
    model.interactions[0] = overriding(name)(8, 6, 8)
    silent.shares_right(model, silent.complexes())


class OwnMessage(GATv2Conv):
    """What an atom sends depends on all that is sent."""

    def message(self, x_j, alpha):
        return super().message(x_j, alpha) / x_j.detach().norm()


class OwnUpdate(GATv2Conv):
    def update(self, inputs):
        return inputs * inputs.norm()


class OwnAggregate(GATv2Conv):
    def aggregate(self, inputs, index, ptr=None, dim_size=None):
        return super().aggregate(inputs - inputs.mean(), index, ptr, dim_size)


class OwnPropagate(GATv2Conv):
    def propagate(self, *args, **kwargs):
        return super().propagate(*args, **kwargs).cumsum(0)


class OwnForward(GATv2Conv):
    def forward(self, x, edge_index):
        return super().forward(x.flip(0), edge_index)


@pytest.mark.parametrize(
    'kind', [OwnMessage, OwnUpdate, OwnAggregate, OwnPropagate, OwnForward]
)
def test_convolution_with_a_method_of_its_own(silent, kind):
    model = SharedLayers(nn.Embedding(100, 8), [kind(8, 8)], nn.Linear(8, 1))
    silent.shares_right(model, silent.complexes(), max_nodes_per_chunk=10**6)


# Wrappers ####################################################################


class Wrapper(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.scale = model, nn.Parameter(torch.tensor(3.0))

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__('model'), name)

    def forward(self, batch):
        return self.model(batch) * self.scale


class Bound(nn.Module):
    """Methods of the wrapped model become attributes of the wrapper."""

    def __init__(self, model):
        super().__init__()
        self.model, self.scale = model, nn.Parameter(torch.tensor(3.0))
        self.encode_receptor = model.encode_receptor
        self.forward_poses = model.forward_poses

    def forward(self, batch):
        return self.model(batch) * self.scale


class GatedWrapper(Wrapper):
    """A gate that is one until it learns."""

    def __init__(self, model):
        super().__init__(model)
        self.scale = nn.Parameter(torch.ones(()))


class ShiftedWrapper(Wrapper):
    """A shift of zero times what else the wrapper sees."""

    def __init__(self, model):
        super().__init__(model)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, batch):
        out = self.model(batch)
        return out + self.scale * torch.tanh(out)


class CleverWrapper(Wrapper):
    """What is left out is left to a buffer, which nothing perturbs."""

    def __init__(self, model):
        super().__init__(model)
        del self.scale
        self.register_buffer('scale', torch.ones(()))


@pytest.mark.parametrize(
    'kind', [Wrapper, Bound, GatedWrapper, ShiftedWrapper, CleverWrapper]
)
def test_wrapper(silent, kind):
    silent.shares_right(kind(schnet()), silent.complexes())


@pytest.mark.parametrize('kind', [GatedWrapper, ShiftedWrapper, CleverWrapper])
def test_wrapper_that_opens_between_calls(silent, kind):
    model, poses = kind(schnet()), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    for value in (None, None, 0.5, -1.0):
        if value is not None:
            model.scale.data.fill_(value)
        silent.agrees(readout, poses)


def test_wrapper_of_data_parallel(silent):
    model = nn.DataParallel(schnet())
    words = 'DataParallel has no encode_receptor'
    silent.shares_right(model, silent.complexes(), words)


# Hooks #######################################################################


def halve(*args):
    return args[-1] * 0.5


def halve_first(module, args):
    return (args[0] * 0.5, *args[1:])


def clone_all(module, args):
    (batch,) = args
    batch = batch.clone()
    batch.pos = batch.pos * 1.0625
    return (batch,)


HOOKS = {
    'forward': lambda m: m.register_forward_hook(halve),
    'forward with keywords': lambda m: m.register_forward_hook(
        lambda module, args, kwargs, out: out * 0.5, with_kwargs=True
    ),
    'forward, always': lambda m: m.register_forward_hook(
        halve, always_call=True
    ),
    'backward': lambda m: m.register_full_backward_hook(
        lambda module, given, got: tuple(
            None if g is None else g * 0.5 for g in given
        )
    ),
    'before backward': lambda m: m.register_full_backward_pre_hook(
        lambda module, got: tuple(g * 0.5 for g in got)
    ),
}


PLACES = ['', 'interactions.0', 'lin2', 'embedding', 'interactions.0.conv.nn']


@pytest.mark.parametrize(
    ('hook', 'place'),
    [
        *[('forward', place) for place in PLACES],
        *[('backward', place) for place in PLACES if place[-2:] != '.0'],
        *[(hook, 'lin2') for hook in HOOKS if 'ward' != hook[-4:]],
        ('before backward', ''),
        ('before backward', 'interactions.0'),
    ],
)
@pytest.mark.filterwarnings('ignore:Full backward hook')
def test_hook(silent, hook, place):
    model = schnet()
    HOOKS[hook](model.get_submodule(place))
    silent.shares_right(model, silent.complexes())


def test_hook_before_the_model(silent):
    model = schnet()
    model.register_forward_pre_hook(clone_all)
    silent.shares_right(model, silent.complexes())


def test_hook_before_a_layer(silent):
    model = schnet()
    model.interactions[0].register_forward_pre_hook(halve_first)
    silent.shares_right(model, silent.complexes())


def test_hook_on_a_layer_that_is_added_later(silent):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    handle = model.interactions[0].register_forward_hook(halve)
    silent.agrees(readout, poses)
    handle.remove()
    silent.agrees(readout, poses)
    assert silent.shared(readout)


@pytest.mark.parametrize('kind', ['forward_hook', 'forward_pre_hook'])
def test_hook_of_all_modules(silent, kind):
    model, poses = schnet(), silent.complexes()

    def hook(module, args, out=None):
        if isinstance(module, SchNetLayer):
            return halve(out) if out is not None else halve_first(module, args)

    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    handle = getattr(of_all, f'register_module_{kind}')(hook)
    try:
        silent.agrees(readout, poses)
    finally:
        handle.remove()


def test_hook_of_a_parameter(silent):
    model, poses = schnet(), silent.complexes()
    model.lin1.weight.register_hook(lambda g: g * 0.5)
    readout = MultiPoseReadout(model, 'mean')
    for _ in range(4):
        silent.agrees(readout, poses)


# Replaced ####################################################################


def doubled(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs) * 2

    return call


METHODS = ['forward', 'interact', 'readout', 'pool_atoms', 'embed']


@pytest.mark.parametrize(
    ('name', 'how'),
    [
        *[(name, 'function') for name in [*METHODS, 'forward_poses']],
        ('forward', 'method'),
        ('interact', 'partial'),
    ],
)
def test_method_replaced_on_the_object(silent, name, how):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    new = doubled(getattr(model, name))
    if how == 'method':
        own = doubled(getattr(SchNet, name))
        new = types.MethodType(own, model)
    if how == 'partial':
        new = functools.partial(new)
    setattr(model, name, new)
    silent.agrees(readout, poses)


@pytest.mark.parametrize('name', [*METHODS, 'encode_receptor'])
def test_method_replaced_on_the_class(silent, name, monkeypatch):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    own = getattr(SchNet, name)
    if name == 'encode_receptor':

        def new(self, receptor):
            state = own(self, receptor)
            return state._replace(contribution=3 * state.contribution)

    else:
        new = doubled(own)
    monkeypatch.setattr(SchNet, name, new)
    silent.agrees(readout, poses)


@pytest.mark.parametrize('name', ['forward', 'aggregate', 'update'])
def test_method_of_a_layer_replaced_on_the_class(silent, name, monkeypatch):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    monkeypatch.setattr(SchNetLayer, name, doubled(getattr(SchNetLayer, name)))
    silent.agrees(readout, poses)


def test_class_of_the_object_replaced(silent):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    model.__class__ = SquashedInteract
    silent.agrees(readout, poses)


def test_forward_of_a_linear_layer_replaced(silent):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    model.lin2.forward = doubled(model.lin2.forward)
    silent.agrees(readout, poses)


def test_equivariant_forward_replaced(silent):
    model = EquivariantGNN('4x0e+2x1o', num_layers=1, cutoff=1.5, lmax=1)
    model.forward = doubled(model.forward)
    silent.shares_right(model, silent.complexes())


# Weights that are made of others #############################################


class Symmetric(nn.Module):
    def forward(self, weight):
        return weight - weight.mean()


@pytest.mark.parametrize('kind', ['weight', 'spectral', 'own'])
def test_parametrization(silent, kind):
    model = schnet()
    if kind == 'weight':
        parametrizations.weight_norm(model.lin1)
    elif kind == 'spectral':
        parametrizations.spectral_norm(model.lin1).eval()
    else:
        parametrize.register_parametrization(model.lin1, 'weight', Symmetric())
    silent.shares_right(model.eval(), silent.complexes())


# Counters ####################################################################


class Growing(SchNet):
    """Every call counts for more than the one before."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = 0

    def forward(self, batch):
        self.calls += 1
        return super().forward(batch) * self.calls


class GrowingBuffer(SchNet):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer('calls', torch.zeros(()))

    def forward(self, batch):
        self.calls += 1
        return super().forward(batch) * self.calls


class GrowingLayer(SchNetLayer):
    """Layers that count their own calls."""

    calls = 0

    def update(self, x, aggregated):
        self.calls = self.calls + 1
        return super().update(x, aggregated) * self.calls


@pytest.mark.parametrize('kind', [Growing, GrowingBuffer])
def test_calls_that_count(silent, kind):
    model = schnet(kind)

    def reset():
        model.calls = model.calls * 0

    poses = silent.complexes()
    for share in (False, 'auto'):
        for mode in ('full', 'recompute', 'auto'):
            reset()
            readout = MultiPoseReadout(
                model,
                'mean',
                gradient=mode,
                share_receptor=share,
                max_nodes_per_chunk=10**6,
            )
            plain = silent.Plain(model, poses, False, True)
            reset()
            out = readout(poses, return_poses=True)
            try:
                silent.loss_of(*out).backward()
            except RuntimeError as error:
                assert 'calls' in str(error) or 'reproduce' in str(error)
                continue
            silent.same(mode, out[1].detach(), plain.predictions)
            plain.check({n: t.grad for n, t in plain.tensors.items()})
            model.zero_grad()


def test_layer_that_counts_its_calls(silent):
    model, poses = schnet(), silent.complexes()
    model.interactions[0] = GrowingLayer(8, 6, 8)

    def reset():
        model.interactions[0].calls = 0

    plain = silent.Plain(model, poses, False, True)
    for share in (False, 'auto'):
        reset()
        readout = MultiPoseReadout(
            model,
            'mean',
            gradient='full',
            share_receptor=share,
            max_nodes_per_chunk=10**6,
        )
        _, each = readout(poses, return_poses=True)
        silent.same(str(share), each.detach(), plain.predictions)
