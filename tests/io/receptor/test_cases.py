"""Small receptors, each modelled on trouble that people had in public.

The key ``source`` of each ``expected.json`` names the report.
"""

import json
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch

pytest.importorskip('gemmi')

from pyg_multipose.data import PoseSet  # noqa: E402
from pyg_multipose.io.poses.overlap import check_overlap  # noqa: E402
from pyg_multipose.io.receptor.read_receptor import read_receptor  # noqa: E402

CASES = Path(__file__).parents[1] / 'cases'
NUMBERS = '30 32 34 36'.split()
KEYS = {
    'n_atoms_in_file', 'n_atoms', 'n_residues', 'residues', 'residue_ids',
    'unique_atom_names_per_residue', 'atom_at', 'elements_present',
    'left_out', 'chains', 'selected',
}  # fmt: skip


@pytest.fixture(params=NUMBERS)
def case(request, monkeypatch):
    (folder,) = CASES.glob(f'{request.param}-*')
    monkeypatch.chdir(folder)
    return json.loads(Path('expected.json').read_text())


def test_case(case):
    expect = case['expect']
    receptor = read_receptor(case['read']['receptor'])
    found = poses_on(receptor, case['read']['poses'])
    check(expect['receptor'], receptor)
    any_of = expect.get('any_of', [])
    if any_of:  # the first alternative is the policy of this package
        check(any_of[0]['receptor'], receptor)
    for flag in expect.get('flags', []):
        assert any(
            row.file == flag['file'] and word in str(row)
            for row in receptor.report.rows
            for word in flag['any']
        )
    if '32' in case['case']:
        assert found[0].residue == 'INH A/301' and not found[0].is_kept
        assert 'CPD-32' in str(found[0])
    if 'second_call' in expect:
        with pytest.raises(ValueError) as error:
            read_receptor(
                case['read']['receptor'],
                chains=expect['second_call']['chains'],
            )
        for name in expect['second_call']['error']['must_name']:
            assert f"'{name}'" in str(error.value)


def poses_on(receptor, paths):
    """The poses fit the receptor, and overlap with what they should."""
    pytest.importorskip('rdkit')
    from pyg_multipose.io import read_poses

    with warnings.catch_warnings():
        # The made-up coordinates of case 32 clash with a residue as well.
        warnings.filterwarnings('ignore', message='.*overlap with poses')
        poses = read_poses(paths, receptor=receptor)
        found = check_overlap(receptor, poses)
    for pose_set in poses:
        assert isinstance(pose_set, PoseSet)
        assert int(pose_set.receptor_size) == receptor.num_nodes
        torch.testing.assert_close(pose_set.receptor.pos, receptor.pos)
    assert len(poses)
    return found


def check(expect, receptor):
    report = receptor.report
    report.check()
    names = list(
        zip(receptor.residue.tolist(), receptor.atom_names, strict=True)
    )
    assert receptor.z.min() > 0
    if 'n_atoms_in_file' in expect:
        assert report.num_seen == expect['n_atoms_in_file']
    if 'n_atoms' in expect:
        assert receptor.num_nodes == expect['n_atoms'] == report.num_kept
    if 'n_residues' in expect:
        assert len(receptor.residues) == expect['n_residues']
    if 'residues' in expect:
        got = [f'{r.name} {r.label}' for r in receptor.residues]
        assert got == expect['residues']
    if 'residue_ids' in expect:
        got = [r.label for r in receptor.residues]
        assert got == expect['residue_ids']
    if expect.get('unique_atom_names_per_residue'):
        assert len(set(names)) == len(names)
    for where in expect.get('atom_at', []):
        chain, label, residue, atom = where['atom'].split('/')
        (row,) = (
            row
            for row, (number, name) in enumerate(names)
            if name == atom
            and receptor.residues[number - 1][0::3] == (chain, residue)
            and receptor.residues[number - 1].label == label
        )
        got = receptor.pos[row]
        torch.testing.assert_close(got, torch.tensor(where['xyz']))
    for symbol, z in expect.get('elements_present', {}).items():
        assert z in receptor.z.tolist(), symbol
    if 'left_out' in expect:
        got = Counter()
        for row in report.dropped:
            got[row.title.split()[0]] += row.atoms
        assert got == expect['left_out']
    if 'chains' in expect:
        got = {r.chain for r in receptor.residues}
        assert sorted(got) == expect['chains']
    if 'selected' in expect:
        chosen = expect['selected']
        again = read_receptor(report.rows[0].file, chains=chosen['chain'])
        assert {r.chain for r in again.residues} == {chosen['chain']}
        got = [r.label for r in again.residues]
        assert got == chosen['residue_ids']
        assert again.num_nodes == chosen['n_atoms']
    assert set(expect) <= KEYS  # nothing that is expected goes unread


# Further cases ###############################################################


def reading(number):
    (folder,) = CASES.glob(f'{number}-*')
    expect = json.loads((folder / 'expected.json').read_text())['expect']
    return folder, expect['receptor'], expect


@pytest.mark.parametrize('name', ['one_ligand', 'two_ligands_one_name'])
def test_ligand_in_atom_records(name):
    folder, want, expect = reading(48)
    file = f'{name}.cif'
    receptor = read_receptor(folder / file)
    check(want[file], receptor)
    titles = [row.title for row in receptor.report.dropped]
    for row in expect['left_out']:
        if row['file'] == file:
            assert set(row['any']) & set(titles)
    assert len(titles) == {'one_ligand': 1}.get(name, 2)
    assert 15 in receptor.z.tolist() or name == 'one_ligand'  # SEP
    pytest.importorskip('rdkit')
    from pyg_multipose.io import read_poses

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        poses = read_poses(folder / 'pose.sdf', receptor=receptor)
    assert int(poses[0].receptor_size) == want[file]['n_atoms']


@pytest.mark.parametrize('name', ['receptor.pdb', 'receptor.cif'])
def test_residue_in_two_blocks(name):
    folder, want, _ = reading(62)
    receptor = read_receptor(folder / name)
    check({k: want[k] for k in ('n_atoms', 'n_residues')}, receptor)
    assert not receptor.report.rows
    sizes = receptor.residue.bincount().tolist()[1:]
    for residue, size in zip(receptor.residues, sizes, strict=True):
        assert size == want['atoms_of'].get(residue.label, size)


@pytest.mark.parametrize(
    'name',
    [
        'near_backbone_n',
        'near_backbone_c',
        'trimmed_pocket',
        'near_side_chain',
    ],
)
def test_cofolded_ligand_that_clashes(name):
    folder, want, _ = reading(66)
    file = f'{name}.cif'
    receptor = read_receptor(folder / file)
    expect = {'n_atoms': want['n_atoms'][file], 'chains': want['chains']}
    check(expect, receptor)
    (row,) = receptor.report.rows
    assert row.title == 'LIG1 B/1' and row.kind == 'dropped'
