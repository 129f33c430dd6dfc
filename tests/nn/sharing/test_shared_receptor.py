"""A receptor that is computed once equals whole complexes."""

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.messages.coupled_sum import coupled_sum
from pyg_multipose.nn.models import EquivariantGNN, SchNet, tensor_product
from tests.trusting import trusting

CUTOFF = 2.5
MODES = ['full', 'stream', 'recompute', 'auto']


def make_model(name, num_layers=3, **kwargs):
    torch.manual_seed(0)
    if name == 'schnet':
        return SchNet(8, 8, num_layers, 6, CUTOFF, **kwargs).double()
    if 'readout' in kwargs:
        kwargs['pool'] = kwargs.pop('readout').replace('add', 'sum')
    return EquivariantGNN(
        '4x0e+2x1o', num_layers=num_layers, cutoff=CUTOFF, lmax=1, **kwargs
    ).double()


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_parity(kit, name, atoms):
    model, batch = make_model(name, atoms=atoms), kit.make_batch()
    kit.compare(model, batch, MODES)
    kit.compare(model, batch, MODES, 'max', max_nodes_per_chunk=9)


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('num_layers', [1, 2, 4, 5])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
@pytest.mark.parametrize('readout', ['add', 'mean'])
def test_layers_and_readouts(kit, name, num_layers, atoms, readout):
    model = make_model(name, num_layers, atoms=atoms, readout=readout)
    kit.compare(model, kit.make_batch(), 'recompute')


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
def test_receptors(kit, name, atoms, size, spread, shift):
    model = make_model(name, 4, atoms=atoms)
    kit.compare(model, kit.make_batch(size, spread, shift), 'recompute')


def test_references_of_elements(kit):
    torch.manual_seed(1)
    model = make_model(
        'schnet', atomref=torch.randn(100, 1), mean=2.0, std=3.0
    )
    kit.compare(model, kit.make_batch(), 'recompute')


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_one_edge_list_for_all(kit, name):
    """Sets without edges are not shared; the reason is said."""
    model, batch = make_model(name), kit.make_batch()
    sets = batch.to_data_list()
    for of_set in sets:
        del of_set.edge_index
    batch = Batch.from_data_list(sets)
    with pytest.raises(ValueError, match='edge_index'):
        MultiPoseReadout(model, share_receptor=True).plan(batch)
    schnet = MultiPoseReadout(make_model('schnet'), inputs='z, pos, batch')
    assert "called with attributes ('inputs')" in str(schnet.plan(batch))
    schnet(batch)


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_rounding(kit, name):
    """Differences lose no accuracy, clashes or not."""
    batch = kit.make_batch(40, 1.2)
    exact = make_model(name)
    _, y, _ = kit.results(exact, batch, 'full', share_receptor=False)
    model = make_model(name).float()
    batch.pos = batch.pos.float()
    errors = []
    for share in (False, True):
        _, out, _ = kit.results(model, batch, 'full', share_receptor=share)
        errors.append((out - y).abs().max())
    assert errors[1] <= 2 * errors[0] + 1e-6 * y.abs().max()


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_second_derivatives(kit, name):
    """Forces in the loss."""
    model, grads = make_model(name), []
    for share in (False, True):
        batch = kit.make_batch()
        batch.pos.requires_grad_()
        model.zero_grad()
        readout = MultiPoseReadout(model, 'mean', 'full', share_receptor=share)
        (force,) = torch.autograd.grad(
            readout(batch).sum(), batch.pos, create_graph=True
        )
        force.square().sum().backward()
        grads.append({n: p.grad for n, p in model.named_parameters()})
    kit.check(grads[1], grads[0])


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_cost(kit, name, atoms):
    """Against counts by hand: nothing reached, everything reached."""
    model = make_model(name, 3, atoms=atoms)
    share = model.filter_share
    receptor = kit.atoms(40, torch.Generator().manual_seed(7), 2.5)
    far = kit.make_set(receptor, (5, 3), 1, shift=50.0)
    alone = far.receptor.edge_index.size(1)
    own = far.edge_index.size(1) - alone
    assert model.sharing_cost(far) == pytest.approx(own / (own + 2 * alone))
    receptor.pos *= 0.1
    near = kit.make_set(receptor, (5,), 1)
    near.pos *= 0.1
    near = kit.RadiusGraph(kit.CUTOFF)(near)
    alone, whole = 40 * 39, 45 * 44
    cost = model.sharing_cost(near)
    if atoms == 'all':  # in the first layer only the ligand sends
        work = 3 * (whole - alone) + (1 - share) * 2 * alone
        assert cost == pytest.approx(work / (3 * whole))
        bound = model.sharing_bound(alone, whole - alone)
        assert bound == pytest.approx(cost)
    else:
        assert 0 < cost < 1


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('num_layers', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_cost_of_any_depth(kit, name, num_layers, atoms):
    """Some of a whole complex; never more."""
    model = make_model(name, num_layers, atoms=atoms)
    for of_set in kit.make_batch().to_data_list():
        receptor = of_set.receptor.edge_index.size(1)
        own = of_set.edge_index.size(1) - receptor
        every = receptor * of_set.num_poses
        bound = model.sharing_bound(every, own)
        assert 0 < model.sharing_cost(of_set) <= bound <= 1
    trusting(MultiPoseReadout(model, 'mean')).plan(kit.make_batch())


def test_auto_shares_where_it_saves(kit):
    """By receptor: few poses that change most of it run as complexes."""
    torch.manual_seed(0)
    receptor = kit.atoms(30, torch.Generator().manual_seed(7), 0.5)
    other = kit.atoms(30, torch.Generator().manual_seed(8), 0.5)
    few = kit.make_set(receptor, (4, 4), 1)
    many = kit.make_set(other, (4,) * 16, 2)
    model = make_model('e3nn', 4)
    readout = MultiPoseReadout(model, 'mean')
    assert 'its 2 poses change so much' in str(readout.plan(few))
    batch = Batch.from_data_list([few, many])
    whole = {
        positions: kit.results(
            model, batch, 'full', positions=positions, share_receptor=False
        )
        for positions in (False, True)
    }
    for mode in MODES:
        shared = kit.results(model, batch, mode)
        assert shared[0].last_plan.counts.encoded == 1
        kit.agree(shared, whole[mode != 'stream'])
    asked = MultiPoseReadout(model, 'mean', share_receptor=True)
    asked(batch)
    assert asked.last_plan.counts.encoded == 2


def make_wide(name):
    """As wide as in use: the tensor product of the CPU is the fast one."""
    torch.manual_seed(0)
    if name == 'schnet':
        return SchNet(128, 128, 3, 16, CUTOFF).double()
    return EquivariantGNN(
        '32x0e+16x1o+8x2e', num_layers=3, cutoff=CUTOFF, lmax=2
    ).double()


@pytest.fixture
def products(monkeypatch):
    """How many edges went through the fast tensor product, call by call."""
    calls = []

    def counted(source, edge_index, *args):
        calls.append(edge_index.size(1))
        return coupled_sum(source, edge_index, *args)

    monkeypatch.setattr(tensor_product, 'coupled_sum', counted)
    return calls


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('atoms', ['all', 'ligand'])
def test_wide_models(kit, products, name, atoms):
    model, batch = make_wide(name), kit.make_batch()
    model.atoms = atoms
    kit.compare(model, batch, MODES)
    products.clear()
    readout = MultiPoseReadout(model, 'mean', 'full', share_receptor=True)
    kit.results_of(trusting(readout), batch)
    # Edges of a receptor, of what touches a ligand, and of what is reached:
    assert len(set(products)) > 3 or name == 'schnet'
    kit.compare(model, batch, MODES, 'max', max_nodes_per_chunk=9)


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_wide_models_round_alike(kit, products, name):
    batch = kit.make_batch(40, 1.2)
    _, y, _ = kit.results(make_wide(name), batch, 'full', share_receptor=False)
    model, errors = make_wide(name).float(), []
    batch.pos = batch.pos.float()
    for share in (False, True):
        readout = MultiPoseReadout(model, 'mean', 'full', share_receptor=share)
        _, out, _ = kit.results_of(trusting(readout), batch)
        errors.append((out - y).abs().max())
    assert errors[1] <= 2 * errors[0] + 1e-6 * y.abs().max()
    assert products or name == 'schnet'


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('num_layers', [3, 4, 5])
def test_edges_that_go_one_way(kit, name, num_layers):
    """An atom may be far from the ligand, and the ligand near it."""
    sets = kit.make_batch(60, 3.0).to_data_list()
    for of_set in sets:
        generator = torch.Generator().manual_seed(1)
        kept = torch.rand(of_set.edge_index.size(1), generator=generator)
        of_set.edge_index = of_set.edge_index[:, kept < 0.5]
    model = make_model(name, num_layers, atoms='ligand')
    kit.compare(model, Batch.from_data_list(sets), 'recompute')


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('which', ['ligand', 'receptor'])
def test_way_back_that_is_shorter(kit, name, which):
    *edges, num_layers = kit.ONE_WAY[which]
    model = make_model(name, num_layers, atoms='ligand')
    kit.compare(model, kit.one_way(*edges), 'recompute')
