"""Samples as in a public report; the key ``source`` names it."""

import json
import shutil
from pathlib import Path

import pytest
import torch

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import read_cofolded  # noqa: E402

CASES = Path(__file__).parents[1] / 'cases'


def test_mmcif_samples(tmp_path, monkeypatch):
    (folder,) = CASES.glob('46-*')
    shutil.copytree(folder, tmp_path / 'case')
    monkeypatch.chdir(tmp_path / 'case')
    case = json.loads(Path('expected.json').read_text())
    paths, template = case['read']['poses'], case['read']['template']
    poses = read_cofolded(paths, template)
    assert len(poses) == case['expect']['n_sets'] and not poses.report.rows
    (expect,) = case['expect']['sets']
    (pose_set,) = poses
    assert poses.names == [expect['ligand_id']]
    assert pose_set.num_poses == expect['n_poses']
    expected = Chem.CanonSmiles(expect['smiles'])
    assert [Chem.CanonSmiles(smiles) for smiles in poses.smiles] == [expected]
    (records,) = poses.records
    for number, want in enumerate(expect['poses']):
        assert records[number] == (want['file'], want['record'])
        ligand = pose_set.ligands()[number]
        assert ligand.num_nodes == expect['n_heavy_atoms']
        torch.testing.assert_close(
            ligand.pos.mean(dim=0),
            torch.tensor(want['centroid']),
            atol=0.01,
            rtol=0,
        )
        # A triple bond, and C=O.
        types = ligand.bond_type[ligand.bond_index[0] < ligand.bond_index[1]]
        assert sorted(types.tolist()).count(3) == 1
        assert sorted(types.tolist()).count(2) == 1
        for name, score in want['scores'].items():
            assert pose_set[name][number].item() == pytest.approx(score)

    with pytest.warns(UserWarning, match='No samples were read'):
        without = read_cofolded(paths)
    assert len(without) == 0
    assert without.report.reasons() == {'no bonds': 2}
