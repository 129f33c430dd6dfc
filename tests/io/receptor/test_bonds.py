"""Ligands that touch a chain: a bond, or a clash."""

import pytest

pytest.importorskip('gemmi')

from tests.io.receptor.records import (  # noqa: E402
    atom,
    chain,
    flagged,
    ids,
    left_out,
)

FIRST, LAST = 3.8, 3 * 3.8
#: Of the chain of three residues: N of the first, C of the last, and others.
ENDS = {'N': (FIRST, 0.0), 'C': (LAST + 2.5, 0.0)}
INSIDE = {'N': (2 * 3.8, 0.0), 'C': (2 * 3.8 + 2.5, 0.0)}


def ligand(x, y, first='C1', chain='A', number=4, name='LIG', het=True):
    """Six atoms in a row, the first of them at a place."""
    names = [first, 'C2', 'C3', 'O1', 'C4', 'C5']
    return ''.join(
        atom(one, name, number, x, y + 1.5 * n, chain=chain, het=het)
        for n, one in enumerate(names)
    )


def link(one, other):
    """A record of a bond between two atoms: (name, residue, chain, number)."""
    fields = [
        f' {name:<3} {residue:>3} {chain}{number:>4} '
        for name, residue, chain, number in (one, other)
    ]
    ops = '  1555   1555  1.45'
    return f'LINK        {fields[0]}{"":15}{fields[1]}{ops}\n'


PROTEIN = chain('ALA', 'GLY', 'SER')


@pytest.mark.parametrize('het', [True, False])
@pytest.mark.parametrize('ter', ['', 'TER\n'])
@pytest.mark.parametrize('gap', [1.3, 1.5, 1.7])
@pytest.mark.parametrize('end', ['N', 'C'])
@pytest.mark.parametrize(
    'where, number, name',
    [
        (ENDS, 4, 'B'), (ENDS, 301, 'A'), (INSIDE, 4, 'A'), (INSIDE, 4, 'B'),
        (INSIDE, 301, 'A'), (INSIDE, 0, 'A'),
    ],
)  # fmt: skip
def test_clash(read, where, number, name, end, gap, ter, het):
    """Another chain, a number far away, an end that is bound already."""
    x, y = where[end]
    first = {'N': 'C1', 'C': 'N1'}[end]
    text = ligand(x, y + gap, first, name, number, het=het)
    receptor = read(PROTEIN + ter + text)
    assert len(receptor.residues) == 3
    title = f'LIG {name}/{number}'
    assert left_out(receptor) == [(title, 'ligand or cofactor', 6)]
    assert [str(one.id) for one in receptor.left_out] == [title]


@pytest.mark.parametrize('end, first', [('N', 'N1'), ('N', 'O9'), ('C', 'C1')])
def test_elements_that_are_not_bound(read, end, first):
    """A peptide bond is one of C and N."""
    x, y = ENDS[end]
    number = {'N': 0, 'C': 4}[end]
    text = PROTEIN + ligand(x, y + 1.4, first, number=number)
    assert len(read(text).residues) == 3


@pytest.mark.parametrize('end, number', [('N', 2), ('C', 2)])
def test_on_the_wrong_side(read, end, number):
    """Before an N, and after a C."""
    x, y = ENDS[end]
    first = {'N': 'C1', 'C': 'N1'}[end]
    text = PROTEIN + ligand(x, y + 1.4, first, number=number, name='LG2')
    assert left_out(read(text))[0][0] == 'LG2 A/2'


def test_end_that_is_closed(read):
    """By OXT: the acid of a chain is bound to nothing."""
    x, y = ENDS['C']
    oxt = atom('OXT', 'SER', 3, x + 0.1, y - 1.2)
    text = ligand(x, y + 1.4, 'N1')
    assert len(read(PROTEIN + text).residues) == 4
    assert len(read(PROTEIN + oxt + text).residues) == 3


def test_touching_another_residue(read):
    """What is bound to its neighbor touches no other."""
    x, y = ENDS['C']
    text = PROTEIN + ligand(x, y + 1.4, 'N1')
    other = atom('CB', 'SER', 9, x + 1, y + 4.4)
    receptor = read(text + other)
    assert left_out(receptor)[0][0] == 'LIG A/4'


@pytest.mark.parametrize('end, number', [('N', 0), ('C', 4)])
def test_caps_of_unknown_names(read, end, number):
    """At a free end of its chain, and said so."""
    x, y = ENDS[end]
    first = {'N': 'C1', 'C': 'N1'}[end]
    receptor = read(PROTEIN + ligand(x, y + 1.4, first, number=number))
    assert len(receptor.residues) == 4
    (row,) = receptor.report.flagged
    title = f'LIG A/{number}'
    assert (row.title, row.reason) == (title, 'an unknown residue is kept')
    assert 'by its position' in row.detail
    dropped = read(
        PROTEIN + ligand(x, y + 1.4, first, number=number), drop=title
    )
    assert left_out(dropped) == [(title, 'left out as asked', 6)]


@pytest.mark.parametrize('where', [ENDS, INSIDE])
@pytest.mark.parametrize('name, number', [('A', 301), ('B', 1)])
def test_record_of_a_bond(read, where, name, number):
    """LINK is a bond, wherever the ligand stands, and said so."""
    x, y = where['N']
    residue = ('ALA', 1) if where is ENDS else ('GLY', 2)
    bond = link(
        ('N', residue[0], 'A', residue[1]), ('C1', 'LIG', name, number)
    )
    text = ligand(x, y + 1.45, 'C1', name, number)
    assert len(read(PROTEIN + text).residues) == 3
    receptor = read(bond + PROTEIN + text)
    assert f'LIG {name}/{number}' in ids(receptor)
    assert 'an unknown residue is kept' in flagged(receptor)
    assert 'by a record of the file' in str(receptor.report)
    # One of a symmetric copy is none of these atoms.
    far = ligand(x, y + 9, 'C1', name, number)
    assert len(read(bond + PROTEIN + far).residues) == 3


def test_record_of_a_bond_to_a_side_chain(read):
    """A covalent inhibitor stays a ligand."""
    text = PROTEIN + atom('OG', 'SER', 3, 12, 3) + ligand(12, 4.4, 'C1')
    bond = link(('OG', 'SER', 'A', 3), ('C1', 'LIG', 'A', 4))
    for lines in (text, bond + text):
        assert left_out(read(lines))[0][0] == 'LIG A/4'


@pytest.mark.parametrize(
    'line', ['LINK\n', 'LINK  \xff\n', 'LINK' + ' x' * 40 + '\n', 'LINKR' * 20]
)
def test_damaged_records(read, line):
    """They tell nothing."""
    assert len(read((line + '\n' + PROTEIN).encode('latin-1')).residues) == 3


def test_ligand_with_the_names_of_a_backbone(read):
    """N, CA and C alone make no residue of a chain."""
    text = ''.join(
        atom(name, 'LIG', 1, 60 + 1.5 * n, chain='B')
        for n, name in enumerate(('N', 'CA', 'C', 'O', 'C1'))
    )
    for lines in (text, text.replace('ATOM  ', 'HETATM')):
        assert left_out(read(PROTEIN + lines))[0][0] == 'LIG B/1'
    # In the chain, it may be a residue that no table has: kept, and said so.
    receptor = read(PROTEIN + text.replace(' B   1', ' A   9'))
    assert flagged(receptor) == ['an unknown residue is kept']
    assert 'it has a backbone' in str(receptor.report)


# mmCIF #######################################################################

TAGS = (
    'group_PDB id type_symbol label_atom_id label_alt_id label_comp_id '
    'label_asym_id label_entity_id label_seq_id Cartn_x Cartn_y Cartn_z '
    'occupancy auth_asym_id auth_seq_id'
).split()


def cif(text, labels, bonds=()):
    """The records of a PDB file; the label chain of each residue's name."""
    rows = []
    for n, line in enumerate(text.splitlines()):
        residue, number = line[17:20].strip(), line[22:26].strip()
        label = labels.get(residue, 'A')
        seq = number if label == 'A' else '.'
        rows.append(
            f'{line[:6].strip()} {n} {line[76:78].strip() or "X"} '
            f'{line[12:16].strip()} . {residue} {label} 1 {seq} '
            f'{line[30:54]} {line[54:60]} {line[21]} {number}'
        )
    head = ''.join(f'_atom_site.{tag}\n' for tag in TAGS)
    out = 'data_x\nloop_\n' + head + '\n'.join(rows) + '\n#\n'
    if bonds:
        keys = (
            'label_asym_id', 'label_comp_id', 'label_seq_id', 'label_atom_id',
            'auth_asym_id', 'auth_seq_id',
        )  # fmt: skip
        out += 'loop_\n_struct_conn.id\n_struct_conn.conn_type_id\n'
        for partner in (1, 2):
            for key in keys:
                out += f'_struct_conn.ptnr{partner}_{key}\n'
        for n, bond in enumerate(bonds):
            cells = []
            for name, residue, chain_name, number in bond:
                label = labels.get(residue, 'A')
                seq = number if label == 'A' else '.'
                cells += [label, residue, seq, name, chain_name, number]
            out += f'c{n} covale ' + ' '.join(map(str, cells)) + '\n'
        out += '#\n'
    return out


@pytest.mark.parametrize('het', [True, False])
@pytest.mark.parametrize('label', ['A', 'C'])
def test_entities(read, label, het):
    """In one chain by the authors' names, but another molecule."""
    x, y = ENDS['C']
    text = PROTEIN + ligand(x, y + 1.4, 'N1', het=het)
    receptor = read(cif(text, {'LIG': label}), 'r.cif')
    assert len(receptor.residues) == {'A': 4, 'C': 3}[label]
    if label == 'C':
        assert left_out(receptor)[0][0] == 'LIG A/4'


def test_struct_conn(read):
    x, y = ENDS['C']
    text = PROTEIN + ligand(x, y + 1.4, 'N1', number=301)
    bond = (('C', 'SER', 'A', 3), ('N1', 'LIG', 'A', 301))
    assert len(read(cif(text, {'LIG': 'C'}), 'r.cif').residues) == 3
    receptor = read(cif(text, {'LIG': 'C'}, [bond]), 'r.cif')
    assert ids(receptor)[3] == 'LIG A/301'
    assert 'by a record of the file' in str(receptor.report)


def test_unknown_atoms_in_cif(read):
    for element in ('X', '', 'U'):
        line = atom('UNK', 'UNX', 9, 50, element=element, het=True)
        receptor = read(cif(PROTEIN + line, {'UNX': 'C'}), 'r.cif')
        assert left_out(receptor) == [('UNX A/9', 'no element', 1)]


def test_ions_in_cif(read):
    for name, z in (('POT', 19), ('SOD', 11), ('CAL', 20)):
        for element in ('', name[0]):
            line = atom(name, name, 9, 50, element=element, het=True)
            receptor = read(cif(PROTEIN + line, {name: 'C'}), 'r.cif')
            assert receptor.z[-1] == z
            assert 'elements from names' in flagged(receptor)
