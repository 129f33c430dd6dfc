"""Atoms of a receptor have moved: by what they change, as whole complexes.

The reference is plain autograd on complexes that are put together by hand.
"""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch

from pyg_multipose.nn import MultiPoseReadout
from tests.moved_sets import (
    batch_of,
    graphs_of,
    leaves_of,
    make,
    make_batch,
    make_sets,
)
from tests.nn.sharing.moved_models import (
    MODELS,
    Pooled,
    e3nn,
    gatv2,
    gine,
    layers,
    model_of,
    schnet,
)
from tests.trusting import trusting

MODES = ['full', 'stream', 'recompute', 'auto']


def loss_of(y):
    return (y * torch.arange(1.0, 1 + y.numel()).to(y)).sin().sum()


def gradients(loss, model, leaves):
    """Of leaves, and of parameters; none is zero."""
    wanted = [*leaves, *model.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [
        torch.zeros_like(tensor) if grad is None else grad
        for tensor, grad in zip(wanted, found, strict=True)
    ]


def plainly(model, sets, combination='mean', leaves=()):
    """Predictions of sets and gradients, without the package."""
    graphs, number = graphs_of(sets)
    poses = model(graphs)
    poses = (poses[0] if isinstance(poses, tuple) else poses).view(-1)
    y = torch.stack(
        [
            one.mean() if combination == 'mean' else -(-one).logsumexp(0)
            for one in (poses[number == n] for n in range(len(sets)))
        ]
    )
    return y.detach(), gradients(loss_of(y), model, leaves)


def same(got, expected):
    """Equal to 1e-10, by the largest entry of each tensor."""
    for one, two in zip(got, expected, strict=True):
        error = (one - two).abs().max() if two.numel() else 0.0
        assert error <= 1e-10 * (two.abs().max() + 1e-2)


def check(model, sets, mode='full', combination='mean', **kwargs):
    """A receptor that is shared, against plain complexes."""
    leaves = [] if mode == 'stream' else leaves_of(sets)
    y, expected = plainly(model, sets, combination, leaves)
    readout = MultiPoseReadout(
        model, combination, mode, share_receptor=True, **kwargs
    )
    batch = batch_of(sets)
    if mode == 'stream':
        batch = batch.detach()
    out = trusting(readout)(batch)
    plan = readout.last_plan
    assert plan.receptor.endswith('each once for all of its poses')
    same([out.detach()], [y])
    same(gradients(loss_of(out), model, leaves), expected)
    return plan


# Models ######################################################################


@pytest.mark.parametrize('name', MODELS)
def test_parity(kit, name):
    model, sets = model_of(name), make_sets()
    check(model, sets)
    check(model, sets, 'recompute', 'free_energy', max_nodes_per_chunk=9)
    # Against what the readout itself makes of whole complexes.
    batch = make_batch()
    kit.compare(model, batch, MODES[1:])


@pytest.mark.parametrize('name', ['SchNet, ligand', 'layers', 'GCN'])
def test_chunks(kit, name):
    batch = make_batch()
    for most in (1, 9, 20):
        kit.compare(
            *(model_of(name), batch, MODES, 'max'), max_nodes_per_chunk=most
        )


def test_attributes_of_edges(kit):
    """Those that sets bring along stay with their edges."""
    torch.manual_seed(0)
    convs = nn.ModuleList([gine(), gine()])
    model = Pooled(convs, edges='stored').double()
    sets = [one.set for one in make_sets()]
    for one in sets:
        attr = torch.randn(one.edge_index.size(1), 1, dtype=torch.float64)
        one.put('edge_attr', attr, 'edge')
    batch = Batch.from_data_list(sets)
    kit.compare(model, batch, MODES)
    attr = batch.edge_attr.requires_grad_()
    graphs = Batch.from_data_list(batch.to_poses())
    number = torch.arange(4).repeat_interleave(batch.set_size)
    poses = model(graphs).squeeze(1)
    y = torch.zeros(4).double().index_add(0, number, poses) / batch.set_size
    expected = gradients(loss_of(y), model, [attr])
    for mode in ('full', 'recompute'):
        readout = MultiPoseReadout(model, 'mean', mode, share_receptor=True)
        out = trusting(readout)(batch)
        assert 'encoded' in readout.last_plan.receptor
        same([out], [y])
        same(gradients(loss_of(out), model, [attr]), expected)


@pytest.mark.parametrize(
    'kwargs',
    [
        {'shift': 50.0},  # no ligand touches the receptor
        {'spread': 0.6},  # every atom is reached at once
        {'spread': 6.0, 'size': 60},  # in pieces
        {'size': 1, 'counts': ((1, 0), (0, 1), (0, 0))},
        {'size': 9, 'counts': ((9, 0), (0, 9), (4, 5))},  # all of them
        {'counts': ((0, 6), (0, 1))},
        {'counts': ((9, 0), (1, 0))},
    ],
)
@pytest.mark.parametrize(
    'name', ['SchNet', 'SchNet, ligand', 'layers', 'GIN, max', 'GCN']
)
def test_receptors(name, kwargs):
    check(model_of(name), make_sets(**kwargs)[:2], 'recompute')


@pytest.mark.parametrize('num_layers', [1, 2, 4, 5])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
@pytest.mark.parametrize('make_model', [schnet, e3nn])
def test_depths(make_model, num_layers, atoms):
    torch.manual_seed(0)
    model = make_model(num_layers, atoms=atoms).double()
    check(model, make_sets()[:1])


@pytest.mark.parametrize(
    'name', ['SchNet, mean of ligand', 'layers, mean of ligand', 'GCN']
)
def test_edges_that_go_one_way(kit, name):
    sets = [one.set for one in make_sets()]
    for one in sets:
        generator = torch.Generator().manual_seed(1)
        kept = torch.rand(one.edge_index.size(1), generator=generator) < 0.5
        one.edge_index = one.edge_index[:, kept]
    kit.compare(model_of(name), Batch.from_data_list(sets), 'recompute')


def test_gradcheck():
    """Differences of values, by every coordinate that a set is made of."""
    made = make(3, (2, 1), 5, 1.0, counts=((2, 1), (0, 1)))
    leaves = [made.receptor.pos, made.ligands[0].pos, made.moved[0].pos]
    torch.manual_seed(0)
    model = schnet(2).double()
    readout = MultiPoseReadout(
        model, 'free_energy', 'full', share_receptor=True
    )
    edges = made.set.edge_index

    def call(*pos):
        made.receptor.pos, made.ligands[0].pos = pos[:2]
        object.__setattr__(made.moved[0], 'pos', pos[2])
        batch = batch_of([made])
        assert torch.equal(batch.edge_index, edges)
        return trusting(readout)(batch)

    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(call, leaves)
    assert 'encoded' in readout.last_plan.receptor


# Batches #####################################################################


def test_how_often_receptors_are_encoded():
    """One receptor for its sets, whatever has moved in them; two for two."""
    model = model_of('SchNet')
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    for chosen, number in (([0, 2], 1), ([0, 1, 2, 3], 2), ([3], 1)):
        sets = make_sets()
        readout(batch_of([sets[n] for n in chosen]))
        assert readout.last_plan.counts.encoded == number


def test_store(kit):
    """It shares nothing, and is the same."""
    model, batch = model_of('GIN'), make_batch()
    _, y, expected = kit.results(
        model, batch, 'full', share_receptor=False, positions=False
    )
    _, out, grads = kit.results(model, batch, 'store', positions=False)
    assert torch.allclose(out, y, rtol=1e-11, atol=1e-12)
    kit.check(grads, expected)
    y, _ = plainly(model, make_sets())
    same([out], [y])


@pytest.mark.parametrize('name', ['SchNet', 'layers', 'GCN'])
def test_auto_after_a_look(name):
    """Many poses: it looks at the model, and shares."""
    counts = ((0, 0), (3, 0), (0, 2), (2, 2))
    sets = [make(5, (3,) * 17, 60, 4.0, counts)]
    model = model_of(name)
    readout = MultiPoseReadout(model, 'mean')
    for _ in range(2):
        out = readout(batch_of(sets))
        same([out.detach()], [plainly(model, sets)[0]])
        assert readout.last_plan.counts.encoded == 1


@pytest.mark.parametrize('num_layers', [1, 2])
def test_cost(num_layers):
    """By hand: far from the ligand, one atom is absent."""
    made = make(6, (3,), counts=((0, 1),), shift=50.0)
    model = schnet(num_layers)
    edges, (atom,) = made.set.receptor.edge_index, made.moved[0].absent
    out = edges[1, edges[0] == atom]  # where it sends to
    own = made.set.num_edges - edges.size(1)
    # In the second layer these send something else to all but this atom.
    further = torch.isin(edges[0], out) & (edges[1] != atom)
    differ = [len(out), len(out) + int(further.sum())][:num_layers]
    work = own * num_layers + (1 - model.filter_share) * sum(differ)
    expected = work / (made.set.num_edges * num_layers)
    assert model.sharing_cost(made.set) == pytest.approx(expected)
    bound = model.sharing_bound(edges.size(1), own, moved=True)
    assert expected <= bound <= 1
    assert 0 < layers(gatv2, num_layers).sharing_cost(made.set) < 1


def test_a_moved_atom_that_is_called_ligand():
    """Who reads the mask sees another ligand: complexes run whole."""
    made = make(7, (3,) * 16, counts=((2, 0),))
    model = model_of('SchNet, ligand')
    batch = Batch.from_data_list([made.set])
    batch.is_ligand[batch.moved_index[1, 0]] = True
    readout = MultiPoseReadout(model, 'mean')
    out = readout(batch)
    assert "'is_ligand' of set" in readout.last_plan.receptor
    poses = model(Batch.from_data_list(batch.to_poses()))
    same([out.detach()], [poses.mean(0).detach()])


@pytest.mark.parametrize('name', ['SchNet', 'layers', 'GIN'])
def test_second_derivatives(kit, name):
    """Forces in the loss."""
    grads = []
    for share in (False, True):
        model, batch = model_of(name), make_batch()
        leaf = (batch.x if name == 'GIN' else batch.pos).requires_grad_()
        readout = MultiPoseReadout(model, 'mean', 'full', share_receptor=share)
        out = trusting(readout)(batch).sum()
        assert ('encoded' in readout.last_plan.receptor) == share
        (force,) = torch.autograd.grad(out, leaf, create_graph=True)
        force.square().sum().backward()
        grads.append({n: p.grad for n, p in model.named_parameters()})
    kit.check(grads[1], grads[0])


def test_rounding():
    """What has gone is taken out again, without a loss of accuracy."""
    sets = make_sets(spread=1.2, counts=((30, 0), (0, 20), (36, 0)))[:2]
    y, _ = plainly(model_of('SchNet'), sets)
    batch = batch_of(sets)
    batch.pos = batch.pos.float()
    readout = MultiPoseReadout(
        model_of('SchNet').float(), 'mean', share_receptor=True
    )
    error = (trusting(readout)(batch) - y).abs().max()
    assert error <= 2e-6 * y.abs().max()
