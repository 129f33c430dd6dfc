"""Poses that are nowhere near their receptor."""

import warnings

import pytest
import torch
from torch_geometric.data import Data

pytest.importorskip('rdkit')

RECEPTOR = Data(
    z=torch.tensor([6, 1, 8]),
    pos=torch.tensor([[0.0, 0, 0], [500, 0, 0], [0, 8, 0]]),
)


def pose(make, shift, seed=1, title='A'):
    mol = make.embedded('CC(C)CO', seed)
    conformer = mol.GetConformer()
    xyz = conformer.GetPositions()
    # The atom with the smallest x at the shift.
    conformer.SetPositions(xyz - xyz[xyz[:, 0].argmin()] + [shift, 0, 0])
    return make.sdf(mol, title, [('vina_score', -seed)])


def test_poses_in_another_frame_are_named(make, read, why):
    shifts = [4.0, 70.0, 9.9, 10.1, 501.0]
    text = ''.join(pose(make, x, n) for n, x in enumerate(shifts, start=1))
    text += pose(make, 200.0, 9, 'B') + pose(make, 3.0, 8, 'B')
    with pytest.warns(UserWarning, match='no contact') as caught:
        poses = read(text, receptor=RECEPTOR)
    assert poses.num_poses.tolist() == [5, 2] and not why(poses)
    assert why(poses, 'flagged') == [
        (n, 'no contact with the receptor') for n in (2, 4, 5, 6)
    ]
    row = poses.report.flagged[0]
    assert row.title == 'A' and row.detail.startswith('70.0 Angstrom away')
    (one,) = caught
    assert '4 of 7 poses' in str(one.message) and '501.0' in str(one.message)
    assert 'record 5' in str(one.message) and 'frame' in str(one.message)
    assert one.filename.endswith('conftest.py')  # who called read_poses


def test_what_is_near_is_not_warned_of(make, read):
    text = pose(make, 4.0) + pose(make, 9.9, 2)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        poses = read(text, receptor=RECEPTOR)
        assert not poses.report.rows
        # Without a receptor, no place is far.
        read(pose(make, 4000.0) * 2)


def test_any_atom_is_contact(make, read):
    """Also the last one, and with the hydrogens of the records."""
    mol = make.embedded('CCCCCCCCCCCCO', hydrogens=True)
    conformer = mol.GetConformer()
    xyz = conformer.GetPositions()
    xyz[: len(xyz)] += [9.0, 0, 0] - xyz[12]
    conformer.SetPositions(xyz)
    assert (xyz[0] ** 2).sum() > 100
    text = make.sdf(mol, 'A') + make.sdf(mol, 'A')
    for hydrogens in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            read(text, receptor=RECEPTOR, hydrogens=hydrogens)


def test_a_name_without_a_receptor(make, read):
    with pytest.raises(ValueError, match="receptor_name='Mpro' without a"):
        read(pose(make, 4.0), receptor_name='Mpro')
    poses = read(pose(make, 4.0) * 2, receptor=RECEPTOR, receptor_name='Mpro')
    assert poses[0].receptor_name == 'Mpro'
