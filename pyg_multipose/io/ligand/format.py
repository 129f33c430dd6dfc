"""What a format of poses is to the reader."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from pyg_multipose.io.ligand.ligand import Ligand
from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.source.text_file import TextFile


class Format(ABC):
    r"""A format of poses: how a file is cut, and what a record holds.

    A new one is a subclass in a file of its own, listed in
    :mod:`pyg_multipose.io.ligand.formats`, or passed as :obj:`formats`. An
    instance serves one call of :func:`~pyg_multipose.io.read_poses`, so it
    may remember molecules.

    Example:
        >>> from pyg_multipose.io import Format, Record, ligand_of, mol_of
        >>> class Atoms(Format):  # one record a file, 'x y z' of each carbon
        ...     name = 'atoms'
        ...     suffixes = ('.atoms',)
        ...
        ...     def records(self, lines, file):
        ...         block = [line.decode() for line in lines]
        ...         yield Record(file, 1, title='C', block=block)
        ...
        ...     def ligand(self, record, template):
        ...         pos = [line.split() for line in record.block]
        ...         bonds = [(i, i + 1, 1) for i in range(len(pos) - 1)]
        ...         mol = mol_of([6] * len(pos), pos, bonds)
        ...         return ligand_of(mol, template)
        >>> record = Record('a.atoms', 1, block=['0 0 0', '1.5 0 0'])
        >>> Atoms().ligand(record, None).molecule.smiles
        'CC'
    """

    #: What the report calls it.
    name: ClassVar[str]
    #: Ends of names of files, in lower case; with ``.gz``, ``gz`` or ``z``
    #: behind them, too.
    suffixes: ClassVar[tuple[str, ...]]
    #: What the poses of a set have in common if nothing else is said.
    group_by: ClassVar[str] = 'title'
    #: A score that every pose has by itself: where it is not, it is missing.
    score: ClassVar[str | None] = None
    #: Whether programs read and write this format, so that input may lie
    #: beside output, told by the beginning of its name.
    is_input: ClassVar[bool] = False
    #: Whether a record needs nothing of what is before it in its file, so
    #: that reading may start at any; the number of the first one is 1 then.
    starts_anywhere: ClassVar[bool] = False

    @abstractmethod
    def records(self, lines: TextFile, file: str) -> Iterator[Record]:
        r"""Cuts a file into records; what is wrong with one is told in it.

        Args:
            lines: The lines of the file.
            file: How the report calls it.

        Yields:
            One record after another.
        """

    @abstractmethod
    def ligand(self, record: Record, template: Molecule | None) -> Ligand:
        r"""The ligand of a record.

        Args:
            record: The record.
            template: The molecule that it is said to be, if that is known.

        Raises:
            Rejected: If it is no sound pose of that molecule.
        """


def check_format(format_: type[Format]) -> type[Format]:
    r"""Gives back a format of a caller, and refuses what is none.

    Args:
        format_: The class.

    Raises:
        ValueError: If it is none.
    """
    if not (isinstance(format_, type) and issubclass(format_, Format)):
        raise ValueError(
            f'formats has {format_!r}; expected subclasses of '
            f'pyg_multipose.io.Format'
        )
    suffixes = getattr(format_, 'suffixes', ())
    if (
        not isinstance(suffixes, tuple | list)
        or not suffixes
        or not all(isinstance(end, str) for end in suffixes)
        or not all(re.fullmatch(r'\.[^.A-Z]+', end) for end in suffixes)
    ):
        raise ValueError(
            f'{format_.__name__}.suffixes is {suffixes!r}; expected a tuple '
            f"of ends of names in lower case, with one dot, e.g., ('.xyz',)"
        )
    return format_
