"""Kind 14: a leaf that no parameter is gets its gradient, or is refused."""

import dataclasses
import functools

import pytest
import torch
from torch import nn
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout
from tests.contracts.silent.models import TwoParts

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
WORDS = 'parameter|requires grad'
LEAF = None


@dataclasses.dataclass
class Settings:
    leaf: torch.Tensor


class Adapter(nn.Module):
    """A frozen model; what is trainable is reached in some way."""

    def __init__(self, how, leaf):
        super().__init__()
        self.lin = nn.Linear(4, 1).requires_grad_(False)
        self.how = how
        self.list, self.dict, self.tuple = [leaf], {'leaf': leaf}, (leaf,)
        self.settings, self.closure = Settings(leaf), lambda: leaf
        self.partial = functools.partial(torch.mul, leaf)
        self.attribute = leaf
        self.other = [nn.Linear(4, 1)]
        self.other[0].weight = nn.Parameter(leaf.detach().expand(1, 4).clone())
        if how == 'class':
            type(self).leaf = leaf
        self.cache = leaf * 2 if how == 'cache' else None

    def factor(self):
        return {
            'list': lambda: self.list[0],
            'dict': lambda: self.dict['leaf'],
            'tuple': lambda: self.tuple[0],
            'dataclass': lambda: self.settings.leaf,
            'closure': self.closure,
            'partial': lambda: self.partial(1.0),
            'attribute': lambda: self.attribute,
            'class': lambda: type(self).leaf,
            'global': lambda: LEAF,
            'view': lambda: self.list[0].view(1)[0],
            'data of a leaf twice': lambda: self.list[0] * self.dict['leaf'],
            'cache': lambda: self.cache,
        }[self.how]()

    def forward(self, b):
        y = scatter(self.lin(b.x), b.batch, 0, b.num_graphs).squeeze(1)
        has = scatter((b.z == 99).long(), b.batch, 0, b.num_graphs) > 0
        return torch.where(has, y * self.factor(), y) if has.any() else y


HOWS = [
    *('list', 'dict', 'tuple', 'dataclass', 'closure', 'partial'),
    *('attribute', 'class', 'global', 'view', 'data of a leaf twice'),
]


def check(silent, readout, poses, leaf):
    """With a loss that something else is part of."""
    model = readout.model
    y = silent.predictions_of(model(silent.whole(poses)))
    expected = torch.autograd.grad(y.mean(), leaf, retain_graph=True)[0]
    leaf.grad, other = None, torch.zeros((), requires_grad=True)
    try:
        (readout(poses).sum() + other).backward()
    except (ValueError, RuntimeError) as error:
        assert readout.gradient != 'full', error
        assert 'parameter' in str(error) or 'requires grad' in str(error)
        return
    silent.same('the gradient of the leaf', leaf.grad, expected)


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('metal', [0, 4])
def test_leaf(silent, how, mode, metal, monkeypatch):
    leaf = torch.ones((), requires_grad=True)
    monkeypatch.setitem(globals(), 'LEAF', leaf)
    model, poses = Adapter(how, leaf), silent.ligands(metals=(metal,))
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    check(silent, readout, poses, leaf)


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('how', ['list', 'closure'])
def test_leaf_of_a_later_batch(silent, mode, how):
    """No pose of the first batches uses it."""
    leaf = torch.ones((), requires_grad=True)
    model = Adapter(how, leaf)
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    for seed in range(3):
        readout(silent.ligands(seed=seed))
    check(silent, readout, silent.ligands(metals=(4,)), leaf)


@pytest.mark.parametrize('mode', MODES)
def test_leaf_beside_parameters(silent, mode):
    leaf = torch.ones((), requires_grad=True)
    model, poses = Adapter('list', leaf), silent.ligands(metals=(4,))
    model.lin.requires_grad_(True)
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    check(silent, readout, poses, leaf)


@pytest.mark.parametrize('mode', MODES)
def test_leaf_that_thaws(silent, mode):
    leaf = torch.ones(())
    model, poses = Adapter('list', leaf), silent.ligands(metals=(4,))
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    readout(poses)
    leaf.requires_grad_(True)
    check(silent, readout, poses, leaf)


class Fresh(Adapter):
    """What is trainable is made of a leaf before the call."""

    def __init__(self, leaf):
        super().__init__('list', leaf)
        self.list = [leaf.exp()]


@pytest.mark.parametrize('mode', MODES)
def test_result_of_a_leaf(silent, mode):
    leaf = torch.zeros((), requires_grad=True)
    model, poses = Fresh(leaf), silent.ligands(metals=(4,))
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    check(silent, readout, poses, leaf)


@pytest.mark.parametrize('mode', MODES)
def test_leaf_of_the_batch_in_an_attribute(silent, mode):
    """A real input that the model does not take from the batch."""
    poses = silent.ligands(metals=(4,))
    leaf = torch.ones((), requires_grad=True)
    model = Adapter('list', leaf)
    poses.x.requires_grad_()
    if mode in ('store', 'stream'):
        return
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    check(silent, readout, poses, leaf)


class OfReceptor(TwoParts):
    def __init__(self, leaf):
        super().__init__()
        self.requires_grad_(False)
        self.kept = [leaf]

    def of_receptor(self):
        return self.kept[0]


class OfLigand(OfReceptor):
    def of_receptor(self):
        return 1.0

    def of_ligand(self):
        return self.kept[0]


class OfLargeLigands(OfLigand):
    """Ligands of four atoms at least."""

    def forward(self, b):
        out = super().forward(b)
        alone = self.kept[0].detach()
        size = scatter(b.is_ligand.long(), b.batch, 0, b.num_graphs)
        if (size < 4).any():
            before, self.kept = self.kept, [alone]
            small = super().forward(b)
            self.kept = before
            out = torch.where(size < 4, small, out)
        return out

    def forward_poses(self, poses, state):
        out = super().forward_poses(poses, state)
        before, self.kept = self.kept, [self.kept[0].detach()]
        small = super().forward_poses(poses, state)
        self.kept = before
        large = poses.pose_size >= 4
        return torch.where(large, out, small) if large.any() else small


@pytest.mark.parametrize('kind', [OfReceptor, OfLigand, OfLargeLigands])
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('share', [False, 'auto', True])
def test_leaf_of_a_model_that_shares(silent, kind, mode, share):
    if mode == 'store' and share:
        return
    leaf = torch.ones((), requires_grad=True)
    model, poses = kind(leaf), silent.complexes()
    for chunk in (3, 10**6):
        readout = MultiPoseReadout(
            model,
            'mean',
            gradient=mode,
            share_receptor=share,
            max_nodes_per_chunk=chunk,
        )
        check(silent, readout, poses, leaf)


class Cached(nn.Module):
    """A product of its parameter that it keeps."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4))
        self.kept = self.weight * 2

    def forward(self, b):
        return scatter(b.x @ self.kept, b.batch, 0, b.num_graphs)


class ByReference(Cached):
    """A parameter that is replaced in its place, and used by reference."""

    def __init__(self):
        super().__init__()
        self.kept = [self.weight]

    def forward(self, b):
        return scatter(b.x @ self.kept[0], b.batch, 0, b.num_graphs)


@pytest.mark.parametrize('kind', [Cached, ByReference])
@pytest.mark.parametrize('mode', MODES)
def test_parameter_that_is_reached_past_its_module(silent, kind, mode):
    model, poses = kind(), silent.ligands()
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=5
    )
    check(silent, readout, poses, model.weight)
