"""A receptor that is computed once equals whole complexes."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 2.5
MODES = ['full', 'stream', 'recompute', 'auto']


def atoms(count, generator, spread, shift=0.0):
    pos = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    z = torch.randint(1, 10, (count,), generator=generator)
    return Data(z=z, pos=spread * pos + shift)


def make_set(receptor, sizes, seed, shift=0.0, name=None):
    generator = torch.Generator().manual_seed(seed)
    ligands = [atoms(size, generator, 0.8, shift) for size in sizes]
    made = PoseSet.from_complex(receptor, ligands, name=name)
    return RadiusGraph(CUTOFF)(made)


def make_batch(size=40, spread=2.5, shift=0.0):
    """Two receptors; one has the poses of two sets, not side by side."""
    generator = torch.Generator().manual_seed(7)
    first, second = (atoms(size, generator, spread) for _ in range(2))
    return Batch.from_data_list(
        [
            make_set(first, (5, 3, 6), 1, shift, 'a'),
            make_set(second, (4, 4), 2, shift, 'b'),
            make_set(first, (2,), 3, shift, 'c'),
        ]
    )


def make_model(name, num_layers=3, **kwargs):
    torch.manual_seed(0)
    if name == 'schnet':
        return SchNet(8, 8, num_layers, 6, CUTOFF, **kwargs).double()
    if 'readout' in kwargs:
        kwargs['pool'] = kwargs.pop('readout').replace('add', 'sum')
    return EquivariantGNN(
        '4x0e+2x1o', num_layers=num_layers, cutoff=CUTOFF, lmax=1, **kwargs
    ).double()


def results(model, batch, mode, combination='mean', positions=True, **kwargs):
    """Predictions and all gradients."""
    batch = batch.clone()
    if positions and mode != 'stream':
        batch.pos.requires_grad_()
    model.zero_grad()
    readout = MultiPoseReadout(model, combination, mode, **kwargs)
    out = readout(batch)
    out.sin().sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    if batch.pos.grad is not None:
        grads['pos'] = batch.pos.grad
    return readout, out.detach(), grads


def check(got, expected):
    for name, value in expected.items():
        if value is None:
            assert got[name] is None or not got[name].any(), name
            continue
        error = (got[name] - value).abs().max() if value.numel() else 0
        assert error <= 1e-10 * (value.abs().max() + 1e-8), name


def compare(model, batch, mode, combination='mean', **kwargs):
    positions = mode != 'stream'
    _, y, expected = results(
        model, batch, 'full', combination, positions, share_receptor=False
    )
    readout, out, grads = results(
        model, batch, mode, combination, share_receptor=True, **kwargs
    )
    assert torch.allclose(out, y, rtol=1e-11, atol=1e-12)
    check(grads, expected)
    assert 'encoded' in str(readout.last_plan)


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_parity(name, mode, atoms):
    model, batch = make_model(name, atoms=atoms), make_batch()
    compare(model, batch, mode)
    compare(model, batch, mode, 'max', max_nodes_per_chunk=9)


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('num_layers', [1, 2, 4, 5])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
@pytest.mark.parametrize('readout', ['add', 'mean'])
def test_layers_and_readouts(name, num_layers, atoms, readout):
    model = make_model(name, num_layers, atoms=atoms, readout=readout)
    compare(model, make_batch(), 'recompute')


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
@pytest.mark.parametrize(
    'size, spread, shift',
    [
        (40, 2.5, 50.0),  # no ligand touches the receptor
        (40, 0.6, 0.0),  # every atom is reached at once
        (1, 0.5, 0.0),
        (60, 6.0, 0.0),  # in pieces
    ],
)
def test_receptors(name, atoms, size, spread, shift):
    model = make_model(name, 4, atoms=atoms)
    compare(model, make_batch(size, spread, shift), 'recompute')


def test_references_of_elements():
    torch.manual_seed(1)
    model = make_model(
        'schnet', atomref=torch.randn(100, 1), mean=2.0, std=3.0
    )
    compare(model, make_batch(), 'recompute')


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_one_edge_list_for_all(name):
    """Sets without edges are not shared; the reason is said."""
    model, batch = make_model(name), make_batch()
    sets = batch.to_data_list()
    for of_set in sets:
        del of_set.edge_index
    batch = Batch.from_data_list(sets)
    with pytest.raises(ValueError, match='no edge_index'):
        MultiPoseReadout(model, share_receptor=True).plan(batch)
    schnet = MultiPoseReadout(make_model('schnet'), inputs='z, pos, batch')
    assert "called with attributes ('inputs')" in str(schnet.plan(batch))
    schnet(batch)


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_rounding(name):
    """Differences lose no accuracy, clashes or not."""
    batch = make_batch(40, 1.2)
    exact = make_model(name)
    _, y, _ = results(exact, batch, 'full', share_receptor=False)
    model = make_model(name).float()
    batch.pos = batch.pos.float()
    errors = []
    for share in (False, True):
        _, out, _ = results(model, batch, 'full', share_receptor=share)
        errors.append((out - y).abs().max())
    assert errors[1] <= 2 * errors[0] + 1e-6 * y.abs().max()


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_second_derivatives(name):
    """Forces in the loss."""
    model, grads = make_model(name), []
    for share in (False, True):
        batch = make_batch()
        batch.pos.requires_grad_()
        model.zero_grad()
        readout = MultiPoseReadout(model, 'mean', 'full', share_receptor=share)
        (force,) = torch.autograd.grad(
            readout(batch).sum(), batch.pos, create_graph=True
        )
        force.square().sum().backward()
        grads.append({n: p.grad for n, p in model.named_parameters()})
    check(grads[1], grads[0])
