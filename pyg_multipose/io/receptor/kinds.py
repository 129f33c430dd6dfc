"""What a residue of a structure file is to a receptor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pyg_multipose.io.receptor.bonds import bound_to_backbone
from pyg_multipose.io.receptor.names import (
    is_buffer,
    is_known_in_chains,
    is_metal,
    is_standard,
    is_water,
)
from pyg_multipose.io.receptor.structure import AtomId, Residue

Kind = Literal['chain', 'metal', 'water', 'buffer', 'unknown', 'other']

_BACKBONE = {'N', 'CA', 'C'}
_HALOGENS = {9, 17, 35, 53}


class Found(NamedTuple):
    r"""What a residue is, and why if its name does not tell."""

    kind: Kind
    why: str = ''


def kinds(
    residues: Sequence[Residue],
    bonds: Sequence[tuple[AtomId, AtomId]] = (),
) -> list[Found]:
    r"""Tells parts of chains, metals, water, buffers and all others apart.

    Names decide, then atoms: whatever has the backbone of an amino acid in a
    chain, or is bound to the backbone of a neighbor, is part of a chain;
    whatever holds a metal is a metal; halides are buffer. A free amino acid
    is none of a chain, and a clash is no bond
    (:func:`~pyg_multipose.io.receptor.bonds.bound_to_backbone`).

    Args:
        residues: The residues of a model, one location for each atom.
        bonds: Bonds that the file has a record of. (default: :obj:`()`)
    """
    known = [_is_known(residue) for residue in residues]
    # Some programs write all residues of chains as HETATM.
    tells = any(r.is_het is False and is_standard(r.id.name) for r in residues)
    asked = [
        residue.is_het is not False or not is_standard(residue.id.name)
        for residue in residues
    ]
    bound = bound_to_backbone(residues, asked, bonds)
    chains = {
        _chain(residue)
        for residue, is_known in zip(residues, known, strict=True)
        if is_known
    }
    out = []
    for residue, is_known, why in zip(residues, known, bound, strict=True):
        if is_known:
            out.append(_kind_of_known(residue, why, tells))
        else:
            in_chain = not chains or _chain(residue) in chains
            out.append(_kind_of_unknown(residue, why, in_chain, tells))
    return out


def _is_known(residue: Residue) -> bool:
    """Whether the name says that it may be a part of a chain."""
    name = residue.id.name
    if name.upper() == 'UNK':  # also what programs call a ligand
        return any(atom.name.upper() == 'CA' for atom in residue.atoms)
    return is_known_in_chains(name) and not is_water(name)


def _chain(residue: Residue) -> tuple[str, str]:
    return residue.id.chain, residue.label_chain


def _kind_of_known(residue: Residue, bound: str, tells: bool) -> Found:
    is_modified = not is_standard(residue.id.name)
    if bound or is_modified or residue.in_polymer:
        return Found('chain')
    if not (residue.is_het and tells):
        return Found('chain')
    return _kind_of_molecule(residue)


def _kind_of_unknown(
    residue: Residue, bound: str, in_chain: bool, tells: bool
) -> Found:
    if is_water(residue.id.name):
        return Found('water')
    if _BACKBONE <= {atom.name.upper() for atom in residue.atoms}:
        is_free = residue.is_het and tells and not residue.in_polymer
        if bound or (in_chain and not is_free):
            return Found('chain', bound or 'it has a backbone')
    found = _kind_of_molecule(residue)
    # A chromophore, a cap: no backbone of its own, but bound to one.
    if bound and found.kind in ('buffer', 'other'):
        return Found('chain', bound)
    return found


def _kind_of_molecule(residue: Residue) -> Found:
    elements = {atom.z for atom in residue.atoms} - {1}
    if elements == {0}:
        return Found('unknown')
    if any(map(is_metal, elements)):
        return Found('metal')
    if is_buffer(residue.id.name) or (elements and elements <= _HALOGENS):
        return Found('buffer')
    return Found('other')
