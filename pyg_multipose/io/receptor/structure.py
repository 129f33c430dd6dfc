"""Residues and atoms as a structure file has them, nothing chosen yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class ResidueId(NamedTuple):
    r"""What a residue is called, in the numbering of the authors."""

    #: The chain; in mmCIF :obj:`auth_asym_id`.
    chain: str
    #: The number; in mmCIF :obj:`auth_seq_id`.
    number: int
    #: The insertion code, or an empty text.
    insertion_code: str
    #: The three-letter name, as in the file.
    name: str

    @property
    def label(self) -> str:
        r"""Number and insertion code, e.g. :obj:`"52A"`."""
        return f'{self.number}{self.insertion_code}'

    def __str__(self) -> str:
        return f'{self.name} {self.chain}/{self.label}'


@dataclass(frozen=True)
class Atom:
    r"""An atom of a structure file.

    Args:
        name: Its name, e.g. :obj:`"CA"`.
        altloc: The letter of its alternate location, or an empty text.
        occupancy: The share of molecules it is in; 1 if not stated.
        z: Its atomic number, 0 if the file does not tell; that of deuterium
            is 1.
        pos: Its position in Angstrom.
    """

    name: str
    altloc: str
    occupancy: float
    z: int
    pos: tuple[float, float, float]


@dataclass(frozen=True)
class Residue:
    r"""A residue, a ligand, an ion or a water molecule.

    Args:
        id: What it is called.
        atoms: Its atoms in the order of the file, all alternatives.
        is_het: Whether the file has it as HETATM; :obj:`None` if it does not
            tell.
        in_polymer: Whether it is part of a chain, as far as order, TER and
            entities of the file tell.
        label_chain: Its chain by its label id in mmCIF, where every molecule
            has its own; else an empty text. (default: :obj:`""`)
    """

    id: ResidueId
    atoms: list[Atom]
    is_het: bool | None
    in_polymer: bool
    label_chain: str = ''


#: An atom by its residue and its name.
AtomId = tuple[ResidueId, str]


@dataclass
class Structure:
    r"""All that a structure file holds.

    Args:
        file: How messages call it.
        models: The residues of each model by its number, in order.
        num_atoms: The number of atom records in the file.
        dummies: How many of them are places without an atom, by their type.
        bonds: Bonds between residues that the file has a record of (LINK,
            struct_conn), whether or not both atoms are there.
        label_chains: The chains by their label ids in mmCIF, which are not
            used: the author's chain of each.
        notes: What was mended while reading, and how often.
    """

    file: str
    models: dict[int, list[Residue]] = field(default_factory=dict)
    num_atoms: int = 0
    dummies: dict[str, int] = field(default_factory=dict)
    bonds: list[tuple[AtomId, AtomId]] = field(default_factory=list)
    label_chains: dict[str, str] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
