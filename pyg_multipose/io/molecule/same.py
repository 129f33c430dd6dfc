"""Which molecules are one compound: what poses of a set may differ in.

========================  ====================================================
in :data:`MAY_DIFFER`     molecules that are one compound then
========================  ====================================================
:obj:`"stereo"`           the same graph, charges and hydrogens, any
                          stereochemistry
:obj:`"protonation"`      the same heavy atoms and neighbours, and as many
                          hydrogens as charges make up for: protomers,
                          tautomers, resonance forms
========================  ====================================================
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pyg_multipose.io.molecule.molecule import (
    Molecule,
    described,
    skeleton,
    skeleton_mol,
)
from pyg_multipose.io.rdkit import Chem

#: What poses of a set may differ in, if the caller says so.
MAY_DIFFER = ('stereo', 'protonation')
#: Ways to lay one graph on another that are looked at.
MAX_MATCHES = 2000

_TURNS = {
    Chem.ChiralType.CHI_TETRAHEDRAL_CW: 1,
    Chem.ChiralType.CHI_TETRAHEDRAL_CCW: -1,
}
_SIDES = {
    Chem.BondStereo.STEREOZ: 1,
    Chem.BondStereo.STEREOCIS: 1,
    Chem.BondStereo.STEREOE: -1,
    Chem.BondStereo.STEREOTRANS: -1,
}


def check_may_differ(
    may_differ: str | Iterable[str] | None,
) -> frozenset[str] | None:
    r"""What the poses of a set may differ in; :obj:`None` stays :obj:`None`.

    Args:
        may_differ: One of :data:`MAY_DIFFER`, or several.

    Raises:
        ValueError: If one is not known.
    """
    if may_differ is None:
        return None
    names = [may_differ] if isinstance(may_differ, str) else list(may_differ)
    unknown = [name for name in names if name not in MAY_DIFFER]
    if unknown:
        raise ValueError(
            f'may_differ: unknown {unknown}, choose among {list(MAY_DIFFER)}'
        )
    return frozenset(names)


def common_map(
    one: Molecule, other: Molecule, may_differ: Collection[str]
) -> list[int] | None:
    r"""Which atom is which in two forms of a compound.

    Args:
        one: A molecule.
        other: Another one.
        may_differ: What they may differ in, of :data:`MAY_DIFFER`.

    Returns:
        For each atom of the first, the number of its counterpart in the
        second; :obj:`None` if they are two compounds.
    """
    found = one.atom_map(other)
    if found is None and 'stereo' in may_differ:
        found = _flat(one).atom_map(_flat(other))
    if found is None and 'protonation' in may_differ:
        found = _protomer_map(one, other, 'stereo' in may_differ)
    return found


def _flat(molecule: Molecule) -> Molecule:
    mol = Chem.Mol(molecule.mol)
    Chem.RemoveStereochemistry(mol)
    return described(mol)


def _protomer_map(
    one: Molecule, other: Molecule, any_stereo: bool
) -> list[int] | None:
    # A proton takes its charge with it. An alcohol is no form of its ketone.
    if _hydrides(one) != _hydrides(other) or skeleton(one) != skeleton(other):
        return None
    query, target = (
        skeleton_mol(
            [z for z, _, _ in molecule.atoms],
            [bond[:2] for bond in molecule.bonds],
        )
        for molecule in (one, other)
    )
    for found in target.GetSubstructMatches(
        query, uniquify=False, maxMatches=MAX_MATCHES
    ):
        if any_stereo or _same_stereo(one.mol, other.mol, found):
            return list(found)
    return None


def _hydrides(molecule: Molecule) -> int:
    return sum(hs - charge for _, charge, hs in molecule.atoms)


def _same_stereo(one: Chem.Mol, other: Chem.Mol, found: Sequence[int]) -> bool:
    """Whether what is stereochemistry in both is the same in both."""
    for atom in one.GetAtoms():
        theirs = other.GetAtomWithIdx(found[atom.GetIdx()])
        turn = _TURNS.get(atom.GetChiralTag(), 0) * _TURNS.get(
            theirs.GetChiralTag(), 0
        )
        if turn and turn != _parity(
            [found[index] for index in _ends(atom)], _ends(theirs)
        ):
            return False
    for bond in one.GetBonds():
        twin = other.GetBondBetweenAtoms(
            found[bond.GetBeginAtomIdx()], found[bond.GetEndAtomIdx()]
        )
        sides = _SIDES.get(bond.GetStereo(), 0) * _SIDES.get(
            twin.GetStereo(), 0
        )
        if sides:
            mine = {found[index] for index in bond.GetStereoAtoms()}
            # At each end, the other substituent is on the other side.
            others = len(mine - set(twin.GetStereoAtoms()))
            if sides != (-1) ** others:
                return False
    return True


def _ends(atom: Chem.Atom) -> list[int]:
    """The neighbours, in the order that a chiral tag is about."""
    return [bond.GetOtherAtomIdx(atom.GetIdx()) for bond in atom.GetBonds()]


def _parity(order: Sequence[int], other: Sequence[int]) -> int:
    """1 if an even number of swaps leads from one order to the other."""
    places = [other.index(index) for index in order]
    swaps = sum(
        later < place
        for row, place in enumerate(places)
        for later in places[row + 1 :]
    )
    return (-1) ** swaps
