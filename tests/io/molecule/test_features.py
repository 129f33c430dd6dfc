import pytest

pytest.importorskip('rdkit')

from pyg_multipose.io.molecule.features import (  # noqa: E402
    FEATURES,
    atom_tables,
    check_features,
)
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402


def test_tables():
    molecule = from_smiles('C[NH2+]Cc1cc[nH]c1C#N')
    got = atom_tables(molecule, (0, 1), FEATURES)
    assert {k: v.tolist() for k, v in got.items() if k[0] != 'b'} == {
        'z': [6, 7, 6, 6, 6, 6, 7, 6, 6, 7, 1, 1],
        'formal_charge': [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        'num_hydrogens': [3, 2, 2, 0, 1, 1, 1, 0, 0, 0, 0, 0],
        'aromatic': [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        'hybridization': [3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 0, 0],
    }
    bonds = {
        (int(i), int(j)): int(kind)
        for i, j, kind in zip(
            *got['bond_index'], got['bond_type'], strict=True
        )
    }
    assert len(bonds) == got['bond_type'].numel() == 2 * 12
    assert all(bonds[j, i] == kind for (i, j), kind in bonds.items())
    assert list(bonds) == sorted(bonds)
    assert bonds[0, 1] == 1 and bonds[3, 4] == 4 and bonds[8, 9] == 3
    assert bonds[0, 10] == bonds[11, 1] == 1


def test_one_atom_has_no_bonds():
    got = atom_tables(from_smiles('[Na+]'), (), ['formal_charge'])
    assert got['bond_index'].shape == (2, 0) and len(got['bond_type']) == 0
    assert got['formal_charge'].tolist() == [1]


def test_names():
    assert check_features('aromatic') == ('aromatic',)
    assert check_features([]) == ()
    with pytest.raises(ValueError, match=r"Unknown features \['mass'\]"):
        check_features(['mass'])
