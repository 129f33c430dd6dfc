import itertools

import pytest

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io.ligand.ligand import ligand_of  # noqa: E402
from pyg_multipose.io.molecule.graph_match import from_smiles  # noqa: E402
from pyg_multipose.io.molecule.same import (  # noqa: E402
    MAY_DIFFER,
    check_may_differ,
    common_map,
)

#: Two molecules, and what has to be admitted for them to share a set.
PAIRS = [
    ('CCO', 'OCC', ()),
    ('C[C@H](N)C(=O)O', 'C[C@@H](N)C(=O)O', ('stereo',)),
    ('F/C=C/Cl', r'F/C=C\Cl', ('stereo',)),
    ('C[C@@H]1CC[C@H](C)CC1', 'C[C@H]1CC[C@H](C)CC1', ('stereo',)),
    ('CC[NH3+]', 'CCN', ('protonation',)),
    ('CC(=O)[O-]', 'CC(=O)O', ('protonation',)),
    ('[O-]C(=O)CC[NH3+]', 'OC(=O)CCN', ('protonation',)),
    ('Cc1cnc[nH]1', 'Cc1c[nH]cn1', ('protonation',)),
    ('Cc1c[nH]c[nH+]1', 'Cc1c[nH]cn1', ('protonation',)),
    ('NC(=[NH2+])c1ccccc1', 'NC(=N)c1ccccc1', ('protonation',)),
    ('CC(=O)C', 'CC(O)=C', ('protonation',)),
    ('O=c1cccc[nH]1', 'Oc1ccccn1', ('protonation',)),
    ('COP(=O)([O-])[O-]', 'COP(=O)(O)[O-]', ('protonation',)),
    # Stereochemistry is the same, or has to be admitted, too.
    ('C[C@H](N)C(=O)O', 'C[C@H]([NH3+])C(=O)[O-]', ('protonation',)),
    ('C[C@H](N)C(=O)O', 'C[C@@H]([NH3+])C(=O)[O-]', MAY_DIFFER),
    ('F/C(N)=C/C', 'F/C([NH3+])=C/C', ('protonation',)),
    ('F/C(N)=C/C', r'F/C([NH3+])=C\C', MAY_DIFFER),
    # A nitrogen inverts as its proton comes and goes.
    ('C[N@H+](CC)CCC', 'C[N@@H+](CC)CCC', ()),
    ('C[N@@H+](CC)CCC', 'CN(CC)CCC', ('protonation',)),
    # Redox, isomers and other molecules never are.
    ('CC(=O)C', 'CC(O)C', None),
    ('C=CC', 'CCC', None),
    ('CC[O-]', '[CH2]CO', None),
    ('CCO', 'COC', None),
    ('CCO', 'CCS', None),
    ('CCO', 'CCCO', None),
]
SUBSETS = [
    subset
    for size in range(len(MAY_DIFFER) + 1)
    for subset in itertools.combinations(MAY_DIFFER, size)
]


@pytest.mark.parametrize('one, other, needed', PAIRS)
@pytest.mark.parametrize('may_differ', SUBSETS)
def test_what_shares_a_set(one, other, needed, may_differ):
    first, second = from_smiles(one), from_smiles(other)
    expected = needed is not None and set(needed) <= set(may_differ)
    for a, b in ((first, second), (second, first)):
        found = common_map(a, b, may_differ)
        assert (found is not None) == expected
        if found is None:
            continue
        assert sorted(found) == list(range(len(a.atoms)))
        for i, j, _ in a.bonds:
            assert b.mol.GetBondBetweenAtoms(found[i], found[j]) is not None
        assert [a.atoms[i][0] for i in range(len(found))] == [
            b.atoms[j][0] for j in found
        ]


@pytest.mark.parametrize(
    'smiles',
    [
        'OC[C@H]1O[C@@H](n2cnc3c(N)ncnc32)[C@H](O)[C@@H]1O',
        'C[C@@H](O)[C@H](O)C(=O)N/N=C/c1ccco1',
        r'C/C(=C\C(=O)O)[C@@](F)(Cl)CN',
        'C[S@](=O)C[C@H](N)C(=O)O',
    ],
)
def test_stereochemistry_of_protomers_in_any_order(make, smiles):
    """Tags are about the order of neighbours, which is another one."""
    mol = make.embedded(smiles, hydrogens=True)
    first = ligand_of(mol, None).molecule
    mirrored = Chem.Mol(mol)
    xyz = mirrored.GetConformer().GetPositions()
    mirrored.GetConformer().SetPositions(xyz * [1, 1, -1])
    for seed in range(8):
        for other, admitted in ((mol, True), (mirrored, False)):
            charged = Chem.RWMol(make.shuffled(other, seed))
            # Another protomer: one proton less.
            proton = next(
                a for a in charged.GetAtoms()
                if a.GetSymbol() == 'H'
                and a.GetNeighbors()[0].GetSymbol() in 'NO'
            )  # fmt: skip
            proton.GetNeighbors()[0].SetFormalCharge(-1)
            charged.RemoveAtom(proton.GetIdx())
            second = ligand_of(charged.GetMol(), None).molecule
            assert first.atom_map(second) is None
            found = common_map(first, second, ['protonation'])
            assert (found is not None) == admitted
            assert common_map(first, second, MAY_DIFFER) is not None


def test_names():
    assert check_may_differ(None) is None
    assert check_may_differ(()) == frozenset()
    assert check_may_differ('stereo') == {'stereo'}
    assert check_may_differ(MAY_DIFFER) == set(MAY_DIFFER)
    for wrong in ('charge', ['stereo', 'exact'], ['']):
        with pytest.raises(ValueError, match=r"choose among \['stereo'"):
            check_may_differ(wrong)
