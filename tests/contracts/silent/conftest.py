"""Plain autograd on whole complexes, and what a readout must make of it.

The invariant of all tests here: numbers of plain autograd in float64, or an
error that names what is in the way. Nothing silent.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.transforms import RadiusGraph

MODES = ('full', 'store', 'stream', 'recompute', 'auto')
#: How sharp a Max is.
SCALE = 1000.0


@pytest.fixture(autouse=True)
def double():
    """Everything is in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.default_generator.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def atoms(count, generator, spread=1.0):
    """Random atoms."""
    return Data(
        z=torch.randint(1, 9, (count,), generator=generator),
        x=torch.randn(count, 4, generator=generator),
        pos=torch.randn(count, 3, generator=generator) * spread,
    )


def complexes(sizes=(3, 4, 3, 5), receptor=30, radius=1.5, seed=0):
    """A set of poses around one receptor."""
    g = torch.Generator().manual_seed(seed)
    around = atoms(receptor, g, 3.0)
    ligands = [atoms(size, g) for size in sizes]
    return RadiusGraph(radius)(PoseSet.from_complex(around, ligands))


def ligands(sizes=(5,) * 6, metals=(), seed=0):
    """A set of poses without a receptor; some hold a metal, z = 99."""
    g = torch.Generator().manual_seed(seed)
    poses = [atoms(size, g) for size in sizes]
    for pose in metals:
        poses[pose].z[0] = 99
    return PoseSet.from_poses(poses)


def whole(poses):
    """All complexes of a batch, as one batch of graphs."""
    sets = poses.to_data_list() if isinstance(poses, Batch) else [poses]
    graphs = [pose.clone() for one in sets for pose in one.to_poses()]
    return Batch.from_data_list(graphs)


def combined(predictions, poses, sharp):
    """The mean of every set, or its smooth minimum."""
    parts = predictions.split(poses.set_size.tolist())
    if sharp:
        parts = [-torch.logsumexp(-SCALE * p, 0) / SCALE for p in parts]
    return torch.stack([part.mean(0) for part in parts])


def loss_of(combined, predictions=None):
    """Of sets, and of poses if there are any."""
    loss = (combined.square() + combined).sum()
    if predictions is not None:
        loss = loss + (predictions.sin() * predictions.detach()).sum()
    return loss


def same(what, got, expected, limit=1e-10, total=0.0):
    """Equal up to rounding; nothing is zero, and NaN is never equal."""
    if expected is None:
        expected = got
        if got is None:
            return
        expected = torch.zeros_like(got)
    got = torch.zeros_like(expected) if got is None else got
    assert got.shape == expected.shape, what
    scale = max(expected.norm().item(), 1e-4 * total, 1e-12)
    off = (got - expected).norm().item() / scale
    assert off <= limit, f'{what} is off by {off:.1e}'


class Plain:
    """Predictions and gradients of plain autograd, and buffers after it."""

    def __init__(self, model, poses, sharp, each, extra=()):
        tensors = real_inputs(poses) | trainable(model) | dict(extra)
        buffers = [b for b in model.buffers() if b is not None]
        before = [b.clone() for b in buffers]
        torch.default_generator.manual_seed(1)
        with torch.enable_grad():
            out = predictions_of(model(whole(poses)))
            loss = loss_of(combined(out, poses, sharp), out if each else None)
            grads = [None] * len(tensors)
            if loss.requires_grad:
                grads = torch.autograd.grad(
                    loss, list(tensors.values()), allow_unused=True
                )
        self.predictions = out.detach().clone()
        self.gradients = dict(zip(tensors, grads, strict=True))
        self.tensors = tensors
        assert all(g is None or g.isfinite().all() for g in grads)
        self.buffers = [b.clone() for b in buffers]
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)

    def check(self, gradients):
        total = sum(
            g.norm().item() for g in self.gradients.values() if g is not None
        )
        for name, expected in self.gradients.items():
            what = f'the gradient of {name}'
            same(what, gradients[name], expected, total=total)


def predictions_of(out):
    out = out[0] if isinstance(out, tuple) else out
    return out.squeeze(1) if out.dim() == 2 and out.size(1) == 1 else out


def trainable(model):
    named = model.named_parameters()
    return {name: p for name, p in named if p.requires_grad}


def real_inputs(poses):
    keys = ('pos', 'x')
    return {k: poses[k] for k in keys if poses[k].requires_grad}


def agrees(readout, poses, words=None, during=None, extra=(), buffers=False):
    """Numbers of plain autograd, or an error with one of the words.

    Args:
        readout: A readout with the mean, or with a sharp Max.
        poses: A set or a batch of them.
        words: What an error may say. (default: no error is allowed)
        during: Called between the call and backward.
        extra: Other leaves by name, that the model reads.
        buffers: Whether to compare buffers too.

    Returns:
        The error, or None.
    """
    model = readout.model
    sharp = 'Max' in type(readout.combination).__name__
    each = readout.gradient != 'stream'
    plain = Plain(model, poses, sharp, each, extra)
    torch.default_generator.manual_seed(1)
    for tensor in plain.tensors.values():
        tensor.grad = None
    try:
        out = readout(poses, return_poses=each)
        value, predictions = out if each else (out, None)
        loss = loss_of(value, predictions)
        if during is not None:
            during()
        if loss.requires_grad:
            loss.backward()
    except (ValueError, RuntimeError) as error:
        if words is None or not re.search(words, str(error), re.DOTALL):
            raise
        return error
    where = f'{readout.gradient}, {readout.share_receptor}'
    if each:
        same(f'{where}: predictions', predictions, plain.predictions)
    expected = combined(plain.predictions, poses, sharp)
    same(f'{where}: the combination', value, expected)
    if torch.is_grad_enabled():
        plain.check({name: t.grad for name, t in plain.tensors.items()})
    if buffers:
        for now, then in zip(model.buffers(), plain.buffers, strict=True):
            same(f'{where}: a buffer', now.double(), then.double())
    return None


#: What an error says of a model that cannot share.
NO_SHARING = 'share_receptor=True'
#: Modes and ways to share.
WAYS = [('auto', 'auto'), ('recompute', True)]
ALL_WAYS = [*WAYS, ('recompute', False), ('full', 'auto'), ('stream', 'auto')]


def shares_right(model, poses, words=NO_SHARING, all_ways=False, **settings):
    """Right with every way to share; an error if sharing is asked for only.

    Returns:
        Whether each way that went through shared.
    """
    out = {}
    for mode, share in ALL_WAYS if all_ways else WAYS:
        try:
            readout = MultiPoseReadout(
                model, 'mean', gradient=mode, share_receptor=share, **settings
            )
            agrees(readout, poses)
        except (ValueError, RuntimeError) as error:
            if share is not True or not re.search(words or 'x^', str(error)):
                raise
        else:
            out[mode, share] = shared(readout)
    return out


def shared(readout):
    """Whether the last call shared a receptor."""
    return 'whole complexes' not in readout.last_plan.receptor


@pytest.fixture
def silent():
    """The functions above, for test modules."""
    return SimpleNamespace(**globals())
