"""The command that compares readers on the files inside of packages."""

import io
import tarfile
import zipfile
from dataclasses import replace

import pytest

pytest.importorskip('rdkit')
pytest.importorskip('gemmi')

from rdkit import Chem
from rdkit.Chem import AllChem

from benchmarks.real_files import ligands, packages, survey
from benchmarks.real_files.__main__ import TABLE, main
from benchmarks.real_files.findings import Section
from benchmarks.real_files.ligands import of_dropped
from benchmarks.real_files.molecules import difference, of_rdkit
from benchmarks.real_files.packages import Package, fetch, unpack
from benchmarks.real_files.structures import Atom, Group
from benchmarks.real_files.vina import folder_of, same_sets
from pyg_multipose.io.report import Row

MADE = Package('made', '1.0')
PDB = """\
ATOM      1  N   GLY A   1       0.000   0.000   0.000  1.00  0.00           N
ATOM      2  CA  GLY A   1       1.458   0.000   0.000  1.00  0.00           C
ATOM      3  C   GLY A   1       2.009   1.420   0.000  1.00  0.00           C
ATOM      4  O   GLY A   1       1.251   2.390   0.000  1.00  0.00           O
ATOM      5  N  AALA A   2       3.332   1.536   0.000  0.40  0.00           N
ATOM      6  N  BALA A   2       3.352   1.546   0.010  0.60  0.00           N
ATOM      7  CA  ALA A   2       3.988   2.839   0.000  1.00  0.00           C
ATOM      8  C   ALA A   2       5.504   2.700   0.000  1.00  0.00           C
ATOM      9  O   ALA A   2       6.060   1.600   0.000  1.00  0.00           O
TER      10      ALA A   2
HETATM   11  O   HOH A   3       9.000   9.000   9.000  1.00  0.00           O
END
"""


def molecule(smiles='C[C@H](N)C(=O)[O-]', seed=7, hydrogens=True):
    """A molecule with coordinates."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=seed)
    return mol if hydrogens else Chem.RemoveHs(mol)


def record(mol, title):
    mol.SetProp('_Name', title)
    return f'{Chem.MolToMolBlock(mol)}$$$$\n'


def sdf():
    flat = molecule('CCO')
    places = flat.GetConformer().GetPositions()
    places[:, 2] = 0
    flat.GetConformer().SetPositions(places)
    records = [molecule(), molecule(seed=8), molecule('C[C@@H](N)C(=O)[O-]')]
    return ''.join(record(one, 'alanine') for one in records) + record(
        flat, 'ethanol'
    )


def wheel(folder, files):
    """An archive with these files."""
    path = folder / 'made-1.0-py3-none-any.whl'
    with zipfile.ZipFile(path, 'w') as whl:
        for name, text in files.items():
            whl.writestr(name, text)
    return path


def run(folder, files):
    wheel(folder, files)
    given = ['--folder', str(folder), '--docs', str(folder / 'docs')]
    status = main(given, [MADE])
    return status, (folder / 'docs' / TABLE).read_text()


def row(table, kind, numbers):
    """The cells of a line of the tables."""
    lines = [line.split('|')[1:-1] for line in table.splitlines()]
    cells = [[cell.strip() for cell in line] for line in lines]
    found = [c for c in cells if c[:2] == ['made 1.0', kind]]
    return found[0][2:] == numbers.split()


def test_everything_is_accounted_for(tmp_path, capsys):
    status, table = run(
        tmp_path, {'made/a.sdf': sdf(), 'made/b.pdb': PDB, 'made/c.py': ''}
    )
    assert status == 0, capsys.readouterr().err
    assert table.startswith('---\norphan: true\n---\n\n<!-- table -->\n')
    # Two of the isomer that most are, and a flat one that RDKit takes.
    assert row(table, 'SDF', '1 4 2 2 RDKit 4 3 1 0 0 0')
    # Of two locations the one with the higher occupancy; water is left out.
    assert row(table, 'PDB', '1 10 8 2 gemmi 3 2 1 0 0 0')
    for reason in ('another stereoisomer under one id', 'no 3-D coordinates'):
        assert f'| {reason} ' in table
    assert 'ours has the highest occupancy' in table


@pytest.mark.parametrize('fault', ['element', 'lost', 'refused'])
def test_an_unexplained_difference_fails(tmp_path, monkeypatch, capsys, fault):
    found = ligands.by_rdkit

    def faulty(path):
        first, *others = found(path)
        if fault == 'lost':
            return others
        if fault == 'element':
            first.GetAtomWithIdx(0).SetAtomicNum(14)
        return [first if fault == 'element' else None, *others]

    monkeypatch.setattr(ligands, 'by_rdkit', faulty)
    status, table = run(tmp_path, {'made/a.sdf': sdf()})
    assert status == 1 and '| unexplained ' in table
    said = capsys.readouterr().err
    assert 'unexplained: made/a.sdf' in said and 'mend the reader' in said


def test_an_unexplained_residue_fails(tmp_path, monkeypatch, capsys):
    from benchmarks.real_files import receptors

    read = receptors.read_receptor
    monkeypatch.setattr(
        receptors,
        'read_receptor',
        lambda path: read(path, drop=['GLY A/1']),
    )
    status, _ = run(tmp_path, {'made/b.pdb': PDB})
    assert status == 1
    assert 'b.pdb, GLY A/1: a part of a chain' in capsys.readouterr().err


def test_what_differs():
    mol = molecule(hydrogens=False)
    ours = of_rdkit(mol)
    order = list(reversed(range(mol.GetNumAtoms())))
    assert difference(ours, of_rdkit(Chem.RenumberAtoms(mol, order))) == ''
    assert difference(ours, of_rdkit(molecule())) == ''

    def changed(change):
        other = Chem.RWMol(mol)
        change(other)
        Chem.SanitizeMol(other)
        return difference(ours, of_rdkit(other.GetMol()))

    oxygen = mol.GetSubstructMatch(Chem.MolFromSmarts('[O-]'))[0]
    at = Chem.RWMol.GetAtomWithIdx
    assert changed(lambda m: at(m, oxygen).SetAtomicNum(16)) == 'elements'
    assert changed(lambda m: at(m, oxygen).SetFormalCharge(0)) == 'charges'
    assert changed(lambda m: m.RemoveAtom(oxygen)) == (
        '6 heavy atoms, theirs 5'
    )
    (z, charge, hydrogens), *others = ours.atoms
    more = [(z, charge, hydrogens + 1), *others]
    assert difference(ours, replace(ours, atoms=more)) == 'hydrogens'
    assert ours.smiles == 'C[C@H](N)C(=O)[O-]'
    mirrored = replace(ours, smiles='C[C@@H](N)C(=O)[O-]')
    assert difference(ours, mirrored) == 'stereochemistry'


def test_places_and_bonds_are_compared():
    ours = of_rdkit(molecule())
    moved = ours.pos.copy()
    moved[0, 0] += 0.01
    assert difference(ours, replace(ours, pos=moved)) == 'coordinates'
    fewer = dict(list(ours.bonds.items())[1:])
    assert difference(ours, replace(ours, bonds=fewer)) == 'bonds'
    other = dict.fromkeys(ours.bonds, 2)
    assert difference(ours, replace(ours, bonds=other)) == 'bond orders'


def test_a_reason_has_to_be_borne_out():
    sound = molecule()
    for reason in (
        'placeholder atom or unknown element',
        'no 3-D coordinates',
        'hydrogens are missing',
        'several ligands in one model',
        'another molecule under one id',
    ):
        dropped = Row('dropped', 'a.sdf', 1, '', reason)

        class Poses:
            smiles = ['C[C@H](N)C(=O)[O-]']

        assert of_dropped(dropped, sound, Poses)[0] == 'unexplained', reason
        assert of_dropped(dropped, None, Poses)[0] == 'same'


def test_occupancies_and_elements_of_residues():
    from benchmarks.real_files.receptors import of_kept

    key = ('A', 1, '', 'GLY')
    place = (0.0, 0.0, 0.0)
    group = Group(
        True,
        [
            Atom('CA', 6, place, 'A', 0.4),
            Atom('CA', 6, (1.0, 0.0, 0.0), 'B', 0.6),
        ],
    )
    mine = [Atom('CA', 6, place)]
    found, why = of_kept(key, mine, group, [])
    assert found == 'unexplained' and 'higher occupancy' in why
    best = [Atom('CA', 6, (1.0, 0.0, 0.0))]
    assert of_kept(key, best, group, [])[0] == 'ours'
    calcium = Group(True, [Atom('CA', 20, place)])
    assert of_kept(key, mine, calcium, [])[0] == 'ours'
    ion = ('A', 1, '', 'CA')
    assert of_kept(ion, mine, calcium, [])[0] == 'unexplained'
    lacks = Group(True, [Atom('CA', 6, place), Atom('N', 7, place)])
    assert of_kept(key, mine, lacks, [])[0] == 'unexplained'


def vina_files():
    """Two poses of a molecule as SDF, MOL2 and PDBQT, and their receptor."""
    poses = [molecule('CO', seed) for seed in (1, 2)]
    for mol in poses:  # beside the receptor, and not in it
        places = mol.GetConformer().GetPositions()
        mol.GetConformer().SetPositions(places + 5.0)
    out = {'rec.pdb': PDB, 'vina_output.sdf': '', 'vina_output.mol2': ''}
    for number, mol in enumerate(poses, 1):
        out['vina_output.sdf'] += record(mol, '')
        places = mol.GetConformer().GetPositions()
        kinds = ['C.3', 'O.3', 'H', 'H', 'H', 'H']
        atoms = [
            f'{row} {kind[0]}{row} {x:.4f} {y:.4f} {z:.4f} {kind} 1 LIG 0.0'
            for row, (kind, (x, y, z)) in enumerate(
                zip(kinds, places, strict=True), 1
            )
        ]
        ends = [(1, 2), (1, 3), (1, 4), (1, 5), (2, 6)]
        bonds = [f'{n} {a} {b} 1' for n, (a, b) in enumerate(ends, 1)]
        out['vina_output.mol2'] += '\n'.join(
            ['@<TRIPOS>MOLECULE', '', '6 5 1', 'SMALL', 'USER_CHARGES']
            + ['@<TRIPOS>ATOM', *atoms, '@<TRIPOS>BOND', *bonds, '']
        )
        lines = ['REMARK VINA RESULT:  -2.0  0.000  0.000', 'ROOT']
        for row, kind, name in ((0, 'C', 'C'), (1, 'OA', 'O'), (5, 'HD', 'H')):
            x, y, z = places[row]
            lines.append(
                f'HETATM{row + 1:5d}  {name:3} LIG A   1    '
                f'{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00     0.000 {kind:2}'
            )
        lines += ['ENDROOT', 'TORSDOF 0', '']
        out[f'vina_output_ligand_{number}.pdbqt'] = '\n'.join(lines)
    return out


def test_three_formats_are_the_same_sets(tmp_path):
    files = vina_files()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert folder_of(tmp_path) == tmp_path
    found = same_sets(tmp_path)
    assert [one.outcome for one in found] == ['same'] * 4, found
    assert folder_of(tmp_path / 'none') is None
    # A pose that the other format lacks.
    cut = files['vina_output.sdf'].split('$$$$\n')[0] + '$$$$\n'
    (tmp_path / 'vina_output.sdf').write_text(cut)
    found = same_sets(tmp_path)
    assert [one.outcome for one in found] == ['unexplained'] * 2
    # A receptor that is where the poses are.
    (tmp_path / 'rec.pdb').write_text(
        PDB.replace('  0.000   0.000   0.000', '  5.000   5.000   5.000')
    )
    (found,) = same_sets(tmp_path)
    assert found.outcome == 'unexplained' and 'overlap' in found.why


def test_models_are_compared_with_meeko(tmp_path, monkeypatch, capsys):
    name = 'vina_output_ligand_1.pdbqt'
    text = vina_files()[name].replace(
        'ROOT', 'REMARK SMILES CO\nREMARK SMILES IDX 1 1 2 2\nROOT', 1
    )
    text = text.replace('    6  H', '    3  H').replace(
        'REMARK SMILES IDX 1 1 2 2',
        'REMARK SMILES IDX 1 1 2 2\nREMARK H PARENT 2 3',
    )
    seen = []

    def meeko(package, paths, folder):
        seen.append(package.name)
        mol = molecule('CO', 1)
        places = mol.GetConformer().GetPositions()
        mol.GetConformer().SetPositions(places + 5.0)
        return {path: [mol] for path in paths}

    monkeypatch.setattr(survey, 'by_meeko', meeko)
    status, table = run(tmp_path, {f'made/{name}': text})
    assert seen == ['meeko']
    # Places of a PDBQT have three digits.
    assert status == 0, capsys.readouterr().err
    assert row(table, 'PDBQT', '1 1 1 0 Meeko 1 1 0 0 0 0')

    def absent(package, paths, folder):
        raise RuntimeError('pip install failed:\nno network')

    monkeypatch.setattr(survey, 'by_meeko', absent)
    status, table = run(tmp_path, {f'made/{name}': text})
    assert status == 0 and 'not at hand' in table and 'no network' in table
    assert row(table, 'PDBQT', '1 1 1 0 Meeko 1 0 0 0 1 0')


def test_archives_stay_in_their_folder(tmp_path):
    for name in ('../out.sdf', '/tmp/out.sdf', 'a/../../out.sdf'):
        whl = wheel(tmp_path, {name: ''})
        with pytest.raises(ValueError, match='leads out'):
            unpack(whl, tmp_path / 'in')
        path = tmp_path / 'made-1.0.tar.gz'
        with tarfile.open(path, 'w:gz') as tar:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        with pytest.raises(ValueError, match='leads out'):
            unpack(path, tmp_path / 'in')
    with tarfile.open(path, 'w:gz') as tar:
        link = tarfile.TarInfo('link.sdf')
        link.type, link.linkname = tarfile.SYMTYPE, '../../secret'
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo('a.sdf'), io.BytesIO())
    unpack(path, tmp_path / 'in')
    assert [one.name for one in (tmp_path / 'in').rglob('*')] == ['a.sdf']
    assert not (tmp_path / 'out.sdf').exists()


def test_packages_are_pinned_and_fetched_once(tmp_path, monkeypatch):
    words = []

    def pip(*given):
        words.extend(given)
        (tmp_path / 'Made-1.0.tar.gz').touch()

    monkeypatch.setattr(packages, 'pip', pip)
    source = Package('made', '1.0', source=True)
    wheel(tmp_path, {})  # it lacks the files
    assert fetch(source, tmp_path).name == 'Made-1.0.tar.gz'
    assert words[-3:] == ['--no-binary', 'made', 'made==1.0']
    words.clear()
    assert fetch(source, tmp_path).name == 'Made-1.0.tar.gz' and not words
    with pytest.raises(RuntimeError, match='has no archive of this name'):
        fetch(Package('made', '1.1'), tmp_path)


def test_pip_says_why_it_failed():
    with pytest.raises(RuntimeError, match='no-such-command'):
        packages.pip('no-such-command')


def test_sections_count():
    section = Section('made 1.0', 'SDF', 'RDKit')
    section.add('a', ('same', ''))
    section.add('b', ('ours', 'why'))
    assert (section.count('same'), section.count('theirs')) == (1, 0)
