"""The symmetry of molecular graphs."""

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.transforms import symmetry
from pyg_multipose.transforms.symmetry import symmetric_rmsd, symmetries

NO_BONDS = torch.empty(2, 0, dtype=torch.long)


def orders_of(z, bonds):
    found = symmetries(torch.tensor(z), torch.tensor(bonds).view(2, -1), 'A')
    return {tuple(order) for order in found.tolist()}


def test_known_ones(make):
    found = symmetries(make.z, make.bonds, 'A')
    assert len(found) == 4 == len(found.unique(dim=0))
    assert make.swapped in found.tolist()
    assert len(symmetries(torch.full((3,), 6), NO_BONDS, 'A')) == 6
    assert orders_of([6], []) == {(0,)}
    # A ring of six, and the same with one atom that differs.
    ring = [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]]
    assert len(orders_of([6] * 6, ring)) == 12
    assert orders_of([7] + [6] * 5, ring) == {
        (0, 1, 2, 3, 4, 5),
        (0, 5, 4, 3, 2, 1),
    }


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 6))
    z = draw(st.lists(st.sampled_from([6, 7]), min_size=size, max_size=size))
    ends = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    bonds = draw(st.lists(ends.filter(lambda b: b[0] != b[1]), max_size=8))
    return z, bonds


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_all_of_them_and_no_others(graph):
    z, bonds = graph
    edges = {frozenset(bond) for bond in bonds}
    expected = {
        order
        for order in permutations(range(len(z)))
        if all(z[order[a]] == z[a] for a in range(len(z)))
        and {frozenset(order[end] for end in edge) for edge in edges} == edges
    }
    bonds = torch.tensor(bonds, dtype=torch.long).view(-1, 2).t().tolist()
    assert orders_of(z, bonds) == expected


def test_too_many_are_said(monkeypatch):
    monkeypatch.setattr(symmetry, 'MAX_SYMMETRIES', 100)
    with pytest.warns(UserWarning, match="'A' has more than 100 symmetries"):
        found = symmetries(torch.full((5,), 6), NO_BONDS, "set 'A'")
    assert len(found.unique(dim=0)) == 100


def test_distances(make, monkeypatch):
    pos, other = make.positions(0), make.positions(1)
    orders = symmetries(make.z, make.bonds, 'A')
    others = torch.stack([pos[make.swapped], pos + 1.0, other])
    expected = min(
        (pos - other[order]).square().sum(dim=1).mean().sqrt()
        for order in orders
    )
    for held in (1, 2**20):  # in parts, and at once
        monkeypatch.setattr(symmetry, '_HELD', held)
        found = symmetric_rmsd(pos, others, orders)
        assert found[0] == 0
        assert found[1] <= math.sqrt(3) + 1e-12
        assert torch.allclose(found[2], expected, rtol=1e-12)


def test_as_rdkit(make):
    """In place, over the symmetries that RDKit finds."""
    chem = pytest.importorskip('rdkit.Chem')
    from rdkit.Chem.rdMolAlign import CalcRMS

    for smiles in (
        'O=C([O-])c1ccccc1',
        'CC(C)(C)c1ccc(cc1)S(N)(=O)=O',
        'C1CC1NC(=O)c1ccc(F)cc1',
        'FC(F)(F)c1cc(cc(c1)C(F)(F)F)[N+]([O-])=O',
    ):
        mol = chem.MolFromSmiles(smiles)
        z = torch.tensor([atom.GetAtomicNum() for atom in mol.GetAtoms()])
        bonds = torch.tensor(
            [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
        )
        generator = torch.Generator().manual_seed(len(z))
        pos = torch.randn(
            2, len(z), 3, generator=generator, dtype=torch.float64
        )
        mols = []
        for one in pos:
            conformer = chem.Conformer(len(z))
            conformer.SetPositions(one.numpy())
            mols.append(chem.Mol(mol))
            mols[-1].AddConformer(conformer)
        orders = symmetries(z, bonds.t(), smiles)
        found = symmetric_rmsd(pos[0], pos[1:], orders)
        assert float(found) == pytest.approx(CalcRMS(*mols), rel=1e-9)
