"""What a residue of a structure file is to a receptor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.io.receptor.names import (
    is_buffer,
    is_known_in_chains,
    is_metal,
    is_standard,
    is_water,
)
from pyg_multipose.io.receptor.structure import Residue

Kind = Literal['chain', 'metal', 'water', 'buffer', 'other']

#: Angstrom; a peptide bond or that to a phosphate, with some tolerance.
BOND = 1.75
#: Backbone atoms that the next residue of a chain is bound to.
_ENDS = ('N', 'C', 'P', "O3'", 'O3*')
_BACKBONE = {'N', 'CA', 'C'}


def kinds(residues: Sequence[Residue]) -> list[Kind]:
    r"""Tells parts of chains, metals, water, buffers and all others apart.

    Names decide, then atoms: whatever has the backbone of an amino acid, or
    is bound to the backbone of a neighbour, is part of a chain; whatever
    holds a metal is a metal. A free amino acid is none of a chain.

    Args:
        residues: The residues of a model, one location for each atom.
    """
    bound = _bound_to_backbone(residues)
    # Some programs write all residues of chains as HETATM.
    tells = any(r.is_het is False and is_standard(r.id.name) for r in residues)
    return [
        _kind(residue, is_bound, tells)
        for residue, is_bound in zip(residues, bound, strict=True)
    ]


def _kind(residue: Residue, is_bound: bool, tells: bool) -> Kind:
    name = residue.id.name
    if is_water(name):
        return 'water'
    if is_known_in_chains(name) or _BACKBONE <= {
        atom.name.upper() for atom in residue.atoms
    }:
        is_modified = is_known_in_chains(name) and not is_standard(name)
        in_chain = is_bound or is_modified or residue.in_polymer
        if in_chain or not (residue.is_het and tells):
            return 'chain'
    if any(is_metal(atom.z) for atom in residue.atoms):
        return 'metal'
    if is_buffer(name):
        return 'buffer'
    # A chromophore, a cap: no backbone of its own, but bound to one.
    return 'chain' if is_bound else 'other'


def _bound_to_backbone(residues: Sequence[Residue]) -> list[bool]:
    """Whether an atom is bound to an end of another residue's backbone."""
    owners, pos = _table(residues, {1})
    ends, end_pos = _table(
        [
            residue
            if is_standard(residue.id.name) and not is_water(residue.id.name)
            else Residue(residue.id, [], None, False)
            for residue in residues
        ],
        {1},
        _ENDS,
    )
    out = [False] * len(residues)
    if not len(pos) or not len(end_pos):
        return out
    near = cKDTree(end_pos).query_ball_point(pos, BOND)
    for owner, rows in zip(owners, near, strict=True):
        if rows and any(ends[row] != owner for row in rows):
            out[owner] = True
    return out


def _table(
    residues: Sequence[Residue],
    without: set[int],
    names: Sequence[str] | None = None,
) -> tuple[list[int], np.ndarray]:
    """The residue and the position of every atom that is asked for."""
    owners, pos = [], []
    for number, residue in enumerate(residues):
        for atom in residue.atoms:
            if atom.z not in without and (
                names is None or atom.name.upper() in names
            ):
                owners.append(number)
                pos.append(atom.pos)
    return owners, np.array(pos, dtype=float).reshape(-1, 3)
