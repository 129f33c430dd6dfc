"""Each broken model fails the property that it breaks."""

import unittest

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import global_add_pool

from pyg_multipose.testing import ModelContract, example_sets


class Tiny(nn.Module):
    """A sound one: a round of messages, then a sum over atoms."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.filter = nn.Linear(1, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, batch):
        return self.pooled(self.atoms(batch), batch)

    def lengths(self, batch):
        source, target = batch.edge_index
        return (batch.pos[source] - batch.pos[target]).norm(dim=1)

    def atoms(self, batch):
        source, target = batch.edge_index
        h = self.embedding(batch.z)
        filters = torch.tanh(self.filter(self.lengths(batch).unsqueeze(1)))
        return torch.tanh(h.index_add(0, target, h[source] * filters))

    def pooled(self, h, batch):
        return self.head(global_add_pool(h, batch.batch, batch.num_graphs))


class PerAtom(Tiny):
    def pooled(self, h, batch):
        return self.head(h)


class Root(Tiny):
    def pooled(self, h, batch):
        return super().pooled(h, batch).abs().neg().sqrt()


class Center(nn.Module):
    def forward(self, h):
        return h - h.mean(0)


class Centered(Tiny):
    def __init__(self):
        super().__init__()
        self.center = Center()

    def pooled(self, h, batch):
        return super().pooled(self.center(h), batch)


class Normed(Tiny):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def pooled(self, h, batch):
        return super().pooled(self.norm(h), batch)


class Counter(Tiny):
    calls = 0

    def pooled(self, h, batch):
        self.calls += 1
        return super().pooled(h, batch) * (1 + 1e-6 * self.calls)


class Cornered(Tiny):
    """It sees where the box begins."""

    def atoms(self, batch):
        return super().atoms(batch) + 0.1 * batch.pos.sum(1, keepdim=True)


class Handed(Tiny):
    """It sees how the axes lie."""

    def lengths(self, batch):
        source, target = batch.edge_index
        away = (batch.pos[source] - batch.pos[target]).abs()
        return away.sum(dim=1)


class Detached(Tiny):
    def lengths(self, batch):
        return super().lengths(batch).detach()


class Doubles(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad


class WrongBackward(Tiny):
    def pooled(self, h, batch):
        return super().pooled(Doubles.apply(h), batch)


class OtherWithoutGraph(Tiny):
    """A faster path for inference that is not the same."""

    def pooled(self, h, batch):
        out = super().pooled(h, batch)
        return out if torch.is_grad_enabled() else out + 0.1


class OtherForLeaves(Tiny):
    def pooled(self, h, batch):
        return super().pooled(h, batch) + 0.1 * batch.pos.requires_grad


class OwnDropout(Tiny):
    """Its random numbers are nobody else's."""

    def __init__(self):
        super().__init__()
        self.numbers = torch.Generator().manual_seed(0)

    def pooled(self, h, batch):
        if self.training:
            h = h * torch.rand(h.shape, generator=self.numbers).to(h)
        return super().pooled(h, batch)


class Shares(Tiny):
    """Says that it can, and leaves out what the receptor gets to see."""

    def encode_receptor(self, receptor):
        return self.atoms(receptor)

    def forward_poses(self, poses, state):
        receptor = len(state)
        h = self.atoms(poses)
        out = state.sum(0).repeat(poses.num_poses, 1)
        index = torch.repeat_interleave(poses.pose_size)
        return self.head(out.index_add(0, index, h[receptor:]))


class HasLambda(Tiny):
    def __init__(self):
        super().__init__()
        self.act = lambda h: h


class Unregistered(Tiny):
    def __init__(self):
        super().__init__()
        self.scale = 1 + torch.rand(1).double()

    def pooled(self, h, batch):
        return super().pooled(h, batch) * self.scale


class Clamps(Tiny):
    """Elements that it does not know become carbon, for good."""

    def atoms(self, batch):
        batch.z[batch.z > 8] = 6
        return super().atoms(batch)


class Adds(Tiny):
    def lengths(self, batch):
        batch.edge_attr = super().lengths(batch)
        return batch.edge_attr


class Draws(Tiny):
    def pooled(self, h, batch):
        torch.rand(1)
        return super().pooled(h, batch)


class Prints(Tiny):
    def pooled(self, h, batch):
        print('poses:', batch.num_graphs)
        return super().pooled(h, batch)


class Running(Tiny):
    def __init__(self):
        super().__init__()
        self.register_buffer('seen', torch.tensor(0))

    def pooled(self, h, batch):
        self.seen += len(h)
        return super().pooled(h, batch)


class DrawsElsewhere(Tiny):
    def pooled(self, h, batch):
        np.random.rand()
        return super().pooled(h, batch)


MODES = 'gradient_modes gradient_of_positions'
MIXES = 'poses_do_not_mix_in_training'

BROKEN = {
    Centered: (
        'poses_do_not_mix',
        f'{MIXES} {MODES}',
        ["'center' (Center) mixes the poses", 'batch.num_graphs'],
    ),
    Normed: (MIXES, '', ["'norm' (BatchNorm1d) mixes the poses"]),
    Cornered: ('invariance', '', ['all poses moved']),
    Handed: ('invariance', '', ['all poses turned']),
    Detached: ('gradient', '', ["'pos'", 'detach()']),
    WrongBackward: ('gradient', '', ["'embedding.weight'", 'backward()']),
    OtherWithoutGraph: ('gradient_modes', MODES, ['is_grad_enabled']),
    OtherForLeaves: ('gradient_of_positions', '', ['recompute']),
    OwnDropout: ('training_mode', MIXES, ['generator of torch alone']),
    HasLambda: ('copies', '', ['pickle', 'lambdas']),
    Unregistered: ('state_dict', '', ['load_state_dict', 'buffer']),
    Clamps: ('leaves_inputs_alone', '', ["'z' after a call", 'copy']),
    Adds: ('leaves_inputs_alone', '', ['names of the inputs', "'edge_attr'"]),
    Draws: ('leaves_the_rest_alone', '', ['random numbers of torch']),
    Prints: ('leaves_the_rest_alone', '', ['poses: 6']),
    Running: ('leaves_the_rest_alone', '', ["buffer 'seen'"]),
    DrawsElsewhere: ('leaves_the_rest_alone', '', ['numbers of numpy']),
}


def contract_of(model, **settings):
    made = {
        'model': lambda self: model(),
        'pose_sets': lambda self: example_sets(receptor=False),
        'invariant': True,
        **settings,
    }
    return type('TestMine', (ModelContract,), made)


@pytest.mark.parametrize('model', BROKEN, ids=lambda model: model.__name__)
def test_broken(kit, model):
    main, others, words = BROKEN[model]
    kit.check(contract_of(model), main, others.split(), words)


@pytest.mark.parametrize('receptor', [True, False])
def test_sound(kit, receptor):
    contract = contract_of(
        Tiny, pose_sets=lambda self: example_sets(receptor=receptor)
    )
    assert not kit.failures(contract)


def test_shared_receptor(kit):
    contract = contract_of(Shares, pose_sets=lambda self: example_sets())
    words = ['encode_receptor', 'shares_receptor = False']
    kit.check(contract, 'shared_receptor', words=words)
    contract.shares_receptor = False
    with pytest.raises(unittest.SkipTest, match='share_receptor'):
        contract().test_shared_receptor()


class Constant(Tiny):
    def pooled(self, h, batch):
        return self.head.bias.expand(batch.num_graphs)


@pytest.mark.parametrize(
    ('model', 'text'),
    [
        (PerAtom, 'returned shape'),
        (Root, "'example-0', p"),
        (Constant, 'all the same'),
    ],
)
def test_no_predictions(model, text):
    with pytest.raises(AssertionError, match=text) as error:
        contract_of(model)().test_predictions()
    assert 'what to do' in str(error.value)


def test_counter():
    with pytest.raises(AssertionError, match='second call') as error:
        contract_of(Counter)().test_same_again()
    assert 'difference:' in str(error.value)


def test_each_property_can_fail():
    names = {
        name.removeprefix('test_')
        for name in dir(ModelContract)
        if name.startswith('test_')
    }
    tested = {main for main, _, _ in BROKEN.values()}
    others = {'predictions', 'same_again', 'shared_receptor'}
    assert names == tested | others


@pytest.mark.parametrize(
    ('model', 'settings', 'names'),
    [
        (Detached, {'positions': False}, ['gradient']),
        (Normed, {'mixes_in_training': True}, [MIXES, 'training_mode']),
        (Cornered, {'invariant': False}, ['invariance']),
    ],
)
def test_exceptions(model, settings, names):
    """What is declared is left out, or allowed."""
    for name in names:
        try:
            getattr(contract_of(model, **settings)(), f'test_{name}')()
        except unittest.SkipTest as reason:
            assert next(iter(settings)) in str(reason)


def test_float32():
    """Of a model that cannot do more."""

    class Narrow(Tiny):
        def pooled(self, h, batch):
            assert h.dtype == torch.float32
            return super().pooled(h, batch)

    contract = contract_of(Narrow, dtype=torch.float32, tolerance=1e-5)
    contract().test_predictions()
    contract().test_gradient()
    contract().test_gradient_modes()


def test_called_by_names():
    class Named(Tiny):
        def forward(self, z, pos, edge_index, batch):
            size = int(batch.max()) + 1
            graphs = Data(z=z, pos=pos, edge_index=edge_index, batch=batch)
            graphs.num_graphs = size
            return super().forward(graphs)

    contract = contract_of(Named, inputs='z, pos, edge_index, batch')
    contract().test_predictions()
    contract().test_leaves_inputs_alone()
    contract().test_gradient_modes()


def test_says_what_is_missing():
    with pytest.raises(NotImplementedError, match='Implement model'):
        ModelContract().test_copies()
    for sets in ([], None, [1]):
        contract = contract_of(Tiny, pose_sets=lambda self, sets=sets: sets)
        with pytest.raises(TypeError, match='expected PoseSets'):
            contract().test_copies()
    with pytest.raises(TypeError, match='expected a new torch.nn.Module'):
        contract_of(lambda: Tiny)().test_copies()
