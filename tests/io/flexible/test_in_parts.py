"""Moved side chains in a reading in parts, and in a campaign of shards."""

import warnings

import pytest
import torch

pytest.importorskip('jsonargparse')

from pyg_multipose.cli import main
from pyg_multipose.datasets import PoseSetDataset, PoseSetShards
from pyg_multipose.io import read_poses, read_receptor


@pytest.fixture
def files(tmp_path, peptide, flex, make):
    """Three ligands; side chains have moved in poses of one of them."""
    receptor = tmp_path / 'receptor.pdb'
    receptor.write_text(flex.receptor_text(peptide))
    turned = flex.turned(peptide, {(5, ('N', 'CA', 'CB', 'OG')): 80.0})
    top = peptide.GetConformer().GetPositions().max(axis=0)
    folder = tmp_path / 'docked'
    folder.mkdir()
    for number, smiles in enumerate(('CCO', 'CCN', 'CCCO')):
        mol = make.embedded(smiles, hydrogens=True)
        conformer = mol.GetConformer()
        conformer.SetPositions(conformer.GetPositions() + top + 1.0)
        plain = make.pdbqt(mol, smiles, score=-1.0)
        moved = plain + flex.flexible_pdbqt(turned, (5,))
        models = (plain, moved) if number == 1 else (plain, plain)
        (folder / f'{number}.pdbqt').write_text(make.models(*models))
    return tmp_path


@pytest.mark.parametrize('pocket', [None, '6'])
def test_shards_have_the_same_keys(files, pocket):
    receptor = read_receptor(files / 'receptor.pdb')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        read = read_poses(
            files / 'docked', receptor=receptor, receptor_name='receptor'
        )
    argv = ['prepare', '--poses', str(files / 'docked'), '--receptor',
            str(files / 'receptor.pdb'), '--processes', '1']  # fmt: skip
    argv += ['--pocket', pocket] if pocket else []
    one, many = files / 'one', files / 'many'
    assert main([*argv, '--out', str(one)]) == 0
    assert main([*argv, '--out', str(many), '--shard-size', '2']) == 0
    sets, shards = PoseSetDataset(one), PoseSetShards(many)
    assert shards.num_shards == len(sets) == 3
    for number, pose_set in enumerate(sets):
        others = [shards[number], *([] if pocket else [read[number]])]
        for other in others:
            assert set(other.keys()) == set(pose_set.keys())
            for key, value in pose_set.to_dict().items():
                if isinstance(value, torch.Tensor):
                    assert torch.equal(value, other[key]), key
                else:
                    assert value == other[key]
    moved = [one.moved_index.size(1) for one in sets]
    assert moved[0] == moved[2] == 0
    sizes = {int(one.receptor_size) for one in sets}
    assert len(sizes) == 1  # one pocket for all
    assert moved[1] > 0 or pocket
