"""What two poses tell of a model, and when they are asked."""

import copy

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.model.traits import Traits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.mixer = nn.Identity()
        self.out = nn.Linear(4, 1)
        self.gate = nn.Parameter(torch.zeros(1))
        self.register_buffer('calls', torch.zeros(()))

    def forward(self, batch):
        return self.of(batch.pos, batch)

    def of(self, pos, batch):
        h = self.mixer(self.lin(pos))
        return self.end(
            scatter(self.out(h), batch.batch, 0, batch.num_graphs).squeeze(1)
        )

    def end(self, out):
        return out


class Draws(Net):
    def end(self, out):
        return out + torch.rand(1)


class Counts(Net):
    def end(self, out):
        self.calls += 1
        return out


class Adds(Net):
    def end(self, out):
        if 'new' not in self._buffers:
            self.register_buffer('new', torch.zeros(1))
        return out


class Forces(Net):
    def forward(self, batch):
        pos = batch.pos.detach().requires_grad_()
        energy = self.of(pos, batch)
        (force,) = torch.autograd.grad(energy.sum(), pos)
        return energy.detach() + 0 * force.sum()


class Gated(Net):
    """A gate that is zero now."""

    def end(self, out):
        return out + self.gate * out.mean()


class NotANumber(Net):
    def end(self, out):
        return out * float('nan')


class Fails(Net):
    def end(self, out):
        raise KeyError


class Mean(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


def mixed():
    model = Net()
    model.mixer = Mean()
    return model


KINDS = {
    'plain': (Net, []),
    'draws': (Draws, ['draws']),
    'counts': (Counts, ['changes']),
    'adds': (Adds, ['changes']),
    'forces': (Forces, ['needs_graph']),
    'gate': (Gated, ['mixes']),
    'mean': (mixed, ['mixes']),
    'not a number': (NotANumber, []),
    'fails': (Fails, []),
}


def ask(traits, model, layout, tables, pairs=None):
    def call(model, graphs):
        if pairs is not None:
            pairs.append(graphs.pos[:, 0].round().int().unique().tolist())
        return model(graphs)

    traits.look(model, list(model.modules()), layout, tables, call)


def poses_of(count=5):
    noise = 0.1 * torch.rand(count, 2, 3)
    poses = PoseSet.from_poses(
        [Data(pos=place + noise[place]) for place in range(count)]
    )
    return Layout(poses), {'pos': poses.pos}


@pytest.mark.parametrize('name', KINDS)
def test_kinds(name):
    torch.manual_seed(0)
    make, expected = KINDS[name]
    model, traits = make(), Traits()
    ask(traits, model, *poses_of())
    names = ['draws', 'changes', 'needs_graph', 'mixes']
    assert [name for name in names if getattr(traits, name)] == expected
    assert model.calls == 0 and 'new' not in model._buffers


def test_the_module_is_named():
    traits = Traits()
    ask(traits, mixed(), *poses_of())
    assert traits.mixes.startswith("'mixer' (Mean) mixes the poses")


def test_ever_more_rarely_and_other_pairs():
    traits, model, poses, found = Traits(), Net(), poses_of(), []
    calls = []
    for call in range(105):
        pairs = []
        ask(traits, model, *poses, pairs)
        if pairs:
            calls.append(call)
            found.append(pairs[0])
    assert calls == [0, 10, 100]
    assert found == [[0, 4], [2, 4], [2, 4]]


def alike(*same):
    """Five poses, some of them the same."""
    layout, tables = poses_of()
    for pose in same:
        tables['pos'][2 * pose : 2 * pose + 2] = tables['pos'][:2]
    return layout, tables


@pytest.mark.parametrize('same', [[4], [2, 4], [1, 4], [2, 3, 4]])
def test_poses_that_are_alike_do_not_hide_it(same):
    """Of two equal poses, the mean is that of one."""
    traits = Traits()
    ask(traits, mixed(), *alike(*same))
    assert traits.mixes


def test_nor_do_sets_of_nothing_else():
    traits, model = Traits(), mixed()
    for _ in range(5):
        ask(traits, model, *alike(1, 2, 3, 4))
        assert not traits.mixes
    for _ in range(5, 8):
        assert not traits.mixes
        ask(traits, model, *poses_of())
    assert traits.mixes  # in call 7, after 0, 1 and 3


def test_flags_and_modules():
    traits, model, poses = Traits(), Net(), poses_of()
    model.mixer = nn.Dropout().eval()
    ask(traits, model, *poses)
    assert not traits.draws
    model.mixer.train()
    ask(traits, model, *poses)
    assert traits.draws
    model.mixer = nn.Identity()
    ask(traits, model, *poses)
    assert not traits.draws


def test_one_pose_and_copies():
    traits, pairs = Traits(), []
    ask(traits, Net(), *poses_of(1), pairs)
    assert not pairs
    ask(traits, mixed(), *poses_of())
    assert traits.mixes and not copy.deepcopy(traits).mixes
