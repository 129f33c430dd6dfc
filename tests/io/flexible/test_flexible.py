"""Flexible side chains are where their pose has them, in every format."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from pyg_multipose.io import read_poses, read_receptor
from pyg_multipose.transforms import PocketCut, RadiusGraph

#: Residues that turn, and by how much in each pose.
NUMBERS = (2, 3, 4, 5, 6, 7, 8)
CHI = {
    2: ('N', 'CA', 'CB', 'CG1'),
    3: ('N', 'CA', 'CB', 'CG'),
    4: ('N', 'CA', 'CB', 'CG'),
    5: ('N', 'CA', 'CB', 'OG'),
    6: ('CA', 'CB', 'CG', 'CD'),
    7: ('N', 'CA', 'CB', 'CG'),
    8: ('N', 'CA', 'CB', 'OG1'),
}
RING = ('CA', 'CB', 'CG', 'CD1')
TURNS = (
    {},
    {(n, CHI[n]): 40.0 + 13 * n for n in CHI} | {(3, RING): 170.0},
    {(5, CHI[5]): -100.0, (6, ('CD', 'NE', 'CZ', 'NH1')): 180.0},
)


@pytest.fixture
def mols(peptide, flex):
    return [flex.turned(peptide, turns) for turns in TURNS]


@pytest.fixture
def ligands(make, peptide):
    """Three poses beside the peptide."""
    mol = make.embedded('CCO', hydrogens=True)
    xyz = peptide.GetConformer().GetPositions()
    out = []
    for pose in range(3):
        shift = xyz.max(axis=0) + [pose, 1.0, 1.0]
        moved = type(mol)(mol)
        moved.GetConformer().SetPositions(
            mol.GetConformer().GetPositions() + shift
        )
        out.append(moved)
    return out


@pytest.fixture
def files(tmp_path, peptide, flex, make, ligands, mols):
    """Poses of one ligand, and what has moved in three formats."""
    records = ''.join(
        make.sdf(mol, 'CPD', [('minimizedAffinity', -n)])
        for n, mol in enumerate(ligands)
    )
    (tmp_path / 'docked.sdf').write_text(records)
    (tmp_path / 'receptor.pdb').write_text(flex.receptor_text(peptide))
    texts = {
        'flex.pdb': flex.flexible_pdb(mols, NUMBERS, backbone=('CA', 'C')),
        'flex.sdf': flex.flexible_sdf(mols, NUMBERS, seed=3),
        'flex_c.sdf': flex.flexible_sdf(
            mols, NUMBERS, seed=4, backbone=('CA', 'C')
        ),
        'named.pdb': flex.flexible_pdb(mols, NUMBERS, title='CPD'),
        'flex.pdbqt': ''.join(
            f'MODEL {n}\n{flex.flexible_pdbqt(mol, NUMBERS)}ENDMDL\n'
            for n, mol in enumerate(mols, start=1)
        ),
        'out.pdbqt': make.models(
            *(
                make.pdbqt(ligand, 'CCO', score=-float(n))
                + flex.flexible_pdbqt(mol, NUMBERS)
                for n, (ligand, mol) in enumerate(
                    zip(ligands, mols, strict=True)
                )
            )
        ),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def receptor_pos(pose_set, pose):
    whole = pose_set.pose(pose)
    return whole.pos[~whole.is_ligand].numpy()


def check_places(poses, mols, positions):
    (pose_set,) = poses
    assert pose_set.num_poses == 3
    key = (
        'minimizedAffinity'
        if 'minimizedAffinity' in pose_set
        else ('vina_affinity')
    )
    assert pose_set[key].tolist() == [0.0, -1.0, -2.0]
    for number, mol in enumerate(mols):
        off = receptor_pos(pose_set, number) - positions(mol)
        assert np.abs(off).max() < 1.1e-3


@pytest.mark.parametrize(
    'name', ['flex.pdb', 'flex.pdbqt', 'flex.sdf', 'flex_c.sdf', 'named.pdb']
)
def test_file_of_side_chains(files, mols, positions, name):
    receptor = read_receptor(files / 'receptor.pdb')
    poses = read_poses(
        files / 'docked.sdf', receptor=receptor, flexible=files / name
    )
    assert not poses.report.rows
    check_places(poses, mols, positions)


def test_in_models(files, mols, positions):
    receptor = read_receptor(files / 'receptor.pdb')
    poses = read_poses(files / 'out.pdbqt', receptor=receptor)
    assert not poses.report.rows
    check_places(poses, mols, positions)


def test_only_what_moved_is_stored(files):
    receptor = read_receptor(files / 'receptor.pdb')
    (pose_set,) = read_poses(
        files / 'docked.sdf',
        receptor=receptor,
        flexible=files / 'flex.pdb',
    )
    assert pose_set.receptor_size.item() == receptor.num_nodes
    assert pose_set.receptor.pos.equal(receptor.pos)
    sizes = (pose_set.pose_size - 3).tolist()  # the ligand has three atoms
    # The serine's oxygen, and what is behind the arginine's turned bond.
    assert sizes[0] == 0 and sizes[2] == 3
    assert 10 < sizes[1] < receptor.num_nodes


def test_sets_without_moved_atoms_batch_with_others(files, make, ligands):
    (files / 'rigid.sdf').write_text(make.sdf(ligands[0], 'rigid'))
    receptor = read_receptor(files / 'receptor.pdb')
    poses = read_poses(
        [files / 'docked.sdf', files / 'rigid.sdf'],
        receptor=receptor,
        flexible={files / 'docked.sdf': files / 'flex.pdb'},
        scores=[],
        transform=RadiusGraph(4.0),
    )
    assert poses.names == ['CPD', 'rigid']
    (batch,) = DataLoader(poses, batch_size=2)
    assert batch.num_poses == 4
    cut = PocketCut(6.0, group='residue')(poses[0])
    assert 0 < cut.receptor_size.item() < receptor.num_nodes


def test_side_chains_in_the_folder_of_poses(files):
    receptor = read_receptor(files / 'receptor.pdb')
    folder = files / 'run'
    folder.mkdir()
    for name in ('docked.sdf', 'flex.sdf'):
        (files / name).rename(folder / name)
    poses = read_poses(folder, receptor=receptor, flexible=folder / 'flex.sdf')
    assert poses.num_poses.tolist() == [3] and not poses.report.rows


# Hydrogens ###################################################################


def test_hydrogens_of_the_receptor(files, peptide, flex, mols, positions):
    """Those that the file gives move, those of the side chain are absent."""
    path = files / 'with_h.pdb'
    path.write_text(flex.receptor_text(peptide, hydrogens=True))
    receptor = read_receptor(path, hydrogens=True)
    text = flex.flexible_pdb(mols, [5])
    (files / 'ser.pdb').write_text(text)
    (pose_set,) = read_poses(
        files / 'docked.sdf', receptor=receptor, flexible=files / 'ser.pdb'
    )
    rows = {flex.label(a): a.GetIdx() for a in peptide.GetAtoms()}
    serine = [
        atom
        for atom in peptide.GetAtoms()
        if flex.label(atom)[0] == 5 and atom.GetSymbol() == 'H'
    ]
    carbon_side = [
        atom
        for atom in serine
        if flex.label(atom.GetNeighbors()[0])[1] == 'CB'
    ]
    assert len(carbon_side) == 2
    whole = pose_set.pose(2)
    pos = whole.pos[~whole.is_ligand]
    assert len(pos) == receptor.num_nodes - 2
    after = torch.from_numpy(positions(mols[2], hydrogens=True)).float()
    before = torch.from_numpy(positions(peptide, hydrogens=True)).float()
    (oxygen,) = (row for name, row in rows.items() if name == (5, 'OG'))
    (proton,) = (
        n.GetIdx()
        for n in peptide.GetAtomWithIdx(oxygen).GetNeighbors()
        if n.GetSymbol() == 'H'
    )
    for row in (oxygen, proton):
        assert (pos - after[row]).norm(dim=1).min() < 2e-3
        assert (pos - before[row]).norm(dim=1).min() > 0.5
    for atom in carbon_side:
        assert (pos - before[atom.GetIdx()]).norm(dim=1).min() > 0.2


def test_hydrogens_of_other_names_are_flagged(files, peptide, flex, mols):
    path = files / 'with_h.pdb'
    path.write_text(flex.receptor_text(peptide, hydrogens=True))
    text = flex.flexible_pdb(mols, [5])
    (name,) = {
        line[12:16] for line in text.splitlines() if line[76:78] == ' H'
    }
    (files / 'ser.pdb').write_text(text.replace(name, ' HX '))
    poses = read_poses(
        files / 'docked.sdf',
        receptor=read_receptor(path, hydrogens=True),
        flexible=files / 'ser.pdb',
    )
    (row,) = poses.report.flagged
    assert row.reason == 'hydrogens of flexible residues are left out'
    assert poses.num_poses.tolist() == [3]


# What cannot be told #########################################################


def test_without_receptor(files):
    poses = read_poses(files / 'out.pdbqt')
    (row,) = poses.report.flagged
    assert row.reason == 'flexible residues are left out'
    assert 'receptor=read_receptor' in row.detail
    (pose_set,) = poses
    assert pose_set.num_poses == 3 and pose_set.receptor is None
    with pytest.raises(ValueError, match='receptor=read_receptor'):
        read_poses(files / 'docked.sdf', flexible=files / 'flex.pdb')


def test_receptor_without_names(files):
    receptor = read_receptor(files / 'receptor.pdb')
    plain = Data(z=receptor.z, pos=receptor.pos)
    with pytest.warns(UserWarning, match='No poses were read'):
        poses = read_poses(files / 'out.pdbqt', receptor=plain)
    assert [row.reason for row in poses.report.dropped] == (
        3 * ['flexible residues']
    )
    with pytest.raises(ValueError, match='names'):
        read_poses(
            files / 'docked.sdf', receptor=plain, flexible=files / 'flex.pdb'
        )


def test_names_are_asked_for_only_if_needed(files):
    receptor = read_receptor(files / 'receptor.pdb')
    for key in ('z', 'pos', 'residue'):
        receptor[key] = receptor[key][:9]
    poses = read_poses(files / 'docked.sdf', receptor=receptor)
    assert poses.num_poses.tolist() == [3]
    with pytest.raises(ValueError, match='names of'):
        read_poses(files / 'out.pdbqt', receptor=receptor)


@pytest.mark.parametrize(
    'flexible, error, words',
    [
        ('none.pdb', FileNotFoundError, 'none.pdb'),
        ('docked.mol2', ValueError, 'tells no format'),
    ],
)
def test_no_such_file(files, flexible, error, words):
    receptor = read_receptor(files / 'receptor.pdb')
    with pytest.raises(error, match=words):
        read_poses(
            files / 'docked.sdf', receptor=receptor, flexible=files / flexible
        )


def test_which_file_it_belongs_to(files):
    receptor = read_receptor(files / 'receptor.pdb')
    two = [files / 'docked.sdf', files / 'out.pdbqt']
    with pytest.raises(ValueError, match='2 files of poses'):
        read_poses(two, receptor=receptor, flexible=files / 'flex.pdb')
    with pytest.raises(ValueError, match='no files of poses'):
        read_poses(
            two,
            receptor=receptor,
            flexible={files / 'other.sdf': files / 'flex.pdb'},
        )
