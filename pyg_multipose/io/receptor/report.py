"""What of a structure file became a receptor, counted in atoms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pyg_multipose.io.report import Report, Row


@dataclass(frozen=True)
class ReceptorRow(Row):
    r"""Atoms that were left out for one reason.

    Args:
        atoms: How many.
    """

    atoms: int = 0


class ReceptorReport(Report):
    r"""A :class:`~pyg_multipose.io.Report` whose records are atoms.

    A row is about a residue, or about all residues of a kind, whose name is
    its title; the atoms of all rows and those kept are all of the file
    (:meth:`check`).
    """

    def leave_out(
        self, file: str, title: str, reason: str, atoms: int, detail: str = ''
    ) -> None:
        r"""Notes that atoms were left out.

        Args:
            file: The file.
            title: The residue, or the name of several.
            reason: A short text, the same for all that is alike.
            atoms: How many atoms.
            detail: What is worth knowing besides. (default: :obj:`""`)
        """
        count = f'{atoms} atom{"s" * (atoms != 1)}'
        detail = f'{count}; {detail}' if detail else count
        self.rows.append(
            ReceptorRow('dropped', file, None, title, reason, detail, atoms)
        )

    @property
    def num_dropped(self) -> int:
        r"""The number of atoms that were left out."""
        return sum(
            row.atoms for row in self.rows if isinstance(row, ReceptorRow)
        )

    def reasons(self) -> Counter[str]:
        r"""How many atoms were left out for each reason."""
        out: Counter[str] = Counter()
        for row in self.rows:
            if isinstance(row, ReceptorRow):
                out[row.reason] += row.atoms
        return out

    def check(self) -> None:
        r"""Checks that every atom was either kept or left out, once.

        Raises:
            RuntimeError: If not. It would be a fault of the reader, not of
                the input.
        """
        if self.num_seen != self.num_kept + self.num_dropped:
            raise RuntimeError(
                f'{list(self.seen)}: {self.num_seen} atoms seen, but '
                f'{self.num_kept} kept and {self.num_dropped} left out; '
                f'please report this as a fault of pyg_multipose'
            )

    def __str__(self) -> str:
        return super().__str__().replace(' records in ', ' atoms in ', 1)
