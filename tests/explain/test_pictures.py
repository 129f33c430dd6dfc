"""Pictures in two and in three dimensions."""

import sys
from types import ModuleType

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.explain import explain, plot_poses, scene, view_poses
from pyg_multipose.explain.scene import colour, mol_text, xyz_text
from pyg_multipose.nn import FreeEnergyCombination, MultiPoseReadout


class Score(torch.nn.Module):
    def forward(self, batch):
        return batch.vina_score / 0.593


@pytest.fixture(scope='module')
def pose_set():
    return MproMoonshot('test')[0]


@pytest.fixture(scope='module')
def explained(pose_set):
    readout = MultiPoseReadout(Score(), FreeEnergyCombination())
    return explain(readout, pose_set)


def test_plot(explained, pose_set, make):
    pytest.importorskip('matplotlib')
    figure = plot_poses(explained, unit='kT')
    top, bottom = figure.axes
    heights = [bar.get_height() for bar in top.patches]
    assert heights == pytest.approx(explained.weight.tolist())
    dots = bottom.lines[0].get_ydata()
    assert dots == pytest.approx(explained.pose_prediction.tolist())
    assert bottom.lines[1].get_ydata()[0] == float(explained.prediction)
    assert pose_set.name in top.get_title() and 'kT' in bottom.get_ylabel()
    figure.canvas.draw()
    model = MultiPoseReadout(make.Model(), 'SumAggregation')
    many = explain(model, make.batch((25, 2)))
    assert 'no distribution' in plot_poses(many[0]).axes[0].get_title()
    with pytest.raises(ValueError, match='one set, got that of 2'):
        plot_poses(many)


def test_scene(explained, pose_set):
    receptor, *poses = scene(explained, pose_set)
    assert receptor.format == 'pdb' and len(poses) == pose_set.num_poses
    lines = [x for x in receptor.text.splitlines() if x.startswith('HETATM')]
    pocket = pose_set.receptor
    assert len(lines) == pocket.num_nodes
    assert all(len(line) == 78 for line in lines)
    pos = [[float(line[k : k + 8]) for k in (30, 38, 46)] for line in lines]
    assert torch.allclose(torch.tensor(pos), pocket.pos, atol=1e-3)
    assert [int(line[22:26]) for line in lines] == pocket.residue.tolist()
    for model, weight in zip(poses, explained.weight.tolist(), strict=True):
        assert model.format == 'sdf'
        assert model.style['stick']['color'] == colour(weight)
    # More of the receptor is fine, another set is not.
    assert len(scene(explained, MproMoonshot('test', receptor='chain')[0]))
    with pytest.raises(ValueError, match='got a batch of'):
        scene(explained, MproMoonshot('test')[1])
    with pytest.raises(ValueError, match='poses and has'):
        scene(explained, pose_set.select([0, 1]))


def test_molecules_of_a_scene(explained, pose_set):
    chem = pytest.importorskip('rdkit.Chem')
    for model, ligand in zip(
        scene(explained, pose_set)[1:], pose_set.ligands(), strict=True
    ):
        mol = chem.MolFromMolBlock(model.text, sanitize=False)
        assert [a.GetAtomicNum() for a in mol.GetAtoms()] == ligand.z.tolist()
        pos = torch.tensor(mol.GetConformer().GetPositions()).float()
        assert torch.allclose(pos, ligand.pos, atol=1e-4)
        assert 2 * mol.GetNumBonds() == ligand.bond_index.size(1)
        for (i, j), kind in zip(
            ligand.bond_index.t().tolist(), ligand.bond_type.tolist(),
            strict=True,
        ):  # fmt: skip
            bond = mol.GetBondBetweenAtoms(i, j).GetBondType()
            names = {1: 'SINGLE', 2: 'DOUBLE', 3: 'TRIPLE', 4: 'AROMATIC'}
            assert bond == getattr(chem.BondType, names[kind])
    untyped = pose_set.ligands()[0]
    del untyped['bond_type']
    assert chem.MolFromMolBlock(mol_text(untyped), sanitize=False) is not None


def test_sets_without_bonds_or_receptor(make):
    batch = make.batch((2,), receptor=False)
    explained = explain(MultiPoseReadout(make.Model(), 'mean'), batch)
    models = scene(explained, batch[0])
    assert [model.format for model in models] == ['xyz', 'xyz']
    assert models[0].text == xyz_text(batch[0].pose(0))
    lines = models[0].text.splitlines()
    assert lines[0] == '4' and len(lines) == 6
    bare = batch[0].clone()
    del bare['pos']
    with pytest.raises(ValueError, match=r"'set-0' has no \['pos'\]"):
        scene(explained, bare)


def test_colours():
    assert colour(-3.0) == colour(0.0) == '#d9d9d9'
    assert colour(7.0) == colour(1.0) == '#cb181d'
    assert colour(0.5) == '#d2787b'


def test_view(explained, pose_set, monkeypatch):
    monkeypatch.setitem(sys.modules, 'py3Dmol', None)
    with pytest.raises(ImportError, match=r'pyg_multipose\[view\]'):
        view_poses(explained, pose_set)
    calls = []

    class View:
        def __init__(self, **kwargs):
            calls.append(('view', kwargs))

        def __getattr__(self, name):
            return lambda *args: calls.append((name, args))

    stand_in = ModuleType('py3Dmol')
    stand_in.view = View
    monkeypatch.setitem(sys.modules, 'py3Dmol', stand_in)
    view_poses(explained, pose_set, width=100)
    models = scene(explained, pose_set)
    assert calls[0] == ('view', {'width': 100, 'height': 480})
    added = [args for name, args in calls if name == 'addModel']
    assert added == [(model.text, model.format) for model in models]
    styles = [args for name, args in calls if name == 'setStyle']
    assert styles[3] == ({'model': 3}, models[3].style)
    assert calls[-1][0] == 'zoomTo'


def test_view_by_py3dmol(explained, pose_set):
    pytest.importorskip('py3Dmol')
    assert 'addModel' in view_poses(explained, pose_set)._make_html()


def test_a_batch_is_no_set(explained, pose_set):
    batch = Batch.from_data_list([pose_set])
    with pytest.raises(ValueError, match='of one set'):
        scene(explained, batch)
