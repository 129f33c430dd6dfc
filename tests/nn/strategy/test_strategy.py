"""What strategies are: physics, work, bad input, names."""

import copy
import doctest
import importlib
import pickle
import sys

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import global_add_pool, global_mean_pool

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import (
    ComplexOnlyStrategy,
    ConcatStrategy,
    DeltaStrategy,
    MultiPoseReadout,
    Strategy,
)
from pyg_multipose.nn.models import EquivariantGNN, SchNet

MODES = ['full', 'recompute', 'auto', 'stream', 'store']


@pytest.mark.parametrize('module', ['complex_only', 'delta', 'concat'])
def test_examples(module):
    found = importlib.import_module(f'pyg_multipose.nn.strategy.{module}')
    result = doctest.testmod(found)
    assert result.attempted and not result.failed


# What is computed ############################################################


class Count(nn.Module):
    """A number for each atom."""

    def __init__(self, pool=global_add_pool):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.pool = pool

    def forward(self, batch):
        x = self.weight.expand(batch.z.size(0), 1)
        return self.pool(x, batch.batch, batch.num_graphs)


@pytest.mark.parametrize('mode', MODES)
def test_every_part_counts_once(kit, mode):
    """Gradients that are known: the numbers of atoms."""
    batch = kit.make_batch(10, 1.0)
    strategy = DeltaStrategy(Count(), Count(), Count())
    readout = MultiPoseReadout(strategy, 'mean', mode)
    readout(batch).sum().backward()
    ligands = [(5, 3, 6), (4, 4), (2,)]
    mean = sum(sum(sizes) / len(sizes) for sizes in ligands)
    got = [p.grad.item() for p in strategy.parameters()]
    assert got == pytest.approx([30 + mean, -mean, -30], rel=1e-12)


def test_what_a_model_says_of_an_atom_cancels(kit):
    batch = kit.make_batch(10, 1.0)
    readout = MultiPoseReadout(DeltaStrategy(Count()), 'mean')
    assert readout(batch).abs().max() < 1e-12
    # A mean over atoms is a constant of the graph: its negative is left.
    readout = MultiPoseReadout(DeltaStrategy(Count(global_mean_pool)), 'mean')
    assert torch.allclose(readout(batch), torch.tensor(-2.0).double())


@pytest.mark.parametrize('share', ['auto', False])
def test_no_contact_is_no_energy(kit, share):
    torch.manual_seed(0)
    atomref = torch.randn(100, dtype=torch.float64)
    model = SchNet(8, 8, 3, 6, kit.CUTOFF, atomref=atomref).double()
    readout = MultiPoseReadout(
        DeltaStrategy(model), 'mean', share_receptor=share
    )
    far = readout(kit.make_batch(20, 1.0, shift=50.0))
    near = readout(kit.make_batch(20, 1.0))
    assert far.abs().max() < 1e-11 < 1e-3 < near.abs().min()


def test_own_models_know_their_receptor(kit):
    """Its prediction comes with what is shared."""
    torch.manual_seed(0)
    batch = kit.make_batch()
    receptor = Batch.from_data_list([batch[0].receptor])
    for atoms in ('all', 'ligand'):
        for model in (
            SchNet(8, 8, 2, 6, kit.CUTOFF, atoms=atoms),
            EquivariantGNN(
                '4x0e+2x1o',
                num_layers=2,
                cutoff=kit.CUTOFF,
                lmax=1,
                atoms=atoms,
                mean=3.0,
            ),
        ):
            model = model.double()
            receptor.is_ligand = torch.zeros(40, dtype=torch.bool)
            state = model.encode_receptor(receptor)
            alone = model.predict_receptor(state)
            assert alone.shape == (1, 1)
            assert torch.allclose(alone, model(receptor), rtol=1e-12)


def calls_of(kind, run):
    """The atoms and graphs of all calls of a class of models."""
    code, calls = kind.forward.__code__, []

    def note(frame, event, _):
        if event == 'call' and frame.f_code is code:
            batch = frame.f_locals['batch']
            calls.append((batch.num_nodes, batch.num_graphs))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return calls


def test_work(parts):
    """A receptor is evaluated once, ligands and complexes once per pose."""
    torch.manual_seed(0)
    batch, kind = parts.kit.make_batch(24, 2.0), parts.MODELS['by hand']
    strategy = parts.STRATEGIES['delta'](kind).double()
    readout = MultiPoseReadout(strategy, 'mean', 'full', share_receptor=True)
    readout(batch)  # the model is looked at
    calls = calls_of(kind, lambda: readout(batch))
    ligands = 5 + 3 + 6 + 4 + 4 + 2
    assert calls[:2] == [(24, 1), (24, 1)]  # two distinct receptors
    assert sum(graphs for _, graphs in calls[2:]) == 2 * 6
    assert sum(atoms for atoms, _ in calls) == 2 * 24 + 6 * 24 + 2 * ligands
    assert readout.last_plan.counts.encoded == 2
    # Chunks are those of whole complexes.
    readout.max_nodes_per_chunk = 60
    assert readout.plan(batch).num_chunks == 4


def test_shared_weights_have_one_name(parts):
    make = parts.MODELS['by hand']
    for name in ('delta', 'concat'):
        strategy = parts.STRATEGIES[name](make)
        begins = {key.split('.')[0] for key in strategy.state_dict()}
        assert begins == {'model', 'head'}
    model = make()
    strategy = DeltaStrategy(model, model, model)
    assert all(key.startswith('model.') for key in strategy.state_dict())


def test_copies(parts):
    torch.manual_seed(0)
    make = parts.MODELS['by layers']
    strategy = parts.STRATEGIES['concat, separate'](make)
    readout = MultiPoseReadout(strategy.double(), 'mean')
    batch = parts.kit.make_batch(24, 2.0)
    out = readout(batch)
    for other in (copy.deepcopy(readout), pickle.loads(pickle.dumps(readout))):
        assert torch.equal(other(batch), out)


def test_sets_of_whole_complexes(kit):
    """They have no shared receptor, but a mask."""
    torch.manual_seed(0)
    model = SchNet(8, 8, 2, 6, kit.CUTOFF).double()
    readout = MultiPoseReadout(DeltaStrategy(model), 'mean')
    around = kit.atoms(20, torch.Generator().manual_seed(0), 1.0)
    one = kit.make_set(around, (3, 4), 1)
    other = PoseSet.from_poses(one.to_poses())
    assert torch.allclose(readout(one), readout(other), rtol=1e-10)
    assert 'no set has a receptor' in readout.last_plan.receptor


def test_a_strategy_of_ones_own(kit):
    class Ratio(Strategy):
        def combine(self, *parts):
            whole, ligand, receptor = parts
            return whole / (1 + ligand.square() + receptor.square())

    torch.manual_seed(0)
    strategy = Ratio(SchNet(8, 8, 2, 6, kit.CUTOFF)).double()
    kit.compare(strategy, kit.make_batch(20, 1.5), ['full', 'recompute'])


# Bad input ###################################################################


class Wrong(nn.Module):
    """It returns what is asked for."""

    def __init__(self, out):
        super().__init__()
        self.out = out

    def forward(self, batch):
        return self.out(batch)


def one(batch):
    return batch.pos.new_zeros(batch.num_graphs, 1)


def two(batch):
    return batch.pos.new_zeros(batch.num_graphs, 2)


@pytest.mark.parametrize(
    'strategy, message',
    [
        (
            lambda: DeltaStrategy(Wrong(one), Wrong(two)),
            r'DeltaStrategy got \[1, 2, 1\] features of complex, ligand',
        ),
        (
            lambda: DeltaStrategy(Wrong(lambda batch: batch.pos.sum(0))),
            r'Wrong returned \[3\] for the complex of 2 poses, expected \[2\]',
        ),
        (
            lambda: DeltaStrategy(Wrong(one), Wrong(lambda batch: 'energy')),
            r'Wrong returned str for the ligand of 2 poses',
        ),
        (
            lambda: ConcatStrategy(Wrong(one), nn.Linear(4, 1)),
            r"'head' of ConcatStrategy takes 4 features, but .* \[1, 1, 1\], "
            r'together 3',
        ),
        (
            lambda: ConcatStrategy(
                Wrong(one), nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 1))
            ),
            'takes 2 features, but',
        ),
        (
            lambda: ConcatStrategy(
                Wrong(one), nn.Linear(3, 1), Wrong(two), symmetric=True
            ),
            'got 2 features of the ligand and 1 of the receptor',
        ),
        (
            lambda: DeltaStrategy(
                Wrong(one), Wrong(two), head=nn.Linear(1, 1).double()
            ),
            'The head of the ligand takes 1 features, but the model returns 2',
        ),
        (
            lambda: DeltaStrategy(Wrong(one), inputs='z, charge'),
            "inputs names 'charge', which the poses do not have",
        ),
    ],
)
def test_what_models_return(kit, strategy, message):
    around = kit.atoms(6, torch.Generator().manual_seed(0), 1.0)
    graphs = Batch.from_data_list(kit.make_set(around, (2, 2), 1).to_poses())
    with pytest.raises((ValueError, TypeError), match=message):
        strategy()(graphs)


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: DeltaStrategy('schnet'), "'model' is a str, expected a"),
        (
            lambda: DeltaStrategy(Wrong(one), receptor_model=3),
            "'receptor_model' is a int",
        ),
        (lambda: DeltaStrategy(Wrong(one), head=len), "'head' is a builtin"),
        (lambda: ConcatStrategy(Wrong(one), None), "'head' is a NoneType"),
        (
            lambda: ComplexOnlyStrategy(SchNet(), inputs=['z', 'pos']),
            'expected one string of attribute names',
        ),
        (
            lambda: DeltaStrategy(nn.Bilinear(2, 2, 2)),
            'Bilinear is called with .*, not with a batch. Name the attrib',
        ),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sets_without_a_mask(kit):
    ligand = kit.atoms(4, torch.Generator().manual_seed(0), 1.0)
    poses = kit.RadiusGraph(kit.CUTOFF)(PoseSet.from_poses([ligand, ligand]))
    model = SchNet(8, 8, 2, 6, kit.CUTOFF).double()
    for strategy in (
        DeltaStrategy(model),
        ConcatStrategy(model, nn.Linear(3, 1)),
    ):
        name = type(strategy).__name__
        with pytest.raises(ValueError, match=f'{name} tells a ligand from'):
            MultiPoseReadout(strategy)(poses)
    MultiPoseReadout(ComplexOnlyStrategy(model))(poses)  # needs none


def test_poses_without_one_of_their_parts(kit):
    ligand = kit.atoms(4, torch.Generator().manual_seed(0), 1.0)
    model = SchNet(8, 8, 2, 6, kit.CUTOFF).double()
    for of_ligand, part in ((True, 'receptor'), (False, 'ligand')):
        ligand.is_ligand = torch.full((4,), of_ligand)
        poses = PoseSet.from_poses([ligand, ligand])
        poses = kit.RadiusGraph(kit.CUTOFF)(poses)
        with pytest.raises(ValueError, match=f'have none of a {part}'):
            MultiPoseReadout(DeltaStrategy(model))(poses)


def test_a_mask_that_is_none(kit):
    ligand = kit.atoms(4, torch.Generator().manual_seed(0), 1.0)
    ligand.is_ligand = torch.tensor([0, 1, 1, 0])
    ligand.edge_index = torch.zeros(2, 0, dtype=torch.long)
    with pytest.raises(ValueError, match='has dtype and shape .*torch.int64'):
        DeltaStrategy(Wrong(one))(Batch.from_data_list([ligand]))


def test_how_it_is_called(kit):
    batch = kit.make_batch(10, 1.0)
    strategy = DeltaStrategy(SchNet(8, 8, 2, 6, kit.CUTOFF).double())
    with pytest.raises(ValueError, match='got a pose set. Give it to Multi'):
        strategy(batch)
    readout = MultiPoseReadout(strategy, inputs='z, pos, batch')
    with pytest.raises(ValueError, match='Name the attributes that its mod'):
        readout(batch)
    with pytest.raises(ValueError, match='share_receptor=True is not poss'):
        MultiPoseReadout(ComplexOnlyStrategy(Wrong(one)), share_receptor=True)


def test_one_graph_that_is_no_batch(kit):
    torch.manual_seed(0)
    strategy = DeltaStrategy(SchNet(8, 8, 2, 6, kit.CUTOFF).double())
    around = kit.atoms(20, torch.Generator().manual_seed(0), 1.0)
    pose = kit.make_set(around, (3,), 1).pose(0)
    assert type(pose) is Data
    both = strategy(Batch.from_data_list([pose, pose]))
    assert torch.allclose(strategy(pose).expand(2, 1), both, rtol=1e-12)
