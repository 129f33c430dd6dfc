"""What is no alternate location: caps, ions, hydrogens of one name."""

import pytest

pytest.importorskip('gemmi')

from tests.io.receptor.records import (  # noqa: E402
    atom,
    backbone,
    chain,
    flagged,
    ids,
    left_out,
)
from tests.io.receptor.test_bonds import cif  # noqa: E402

#: The atoms of caps, by how far from the end that they close.
CAPS = {
    'ACE': (('CH3', 2.4), ('C', 1.3), ('O', 2.2)),
    'FOR': (('C', 1.3), ('O', 2.2)),
    'NME': (('N', 1.3), ('C', 2.5)),
    'NMA': (('N', 1.3), ('CA', 2.5)),
    'NH2': (('N', 1.3),),
}


def cap(name, number, het=False, hydrogens=()):
    """At an end of a chain of two residues, which are alanine and glycine."""
    first = name in ('ACE', 'FOR')
    x, sign = (3.8, -1) if first else (2 * 3.8 + 2.5, 1)
    text = ''.join(
        atom(field, name, number, x + sign * dx, 0.5 * n, het=het)
        for n, (field, dx) in enumerate(CAPS[name])
    )
    far = x + sign * (CAPS[name][-1][1] + 0.9)
    return text + ''.join(
        atom(field, name, number, far, 1.8 * n, het=het)
        for n, field in enumerate(hydrogens)
    )


def capped(name, number, **kwargs):
    parts = [chain('ALA', 'GLY'), cap(name, number, **kwargs)]
    return ''.join(parts[:: -1 if name in ('ACE', 'FOR') else 1])


def as_pdbqt(text):
    """With types that are the elements, or the first letter of a name."""
    lines = []
    for line in text.splitlines():
        kind = line[76:78].strip() or line[12:16].strip()[0]
        kind = {'H': 'HD'}.get(kind, kind)
        lines.append(f'{line[:66]}    +0.000 {kind}\n')
    return ''.join(lines)


def in_every_format(read, text, **kwargs):
    return [
        read(text, **kwargs),
        read(as_pdbqt(text), 'r.pdbqt', **kwargs),
        read(cif(text, {}), 'r.cif', **kwargs),
    ]


# Blocks ######################################################################


@pytest.mark.parametrize('between', ['', 'TER\n', 'chain', 'ligand', 'both'])
def test_residue_in_two_blocks(read, between):
    """Atoms that were added later stand at the end, whatever is between."""
    between = {
        'chain': chain('VAL', chain='B').replace('  0.000   ', ' 30.000   '),
        'ligand': atom('C1', 'LIG', 7, 90, chain='B', het=True),
        'both': 'TER\n' + atom('C1', 'LIG', 7, 90, het=True),
    }.get(between, between)
    late = (
        atom('CB', 'SER', 2, 9, 1.5)
        + atom('OG', 'SER', 2, 9, 2.9)
        + atom('HG', 'SER', 2, 9, 3.8)
    )
    text = chain('ALA', 'SER', 'GLY') + between + late
    for receptor in (read(text), read(text, hydrogens=True)):
        titles = [name for name in ids(receptor) if ' A' in name]
        assert titles == ['ALA A/1', 'SER A/2', 'GLY A/3']
        size = 6 + receptor.z.eq(1).sum()
        assert (receptor.residue == 2).sum() == size
        assert 'alternate locations' not in flagged(receptor)


# Caps ########################################################################


@pytest.mark.parametrize('het', [True, False])
@pytest.mark.parametrize('own', [True, False])
@pytest.mark.parametrize('name', CAPS)
def test_caps(read, name, own, het):
    """With a number of their own, or with that of their residue."""
    number = {True: (0, 3), False: (1, 2)}[own][name not in ('ACE', 'FOR')]
    text = capped(name, number, het=het, hydrogens=['H', 'H', 'H'])
    size = 8 + len(CAPS[name])
    for receptor in in_every_format(read, text):
        assert receptor.num_nodes == size
        assert f'{name} A/{number}' in ids(receptor)
        assert len(receptor.residues) == 3
        assert not flagged(receptor)
    for receptor in in_every_format(read, text, hydrogens=True):
        assert receptor.num_nodes == size + 3
        assert not receptor.report.rows


def test_cap_beside_alternate_locations(read):
    """The letters of a side chain are none of its cap."""
    locations = ''.join(
        atom(name, 'SER', 2, 2 * 3.8 + 1.5, 3 + n + dy, alt=alt, occ=occ)
        for n, name in enumerate(('CB', 'OG'))
        for alt, occ, dy in (('A', 0.6, 0), ('B', 0.4, 0.5))
    )
    for letters in ('', 'A'):
        first = chain('ALA') + backbone('SER', 2, 7.6, alt=letters or ' ')
        receptor = read(first + locations + cap('NME', 2))
        assert ids(receptor) == ['ALA A/1', 'SER A/2', 'NME A/2']
        assert receptor.num_nodes == 12
        assert left_out(receptor) == [('SER A/2', 'alternate location', 2)]


def test_two_residues_beside_a_cap(read):
    """ACE has the number of a place where ASP or VAL is."""
    for order in (1, -1):
        parts = [
            cap('ACE', 1),
            backbone('ASP', 1, 3.8, alt='A', occ=0.4)
            + backbone('VAL', 1, 3.8, alt='B', occ=0.6),
        ]
        receptor = read(''.join(parts[::order]) + backbone('GLY', 2, 7.6))
        assert sorted(ids(receptor)) == ['ACE A/1', 'GLY A/2', 'VAL A/1']


def test_residues_that_lost_their_insertion_codes(read):
    """Neighbors of one number are no alternatives; the same place is."""
    text = backbone('LYS', 52, 0) + backbone('GLY', 52, 3.8)
    receptor = read(text)
    assert ids(receptor) == ['LYS A/52', 'GLY A/52']
    assert not receptor.report.rows
    receptor = read(backbone('ASP', 4, occ=0.4) + backbone('VAL', 4, occ=0.6))
    assert ids(receptor) == ['VAL A/4']


@pytest.mark.parametrize('alt', [' ', 'A'])
def test_ion_with_the_number_of_a_residue(read, alt):
    zinc = atom('ZN  ', 'ZN', 1, 50, element='ZN', het=True)
    other = backbone('ALA', 1, 3.8, alt=alt)
    for text in (other + zinc, zinc + other):
        assert sorted(ids(read(text))) == ['ALA A/1', 'ZN A/1']


# Hydrogens ###################################################################


@pytest.mark.parametrize('name', ['HZ', 'H'])
def test_hydrogens_of_one_name(read, name):
    """Wherever they are in the residue."""
    places = [(3.8, 0.9, 'N'), (5.3, 1.0, 'CA'), (12, 5.9, 'NZ'),
              (12, 7.6, 'NZ'), (13, 6.8, 'NZ')]  # fmt: skip
    text = (
        backbone('LYS', 1, 3.8)
        + atom('CE', 'LYS', 1, 10.6, 6.5)
        + atom('NZ', 'LYS', 1, 12, 6.8)
        + ''.join(atom(name, 'LYS', 1, x, y) for x, y, _ in places)
        + backbone('GLY', 2, 7.6)
    )
    for receptor in in_every_format(read, text):
        assert receptor.num_nodes == 10 and not flagged(receptor)
        assert receptor.report.reasons() == {'hydrogen': 5}
    for receptor in in_every_format(read, text, hydrogens=True):
        assert receptor.num_nodes == 15 and not receptor.report.rows
        assert len(receptor.residues) == 2
        assert receptor.residue.tolist() == [1] * 11 + [2] * 4


@pytest.mark.parametrize('residue', ['NAG', 'LIG', 'HOH', 'NH2', 'MSE'])
def test_hydrogens_of_other_residues(read, residue):
    text = chain('ALA') + atom('N', residue, 9, 50, het=True) + ''.join(
        atom('H', residue, 9, 50 + dx, dy, het=True)
        for dx, dy in ((0.9, 0), (-0.9, 0), (0, 0.9))
    )  # fmt: skip
    for receptor in in_every_format(read, text, hydrogens=True, keep=residue):
        assert receptor.num_nodes == 8 and not receptor.report.rows


def test_hydrogens_of_locations(read):
    """Those of the location that is taken, however many have one name."""
    text = chain('LYS') + ''.join(
        atom(name, 'LYS', 1, 9 + dx, y, alt=alt, occ=occ)
        for alt, occ, y in (('A', 0.3, 2), ('B', 0.7, 4))
        for name, dx in (('NZ', 0), ('HZ', 0.9), ('HZ', -0.9))
    )
    receptor = read(text, hydrogens=True)
    assert receptor.atom_names[4:] == ['NZ', 'HZ', 'HZ']
    assert receptor.pos[4:, 1].tolist() == [4, 4, 4]
    assert left_out(receptor) == [('LYS A/1', 'alternate location', 3)]


def test_hydrogens_of_locations_without_letters(read):
    """They go with their heavy atom; two in one place are one."""
    text = chain('SER') + ''.join(
        atom(name, 'SER', 1, x, y, occ=occ)
        for name, x, y, occ in (
            ('OG', 9, 2, 0.4), ('OG', 9, 4, 0.6), ('HG', 9.9, 2, 0.4),
            ('HG', 9.9, 4, 0.6),
        )
    )  # fmt: skip
    receptor = read(text, hydrogens=True)
    assert receptor.atom_names[4:] == ['OG', 'HG']
    assert receptor.pos[4:, 1].tolist() == [4, 4]
    text = chain('SER') + ''.join(
        atom('HA', 'SER', 1, 5.3, 1 + dy, occ=occ)
        for dy, occ in ((0, 0.4), (0.1, 0.6))
    )
    receptor = read(text, hydrogens=True)
    assert receptor.pos[4:, 1].tolist() == pytest.approx([1.1])


def test_one_atom_twice(read):
    text = chain('LYS') + 2 * atom('HZ', 'LYS', 1, 9) + 2 * atom('CB', 'LYS')
    receptor = read(text, hydrogens=True)
    assert receptor.atom_names[4:] == ['HZ', 'CB']
    assert left_out(receptor) == [('LYS A/1', 'alternate location', 2)]


@pytest.mark.parametrize('shares, kept', [((1, 1), 2), ((0.4, 0.6), 1)])
def test_atoms_of_one_name_in_a_modified_residue(read, shares, kept):
    """Names that no table has need not differ; shares of one place do."""
    text = chain('ALA') + backbone('XYZ', 2, 7.6) + ''.join(
        atom('CX', 'XYZ', 2, 8 + 1.5 * n, 3, occ=occ)
        for n, occ in enumerate(shares)
    ) + backbone('GLY', 3, 11.4)  # fmt: skip
    assert read(text).num_nodes == 12 + kept
