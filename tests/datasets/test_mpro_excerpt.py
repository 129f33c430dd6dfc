"""Raw files, read by the public readers, are the sets of MproMoonshot."""

from pathlib import Path

import pytest
import torch

pytest.importorskip('rdkit')
pytest.importorskip('gemmi')

from pyg_multipose.datasets import MproMoonshot  # noqa: E402
from pyg_multipose.datasets import build_mpro_moonshot as build  # noqa: E402
from pyg_multipose.io import (  # noqa: E402
    join_labels,
    read_labels,
    read_poses,
    read_receptor,
)

SOURCE = Path(__file__).with_name('mpro_excerpt')
#: What labels add to the keys of the bundled sets.
ADDED = {'y_relation', 'y_std', 'y_count'}


@pytest.fixture(scope='module')
def chain():
    return read_receptor(SOURCE / 'receptor.pdb.gz')


@pytest.fixture(scope='module')
def pocket(chain):
    """The pocket of the file, with the numbers of residues of the chain."""
    pocket = read_receptor(SOURCE / 'pocket.pdb.gz')
    number = {residue: i for i, residue in enumerate(chain.residues, 1)}
    numbers = torch.tensor([number[residue] for residue in pocket.residues])
    return chain.subgraph(torch.isin(chain.residue, numbers))


@pytest.fixture(scope='module')
def labels():
    return read_labels(
        SOURCE / 'activity.csv',
        columns={'ligand_id': 'compound_id', 'value': 'pIC50'},
        unit='pIC50',
        kind='IC50',
        target_id='Mpro',
    )


@pytest.fixture(scope='module')
def rows():
    return build.read_activity(SOURCE / 'activity.csv')


def shipped(receptor):
    dataset = MproMoonshot('all', receptor=receptor)
    return dict(zip(dataset.names, dataset, strict=True))


@pytest.mark.parametrize('which', ['chain', 'pocket'])
def test_sets_are_those_that_are_shipped(which, labels, request):
    poses = read_poses(
        SOURCE / 'poses.sdf.gz',
        group_by='compound_id',
        scores=['vina_score'],
        features=(),
        receptor=request.getfixturevalue(which),
        receptor_name=f'mpro_{which}',
    )
    dataset = join_labels(poses, labels, target_id='Mpro')
    assert not poses.report.rows and not labels.report.rows
    assert not dataset.report.rows
    assert (len(dataset), poses.report.num_kept) == (6, 47)
    expected = shipped(which)
    for pose_set in dataset:
        other = expected[pose_set.name]
        assert set(pose_set.keys()) - set(other.keys()) == ADDED
        assert pose_set.num_nodes == other.num_nodes
        assert pose_set.num_poses == other.num_poses
        for key in other.keys():
            value, wanted = pose_set[key], other[key]
            if isinstance(wanted, torch.Tensor):
                assert value.dtype == wanted.dtype, key
                assert torch.equal(value, wanted), (pose_set.name, key)
            elif key != 'levels':
                assert value == wanted, (pose_set.name, key)
        levels = dict(t.split(':') for t in pose_set.levels.split())
        added = {levels.pop(key) for key in ADDED}
        assert added == {'set'}
        assert levels == dict(t.split(':') for t in other.levels.split())


def test_labels_have_the_spread_that_is_shipped(rows, labels):
    """The table holds means; their spread is a column beside."""
    dataset = MproMoonshot('all')
    for row, label in zip(rows, labels, strict=True):
        index = dataset.names.index(label.ligand_id)
        assert row['smiles'] == dataset.smiles[index]
        assert row['date'] == dataset.dates[index]
        assert torch.tensor(label.pvalue) == dataset.y[index]
        std = torch.tensor(float(row['pIC50_sd'] or 'nan'))
        assert torch.equal(std.nan_to_num(), dataset.y_std[index].nan_to_num())


def test_build_reads_the_excerpt(rows, labels):
    """The checks of the build pass, and positions are those shipped."""
    poses = build.read_docked(SOURCE / 'poses.sdf.gz', rows)
    expected = shipped('pocket')
    for row, label, pose_set in zip(rows, labels, poses, strict=True):
        molecule, pos = build.compound(row, pose_set, label.pvalue)
        other = expected[row['compound_id']]
        assert pos.shape == (other.num_poses, len(molecule.atoms), 3)
        pos = torch.from_numpy(pos.reshape(-1, 3) / 1000).float()
        assert torch.equal(pos, other.pos[other.is_ligand])


def test_crystal_ligand_is_in_the_order_of_its_compound():
    name, pos = build.read_crystal(SOURCE)
    other = MproMoonshot('all').crystal_ligand
    assert name == other.name == 'BEN-DND-4f474d93-1'
    pos = torch.from_numpy(pos / 1000).float()
    assert torch.equal(pos, other.pos)
    # The record is in another order, so there was something to do.
    record = read_poses(SOURCE / 'crystal_ligand.sdf', scores=(), features=())
    assert not torch.equal(record[0].pos, other.pos)


def test_pocket_is_found_in_the_chain(chain):
    pocket = build.read_chain(SOURCE / 'pocket.pdb.gz', 487)
    dataset = MproMoonshot('all')
    ligands = [s.pos[s.is_ligand] for s in dataset]
    ligands.append(dataset.crystal_ligand.pos)
    ligands = (torch.cat(ligands).double() * 1000).round().int().numpy()
    rows = build.pocket_rows(chain, pocket, ligands)
    assert torch.equal(chain.pos[rows], dataset.receptor.pos)
    with pytest.raises(ValueError, match='is not 8.0 A of ligands'):
        build.pocket_rows(chain, pocket, ligands[:100])
