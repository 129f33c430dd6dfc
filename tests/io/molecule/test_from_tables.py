import numpy as np
import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import Rejected, ligand_of, mol_of  # noqa: E402

POS = [[0.0, 0.0, 0.0], [1.2, 0.0, 0.1], [-0.6, 1.0, 0.3]]


@pytest.mark.parametrize(
    'smiles',
    ['CC(=O)[O-]', 'c1ccncc1C', 'C[C@H](N)C(=O)O', 'F/C=C/Cl', 'c1cc[nH]c1'],
)
@pytest.mark.parametrize('hydrogens', [False, True])
def test_what_a_molecule_states_gives_it_back(make, smiles, hydrogens):
    mol = make.embedded(smiles, hydrogens=hydrogens)
    types = {1.0: 1, 2.0: 2, 3.0: 3, 1.5: 4}
    if not hydrogens:  # they are not stated: an aromatic NH is not known
        mol = Chem.Mol(mol)
        Chem.Kekulize(mol, clearAromaticFlags=True)
    again = mol_of(
        [atom.GetAtomicNum() for atom in mol.GetAtoms()],
        mol.GetConformer().GetPositions(),
        [
            (
                bond.GetBeginAtomIdx(),
                bond.GetEndAtomIdx(),
                types[bond.GetBondTypeAsDouble()],
            )
            for bond in mol.GetBonds()
        ],
        [atom.GetFormalCharge() for atom in mol.GetAtoms()],
    )
    ligand = ligand_of(again, template=None)
    expected = make.embedded(smiles)
    assert ligand.molecule.smiles == Chem.MolToSmiles(expected)
    places = expected.GetConformer().GetPositions()
    assert np.allclose(ligand.pos, places)


def test_arrays():
    mol = mol_of(
        np.array([6, 8, 8]),
        np.array(POS),
        np.array([[0, 1, 2], [0, 2, 1]]),
        np.array([0, 0, -1]),
    )
    assert ligand_of(mol, None).molecule.smiles == 'O=C[O-]'


def test_a_bond_from_both_ends_is_one():
    mol = mol_of([6, 8, 7], POS, [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
    assert mol.GetNumBonds() == 2


@pytest.mark.parametrize(
    'elements, pos, bonds, charges, reason',
    [
        ([], [], [], None, 'no atoms'),
        ([6] * 1000, POS, [], None, 'too many atoms'),
        ([6, 8, 0], POS, [], None, 'placeholder'),
        ([6, 8, 119], POS, [], None, 'placeholder'),
        ([6, 8, -1], POS, [], None, 'placeholder'),
        ([6, 8, 7], POS[:2], [], None, 'incomplete atoms'),
        ([6, 8, 7], POS, [], [0, 0], 'incomplete atoms'),
        ([6, 8, 7], [[0, 0, 0]] * 3, [], None, 'no 3-D coordinates'),
        ([6, 8, 7], [*POS[:2], [np.nan] * 3], [], None, 'coordinates out'),
        ([6, 8, 7], POS, [(0, 3, 1)], None, 'bond to no atom'),
        ([6, 8, 7], POS, [(-1, 1, 1)], None, 'bond to no atom'),
        ([6, 8, 7], POS, [(1, 1, 1)], None, 'bond to no atom'),
        ([6, 8, 7], POS, [(0, 1, 5)], None, 'bond type'),
        ([6, 8, 7], POS, [(0, 1, 0)], None, 'bond type'),
        ([6, 8, 7], POS, [(0, 1, 1), (1, 0, 2)], None, 'bond type'),
    ],
)
def test_what_is_refused(elements, pos, bonds, charges, reason):
    with pytest.raises(Rejected, match=reason):
        mol_of(elements, pos, bonds, charges)
