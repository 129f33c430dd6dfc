"""What may be wrong with a shared receptor: right, or a clear error."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GINEConv

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers
from pyg_multipose.transforms import RadiusGraph
from tests.trusting import trusting

CUTOFF = 2.5
MODES = ['full', 'stream', 'recompute', 'auto']
NAMES = ['schnet', 'e3nn', 'layers']


def make_model(name, **kwargs):
    torch.manual_seed(0)
    if name == 'schnet':
        return SchNet(8, 8, 2, 6, CUTOFF, **kwargs).double()
    if name == 'e3nn':
        return EquivariantGNN(
            '4x0e+2x1o', num_layers=2, cutoff=CUTOFF, lmax=1, **kwargs
        ).double()
    mlp = nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 6))
    return SharedLayers(
        nn.Embedding(10, 6),
        [GINEConv(mlp, edge_dim=1) for _ in range(2)],
        nn.Linear(6, 1),
        lambda pos, e: (pos[e[0]] - pos[e[1]]).norm(dim=-1, keepdim=True),
        **kwargs,
    ).double()


def atoms(count, seed, spread=1.5):
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    z = torch.randint(1, 10, (count,), generator=generator)
    return Data(z=z, pos=spread * pos)


def complexes(receptor, seed=1, count=3, **kwargs):
    ligands = [atoms(4, 10 * seed + number, 0.8) for number in range(count)]
    made = PoseSet.from_complex(receptor, ligands, **kwargs)
    return RadiusGraph(CUTOFF)(made)


def step(model, batch, mode, share=True, change=None):
    """Predictions and gradients, with a change between the passes."""
    readout = MultiPoseReadout(model, 'mean', mode, share_receptor=share)
    out = trusting(readout)(batch)
    if change is not None:
        change()
    model.zero_grad()
    out.square().sum().backward()
    grads = [None if p.grad is None else p.grad for p in model.parameters()]
    return out.detach(), grads


def check(got, expected):
    assert torch.allclose(got[0], expected[0], rtol=1e-11)
    for one, two in zip(got[1], expected[1], strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            assert (one - two).abs().max() <= 1e-10 * (two.abs().max() + 1e-8)


@pytest.mark.parametrize('name', NAMES)
def test_two_receptors_that_differ(name):
    """One name for both is refused; no name, or two, is right."""
    first, second = atoms(30, 1), atoms(30, 1)
    second.pos[7] += 0.01
    model = make_model(name)
    alike = [complexes(r, receptor_name='mpro') for r in (first, second)]
    readout = MultiPoseReadout(model, 'mean', share_receptor=True)
    with pytest.raises(ValueError, match="'mpro', but the two differ"):
        readout(Batch.from_data_list(alike))
    for names in (('', ''), ('a', 'b')):
        sets = [
            complexes(r, receptor_name=n)
            for r, n in zip((first, second), names, strict=True)
        ]
        batch = Batch.from_data_list(sets)
        got = step(model, batch, 'recompute')
        check(got, step(model, batch, 'full', share=False))
        readout(batch)
        assert readout.last_plan.counts.encoded == 2


def edits(batch):
    """Changes of the receptor's first atoms, seen by autograd or not."""
    return {
        'pos': lambda: batch.pos[:3].add_(0.3),
        'pos.data': lambda: batch.pos.data[:3].add_(0.3),
        'z': lambda: batch.z[:3].add_(1),
        'edge_index': lambda: batch.edge_index[:, :2].copy_(
            batch.edge_index[:, :2].flip(0)
        ),
    }


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('what', list(edits(None)))
def test_receptor_edited_after_encoding(name, mode, what):
    """Between forward and backward: as if it was not, or an error."""
    model = make_model(name)
    receptor = atoms(30, 1)
    expected = step(model, complexes(receptor), 'full', share=False)
    batch = complexes(receptor)
    try:
        got = step(model, batch, mode, change=edits(batch)[what])
    except RuntimeError as error:
        assert 'changed' in str(error) or 'modified by' in str(error)
    else:
        check(got, expected)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('what', list(edits(None)))
def test_receptor_edited_before_the_next_call(name, what):
    """Nothing of the last call is taken again."""
    model, batch = make_model(name), complexes(atoms(30, 1))
    readout = trusting(MultiPoseReadout(model, 'mean', share_receptor=True))
    plain = MultiPoseReadout(model, 'mean', share_receptor=False)
    for without in (False, True):
        with torch.set_grad_enabled(not without):
            before = readout(batch)
            edits(batch)[what]()
            after = readout(batch)
            assert torch.allclose(after, plain(batch), rtol=1e-11)
            assert what == 'edge_index' or not torch.equal(after, before)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('hidden', [False, True])
def test_weights_changed_between_the_passes(name, mode, hidden):
    model, batch = make_model(name), complexes(atoms(30, 1))
    expected = step(model, batch, 'full', share=False)

    def change():
        with torch.no_grad():
            for parameter in model.parameters():
                (parameter.data if hidden else parameter).mul_(1.01)

    if hidden and mode in ('full', 'auto'):
        pytest.skip('all graphs are held: plain autograd does not see it')
    try:
        got = step(model, batch, mode, change=change)
    except RuntimeError as error:
        assert 'changed' in str(error) or 'modified by' in str(error)
    else:
        check(got, expected)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('of', ['all', 'ligand'])
def test_a_ligand_far_away_and_one_within(name, mode, of):
    """No atom of the receptor is reached by one pose, each by another."""
    receptor = atoms(20, 1, 0.5)
    near, far = atoms(4, 2, 0.5), atoms(4, 3, 0.5)
    far.pos += 100.0
    made = PoseSet.from_complex(receptor, [near, far, near])
    batch = RadiusGraph(CUTOFF)(made)
    model = make_model(name, atoms=of)
    check(step(model, batch, mode), step(model, batch, 'full', share=False))


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('mode', MODES)
def test_empty_receptor(name, mode):
    """Beside another one, and alone."""
    nothing = Data(
        z=torch.empty(0, dtype=torch.long),
        pos=torch.empty(0, 3, dtype=torch.float64),
    )
    model = make_model(name)
    empty = complexes(nothing, seed=2)
    both = Batch.from_data_list([empty, complexes(atoms(20, 1)), empty])
    expected = step(model, both, 'full', share=False)
    check(step(model, both, mode), expected)
    alone = step(model, empty, mode, share='auto')
    check(alone, step(model, empty, 'full', share=False))
    assert alone[0].isfinite().all()
    plan = MultiPoseReadout(model, 'mean').plan(empty)
    assert 'no set has a receptor' in str(plan)


def conformers(marked):
    poses = [atoms(5, number) for number in (4, 5)]
    if marked:
        for pose in poses:
            pose.is_ligand = torch.ones(5, dtype=torch.bool)
    return RadiusGraph(CUTOFF)(PoseSet.from_poses(poses, name='free'))


@pytest.mark.parametrize('first', [0, 1])
def test_sets_without_a_receptor_say_what_is_missing(first):
    sets = [complexes(atoms(20, 1), name='bound'), conformers(marked=False)]
    sets = sets[first:] + sets[:first]
    with pytest.raises((KeyError, ValueError), match='is_ligand') as error:
        batch = next(iter(DataLoader(sets, batch_size=2)))
        MultiPoseReadout(make_model('schnet'), 'mean')(batch)
    assert 'before from_poses' in str(error.value)
    assert 'bound' in str(error.value) or 'free' in str(error.value)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('first', [0, 1])
@pytest.mark.parametrize('of', ['all', 'ligand'])
def test_sets_with_and_without_a_receptor(name, mode, first, of):
    sets = [complexes(atoms(20, 1)), conformers(marked=True)]
    batch = Batch.from_data_list(sets[first:] + sets[:first])
    model = make_model(name, atoms=of)
    got = step(model, batch, mode)
    check(got, step(model, batch, 'full', share=False))
    one_by_one = [
        step(model, of_set, 'full', share=False)[0] for of_set in sets
    ]
    one_by_one = torch.cat(one_by_one[first:] + one_by_one[:first])
    assert torch.allclose(got[0], one_by_one, rtol=1e-11)


def test_another_missing_key():
    sets = [complexes(atoms(20, 1), name=name) for name in ('a', 'b')]
    sets[0].put('vina_score', torch.zeros(3), 'pose')
    with pytest.raises(KeyError, match="Set 'b' has no 'vina_score'"):
        Batch.from_data_list(sets)
