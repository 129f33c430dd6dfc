"""Poses that differ from each other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.transforms import TopPoses, UniquePoses


def kept(pose_set, *args, **kwargs):
    return UniquePoses(*args, **kwargs)(pose_set).score.long().tolist()


def test_symmetric_copies_are_one_pose(make):
    pos = make.positions()
    pose_set = make.docked([pos, pos[make.swapped], pos + 2.0])
    assert kept(pose_set, 0.5) == [0, 2]
    assert kept(pose_set, 0.5, symmetric=False) == [0, 1, 2]
    assert pose_set.num_poses == 3


def test_in_order_and_against_those_that_were_kept(make):
    """A chain of poses 0.6 apart: every second one is 1.2 away."""
    pos = make.positions()
    step = torch.tensor([0.6, 0.0, 0.0], dtype=torch.float64)
    pose_set = make.docked([pos + i * step for i in range(5)], [4, 3, 2, 1, 0])
    assert kept(pose_set, 1.0) == [4, 2, 0]
    low = TopPoses(5, 'score', higher_is_better=False)(pose_set)
    assert kept(low, 1.0) == [0, 2, 4]
    assert kept(low, 0.599) == [0, 1, 2, 3, 4]


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 4.0), st.integers(0, 50))
def test_all_kept_are_apart_and_all_dropped_are_near(make, rmsd, seed):
    poses = [make.positions(seed + i % 3) + 0.3 * i for i in range(6)]
    chosen = kept(make.docked(poses), rmsd, symmetric=False)

    def distance(i, j):
        return (poses[i] - poses[j]).square().sum(dim=1).mean().sqrt()

    for index in range(6):
        before = [distance(index, one) for one in chosen if one < index]
        assert all(far >= rmsd for far in before) == (index in chosen)


def test_hydrogens_do_not_count(make):
    poses = []
    for shift in (0.0, 9.0):
        pose = make.molecule(make.positions(), shift)
        pose.z = torch.where(torch.arange(9) < 8, pose.z, 1)
        pose.pos[8] += shift
        poses.append(pose)
    pose_set = PoseSet.from_poses(poses, pose_attrs=['score'])
    assert kept(pose_set, 0.1) == [0]


def test_poses_of_another_molecule_are_refused(make):
    poses = [make.molecule(make.positions(i)) for i in range(2)]
    poses[1].bond_index = poses[1].bond_index[:, 1:]
    pose_set = PoseSet.from_poses(poses, name='A', pose_attrs=['score'])
    with pytest.raises(ValueError, match="'A': pose 1 has other atoms or bo"):
        UniquePoses(1.0)(pose_set)


def test_no_bonds(make):
    poses = [make.molecule(make.positions(i)) for i in range(2)]
    for pose in poses:
        del pose.bond_index
    pose_set = PoseSet.from_poses(poses, name='A', pose_attrs=['score'])
    with pytest.raises(ValueError, match="set 'A' has no .'bond_index'.*symm"):
        UniquePoses(1.0)(pose_set)
    assert kept(pose_set, 0.1, symmetric=False) == [0, 0]


@pytest.mark.parametrize('rmsd', [0, -1.0, float('nan'), float('inf'), '1'])
def test_rmsd_is_a_length(rmsd):
    with pytest.raises(ValueError, match="'rmsd' has to be a positive"):
        UniquePoses(rmsd)


def test_as_rdkit():
    """The same poses as by RDKit's distances with symmetry."""
    chem = pytest.importorskip('rdkit.Chem')
    from rdkit.Chem.rdMolAlign import CalcRMS

    dataset = MproMoonshot('test')
    for index in range(0, 40, 5):
        pose_set = dataset[index]
        mol = chem.MolFromSmiles(dataset.smiles[index])
        mols = []
        for ligand in pose_set.ligands():
            conformer = chem.Conformer(mol.GetNumAtoms())
            conformer.SetPositions(ligand.pos.double().numpy())
            mols.append(chem.Mol(mol))
            mols[-1].AddConformer(conformer)
        expected = [0]
        for pose in range(1, len(mols)):
            # It changes the first of the two: copies.
            near = (
                CalcRMS(chem.Mol(mols[pose]), mols[one]) for one in expected
            )
            if min(near) >= 2.0:
                expected.append(pose)
        found = UniquePoses(2.0)(pose_set)
        assert torch.equal(found.pos, pose_set.select(expected).pos)
