"""Ions by the names of force fields, and atoms that nobody knows."""

import pytest

pytest.importorskip('gemmi')

from tests.io.receptor.records import (  # noqa: E402
    atom,
    chain,
    flagged,
    ids,
    left_out,
)

#: Residue, atom, atomic number.
METALS = [
    # CHARMM
    ('LIT', 'LIT', 3), ('SOD', 'SOD', 11), ('MG', 'MG', 12),
    ('POT', 'POT', 19), ('CAL', 'CAL', 20), ('RUB', 'RUB', 37),
    ('CES', 'CES', 55), ('BAR', 'BAR', 56), ('ZN2', 'ZN', 30),
    ('CAD', 'CAD', 48), ('CD2', 'CD', 48), ('MAG', 'MAG', 12),
    ('SOD', 'NA', 11), ('POT', 'K', 19), ('CAL', 'CA', 20),
    # Amber
    ('Na+', 'Na+', 11), ('K+', 'K+', 19), ('Li+', 'Li+', 3),
    ('Rb+', 'Rb+', 37), ('Cs+', 'Cs+', 55), ('CIO', 'Na+', 11),
    ('CIO', 'CIO', 11), ('IB', 'IB', 11), ('MG2', 'MG', 12),
    # GROMACS and others
    ('NA', 'NA', 11), ('K', 'K', 19), ('ION', 'SOD', 11), ('ION', 'CA', 20),
    ('ION', 'K', 19), ('CA2', 'CA', 20), ('FE3', 'FE', 26), ('3CO', 'CO', 27),
    ('4MO', 'MO', 42), ('MO3', 'MG', 12), ('YB2', 'YB', 70), ('CU1', 'CU', 29),
]  # fmt: skip
HALIDES = [
    ('CLA', 'CLA', 17), ('Cl-', 'Cl-', 17), ('CL', 'CL', 17), ('IM', 'IM', 17),
    ('ION', 'CLA', 17), ('ION', 'CL', 17), ('BR', 'BR', 35), ('BRO', 'BR', 35),
    ('IOD', 'I', 53), ('F', 'F', 9), ('IDO', 'I', 53), ('CLO', 'CL', 17),
]  # fmt: skip


def ion_line(residue, name, element, columns, number=9):
    """In the columns of a name of one letter, or of two."""
    field = f'{name:<4}' if columns == 2 else f' {name:<3}'
    return atom(
        field[:4], residue, number, 50, chain='B', element=element, het=True
    )


def z_of_ion(receptor):
    (z,) = receptor.z[receptor.pos[:, 0] == 50].tolist()
    return z


@pytest.mark.parametrize('columns', [1, 2])
@pytest.mark.parametrize('residue, name, z', METALS)
def test_metals_without_elements(read, residue, name, z, columns):
    """Kept, as what they are."""
    receptor = read(chain('ALA') + ion_line(residue, name, '', columns))
    assert z_of_ion(receptor) == z
    assert not receptor.report.dropped
    assert flagged(receptor) == ['elements from names']


@pytest.mark.parametrize('columns', [1, 2])
@pytest.mark.parametrize('residue, name, z', HALIDES)
def test_halides_without_elements(read, residue, name, z, columns):
    """Left out with a row, and read right if asked for."""
    text = chain('ALA') + ion_line(residue, name, '', columns)
    assert left_out(read(text)) == [(residue, 'buffer or cryoprotectant', 1)]
    assert z_of_ion(read(text, buffers=True)) == z
    assert z_of_ion(read(text, keep=residue)) == z


@pytest.mark.parametrize(
    'residue, column, z',
    [
        ('POT', ' P', 19), ('SOD', ' S', 11), ('CAL', ' C', 20),
        ('CES', 'CE', 55), ('RUB', 'RU', 37), ('POT', 'PO', 19),
        ('CAD', 'CA', 48), ('BAR', ' B', 56), ('LIT', 'LI', 3),
        ('CIO', ' C', 11), ('IB', ' I', 11),
    ],
)  # fmt: skip
def test_columns_that_a_program_made_of_the_name(read, residue, column, z):
    """The first letters of a name are no element of these."""
    receptor = read(chain('ALA') + ion_line(residue, residue, column, 1))
    assert z_of_ion(receptor) == z
    assert flagged(receptor) == ['elements from names'] * (
        column.strip() != 'LI'
    )
    line = ion_line('CLA', 'CLA', ' C', 1)
    assert left_out(read(chain('ALA') + line))[0][0] == 'CLA'


def test_ions_with_one_number(read):
    """Of a box of water, where numbers begin again."""
    text = chain('ALA') + ''.join(
        atom('SOD', 'SOD', 9, x, chain=' ', element='', het=True)
        for x in (20, 30, 40)
    )
    receptor = read(text)
    assert receptor.z.tolist()[4:] == [11] * 3
    text = text.replace('SOD', 'CLA')
    assert left_out(read(text)) == [('CLA', 'buffer or cryoprotectant', 3)]


def test_names_with_four_letters(read):
    line = atom('MG  ', 'MG2', 9, 50, element='', het=True)
    receptor = read(chain('ALA') + line.replace(' MG2 A', ' MG2+A'))
    assert receptor.z[-1] == 12 and ids(receptor)[1] == 'MG A/9'


def test_chlorophyll_is_no_chloride(read):
    text = chain('ALA') + ''.join(
        atom(name, 'CLA', 9, x, element=element, het=True)
        for name, x, element in (('MG  ', 50, 'MG'), ('C1', 52, 'C'))
    )
    assert ids(read(text)) == ['ALA A/1', 'CLA A/9']
    lone = chain('ALA') + atom('MG  ', 'CLA', 9, 50, element='', het=True)
    assert z_of_ion(read(lone)) == 12


@pytest.mark.parametrize('name', ['MSE', 'SEP', 'UNK', 'ALA'])
def test_trace_of_a_chain(read, name):
    """A residue of which the C-alpha alone is there is no calcium."""
    for field in (' CA ', 'CA  '):
        for element in ('', 'CA'):
            if element and name in ('MSE', 'SEP'):
                continue  # a column is believed
            text = ''.join(
                atom(field, name, n, 3.8 * n, element=element)
                for n in range(1, 5)
            )
            receptor = read(text)
            assert receptor.z.tolist() == [6] * 4


# PDBQT #######################################################################


@pytest.mark.parametrize(
    'residue, name, kind, z',
    [
        ('NA', 'NA', 'NA', 11), ('NA', 'NA', 'Na', 11),
        ('SOD', 'SOD', 'S', 11),
        ('POT', 'POT', 'P', 19), ('K', 'K', 'K', 19), ('CAL', 'CAL', 'C', 20),
        ('LIT', 'LIT', 'Li', 3), ('RUB', 'RUB', 'Rb', 37),
        ('ZN', 'ZN', 'Zn', 30), ('CIO', 'Na+', 'NA', 11),
        ('LIG', 'CA', 'C', 6), ('CO', 'C', 'C', 6), ('LIG', 'NA', 'NA', 7),
    ],
)  # fmt: skip
def test_autodock_types(read, residue, name, kind, z):
    """Sodium has the type of a nitrogen, if it has any."""

    def typed(line, kind):
        return f'{line[:70].rstrip():70}+0.000 {kind}\n'

    text = ''.join(
        typed(line, line[77]) for line in chain('ALA').splitlines()
    ) + typed(ion_line(residue, name, '', 1), kind)
    receptor = read(text, 'r.pdbqt', keep=residue)
    assert z_of_ion(receptor) == z
    is_wrong = z not in (6, 7, 30) and residue != 'K'
    assert flagged(receptor) == ['elements from names'] * is_wrong


# What nobody knows ###########################################################


@pytest.mark.parametrize('element', ['', 'X', 'U'])
@pytest.mark.parametrize(
    'residue, name',
    [
        ('UNX', 'UNK'), ('UNX', 'X'), ('UNX', 'U1'), ('UNX', 'C1'),
        ('UNK', 'UNK'), ('UNL', 'UNK'), ('UNL', 'UNX'), ('DUM', 'DUM'),
        ('LIG', 'UNK'), ('LIG', 'X1'), ('LIG', 'DU'), ('ION', 'UNX'),
    ],
)  # fmt: skip
def test_unknown_atoms(read, residue, name, element):
    """Left out and named; neither uranium nor deuterium."""
    line = atom(name, residue, 9, 50, element=element, het=True)
    receptor = read(chain('ALA') + line, hydrogens=True)
    assert receptor.z.tolist() == [7, 6, 6, 8]
    ((title, reason, count),) = left_out(receptor)
    assert (title, reason, count) == (f'{residue} A/9', 'no element', 1)
    assert repr(name) in receptor.report.dropped[0].detail
    kept = read(chain('ALA') + line, keep=residue)
    assert kept.num_nodes == 4 and kept.report.num_dropped == 1


def test_uranium(read):
    """Where a file has some."""
    for residue, name, element in (
        ('IUM', 'U', 'U'), ('U1', 'U', 'U'), ('U1', 'U', ''), ('UNX', 'O', 'O')
    ):  # fmt: skip
        line = atom(name, residue, 9, 50, element=element, het=True)
        kept = read(chain('ALA') + line, keep=residue)
        assert z_of_ion(kept) == {'U': 92, 'O': 8}[name]


def test_unknown_ligand(read):
    """UNL and UNK are names of ligands, too."""
    for name in ('UNL', 'UNK', 'UNX'):
        text = chain('ALA', 'GLY') + ''.join(
            atom(field, name, 9, 50 + x, chain='B', element=element)
            for field, x, element in (
                (' C1 ', 0, 'C'), ('CL1 ', 2, 'CL'), (' N1 ', 4, 'N')
            )
        )  # fmt: skip
        receptor = read(text)
        assert left_out(receptor) == [(f'{name} B/9', 'ligand or cofactor', 3)]
        assert read(text, keep=name).z.tolist()[8:] == [6, 17, 7]


def test_chain_of_unknown_residues(read):
    """UNK with a backbone, or with the C-alpha alone, is a chain."""
    text = chain('ALA', 'GLY') + chain('UNK', 'UNK', chain='B').replace(
        '  4.', ' 94.'
    )
    assert len(read(text).residues) == 4
    text = chain('ALA', 'GLY') + ''.join(
        atom('CA', 'UNK', n, 50 + 3.8 * n, chain='B') for n in range(1, 4)
    )
    assert len(read(text).residues) == 5
