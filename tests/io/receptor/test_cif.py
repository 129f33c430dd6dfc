import gzip
from pathlib import Path

import pytest

pytest.importorskip('gemmi')

from pyg_multipose.io.receptor.read_receptor import read_receptor  # noqa: E402

CASE = Path(__file__).parents[1] / 'cases' / '36-receptor-mmcif-two-numberings'
TEXT = (CASE / 'receptor.cif').read_text()
TAGS = [line[11:] for line in TEXT.splitlines() if line.startswith('_atom')]
ROWS = [
    line.split() for line in TEXT.splitlines() if line[:4] in ('ATOM', 'HETA')
]


def cif(rows=ROWS, without=(), name='X'):
    keep = [n for n, tag in enumerate(TAGS) if tag not in without]
    lines = [f'data_{name}', 'loop_', *(f'_atom_site.{TAGS[n]}' for n in keep)]
    lines += [' '.join(row[n] for n in keep) for row in rows]
    return '\n'.join(lines) + '\n#\n'


def changed(row, **values):
    out = list(ROWS[row])
    for tag, value in values.items():
        out[TAGS.index(tag)] = value
    return [*ROWS[:row], out, *ROWS[row + 1 :]]


@pytest.fixture
def read(tmp_path):
    def read_text(text, name='r.cif', **kwargs):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        receptor = read_receptor(path, **kwargs)
        receptor.report.check()
        assert receptor.pos.isfinite().all() and receptor.z.min() > 0
        return receptor

    return read_text


def ids(receptor):
    return [str(residue) for residue in receptor.residues]


def test_ids_of_authors(read):
    expected = ['VAL H/52', 'SER H/52A', 'ALA L/3', 'ZN H/501']
    for name in ('r.cif', 'r.mmcif', 'r.cif.gz'):
        text = TEXT.encode()
        text = gzip.compress(text) if name.endswith('.gz') else text
        receptor = read(text, name)
        assert ids(receptor) == expected
        assert not receptor.report.flagged


@pytest.mark.parametrize('tag', TAGS)
def test_absent_columns(read, tag):
    """Nothing but positions and names is needed, and nothing is lost."""
    text = cif(without=[tag])
    if tag.startswith('Cartn') or tag == 'label_comp_id':
        with pytest.raises(ValueError, match='r.cif'):
            read(text)
        return
    receptor = read(text, keep='HOH')
    assert receptor.num_nodes == 20
    # Without their column, elements are those of the residues.
    assert receptor.z.equal(read(cif(), keep='HOH').z)
    flags = [row.reason for row in receptor.report.flagged]
    assert flags == {
        'auth_asym_id': ['no ids of the authors'],
        'auth_seq_id': ['no ids of the authors'],
        'type_symbol': ['elements from names'],
    }.get(tag, [])
    if tag == 'auth_asym_id':
        assert ids(receptor)[3] == 'ZN C/501'


def test_absent_ids_of_authors(read):
    text = cif(without=[tag for tag in TAGS if tag.startswith('auth')])
    assert [r.chain for r in read(text).residues] == ['A', 'A', 'B', 'C']


def test_label_chain_is_named(read):
    with pytest.raises(ValueError, match="has no chain.*{'C': 'H'}"):
        read(TEXT, chains='C')


@pytest.mark.parametrize('value', ['?', '.', 'nan', '1e9', 'x', '1,5', "''"])
def test_positions(read, value):
    with pytest.raises(ValueError, match='row 3 .*Cartn_y'):
        read(cif(changed(2, Cartn_y=value)))


def test_uncertainties(read):
    receptor = read(cif(changed(2, Cartn_y='1.420(3)')))
    assert receptor.pos[2].tolist() == pytest.approx([2.0, 1.42, 0.0])


def test_elements(read):
    for symbol in ('?', '.', 'X', 'CA'):
        receptor = read(cif(changed(1, type_symbol=symbol)))
        assert receptor.z[1] == 6, symbol
        assert len(receptor.report.flagged) == 1
    receptor = read(cif(changed(1, type_symbol='D')))
    assert receptor.num_nodes == 18


def test_names_of_authors_for_atoms(read):
    """Quoted names, and chains with several letters."""
    row = changed(
        17, label_atom_id='"C5\'"', auth_atom_id='"C5\'"', auth_asym_id='LONG'
    )
    receptor = read(cif(row))
    assert "C5'" in receptor.atom_names
    assert 'LONG' in {residue.chain for residue in receptor.residues}


def test_alternate_locations(read):
    rows = []
    for letter, occupancy, x in (('A', '0.3', '1'), ('B', '0.7', '2')):
        row = list(ROWS[12])
        for tag, value in (
            ('label_alt_id', letter), ('occupancy', occupancy), ('Cartn_x', x)
        ):  # fmt: skip
            row[TAGS.index(tag)] = value
        rows.append(row)
    receptor = read(cif([*ROWS[:12], *rows, *ROWS[13:]]))
    assert receptor.num_nodes == 19
    assert receptor.pos[12, 0] == 2
    assert receptor.report.reasons()['alternate location'] == 1


def test_models(read):
    rows = [*ROWS]
    for row in ROWS[:7]:
        other = list(row)
        other[TAGS.index('pdbx_PDB_model_num')] = '4'
        rows.append(other)
    receptor = read(cif(rows))
    assert receptor.num_nodes == 19
    assert receptor.report.reasons()['another model'] == 7
    assert ids(read(cif(rows), model=4)) == ['VAL H/52']


def test_free_amino_acid(read):
    rows = [*ROWS]
    for row in ROWS[13:18]:
        other = list(row)
        for tag, value in (
            ('group_PDB', 'HETATM'), ('label_seq_id', '.'),
            ('label_asym_id', 'E'), ('label_entity_id', '.'),
            ('auth_seq_id', '700'), ('Cartn_z', '70'),
        ):  # fmt: skip
            other[TAGS.index(tag)] = value
        rows.append(other)
    assert read(cif(rows)).report.reasons() == {
        'ligand or cofactor': 5,
        'water': 1,
    }


@pytest.mark.parametrize(
    'text, words',
    [
        ('', ['empty']),
        ('hello\n', ['no mmCIF']),
        ('data_x\n_cell.length_a 3\n', ['no atoms', "'x'"]),
        ('data_x\nloop_\n_chem_comp_atom.atom_id\nC1\nC2\n', ['no atoms']),
        (cif(name='A') + cif(name='B'), ["'A', 'B'", 'Split']),
        (TEXT[:-60], ['Wrong number of values']),
        (TEXT.encode('utf-16'), ['UTF-16']),
        (TEXT.replace('VAL', 'V\0L', 1), ['NUL']),
        (TEXT.replace('N . VAL', "N . 'VAL", 1), ['damaged']),
    ],
)
def test_damage(read, text, words):
    with pytest.raises(ValueError) as error:
        read(text)
    for word in ('r.cif', *words):
        assert word in str(error.value)


def test_one_atom(read):
    """As pairs of names and values instead of a table."""
    pairs = zip(TAGS, ROWS[18], strict=True)
    text = 'data_x\n' + ''.join(f'_atom_site.{t} {v}\n' for t, v in pairs)
    assert ids(read(text)) == ['ZN H/501']
