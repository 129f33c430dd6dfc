"""Checks on poses, as a report."""

import pytest
import torch
from torch_geometric.data import Data

pytest.importorskip('rdkit')

from pyg_multipose.data import PoseSet  # noqa: E402
from pyg_multipose.io import check_poses  # noqa: E402


def test_read_poses(make, read):
    mol = make.embedded('CCOC(=O)c1ccccc1')
    bad = make.embedded('CCOC(=O)c1ccccc1')
    conformer = bad.GetConformer()
    conformer.SetAtomPosition(0, conformer.GetAtomPosition(0) * 3)
    text = make.sdf(mol, 'A') + make.sdf(bad, 'A') + make.sdf(mol, 'B')
    receptor = Data(z=torch.tensor([6]), pos=torch.tensor([[90.0, 0, 0]]))
    with pytest.warns(UserWarning, match='no contact'):
        poses = read(text, receptor=receptor)
    report = check_poses(poses)
    report.check()
    assert report.num_seen == 3
    found = [(row.record, row.title, row.reason) for row in report.flagged]
    outside = 'flag_outside'
    assert found == [
        (1, 'A', outside),
        (2, 'A', 'flag_stretched'),
        (2, 'A', outside),
        (3, 'B', outside),
    ]
    (row,) = (r for r in report.flagged if r.reason == 'flag_stretched')
    assert row.file.endswith('poses.sdf')
    assert row.detail == 'pose 1: 1 bonds are too short or too long'
    assert '3 poses of 2 sets are flagged' in str(report)
    part = check_poses(poses[1:])
    assert [row.record for row in part.flagged] == [3]


def test_other_sets():
    atoms = [Data(z=torch.tensor(z)) for z in ([6, 6], [6, 6], [6, 8])]
    report = check_poses([PoseSet.from_poses(atoms)])
    (row,) = report.flagged
    assert (row.file, row.record, row.title) == ('', None, 'set 0')
    assert row.detail == 'pose 2 has other atoms or bonds than most poses of '\
        'the set'  # fmt: skip
    assert 'flag_other_atoms' in report.to_json()
    assert not check_poses([]).rows
