"""Every strategy is plain autograd on complexes and parts."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import GIN, GraphNorm, global_add_pool

from pyg_multipose.nn import (
    DeltaStrategy,
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
)
from pyg_multipose.nn.models import SchNet

MODES = ['full', 'recompute', 'auto', 'stream']
KINDS = [
    'complex',
    'delta',
    'delta, no head',
    'delta, separate',
    'concat',
    'concat, separate',
    'concat, symmetric',
]
#: How a plan begins where complexes share, and where they do not.
SHARED, ONCE, WHOLE = (
    '2 encoded, each once for all of its poses',
    '2 encoded, each once for all of its poses, which run as whole complexes',
    'whole complexes, composed chunk by chunk',
)


def compare(parts, kind, strategy, batch, modes, share, combination, **kwargs):
    """Values and gradients of all modes against plain autograd."""
    y, grads = parts.expected(kind, strategy, combination, batch)
    readout = MultiPoseReadout(
        strategy, combination, share_receptor=share, **kwargs
    )
    plans = set()
    for mode in modes:
        if mode == 'stream' and y.dim() > 1:
            continue
        readout.gradient = mode
        _, out, got = parts.kit.results_of(readout, batch)
        assert torch.allclose(out, y, rtol=1e-10, atol=1e-12), mode
        wanted = dict(grads)
        if mode == 'stream':  # it gives no gradient of positions
            del wanted['pos']
        parts.check(got, wanted)
        plans.add(readout.last_plan.receptor)
    return plans


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['by hand', 'by layers', 'SchNet'])
def test_parity(parts, name, kind):
    torch.manual_seed(0)
    strategy = parts.STRATEGIES[kind](parts.MODELS[name]).double()
    batch = parts.kit.make_batch(16, 1.6)
    mean = MeanCombination()
    begins, share = SHARED, True  # few poses: "auto" finds it not worth it
    if name == 'by hand':
        begins = WHOLE if kind == 'complex' else ONCE
        share = 'auto' if kind == 'complex' else True
    plans = compare(parts, kind, strategy, batch, MODES, share, mean)
    # Positions that ask for a gradient: each of three sets has a receptor.
    begins = begins.removeprefix('2 ')
    assert all(begins in plan for plan in plans), plans
    if begins == SHARED.removeprefix('2 '):
        assert not any('run as whole' in plan for plan in plans)
    if name == 'SchNet':
        plans = compare(parts, kind, strategy, batch, MODES[:1], False, mean)
        assert all(WHOLE in plan for plan in plans)


@pytest.mark.parametrize('kind', ['delta', 'concat'])
def test_called_with_attributes(parts, kind):
    torch.manual_seed(0)
    make = parts.STRATEGIES[kind]
    strategy = make(parts.pyg_schnet, inputs='z, pos, batch').double()
    batch = parts.kit.make_batch(16, 1.6)
    combination = MaxCombination(scale=2.0)
    (plan, *_) = compare(
        *(parts, kind, strategy, batch, MODES, True, combination),
        max_nodes_per_chunk=9,
    )
    assert 'encoded' in plan and 'whole' not in plan


def test_own_model_called_with_attributes(parts):
    """Its sharing reads the edges of the set: only the receptor is shared."""
    torch.manual_seed(0)
    make = parts.STRATEGIES['delta']
    strategy = make(parts.MODELS['SchNet'], inputs='z, pos, batch').double()
    batch = parts.kit.make_batch(16, 1.6)
    mean = MeanCombination()
    plans = compare(parts, 'delta', strategy, batch, MODES[:2], True, mean)
    reason = 'run as whole complexes: the model is called with attributes'
    assert all(reason in plan for plan in plans)


class Normed(nn.Module):
    """A norm over the graph: complexes do not share, receptors do."""

    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.norm = GraphNorm(6)
        self.gnn = GIN(6, width, 2)

    def forward(self, batch):
        x = self.norm(self.embedding(batch.z), batch.batch)
        x = self.gnn(x, batch.edge_index).tanh()
        return global_add_pool(x, batch.batch, batch.num_graphs)


def test_complexes_that_do_not_share(parts):
    torch.manual_seed(0)
    strategy = DeltaStrategy(Normed(parts.WIDTH)).double()
    batch, mean = parts.kit.make_batch(16, 1.6), MeanCombination()
    kind = 'delta, no head'
    plans = compare(parts, kind, strategy, batch, MODES, True, mean)
    assert all('run as whole complexes: ' in p for p in plans), plans


@pytest.mark.parametrize(
    'kind, frozen',
    [
        ('delta', 'model'),
        ('delta', 'head'),
        ('delta', 'all'),
        ('concat, separate', 'receptor_model'),
        ('concat, separate', 'ligand_model'),
    ],
)
def test_frozen_parts(parts, kind, frozen):
    torch.manual_seed(0)
    strategy = parts.STRATEGIES[kind](parts.MODELS['SchNet']).double()
    frozen_part = strategy if frozen == 'all' else getattr(strategy, frozen)
    frozen_part.requires_grad_(False)
    batch, mean = parts.kit.make_batch(16, 1.6), MeanCombination()
    compare(parts, kind, strategy, batch, MODES[:3], True, mean)


@pytest.mark.parametrize('name', ['by hand', 'SchNet'])
def test_gradcheck(parts, name):
    torch.manual_seed(0)
    strategy = parts.STRATEGIES['delta'](parts.MODELS[name]).double()
    receptor = parts.kit.atoms(6, torch.Generator().manual_seed(1), 1.0)
    batch = parts.kit.make_set(receptor, (2, 3), 3)
    readout = MultiPoseReadout(strategy, MaxCombination(scale=2.0))

    def predict(pos, *_):
        moved = batch.clone()
        moved.pos = pos
        return readout(moved)

    weights = list(strategy.head.parameters())
    pos = batch.pos.clone().requires_grad_()
    for mode in ('full', 'recompute'):
        readout.gradient = mode
        assert torch.autograd.gradcheck(
            predict, (pos, *weights), fast_mode=True
        )


class Moody(nn.Module):
    """It goes another way where an atom is far away."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, batch):
        x = self.inner.embedding(batch.z)
        x = self.inner.gnn(x, batch.edge_index)
        if batch.pos.max() > 100:
            x = self.inner.gnn(x.repeat(1, 2)[:, :6], batch.edge_index)
        return global_add_pool(x.tanh(), batch.batch, batch.num_graphs)


def test_complexes_that_no_longer_share(parts):
    """A later call shares the receptor alone."""
    torch.manual_seed(0)
    inner = parts.MODELS['by layers']()
    strategy = DeltaStrategy(Moody(inner)).double()
    mean = MeanCombination()
    near = parts.kit.make_batch(20, 1.5)
    far = parts.kit.make_batch(20, 1.5, 200.0)
    readout = MultiPoseReadout(strategy, mean, 'full')
    readout.share_receptor = True
    readout(near)
    assert 'whole' not in readout.last_plan.receptor
    readout.share_receptor = 'auto'
    _, out, got = parts.kit.results_of(readout, far)
    plan = readout.last_plan.receptor
    assert 'run as whole complexes' in plan and 'another way for' in plan
    y, grads = parts.expected('delta, no head', strategy, mean, far)
    assert torch.allclose(out, y, rtol=1e-10, atol=1e-12)
    parts.check(got, grads)


def test_ligand_atoms_only(parts):
    """The receptor alone is an empty sum, and no mean."""
    torch.manual_seed(0)
    sizes = 6, 6, 2, 5, parts.kit.CUTOFF
    batch, mean = parts.kit.make_batch(16, 1.6), MeanCombination()
    strategy = DeltaStrategy(SchNet(*sizes, atoms='ligand')).double()
    whole = MultiPoseReadout(strategy, mean, share_receptor=False)
    shared = MultiPoseReadout(strategy, mean, share_receptor=True)
    y, grads = parts.kit.results_of(whole, batch)[1:]
    out, got = parts.kit.results_of(shared, batch)[1:]
    assert torch.allclose(out, y, rtol=1e-10, atol=1e-12)
    parts.check(got, grads)
    model = SchNet(*sizes, atoms='ligand', readout='mean').double()
    with pytest.raises(ValueError, match='A mean over atoms needs ligand at'):
        MultiPoseReadout(DeltaStrategy(model), mean)(batch)
