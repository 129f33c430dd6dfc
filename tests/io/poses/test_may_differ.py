"""What may share a set: the caller's choice, and what is said about it."""

import warnings

import pytest
import torch

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import read_poses  # noqa: E402

R, S = 'C[C@H](N)C(=O)O', 'C[C@@H](N)C(=O)O'


def records(make, smiles, title='A', hydrogens=False):
    return ''.join(
        make.sdf(
            make.shuffled(make.embedded(one, seed, hydrogens), seed),
            title,
            [('vina_score', -seed)],
        )
        for seed, one in enumerate(smiles, start=1)
    )


def scores(poses):
    return sorted(poses[0].vina_score.tolist(), reverse=True)


ENANTIOMERS = [R, R, S, R, S]


def test_one_molecule_unless_told(make, read, why):
    text = records(make, ENANTIOMERS)
    with pytest.warns(UserWarning, match='2 of 5 of .*stereoisomer under one'):
        poses = read(text)
    assert why(poses) == [(n, 'another stereoisomer under one id')
                          for n in (3, 5)]  # fmt: skip
    assert "may_differ='stereo' would keep it" in str(poses.report)
    assert scores(poses) == [-1, -2, -4]
    assert poses.report.summary.endswith('; one molecule in a set')


@pytest.mark.parametrize('template', [None, R, S, 'CC(N)C(=O)O'])
def test_stereoisomers_share_a_set_if_admitted(make, read, why, template):
    text = records(make, ENANTIOMERS)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        poses = read(text, may_differ='stereo', template=template)
    assert scores(poses) == [-1, -2, -3, -4, -5] and not why(poses)
    assert poses.smiles == [Chem.CanonSmiles(R)]
    assert "may differ in ['stereo']" in str(poses.report)
    (row,) = poses.report.flagged
    assert row.reason == 'molecules that share a set' and row.title == 'A'
    assert row.detail == (
        f'another stereoisomer: 3 of {Chem.CanonSmiles(R)}, '
        f'2 of {Chem.CanonSmiles(S)}'
    )
    # Every pose has its own coordinates, in the order of the first.
    for number, pose in enumerate(poses[0].to_poses()):
        _, record = poses.records[0][number]
        mol = make.embedded(ENANTIOMERS[record - 1], record)
        i, j = pose.bond_index
        lengths = (pose.pos[i] - pose.pos[j]).norm(dim=-1)
        assert 1.1 < lengths.min() and lengths.max() < 1.7
        place = pose.pos[pose.z == 7].squeeze()
        expected = mol.GetConformer().GetAtomPosition(2)
        torch.testing.assert_close(
            place, torch.tensor(list(expected)).float(), atol=1e-3, rtol=0
        )


def test_a_template_decides(make, read, why):
    """As the page says: stereochemistry that it leaves open may be either."""
    text = records(make, ENANTIOMERS)
    flat = 'CC(N)C(=O)O'
    poses = read(text, template=flat)
    assert scores(poses) == [-1, -2, -3, -4, -5] and not why(poses)
    assert [row.reason for row in poses.report.flagged] == [
        'molecules that share a set'
    ]
    assert 'that its template leaves open' in str(poses.report)
    # What it states, it states.
    poses = read(text, template=S)
    assert scores(poses) == [-3, -5]
    assert why(poses) == [
        (n, 'another stereoisomer than its template') for n in (1, 2, 4)
    ]
    # Of two centres, one is open.
    both = ['C[C@H](N)[C@H](O)F', 'C[C@@H](N)[C@H](O)F', 'C[C@H](N)[C@@H](O)F']
    poses = read(records(make, both), template='CC(N)[C@H](O)F')
    assert scores(poses) == [-1, -2] and [r for r, _ in why(poses)] == [3]
    # Nothing, even so.
    poses = read(text, template=flat, may_differ=())
    assert scores(poses) == [-1, -2, -4]
    assert poses.report.summary.endswith('; one molecule in a set')
    # Only of its own id.
    poses = read(text + records(make, ENANTIOMERS, 'B'), template={'A': flat})
    assert poses.num_poses.tolist() == [5, 3]


def test_a_template_of_pdbqt_decides(make, read, why):
    models = make.models(
        *(
            make.pdbqt(make.embedded(smiles, seed, hydrogens=True))
            for seed, smiles in enumerate(ENANTIOMERS, start=1)
        )
    )
    texts = {'a.pdbqt': models}
    for template, may_differ, count in (
        ('CC(N)C(=O)O', None, 5),
        ('CC(N)C(=O)O', (), 3),
        (R, None, 3),
        (R, 'stereo', 5),
        ({'A': 'CC(N)C(=O)O'}, None, 5),
        ({'A': S}, None, 2),
    ):
        poses = read(texts, template=template, may_differ=may_differ)
        assert poses.num_poses.tolist() == [count]
        assert poses[0].z.view(count, -1).unique(dim=0).shape[0] == 1


PROTOMERS = ['NCC(=O)O', '[NH3+]CC(=O)[O-]', 'NCC(=O)[O-]', 'NCC(=O)O']


@pytest.mark.parametrize('hydrogens', [True, False])
def test_protomers_share_a_set_if_admitted(make, read, why, hydrogens):
    text = records(make, PROTOMERS, hydrogens=hydrogens)
    with pytest.warns(UserWarning, match='More than a tenth'):
        poses = read(text)
    assert scores(poses) == [-1, -4]
    assert "may_differ='protonation' would keep it" in str(poses.report)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        poses = read(text, may_differ='protonation')
    assert scores(poses) == [-1, -2, -3, -4] and not why(poses)
    # Each pose has the features of its own molecule.
    for number, pose in enumerate(poses[0].to_poses()):
        _, record = poses.records[0][number]
        mol = Chem.MolFromSmiles(PROTOMERS[record - 1])
        expected = sorted(
            (a.GetAtomicNum(), a.GetFormalCharge(), a.GetTotalNumHs())
            for a in mol.GetAtoms()
        )
        columns = (pose.z, pose.formal_charge, pose.num_hydrogens)
        got = zip(*(column.tolist() for column in columns), strict=True)
        assert sorted(got) == expected
        # And of the right atoms: the charge is where its bond is single.
        orders = torch.zeros(len(pose.z)).index_add(
            0, pose.bond_index[0], pose.bond_type.float()
        )
        valence = {6: 4, 7: 3, 8: 2}
        assert [valence[z] for z in pose.z.tolist()] == (
            orders + pose.num_hydrogens - pose.formal_charge
        ).tolist()
        assert pose.z.equal(poses[0].pose(0).z)
        assert pose.bond_index.equal(poses[0].pose(0).bond_index)


def test_protomers_and_their_template(make, read, why):
    text = records(make, PROTOMERS)
    poses = read(text, template='NCC(=O)O')
    assert scores(poses) == [-1, -4]
    poses = read(text, template='NCC(=O)O', may_differ='protonation')
    assert scores(poses) == [-1, -2, -3, -4]
    # Not other molecules, nor isomers.
    mixed = records(make, [R, S, 'C[C@H]([NH3+])C(=O)[O-]', 'CC(N)=C(O)O',
                           'CC(C)C(=O)O'])  # fmt: skip
    for may_differ, kept in (
        ('protonation', [1, 3]),
        (('protonation', 'stereo'), [1, 2, 3]),
        ('stereo', [1, 2]),
        (None, [1]),
    ):
        # Of this tautomer, there is no stereochemistry to compare.
        extra = [4] if 'protonation' in (may_differ or ()) else []
        for template in (R, None):
            poses = read(mixed, template=template, may_differ=may_differ)
            assert sorted(n for _, n in poses.records[0]) == kept + extra


def test_protomers_with_a_receptor_and_a_loader(make, read):
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader

    receptor = Data(
        z=torch.tensor([6, 8]), pos=torch.tensor([[4.0, 4, 4], [5, 5, 5]])
    )
    text = records(make, PROTOMERS) + records(make, ENANTIOMERS, 'B')
    poses = read(text, receptor=receptor, may_differ=['protonation', 'stereo'])
    assert poses.num_poses.tolist() == [4, 5]
    (batch,) = DataLoader(poses, batch_size=2)
    assert batch.num_graphs == 2
    charges = [pose.formal_charge[2:].sum().item()
               for pose in poses[0].to_poses()]  # fmt: skip
    records_ = [record for _, record in poses.records[0]]
    assert dict(zip(records_, charges, strict=True)) == {
        1: 0, 2: 0, 3: -1, 4: 0
    }  # fmt: skip
    assert [len(part) for part in (poses[:1], poses[1:])] == [1, 1]
    assert poses[1:].num_poses.tolist() == [5]
    assert poses[1:][0].formal_charge.sum() == 0


def test_charged_amines_invert(make, read, why):
    """The configuration of their nitrogen is none of the compound."""
    smiles = ['C[N@H+](CC)CCC', 'C[N@@H+](CC)CCC'] * 3
    poses = read(records(make, smiles, hydrogens=True))
    assert poses.num_poses.tolist() == [6] and not poses.report.rows
    poses = read(records(make, smiles), template='C[N@H+](CC)CCC')
    assert poses.num_poses.tolist() == [6] and not poses.report.rows


def test_what_cannot_be_chosen(tmp_path):
    with pytest.raises(ValueError, match='may_differ: unknown'):
        read_poses(tmp_path, may_differ='exact')
