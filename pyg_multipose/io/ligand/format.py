"""What a format of poses is to the reader."""

from __future__ import annotations

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
    :mod:`pyg_multipose.io.ligand.formats`. An instance serves one call of
    :func:`~pyg_multipose.io.read_poses`, so it may remember molecules.
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
