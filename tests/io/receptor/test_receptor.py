import copy
import gzip
import json
import pickle

import pytest
import torch
from torch_geometric.data import Data

pytest.importorskip('gemmi')

from pyg_multipose.data import PoseSet  # noqa: E402
from pyg_multipose.io.receptor.read_receptor import Receptor, read_receptor  # noqa: E402
from tests.io.receptor.records import (  # noqa: E402
    atom,
    backbone,
    chain,
    flagged,
    ids,
    left_out,
)
from tests.without import without  # noqa: E402

# What it gives ###############################################################


def test_is_data(read):
    receptor = read(chain('ALA', 'GLY'))
    assert isinstance(receptor, Receptor) and isinstance(receptor, Data)
    assert sorted(receptor.keys()) == ['pos', 'residue', 'z']
    assert receptor.z.tolist() == [7, 6, 6, 8] * 2
    assert receptor.z.dtype == receptor.residue.dtype == torch.long
    assert receptor.pos.dtype == torch.float32
    assert receptor.residue.tolist() == [1] * 4 + [2] * 4
    assert receptor.atom_names == ['N', 'CA', 'C', 'O'] * 2
    assert ids(receptor) == ['ALA A/1', 'GLY A/2']
    assert receptor.residues[1].label == '2'


def test_in_pose_sets(read):
    receptor = read(chain('ALA', 'GLY'))
    z = torch.tensor([6, 8])
    ligands = [
        Data(z=z, pos=torch.rand(2, 3), residue=torch.zeros_like(z))
        for _ in range(3)
    ]
    pose_set = PoseSet.from_complex(receptor, ligands)
    assert pose_set.num_poses == 3
    assert pose_set.receptor.pos.equal(receptor.pos)


def test_copies_have_names(read):
    receptor = read(chain('ALA', 'GLY'))
    for other in (
        copy.copy(receptor),
        copy.deepcopy(receptor),
        receptor.clone(),
        pickle.loads(pickle.dumps(receptor)),
    ):
        assert other.residues == receptor.residues
        assert other.atom_names == receptor.atom_names


def test_subgraph(read):
    receptor = read(chain('ALA', 'GLY'))
    for subset in (receptor.residue == 2, torch.tensor([4, 5, 6, 7])):
        part = receptor.subgraph(subset)
        assert part.atom_names == ['N', 'CA', 'C', 'O']
        numbers = part.residue.unique().tolist()
        assert [str(receptor.residues[n - 1]) for n in numbers] == ['GLY A/2']
    receptor.pos = receptor.pos[:3]
    receptor.z = receptor.z[:3]
    with pytest.raises(ValueError, match='8.*subgraph'):
        receptor.atom_names  # noqa: B018


def test_made_by_hand():
    with pytest.raises(ValueError, match='read_receptor'):
        Receptor(z=torch.tensor([6])).report  # noqa: B018


@pytest.mark.parametrize('name', ['r.ent', 'r.pdb.gz', 'R.PDB', 'r.ent.GZ'])
def test_names_of_files(read, name):
    text = chain('ALA').encode()
    if name.lower().endswith('.gz'):
        # All members are read.
        text = gzip.compress(text) + gzip.compress(atom('CB').encode())
        assert read(text, name).num_nodes == 5
    else:
        assert read(text, name).num_nodes == 4


def test_report(read):
    receptor = read(
        chain('ALA') + atom('O', 'HOH', 9, het=True) + atom('H', 'ALA', 1)
    )
    report = receptor.report
    assert (report.num_seen, report.num_kept, report.num_dropped) == (6, 4, 2)
    assert report.reasons() == {'water': 1, 'hydrogen': 1}
    out = json.loads(report.to_json())
    assert out['seen'] == 6 and out['dropped'] == 2
    assert [row['atoms'] for row in out['rows']] == [1, 1]
    assert '6 atoms in 1 files: 4 kept, 2 dropped' in str(report)
    report.kept.clear()
    with pytest.raises(RuntimeError, match='fault'):
        report.check()


# Which residues ##############################################################


def test_waters_and_buffers(read):
    text = (
        chain('ALA')
        + ''.join(
            atom('O', name, 10 + n, het=True)
            for n, name in enumerate(('HOH', 'WAT', 'DOD', 'TIP', 'SOL'))
        )
        + atom('OH2', 'TIP3', 20).replace(' TIP3 ', ' TIP3')
        + atom('S', 'SO4', 30, het=True)
        + atom('C1', 'PEG', 31, het=True)
        + atom('CL  ', 'CL', 32, het=True, element='CL')
        + atom('NA  ', 'NA', 33, het=True, element='NA')
    )
    receptor = read(text)
    assert ids(receptor) == ['ALA A/1', 'NA A/33']
    assert sum(n for _, why, n in left_out(receptor) if why == 'water') == 6
    assert len(receptor.left_out) == 3
    with_water = read(text, waters=True)
    assert len(with_water.residues) == 8
    assert 'HOH A/20' in ids(with_water)
    assert ids(read(text, buffers=True))[1:4] == [
        'SO4 A/30', 'PEG A/31', 'CL A/32'
    ]  # fmt: skip


def test_keep_and_drop(read):
    text = (
        chain('ALA')
        + atom('O', 'HOH', 401, het=True)
        + atom('O', 'HOH', 402, x=9, het=True)
        + atom('C1', 'NAP', 403, x=19, het=True)
        + atom('MG  ', 'MG', 404, x=29, element='MG', het=True)
    )
    kept = read(text, keep=['NAP', 'HOH A/401'])
    assert ids(kept) == ['ALA A/1', 'HOH A/401', 'NAP A/403', 'MG A/404']
    kept = read(text, waters=True, drop=['HOH A/401', 'MG'])
    assert ids(kept) == ['ALA A/1', 'HOH A/402']
    assert ('MG A/404', 'left out as asked', 1) in left_out(kept)
    assert ids(read(text, keep='HOH A/401', drop='HOH'))[1] == 'HOH A/401'
    with pytest.raises(ValueError, match='NAD.*NAP'):
        read(text, keep='NAD')
    with pytest.raises(ValueError, match='in keep and in drop'):
        read(text, keep='NAP', drop='NAP')


def test_ligands_are_named(read):
    receptor = read(chain('ALA') + atom('C1', 'INH', 301, het=True))
    assert left_out(receptor) == [('INH A/301', 'ligand or cofactor', 1)]
    assert "keep=['INH']" in str(receptor.report)
    assert [str(one.id) for one in receptor.left_out] == ['INH A/301']


def test_metals_are_kept(read):
    heme = atom('FE  ', 'HEM', 300, element='FE', het=True) + atom(
        'NA', 'HEM', 300, x=2, het=True
    )
    zinc = atom('ZN  ', 'ZN', 301, x=50, element='ZN', het=True)
    receptor = read(chain('ALA') + heme + zinc)
    assert ids(receptor) == ['ALA A/1', 'HEM A/300', 'ZN A/301']
    assert receptor.z.tolist()[4:] == [26, 7, 30]


@pytest.mark.parametrize('ter', ['', 'TER\n'])
@pytest.mark.parametrize('first', [True, False])
def test_ligand_is_no_residue(read, ter, first):
    """Wherever it is in the file, and whatever marks the end of a chain."""
    ligand = ''.join(
        atom(name, 'INH', 301, 40 + 2 * n, het=True)
        for n, name in enumerate(('C1', 'N1', 'O1'))
    )
    protein = chain('ALA', 'GLY', 'SER') + ter
    text = ligand + protein if first else protein + ligand
    assert ids(read(text)) == ['ALA A/1', 'GLY A/2', 'SER A/3']
    text = text.replace('HETATM', 'ATOM  ')
    assert ids(read(text)) == ['ALA A/1', 'GLY A/2', 'SER A/3']


@pytest.mark.parametrize('at_end', [True, False])
@pytest.mark.parametrize('name', ['MSE', 'SEP', 'XYZ'])
def test_modified_residues(read, at_end, name):
    """Known by name, or by its backbone, also behind TER."""
    parts = [
        backbone('ALA', 1, 3.8),
        backbone(name, 2, 7.6, het=True),
        backbone('HIS', 3, 11.4),
    ]
    if at_end:
        parts = [parts[0], parts[2], 'TER\n', parts[1]]
    receptor = read(''.join(parts))
    assert len(receptor.residues) == 3
    assert f'{name} A/2' in ids(receptor)


def test_chromophore_and_caps(read):
    """Without a backbone's names, but bound to one."""
    text = (
        atom('CH3', 'ACE', 0, 1.2, het=True)
        + atom('C', 'ACE', 0, 2.47, het=True)
        + chain('ALA')
        + atom('N1', 'QQQ', 2, 7.63, het=True)
        + atom('C9', 'QQQ', 2, 9.0, het=True)
    )
    assert ids(read(text)) == ['ACE A/0', 'ALA A/1', 'QQQ A/2']


def test_bound_to_a_side_chain(read):
    """A covalent inhibitor, or a sugar, is no part of the chain."""
    text = (
        chain('CYS')
        + atom('SG', 'CYS', 1, 5.0, 3.0)
        + atom('C1', 'INH', 301, 5.0, 4.8, het=True)
    )
    assert ids(read(text)) == ['CYS A/1']


def test_free_amino_acid(read):
    """Glutamate in its receptor is a ligand; in a chain it is a residue."""
    protein = chain('ALA', 'GLY', 'SER')
    receptor = read(protein + backbone('GLU', 301, 60, het=True))
    assert left_out(receptor) == [('GLU A/301', 'ligand or cofactor', 4)]
    bound = protein + backbone('GLU', 4, 3.8 * 4, het=True)
    assert len(read(bound).residues) == 4
    # Where all is HETATM, that tells nothing.
    text = chain('ALA', 'GLY', het=True) + backbone('GLU', 9, 60, het=True)
    assert len(read(text).residues) == 3


@pytest.mark.parametrize(
    'name', ['HID', 'HIE', 'HIP', 'CYX', 'ASH', 'GLH', 'LYN', 'HSD', 'HSP']
)
def test_names_of_protonation_states(read, name):
    text = chain('ALA') + 'TER\n' + backbone(name, 7, 50)
    assert ids(read(text)) == ['ALA A/1', f'{name} A/7']


def test_names_with_four_letters(read):
    text = chain('ALA').replace(' ALA A', ' NALAA') + chain('GLY', chain='B')
    receptor = read(text)
    assert ids(receptor) == ['ALA A/1', 'GLY B/1']
    text = chain('HIS').replace(' HIS A', ' HISEA')
    assert ids(read(text)) == ['HIS A/1']


def test_chains(read):
    text = chain('ALA') + chain('GLY', chain='B') + chain('SER', chain='b')
    assert ids(read(text, chains='B')) == ['GLY B/1']
    assert ids(read(text, chains=['A', 'b'])) == ['ALA A/1', 'SER b/1']
    receptor = read(text, chains={'A'})
    assert ('chain B', 'another chain', 4) in left_out(receptor)
    with pytest.raises(ValueError, match=r"\['C'\].*\['A', 'B', 'b'\]"):
        read(text, chains='C')
    with pytest.raises(ValueError, match='no chain'):
        read(text, chains=[])


def test_short_chain_is_flagged(read):
    text = chain(*['ALA'] * 31) + chain('GLY', 'SER', chain='I')
    receptor = read(text)
    assert flagged(receptor) == ['a short chain is kept']
    assert 'peptide' in str(receptor.report)
    assert not flagged(read(text, chains='A'))


def test_models(read):
    text = ''.join(
        f'MODEL     {n:4}\n{chain("ALA", *["GLY"] * (n - 2))}ENDMDL\n'
        for n in (2, 5)
    )
    receptor = read(text)
    assert len(receptor.residues) == 1 and flagged(receptor) == [
        'several models'
    ]
    assert left_out(receptor) == [('model 5', 'another model', 16)]
    assert len(read(text, model=5).residues) == 4
    with pytest.raises(ValueError, match=r'no model 1.*\[2, 5\]'):
        read(text, model=1)


def test_insertion_codes(read):
    text = chain('ALA') + ''.join(
        backbone('ALA', 52, 50 + n * 9.0, code=code)
        for n, code in enumerate(' AB')
    )
    labels = [residue.label for residue in read(text).residues]
    assert labels == ['1', '52', '52A', '52B']


def test_numbers(read):
    """Negative ones, and hybrid-36 after 9999."""
    text = ''.join(
        backbone('ALA', number, 9.0 * place)
        for place, number in enumerate(('-5', '0', '9999', 'A000', 'A00B'))
    )
    numbers = [residue.number for residue in read(text).residues]
    assert numbers == [-5, 0, 9999, 10000, 10011]


def test_chains_without_names(read):
    """Numbers that begin again are other residues, not other locations."""
    one = chain('ALA', 'GLY', chain=' ')
    two = ''.join(
        backbone(name, n, 100 + 3.8 * n, chain=' ')
        for n, name in ((1, 'ALA'), (2, 'SER'))
    )
    for ter in ('TER\n', ''):
        receptor = read(one + ter + two)
        assert receptor.num_nodes == 16, ter
        assert len(receptor.residues) == 4
        assert not receptor.report.dropped


# Alternate locations #########################################################


def test_highest_occupancy(read):
    text = chain('SER') + ''.join(
        atom(name, 'SER', 1, 9 + n, alt=alt, occ=occ)
        for n, (name, alt, occ) in enumerate(
            (('CB', 'A', 0.3), ('CB', 'B', 0.7), ('OG', 'A', 0.3),
             ('OG', 'B', 0.7))
        )
    )  # fmt: skip
    receptor = read(text)
    assert receptor.pos[:, 0].tolist()[4:] == [10, 12]
    row = receptor.report.dropped[0]
    assert row.atoms == 2 and 'B (0.70) taken of B (0.70), A (0.30)' in str(
        row
    )
    assert flagged(receptor) == ['alternate locations']


def test_one_residue_has_one_letter(read):
    """Not the best of each atom, which would mix two side chains."""
    text = chain('SER') + ''.join(
        atom(name, 'SER', 1, 9 + n, alt=alt, occ=occ)
        for n, (name, alt, occ) in enumerate(
            (('CB', 'A', 0.6), ('CB', 'B', 0.4), ('OG', 'A', 0.3),
             ('OG', 'B', 0.7))
        )
    )  # fmt: skip
    assert read(text).pos[:, 0].tolist()[4:] == [10, 12]


def test_tie_takes_the_first_letter(read):
    text = chain('SER') + ''.join(
        atom('OG', 'SER', 1, x, alt=alt, occ=0.5)
        for x, alt in ((9, 'C'), (8, 'B'), (7, 'D'))
    )
    assert read(text).pos[-1, 0] == 8


def test_blank_is_a_location(read):
    """Some files name the second location only."""
    text = chain('SER') + atom('OG', 'SER', 1, 9, occ=0.6)
    other = atom('OG', 'SER', 1, 8, alt='B', occ=0.4)
    assert read(text + other).pos[-1, 0] == 9
    assert read(text.replace('0.60', '0.30') + other).pos[-1, 0] == 8


def test_locations_without_letters(read):
    """Letters were removed, but not the atoms."""
    text = chain('SER') + ''.join(
        atom('OG', 'SER', 1, x, occ=occ) for x, occ in ((9, 0.4), (8, 0.6))
    )
    receptor = read(text)
    assert receptor.num_nodes == 5 and receptor.pos[-1, 0] == 8
    assert 'several atoms of one name' in str(receptor.report)


def test_letters_without_a_choice(read):
    """An atom that one location alone has is kept."""
    text = (
        chain('LYS')
        + atom('CE', 'LYS', 1, 9, alt='A', occ=0.4)
        + atom('CE', 'LYS', 1, 8, alt='B', occ=0.6)
        + atom('NZ', 'LYS', 1, 7, alt='A', occ=0.4)
    )
    receptor = read(text)
    assert receptor.atom_names[4:] == ['CE', 'NZ']
    assert receptor.pos[4:, 0].tolist() == [8, 7]
    receptor = read(chain('SER', alt='B'))
    assert receptor.num_nodes == 4 and not receptor.report.rows


@pytest.mark.parametrize('occupancies', [(0.4, 0.6), (0.6, 0.4), (0.5, 0.5)])
@pytest.mark.parametrize('letters', ['AB', 'BA', ' B'])
def test_two_residues_in_one_place(read, occupancies, letters):
    text = ''.join(
        backbone(name, 4, alt=letter, occ=occ)
        for name, letter, occ in zip(
            ('ASP', 'VAL'), letters, occupancies, strict=True
        )
    )
    receptor = read(text)
    expected = 'VAL' if occupancies[1] > 0.5 else 'ASP'
    if occupancies[0] == 0.5 and letters == 'BA':
        expected = 'VAL'
    assert ids(receptor) == [f'{expected} A/4']
    assert receptor.num_nodes == receptor.report.num_dropped == 4


def test_one_number_for_two_molecules(read):
    """Zinc and a residue may share a number; they are no alternatives."""
    text = chain('ALA') + atom(
        'ZN  ', 'ZN', 1, 50, element='ZN', het=True
    )  # fmt: skip
    receptor = read(text)
    assert ids(receptor) == ['ALA A/1', 'ZN A/1']
    assert not receptor.report.rows


def test_locations_of_water(read):
    text = chain('ALA') + ''.join(
        atom('O', 'HOH', 9, x, alt=alt, occ=occ, het=True)
        for x, alt, occ in ((20, 'A', 0.4), (26, 'B', 0.6))
    )
    assert read(text, waters=True).pos[-1, 0] == 26


def test_atoms_of_one_name_in_a_ligand(read):
    text = chain('ALA') + ''.join(
        atom('C', 'UNL', 9, x, het=True) for x in (20, 21.5, 23, 23)
    )
    receptor = read(text, keep='UNL')
    assert receptor.pos[4:, 0].tolist() == [20, 21.5, 23]
    assert ('UNL A/9', 'alternate location', 1) in left_out(receptor)


# Elements ####################################################################


@pytest.mark.parametrize(
    'name, residue, z',
    [
        (' CA ', 'ALA', 6), ('CA  ', 'ALA', 6), ('CA  ', 'CA', 20),
        (' CA ', 'CA', 20), (' CD ', 'GLU', 6), ('CD  ', 'CD', 48),
        ('HG  ', 'SER', 1), ('HG  ', 'HG', 80), (' HG1', 'THR', 1),
        ('1HG1', 'VAL', 1), ('HG11', 'VAL', 1), (' NE2', 'HIS', 7),
        ('NE2 ', 'HIS', 7), (' OD1', 'ASP', 8), ('SE  ', 'MSE', 34),
        (' SE ', 'MSE', 34), ('SE  ', 'SEC', 34), (' SD ', 'MET', 16),
        ('ZN  ', 'ZN', 30), (' ZN ', 'ZN', 30), ('ZN  ', 'ZN2', 30),
        ('FE  ', 'FE2', 26), (' K  ', 'K', 19), ('NA  ', 'NA', 11),
        ('FE  ', 'HEM', 26), (' NA ', 'HEM', 7), ('NA  ', 'HEM', 7),
        (' P  ', 'SEP', 15), (' D  ', 'ALA', 1), (" O5'", 'DA', 8),
        ("HO5'", 'DA', 1), ('CL1 ', 'LIG', 17), (' CL1', 'LIG', 17),
        ('BR  ', 'LIG', 35), (' C1 ', 'LIG', 6), ('CU  ', 'CU1', 29),
        (' CO1', 'LIG', 6), (' I  ', 'IOD', 53), ('MG  ', 'CLA', 12),
    ],
)  # fmt: skip
def test_element_by_residue(read, name, residue, z):
    """Without the columns of the element."""
    others = ''
    if z not in (11, 12, 19, 20, 26, 29, 30, 48, 53, 80) or residue in (
        'HEM', 'CLA'
    ):  # fmt: skip
        others = atom('C9', residue, 9, 70, element='')
    text = (
        chain('ALA', chain='Z')
        + atom(name, residue, 9, 50, element='')
        + others
    )
    receptor = read(
        text, hydrogens=True, keep=residue if residue != 'ALA' else ()
    )
    (row,) = (receptor.pos[:, 0] == 50).nonzero().view(-1).tolist()
    assert receptor.z[row] == z
    assert 'elements from names' in flagged(receptor)


def test_wrong_element_of_a_standard_residue(read):
    """C-alpha as calcium: the first letters of the name in the columns."""
    text = chain('ALA').replace('           C', '          CA', 1)
    assert text != chain('ALA')
    receptor = read(text)
    assert receptor.z.tolist() == [7, 6, 6, 8]
    assert 'CA of ALA: C' in str(receptor.report)


def test_element_is_believed(read):
    text = chain('ALA') + atom('CA', 'LIG', 9, 50, element='CA', het=True)
    receptor = read(text, keep='LIG')
    assert receptor.z[-1] == 20 and not flagged(receptor)


def test_no_element(read):
    text = chain('ALA') + atom('X1', 'LIG', 9, 50, element='X', het=True)
    text += atom('C1', 'LIG', 9, 51, het=True)
    receptor = read(text, keep='LIG')
    assert receptor.num_nodes == 5
    assert ('LIG A/9', 'no element', 1) in left_out(receptor)


def test_hydrogens(read):
    text = chain('ALA') + atom('H', x=1) + atom('D', x=2, element='D')
    assert read(text).num_nodes == 4
    receptor = read(text, hydrogens=True)
    assert receptor.z.tolist() == [7, 6, 6, 8, 1, 1]


# Damage ######################################################################

GOOD = chain('ALA', 'GLY')


@pytest.mark.parametrize(
    'text, words',
    [
        ('', ['empty']),
        (' \n\n', ['empty']),
        ('hello\n', ['no atoms']),
        ('HEADER    X\nEND\n', ['no atoms']),
        ('data_x\nloop_\n', ['no atoms', '.cif']),
        (b'\x00' * 500, ['empty']),
        (bytes(range(256)), ['no atoms']),
        (b'a\0b' + bytes(range(256)), ['NUL']),
        (GOOD.replace('ALA', 'AL\0', 1), ['line 1', 'NUL']),
        (GOOD.encode('utf-16'), ['UTF-16']),
        (b'PK\x03\x04' + GOOD.encode(), ['zip']),
        (GOOD[:-40], ['line 8', 'cut off']),
        (GOOD + 'ATOM      9  CB  ALA A   1      10.000  10', ['cut off']),
        (GOOD[:45] + '\n' + GOOD, ['line 1', 'before its coordinates']),
        (GOOD.replace('   3.800', '     nan', 1), ['line 1', "x is 'nan'"]),
        (GOOD.replace('   3.800', '********', 1), ['line 1', '****']),
        (GOOD.replace('   3.800', '        ', 1), ['line 1', "x is ''"]),
        (GOOD.replace('   3.800', '   3,800', 1), ['line 1', '3,800']),
        (GOOD.replace('   3.800', '    3800', 1), ['line 1', '3800']),
        (GOOD.replace('   3.800', '       .', 1), ['line 1', "x is '.'"]),
        (GOOD.replace('   3.800', '99999.00', 1), ['line 1', 'at most']),
        (GOOD.replace('A   1 ', 'A  x1 ', 1), ['line 1', 'number of a']),
        (GOOD.replace('A   1 ', 'A     ', 1), ['line 1', 'number of a']),
        (GOOD.replace('0   0.0', '0\t  0.0', 1), ['line 1', '\\t']),
        (GOOD.replace('  1.00', '0  1.00', 1), ['line 1', 'shifted']),
        (GOOD.replace(' CA ', ' CÄ ', 1), ['line 2', 'characters']),
        ('MODEL        1\n' + GOOD + 'MODEL        2\n' + GOOD, ['ENDMDL']),
        (atom('O', 'HOH', het=True), ['nothing is left', 'water']),
    ],
)  # fmt: skip
def test_damage(read, text, words):
    with pytest.raises(ValueError) as error:
        read(text)
    assert all(word in str(error.value) for word in ('r.pdb', *words))


def test_paths(read, tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pdb'):
        read_receptor(tmp_path / 'none.pdb')
    (tmp_path / 'folder.pdb').mkdir()
    with pytest.raises(ValueError, match='folder.pdb.*not a regular file'):
        read_receptor(tmp_path / 'folder.pdb')
    with pytest.raises(ValueError, match="r.xyz.*'.pdb'"):
        read(GOOD, 'r.xyz')


def test_gzip_damage(read):
    whole = gzip.compress(GOOD.encode())
    with pytest.raises(ValueError, match='r.pdb.gz.*end before'):
        read(whole[:-20], 'r.pdb.gz')
    damaged = whole[:30] + b'\xff\xff\xff' + whole[33:]
    with pytest.raises(ValueError, match='r.pdb.gz.*damaged'):
        read(damaged, 'r.pdb.gz')
    assert 'not gzip in spite of its name' in flagged(read(GOOD, 'r.pdb.gz'))
    assert 'gzip in spite of its name' in flagged(read(whole, 'r.pdb'))


@pytest.mark.parametrize('end', ['\r\n', '\r', '\n'])
def test_line_ends(read, end):
    text = GOOD.replace('\n', end)
    assert read(text.encode()).num_nodes == 8
    mixed = GOOD.replace('\n', end, 3)
    assert read(mixed.encode()).num_nodes == 8


def test_other_lines_do_not_matter(read):
    text = (
        '\ufeffHEADER    é\nCRYST1  nonsense\nREMARK 350 x\nSEQRES junk\n'
        + GOOD
        + 'ANISOU    1  N   ALA A   1   x\nCONECT a b\nMASTER\nEND\n'
    )
    assert read(text).num_nodes == 8
    assert read(text.encode('latin-1', 'replace')).num_nodes == 8


def test_atoms_after_end(read):
    receptor = read(chain('ALA') + 'END\n' + chain('GLY', chain='B') + 'END\n')
    assert ids(receptor) == ['ALA A/1', 'GLY B/1']
    assert flagged(receptor) == ['atoms after END']


@pytest.mark.parametrize('occupancy', ['      ', '  ****', ''])
def test_no_occupancy(read, occupancy):
    text = ''.join(
        line[:54] + (occupancy + line[60:] if occupancy else '') + '\n'
        for line in GOOD.splitlines()
    )
    assert read(text).num_nodes == 8


def test_shifted_columns(read):
    """A serial of six digits moves all that follows."""
    line = atom('CB', x=1.234, y=5.678).replace('ATOM      1', 'ATOM   100000')
    with pytest.raises(ValueError, match='line 9'):
        read(GOOD + line)
    line = atom('CB', x=1.234).replace('ATOM      1', 'ATOM  100000'[:11])
    assert read(GOOD + line).num_nodes == 9


def test_nothing_random_or_printed(read, capsys):
    state = torch.get_rng_state()
    read(GOOD)
    assert torch.get_rng_state().equal(state)
    assert capsys.readouterr() == ('', '')


def test_without_libraries():
    """Labels need neither; receptors say what to install."""
    code = (
        'from pyg_multipose.io import join_labels\n'
        'try:\n'
        '    from pyg_multipose.io import read_receptor\n'
        'except ImportError as error:\n'
        '    print(error)\n'
        'import sys; sys.modules.update(absent)\n'
        'from pyg_multipose.io.receptor.read_receptor import read_receptor\n'
    )
    out = without(['rdkit', 'gemmi'], code)
    assert "pip install 'pyg_multipose[io]'" in out
    assert 'Traceback' not in out
