from pathlib import Path

import pytest

pytest.importorskip('gemmi')

from pyg_multipose.io.receptor.read_receptor import read_receptor  # noqa: E402

CASES = Path(__file__).parents[1] / 'cases'


def line(name, kind, residue='ALA', number=1, x=0.0, record='ATOM  '):
    field = name if len(name) == 4 else f' {name:<3}'
    return (
        f'{record}    1 {field} {residue:>3} A{number:>4}    {x:8.3f}'
        f'{0:8.3f}{0:8.3f}  1.00 20.00    {-0.35:+6.3f} {kind}\n'
    )


@pytest.fixture
def read(tmp_path):
    def read_text(text, name='r.pdbqt', **kwargs):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        receptor = read_receptor(path, **kwargs)
        receptor.report.check()
        return receptor

    return read_text


ALA = line('N', 'N') + line('CA', 'C', x=1.5) + line('C', 'C', x=2.5)


@pytest.mark.parametrize(
    'kind, z',
    [
        ('C', 6), ('A', 6), ('N', 7), ('NA', 7), ('NS', 7), ('OA', 8),
        ('OS', 8), ('O', 8), ('S', 16), ('SA', 16), ('P', 15), ('F', 9),
        ('Cl', 17), ('CL', 17), ('Br', 35), ('I', 53), ('Zn', 30),
        ('ZN', 30), ('Mg', 12), ('Mn', 25), ('Fe', 26), ('Ca', 20),
        ('CA', 20), ('Se', 34), ('HD', 1), ('H', 1), ('HS', 1), ('Cu', 29),
        ('Ni', 28), ('Co', 27), ('K', 19),
    ],
)  # fmt: skip
def test_types(read, kind, z):
    """Whatever the atom is called."""
    for name in ('X1', 'CA', 'ZN  '):
        text = ALA + line(name, kind, 'LIG', 9, 50)
        receptor = read(text, keep='LIG', hydrogens=True)
        assert receptor.z.tolist() == [7, 6, 6, z]


def test_alpha_carbon_and_calcium(read):
    text = ALA + line('CA  ', 'Ca', 'CA', 300, 60, 'HETATM')
    assert read(text).z.tolist() == [7, 6, 6, 20]


@pytest.mark.parametrize('kind', ['XX', '', 'Q', 'C1', '1.0'])
def test_unknown_type(read, kind):
    with pytest.raises(ValueError, match=r'r.pdbqt.*line 4.*AutoDock type'):
        read(ALA + line('C9', kind, x=4))


@pytest.mark.parametrize('kind', ['W', 'TZ', 'G0', 'DU', 'X'])
def test_dummies(read, kind):
    receptor = read(ALA + line('X', kind, 'HOH', 9, x=40))
    assert receptor.num_nodes == 3
    (row,) = receptor.report.dropped
    assert (row.title, row.reason, row.atoms) == (kind, 'not an atom', 1)


def test_hydrogens(read):
    text = ALA + line('HN', 'HD', x=0.9)
    assert read(text).num_nodes == 3
    assert read(text, hydrogens=True).z.tolist() == [7, 6, 6, 1]


def test_as_pdb(read):
    """The same atoms in both formats give the same receptor."""
    (path,) = CASES.glob('32-*/receptor.pdb')
    kinds = {'N': 'NA', 'O': 'OA', 'S': 'SA', 'ZN': 'Zn', 'CL': 'Cl'}
    kinds |= {'SE': 'Se'}
    text = ''
    for row in path.read_text().splitlines():
        if row[:6] in ('ATOM  ', 'HETATM'):
            element = row[76:78].strip()
            text += f'{row[:70]}{0.1:+6.3f} {kinds.get(element, element)}\n'
    other = read_receptor(path)
    receptor = read(text)
    assert receptor.residues == other.residues
    assert receptor.atom_names == other.atom_names
    assert receptor.z.equal(other.z) and receptor.pos.equal(other.pos)


@pytest.mark.parametrize(
    'name', ['25-pdbqt-macrocycle-glue-atoms', '23-pdbqt-without-bonds']
)
def test_ligand_is_refused(name):
    (path,) = (CASES / name).glob('out.pdbqt')
    with pytest.raises(ValueError, match='expected a rigid receptor'):
        read_receptor(path)


def test_flexible_side_chains_are_refused(read):
    text = 'BEGIN_RES ALA A   1\nROOT\n' + ALA + 'ENDROOT\nEND_RES ALA A 1\n'
    with pytest.raises(ValueError, match='line 1.*flexible'):
        read(text)


@pytest.mark.parametrize(
    'text, words',
    [
        ('', ['empty']),
        ('REMARK\n', ['no atoms']),
        (ALA[:-60], ['line 3', 'cut off']),
        (ALA.replace('   1.500', '     nan'), ['line 2', "x is 'nan'"]),
    ],
)
def test_damage(read, text, words):
    with pytest.raises(ValueError) as error:
        read(text)
    assert all(word in str(error.value) for word in ('r.pdbqt', *words))
