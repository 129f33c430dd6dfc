"""Pose sets, models and the plain-autograd reference of the contracts."""

from __future__ import annotations

import copy
import math
import weakref
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATConv, GINEConv, SchNet
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout, RadiusInteractionGraph
from pyg_multipose.nn.models import EquivariantGNN
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 2.5


def atoms(count, generator, spread=2.0):
    """Random atoms with the keys that the models of the contracts read."""
    pos = torch.randn(count, 3, generator=generator, dtype=torch.float64).mul(
        spread
    )
    return Data(
        z=torch.randint(1, 10, (count,), generator=generator),
        pos=pos,
        x=torch.randn(count, 4, generator=generator, dtype=torch.float64),
    )


def make_set(sizes, receptor, seed, name):
    """A set in either form; the same seed gives the same complexes."""
    return _make_set(tuple(sizes), receptor, seed, name).clone()


@cache
def _make_set(sizes, receptor, seed, name):
    generator = torch.Generator().manual_seed(seed)
    around = atoms(9, generator)
    ligands = [atoms(size, generator, 1.0) for size in sizes]
    complexes = PoseSet.from_complex(around, ligands, name=name)
    if receptor:
        return RadiusGraph(CUTOFF)(complexes)
    return RadiusGraph(CUTOFF)(
        PoseSet.from_poses(complexes.to_poses(), name=name)
    )


def make_batch(receptor=True, sizes=((4, 3, 5, 4), (6,), (2, 3)), seed=0):
    """A batch of sets of different size."""
    return Batch.from_data_list(
        [
            make_set(of_set, receptor, seed + number, f'cpd-{number}')
            for number, of_set in enumerate(sizes)
        ]
    )


class TinyGNN(nn.Module):
    """One non-linear message-passing layer on features and lengths."""

    def __init__(self, out_channels=1, dropout=0.0, norm=None):
        super().__init__()
        mlp = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 8))
        self.conv = GINEConv(mlp, edge_dim=1)
        self.norm = norm or nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, out_channels)

    def forward(self, batch):
        source, target = batch.edge_index
        length = (batch.pos[source] - batch.pos[target]).norm(dim=-1)
        h = self.conv(batch.x, batch.edge_index, length.unsqueeze(-1))
        h = self.dropout(self.norm(torch.tanh(h)))
        return scatter(self.head(h), batch.batch, 0, batch.num_graphs, 'mean')


class GAT(nn.Module):
    """Attention over neighbours: messages are not linear."""

    def __init__(self):
        super().__init__()
        self.conv = GATConv(4, 6, heads=2)
        self.head = nn.Linear(12, 1)

    def forward(self, batch):
        h = torch.tanh(self.conv(batch.x, batch.edge_index))
        return scatter(self.head(h), batch.batch, 0, batch.num_graphs, 'mean')


def make_model(name, seed=0):
    """A small model in float64, and how the readout calls it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, inputs = {
            'tiny': lambda: (TinyGNN(), None),
            'gat': lambda: (GAT(), None),
            'schnet': lambda: (
                SchNet(
                    8,
                    8,
                    2,
                    6,
                    interaction_graph=RadiusInteractionGraph(CUTOFF),
                ),
                'z, pos, batch',
            ),
            'e3nn': lambda: (
                EquivariantGNN(
                    '4x0e+2x1o', num_layers=2, cutoff=CUTOFF, lmax=1
                ),
                None,
            ),
        }[name]()
    return SimpleNamespace(name=name, module=model.double(), inputs=inputs)


class Memory:
    """A device that holds so many atoms: of the chunk, and of graphs."""

    def __init__(self, limit):
        self.limit = limit
        self.tokens = weakref.WeakSet()
        self.most = 0

    def take(self, nodes):
        held = sum(token.nodes for token in self.tokens)
        if held + nodes > self.limit:
            raise torch.OutOfMemoryError(f'{held} held, {nodes} wanted')
        self.most = max(self.most, held + nodes)


class Token:
    """What takes memory."""

    def __init__(self, nodes):
        self.nodes = nodes


class Hold(torch.autograd.Function):
    """Holds a token until its backward, as a graph does."""

    @staticmethod
    def forward(ctx, x, memory, nodes):
        if x.requires_grad:
            ctx.token = Token(nodes)
            memory.tokens.add(ctx.token)
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.token = None
        return grad, None, None


class Takes(nn.Module):
    """A model on a device with little memory."""

    def __init__(self, model, limit, held=False):
        super().__init__()
        self.model = model
        self.memory = [Memory(limit)]
        self.held = held

    def forward(self, batch):
        self.memory[0].take(batch.num_nodes)
        out = self.model(batch)
        if self.held:
            out = Hold.apply(out, self.memory[0], batch.num_nodes)
        return out

    def __deepcopy__(self, memo):
        memory = self.memory[0]
        new = Takes(copy.deepcopy(self.model, memo), memory.limit, self.held)
        return new.train(self.training)


def takes(limit, held=False, **kwargs):
    """A small model on such a device."""
    torch.manual_seed(0)
    return Takes(TinyGNN(**kwargs).double(), limit, held)


def plain(model, batch, inputs=None):
    """Predictions by plain autograd on one PyG Batch of all complexes."""
    poses = [
        pose for of_set in batch.to_data_list() for pose in of_set.to_poses()
    ]
    graphs = Batch.from_data_list(poses)
    if inputs is None:
        out = model(graphs)
    else:
        out = model(*[graphs[key.strip()] for key in inputs.split(',')])
    return out.squeeze(1) if out.size(-1) == 1 else out


def pose_index(batch):
    """The set of every pose."""
    return torch.repeat_interleave(batch.set_size)


def combine(combination, poses, batch):
    """The combination by itself, on predictions of poses."""
    out = combination(
        poses if poses.dim() > 1 else poses.unsqueeze(1),
        index=pose_index(batch),
        dim_size=batch.num_graphs,
    )
    return out.squeeze(1) if out.size(-1) == 1 else out


def loss_of(kind, combined, poses):
    """A loss on the combined prediction, on the poses, or on both."""
    loss = 0.0
    if kind in ('combined', 'both'):
        loss = loss + ((combined - 0.3) ** 2).sum() + combined.sum()
    if kind in ('poses', 'both'):
        loss = loss + (poses * poses.detach().cos()).sum() + (poses**2).mean()
    return loss


def relative_error(got, expected):
    """The largest relative error of a list of tensors, None counted as 0."""
    total = max(
        (e.norm().item() for e in expected if e is not None), default=0.0
    )
    worst = 0.0
    for g, e in zip(got, expected, strict=True):
        assert (g is None) == (e is None)
        if g is None:
            continue
        assert g.shape == e.shape and g.dtype == e.dtype
        scale = max(e.norm().item(), 1e-6 * total, 1e-300)
        error = (g - e).norm().item() / scale
        assert not math.isnan(error)  # which `max` would lose
        worst = max(worst, error)
    return worst


def gradients(loss, tensors):
    """Gradients by autograd.grad; `.grad` is not touched."""
    return torch.autograd.grad(
        loss, tensors, retain_graph=True, allow_unused=True
    )


def readout_of(model, *args, **kwargs):
    """A readout; whole complexes unless the model itself shares them.

    Any layers of PyG would share their receptor, too, as tests/nn/sharing and
    tests/contracts/silent let them.
    """
    if not hasattr(model, 'encode_receptor'):
        kwargs.setdefault('share_receptor', False)
    return MultiPoseReadout(model, *args, **kwargs)


@pytest.fixture
def kit(record_property):
    """The functions above, for test modules."""

    def recorded_error(got, expected, mode=None):
        """The relative error; by mode, the worst is printed at the end."""
        worst = relative_error(got, expected)
        if mode is not None:
            record_property(f'worst relative error of {mode}', worst)
        return worst

    return SimpleNamespace(
        CUTOFF=CUTOFF,
        GAT=GAT,
        Takes=Takes,
        MultiPoseReadout=readout_of,
        TinyGNN=TinyGNN,
        atoms=atoms,
        combine=combine,
        gradients=gradients,
        loss_of=loss_of,
        make_batch=make_batch,
        make_model=make_model,
        make_set=make_set,
        plain=plain,
        pose_index=pose_index,
        relative_error=recorded_error,
        takes=takes,
    )
