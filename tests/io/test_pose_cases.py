"""Small inputs, each modelled on trouble that people had in public.

The key ``source`` of each ``expected.json`` names the report.
"""

import csv
import json
import math
import shutil
import warnings
from pathlib import Path

import pytest
import torch

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import (  # noqa: E402
    FileName,
    JSONValue,
    Score,
    read_poses,
    read_receptor,
)

CASES = Path(__file__).with_name('cases')
NUMBERS = '01 04 05 08 10 12 15 17 19 21 23 25 27 28 49 60'.split()
BOND_TYPES = {
    1: Chem.BondType.SINGLE,
    2: Chem.BondType.DOUBLE,
    3: Chem.BondType.TRIPLE,
    4: Chem.BondType.AROMATIC,
}


@pytest.fixture(params=NUMBERS)
def case(request, tmp_path, monkeypatch):
    (folder,) = CASES.glob(f'{request.param}-*')
    shutil.copytree(folder, tmp_path / 'case')
    monkeypatch.chdir(tmp_path / 'case')
    return json.loads(Path('expected.json').read_text())


def test_case(case):
    poses = load(case)
    check(case['expect'], poses)
    any_of = case['expect'].get('any_of')
    if any_of:
        meta = case['expect'].get('score_meta')
        implied = {'two sets': {'n_sets': 2}}
        assert any(
            holds(one | implied.get(one['name'], {}), poses, meta)
            for one in any_of
        )
    template = case['read'].get('second_call', {}).get('template')
    assert (template is None) == ('with_template' not in case['expect'])
    if template is not None:
        again = load(case, template)
        meta = case['expect']['score_meta']
        check(case['expect']['with_template'], again, meta)
        assert not again.report.dropped


@pytest.fixture
def folder(request, tmp_path, monkeypatch):
    """A copy of a folder of files that belong together."""
    shutil.copytree(CASES / request.param, tmp_path / 'case')
    monkeypatch.chdir(tmp_path / 'case')
    return Path()


@pytest.mark.parametrize('folder', ['mol2_charges'], indirect=True)
def test_charges_of_mol2(folder):
    with open('expected.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(list(folder.glob('*.mol2')))
    for row in rows:
        expected = Chem.CanonSmiles(row['smiles'])
        for template in (None, row['smiles']):
            poses = read_poses(f'{row["file"]}.mol2', template=template)
            assert poses.smiles == [expected] and not poses.report.dropped
            assert poses.names == [row['file']]
            mol = molecule(poses[0].pose(0))
            assert not any(a.GetNumRadicalElectrons() for a in mol.GetAtoms())
            assert Chem.MolToSmiles(mol) == expected


@pytest.mark.parametrize('folder', ['sdf_radicals'], indirect=True)
def test_radicals_of_sdf(folder):
    with pytest.warns(UserWarning, match='open valences'):
        poses = read_poses('ethanol.sdf')
    (row,) = poses.report.dropped
    assert (row.record, row.reason) == (1, 'open valences')
    assert 'hydrogens' in row.detail and 'template' in row.detail
    poses = read_poses('ethanol.sdf', template='CCO')
    assert poses.smiles == ['CCO'] and poses[0].num_hydrogens.sum() == 6
    row, *_ = poses.report.flagged
    assert (row.record, row.reason) == (1, 'open valences')


@pytest.fixture(params=['51', '54', '68'])
def elsewhere(request, tmp_path, monkeypatch):
    """Cases whose scores are no plain data items, or in other formats."""
    (folder,) = CASES.glob(f'{request.param}-*')
    shutil.copytree(folder, tmp_path / 'case')
    monkeypatch.chdir(tmp_path / 'case')
    return request.param, json.loads(Path('expected.json').read_text())


#: How to read what is no plain data item, and what the report says of it.
READ = {
    '51': (
        Score(
            'free_energy',
            'kcal/mol',
            False,
            read=JSONValue('meeko', 'free_energy'),
        ),
        ("'meeko'", "JSONValue('meeko', 'free_energy')"),
    ),
    '54': (
        Score(
            'confidence',
            'arbitrary',
            True,
            read=FileName(r'_confidence_([+-]?[0-9.]+)'),
        ),
        ('names of files', "FileName('confidence_"),
    ),
}


def test_scores_elsewhere(elsewhere):
    number, case = elsewhere
    expect, how = case['expect'], case['read']
    options = {key: how[key] for key in ('group_by', 'pattern') if key in how}
    score, told = READ.get(number, ('r_i_docking_score', ()))
    if told:
        # Nothing is taken for it, and the report says how to read it.
        poses = read_poses(how['poses'], **options)
        assert not poses.scores
        (row,) = poses.report.flagged
        assert row.reason == 'no known scores'
        assert all(words in row.detail for words in told)
    files = [how['poses']] if told else how['poses']
    for file in files:
        poses = read_poses(file, scores=[score], **options)
        assert len(poses) == expect['n_sets']
        assert not poses.report.rows
        (of_set,) = json.loads(json.dumps(expect['sets']))
        for pose in of_set['poses']:
            pose['file'] = pose['file'] if told else file
        check_set(of_set, poses)
        for name, best in expect.get('best', {}).items():
            pose_set = poses[poses.names.index(name)]
            assert pose_set.free_energy.min().item() == pytest.approx(best)


def load(case, template=None):
    receptor = case['read'].get('receptor')
    if receptor is not None:
        pytest.importorskip('gemmi')
        receptor = read_receptor(receptor)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        poses = read_poses(
            case['read']['poses'],
            group_by=case['read'].get('group_by'),
            template=template,
            receptor=receptor,
        )
    poses.report.check()
    if receptor is not None:
        (one,) = caught
        assert any(
            word in str(one.message)
            for row in case['expect']['flags']
            for word in row['any']
        )
    return poses


def holds(expect, poses, score_meta):
    try:
        check(expect, poses, score_meta)
    except AssertionError:
        return False
    return True


def check(expect, poses, score_meta=None):
    report = poses.report
    if 'reason_any' in expect:
        assert len(report.dropped) == report.num_seen > 0
        for row in report.dropped:
            text = f'{row.reason} {row.detail}'.lower()
            assert any(word in text for word in expect['reason_any'])
    if 'n_sets' in expect:
        assert len(poses) == expect['n_sets']
    for file, count in expect.get('n_records_in', {}).items():
        assert report.seen[file] == count
    if 'n_records' in expect and 'any_of' not in expect:
        assert report.num_seen == expect['n_records']
    # What is expected as dropped, and nothing else.
    for row in expect.get('dropped', []):
        assert find(report.dropped, row, 'reason_any'), row
    for row in expect.get('dropped_any', []):
        assert find(report.dropped, row, 'reason_any'), row
    dropped = expect.get('dropped', [])
    if 'score_meta' in expect and 'dropped_any' not in expect:
        if all('record_any' not in row for row in dropped):
            assert len(report.dropped) == len(dropped)
    for row in expect.get('flags', []):
        assert find(report.flagged, row, 'any'), row
    for of_set in expect.get('sets', []):
        check_set(of_set, poses, score_meta or expect['score_meta'])
    for name, best in expect.get('best', {}).items():
        pose_set = poses[poses.names.index(name)]
        assert pose_set.confidence.max().item() == pytest.approx(best)


def find(rows, expected, words):
    files = [expected['file']] if 'file' in expected else expected['file_any']
    for row in rows:
        text = f'{row.reason} {row.detail}'.lower()
        numbers = expected.get('record_any', [expected.get('record')])
        if (
            row.file in files
            and (row.record in numbers or numbers == [None])
            and any(word.lower() in text for word in expected[words])
        ):
            return row
    return None


def check_set(expect, poses, score_meta=None):
    files = [pose['file'] for pose in expect['poses']]
    records = [pose['record'] for pose in expect['poses']]
    expected = set(zip(files, records, strict=True))
    (index,) = (
        i for i, records in enumerate(poses.records) if expected & set(records)
    )
    assert set(poses.records[index]) == expected
    pose_set = poses[index]
    if 'ligand_id' in expect:
        assert poses.names[index] == pose_set.name == expect['ligand_id']
    assert pose_set.num_poses == expect['n_poses']

    mol = molecule(pose_set.pose(0))
    if 'smiles' in expect:
        check_molecule(expect, mol, poses.smiles[index])
    for want in expect['poses']:
        place = poses.records[index].index((want['file'], want['record']))
        pose = pose_set.pose(place)
        assert pose.z.equal(pose_set.pose(0).z) and pose.z.min() > 0
        got = pose.pos.mean(dim=0)
        torch.testing.assert_close(
            got, torch.tensor(want['centroid']), atol=0.01, rtol=0
        )
        for name, score in want['scores'].items():
            value = pose_set[name][place].item()
            if score is None:
                assert math.isnan(value)
            else:
                assert value == pytest.approx(score, rel=1e-6)
            if score_meta is not None:
                known, meta = poses.scores[name], score_meta[name]
                assert known.unit == meta['unit']
                assert known.higher_is_better == meta['higher_is_better']
        for atom in want.get('unique_atoms', []):
            pattern = Chem.MolFromSmarts(atom['smarts'])
            ((row,),) = mol.GetSubstructMatches(pattern)
            torch.testing.assert_close(
                pose.pos[row], torch.tensor(atom['xyz']), atol=1e-3, rtol=0
            )


def check_molecule(expect, mol, smiles):
    assert mol.GetNumAtoms() == expect['n_heavy_atoms']
    assert mol.GetNumBonds() == expect['n_heavy_bonds']
    assert Chem.GetFormalCharge(mol) == expect['formal_charge']
    assert not any(a.GetNumRadicalElectrons() for a in mol.GetAtoms())
    flat = Chem.MolFromSmiles(smiles)
    Chem.RemoveStereochemistry(flat)
    assert Chem.MolToSmiles(mol) == expect['smiles'] == Chem.MolToSmiles(flat)
    if 'ring_size' in expect:
        sizes = [len(ring) for ring in mol.GetRingInfo().AtomRings()]
        assert expect['ring_size'] in sizes
    if 'symbols' in expect:
        got = [atom.GetSymbol() for atom in mol.GetAtoms()]
        assert got == expect['symbols']
    if 'n_double_CO' in expect:
        double = mol.GetSubstructMatches(Chem.MolFromSmarts('C=O'))
        assert len(double) == expect['n_double_CO']


def molecule(pose):
    """The molecule from the tensors alone."""
    mol = Chem.RWMol()
    columns = (pose.z, pose.formal_charge, pose.num_hydrogens, pose.aromatic)
    for z, charge, hydrogens, aromatic in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        atom = Chem.Atom(z)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(hydrogens)
        atom.SetIsAromatic(bool(aromatic))
        mol.AddAtom(atom)
    for (i, j), kind in zip(
        pose.bond_index.T.tolist(), pose.bond_type.tolist(), strict=True
    ):
        if i < j:
            mol.AddBond(i, j, BOND_TYPES[kind])
    Chem.SanitizeMol(mol)
    return mol.GetMol()
