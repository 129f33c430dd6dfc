"""Radicals that nobody has stated on purpose, in any format."""

import re

import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.report import Rejected  # noqa: E402


def without_hydrogens_of_carbon(mol):
    """As a PDBQT has it, with the valences that Open Babel then states."""
    out = Chem.RWMol(mol)
    for atom in reversed(list(mol.GetAtoms())):
        ends = atom.GetNeighbors()
        if atom.GetSymbol() == 'H' and ends[0].GetSymbol() == 'C':
            out.RemoveAtom(atom.GetIdx())
    for atom in out.GetAtoms():
        atom.SetNoImplicit(True)
    Chem.SanitizeMol(out)
    return out.GetMol()


def radical(smiles, make):
    """With an unpaired electron on the first atom, hydrogens implicit."""
    mol = Chem.RWMol(make.embedded(smiles))
    atom = mol.GetAtomWithIdx(0)
    atom.SetNumRadicalElectrons(1)
    mol.UpdatePropertyCache()
    return mol.GetMol()


def changed(text, old, new):
    out, count = re.subn(old, new, text, count=1)
    assert count == 1
    return out


def plain(make, **kwargs):
    return make.sdf(make.embedded('CCO'), 'A', **kwargs)


#: An atom line of V2000: its charge and its valence.
LINE = r'( C   0)  0(  0  0  0)  0'

RECORDS = {
    'M  RAD, doublet': lambda make: make.sdf(radical('CCO', make), 'A'),
    'M  RAD, triplet': lambda make: changed(
        plain(make), r'M  END', 'M  RAD  1   1   3\nM  END'
    ),
    'M  RAD, singlet': lambda make: changed(
        plain(make), r'M  END', 'M  RAD  1   1   1\nM  END'
    ),
    'charge field': lambda make: changed(plain(make), LINE, r'\1  4\2  0'),
    'valence field': lambda make: changed(plain(make), LINE, r'\1  0\2  2'),
    'no valence': lambda make: changed(plain(make), LINE, r'\1  0\2 15'),
    'lost hydrogens': lambda make: make.sdf(
        without_hydrogens_of_carbon(make.embedded('CCO', hydrogens=True)), 'A'
    ),
    'V3000': lambda make: make.sdf(radical('CCO', make), 'A', forceV3000=True),
    'V3000, valence': lambda make: changed(
        plain(make, forceV3000=True), r'(1 C .*)', r'\1 VAL=2'
    ),
}  # fmt: skip


@pytest.mark.parametrize('kind', RECORDS)
def test_records_of_sdf(make, read, why, kind):
    text = RECORDS[kind](make)
    good = plain(make)
    # The other records of the file are read, with another text or the same.
    poses = read(text + good + text)
    assert why(poses) == [(n, 'open valences') for n in (1, 3)]
    assert poses.smiles == ['CCO'] and poses.num_poses.tolist() == [1]
    detail = poses.report.dropped[0].detail
    assert '(C)' in detail and 'template' in detail and 'lost' in detail
    # A template without a radical repairs it, and that is said.
    poses = read(text + good + text, template='CCO')
    assert poses.num_poses.tolist() == [3] and not poses.report.dropped
    assert poses[0].num_hydrogens.tolist() == [3, 2, 1] * 3
    noted = [record for record, reason in why(poses, 'flagged')
             if reason == 'open valences']  # fmt: skip
    assert noted == [1, 3]
    # It repairs no other molecule.
    for template in ('CCS', 'CCCO', 'C=CO', 'CC[O-]'):
        with pytest.warns(UserWarning, match='No poses'):
            poses = read(text, template=template)
        (row,) = poses.report.dropped
        assert row.reason.endswith('than its template'), template


def test_a_radical_that_has_all_its_hydrogens(make, read, why):
    mol = make.embedded('CCO', hydrogens=True)
    text = changed(make.sdf(mol, 'A'), 'M  END', 'M  RAD  1   2   2\nM  END')
    with pytest.warns(UserWarning, match='No poses'):
        assert why(read(text)) == [(1, 'valence')]
    assert read(text, template='CCO').smiles == ['CCO']


def test_a_radical_that_a_template_states(make, read, why):
    smiles = 'CC1(C)CCCC(C)(C)N1[O]'  # a stable one
    mol = Chem.MolFromSmiles(smiles)
    flat = make.embedded(Chem.MolToSmiles(Chem.AddHs(mol)), hydrogens=True)
    texts = {
        'a.sdf': make.sdf(Chem.RemoveHs(flat), 'A') * 2,
        'b.sdf': make.sdf(flat, 'B', forceV3000=True) * 2,
    }
    with pytest.warns(UserWarning, match='No poses'):
        assert set(why(read(texts))) == {
            (1, 'open valences'), (2, 'open valences')
        }  # fmt: skip
    poses = read(texts, template=smiles)
    assert set(poses.smiles) == {Chem.CanonSmiles(smiles)}
    assert poses.num_poses.tolist() == [2, 2]
    flagged = why(poses, 'flagged')
    assert flagged.count((1, 'radical')) == flagged.count((2, 'radical')) == 2
    # It repairs nothing: another radical is another molecule.
    with pytest.warns(UserWarning, match='No poses'):
        poses = read(RECORDS['M  RAD, doublet'](make), template='C[CH]O')
    assert poses.report.dropped[0].reason.endswith('than its template')
    poses = read(RECORDS['M  RAD, doublet'](make), template='[CH2]CO')
    assert poses.smiles == ['[CH2]CO']


def test_the_field_of_an_atom_line_is_overruled(make, read):
    text = changed(plain(make), LINE, r'\1  4\2  0')
    text = changed(text, 'M  END', 'M  CHG  1   3  -1\nM  END')
    assert read(text).smiles == ['CC[O-]']


@pytest.mark.parametrize('smiles', ['[CH2]CO', 'CC[O]', '[C]CO'])
@pytest.mark.parametrize('index_map', [True, False])
def test_remarks_of_pdbqt(make, read, why, smiles, index_map):
    mol = make.embedded('CCO', hydrogens=True)
    text = make.models(make.pdbqt(mol, smiles, index_map=index_map,
                                  polar=smiles != 'CC[O]'))  # fmt: skip
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.pdbqt': text})
    assert why(poses) == [(1, 'open valences')]
    poses = read({'a.pdbqt': text}, template=smiles)
    assert poses.smiles == [Chem.CanonSmiles(smiles)]
    assert (1, 'radical') in why(poses, 'flagged')
    with pytest.warns(UserWarning, match='No poses'):
        poses = read({'a.pdbqt': text}, template='CCO')
    assert poses.report.dropped[0].reason.endswith('than its template')


def test_any_format_is_held_to_it(make, read, why, monkeypatch):
    """Also one that checks nothing itself."""
    from pyg_multipose.io.ligand import ligand as module
    from pyg_multipose.io.ligand.sdf import SDF

    def careless(self, record, template):
        mol = Chem.MolFromMolBlock('\n\n\n' + '\n'.join(record.block))
        return module.ligand_of_sound(mol, None)

    monkeypatch.setattr(SDF, 'ligand', careless)
    with pytest.warns(UserWarning, match='No poses'):
        poses = read(RECORDS['V3000'](make))
    assert why(poses) == [(1, 'open valences')]


def test_metals_and_salts_are_no_radicals(make, read):
    for smiles in ('CC(=O)[O-].[Na+]', 'CC[NH3+].[Cl-]', 'CCB(O)O',
                   '[O-]S(=O)(=O)CC', 'C[N+](C)(C)[B-](F)(F)F',
                   'C[Si](C)(C)C', 'CC[Se]C'):  # fmt: skip
        poses = read(make.sdf(make.embedded(smiles, hydrogens=True), 'A'))
        assert poses.smiles == [Chem.CanonSmiles(smiles)]


def test_rejected_says_where(make):
    from pyg_multipose.io.ligand.ligand import ligand_of

    mol = without_hydrogens_of_carbon(make.embedded('CCCCCCCCO', 1, True))
    with pytest.raises(Rejected, match=r'1 \(C\), 2 \(C\).* 2 more: a rad'):
        ligand_of(mol, None)
