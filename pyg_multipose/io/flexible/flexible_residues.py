"""The flexible residues of the poses of a call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from torch_geometric.data import Data

from pyg_multipose.data import MovedAtoms
from pyg_multipose.io.flexible.receptor_atoms import ReceptorAtoms
from pyg_multipose.io.flexible.side_chains import (
    SideChains,
    flexible_lines,
    read_side_chains,
    side_atoms,
)
from pyg_multipose.io.flexible.torsions import named
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.report import Rejected, Report

if TYPE_CHECKING:
    from pyg_multipose.io.ligand.record import Record
    from pyg_multipose.io.source.sources import Source

#: Characters of a title that are compared; Open Babel cuts them.
_TITLE = 60

FlexibleFiles = (
    str
    | os.PathLike[str]
    | Mapping[str | os.PathLike[str], str | os.PathLike[str]]
)


class FlexibleResidues:
    r"""Finds what has moved in the receptor of each pose.

    Args:
        receptor: The receptor of all poses, if there is one.
        files: The file of side chains of each file of poses, or one for a
            single file; :obj:`None` if there are none but those in models.
        report: Where to note what deserves a look.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file cannot be read, or if there are files but no
            receptor whose atoms have names.
    """

    def __init__(
        self,
        receptor: Data | None,
        files: FlexibleFiles | None,
        report: Report,
    ) -> None:
        self._receptor, self._report = receptor, report
        if files is not None and not isinstance(receptor, Receptor):
            raise ValueError(
                "'flexible' needs a receptor whose atoms have names: pass "
                'receptor=read_receptor(...), of the structure that was '
                'docked into'
            )
        self._one: Path | None = None
        self._of_poses: dict[Path, Path] = {}
        if isinstance(files, Mapping):
            self._of_poses = {
                Path(poses).resolve(): Path(file)
                for poses, file in files.items()
            }
        elif files is not None:
            self._one = Path(files)
        paths = [*self._of_poses.values()]
        paths += [self._one] if self._one is not None else []
        self._models = {path: read_side_chains(path) for path in paths}
        self._flagged: set[tuple[str, str]] = set()

    def without_own(self, sources: Sequence[Source]) -> list[Source]:
        r"""The files of poses; those of side chains are none.

        Args:
            sources: The files of a call.

        Raises:
            ValueError: If it cannot be told whose side chains a file has.
        """
        own = {path.resolve() for path in self._models}
        out = [s for s in sources if s.path.resolve() not in own]
        if self._one is not None:
            if len(out) != 1:
                raise ValueError(
                    f"'flexible' is one file, but there are {len(out)} files "
                    f'of poses; pass {{file of poses: file of side chains}}'
                )
            self._of_poses = {out[0].path.resolve(): self._one}
        unknown = self._of_poses.keys() - {s.path.resolve() for s in out}
        if unknown:
            raise ValueError(
                f"'flexible' names {sorted(map(str, unknown))}, which are no "
                f'files of poses of this call'
            )
        return out

    def moved(self, record: Record, source: Source) -> MovedAtoms | None:
        r"""The atoms that are elsewhere in a pose.

        Args:
            record: The record of the pose.
            source: Its file.

        Raises:
            Rejected: If they are not those of the receptor.
        """
        lines = flexible_lines(record.block)
        chains = self._model(record, source)
        if not lines and chains is None:
            return None
        if self._receptor is None:
            self._flag(
                source.file,
                'flexible residues are left out',
                'pass receptor=read_receptor(...) to have them',
            )
            return None
        atoms = self._atoms
        if atoms is None:
            raise Rejected(
                'flexible residues',
                'the receptor has no names of atoms, so it cannot be told '
                'which have moved: pass receptor=read_receptor(...)',
            )
        found = side_atoms(lines, is_pdbqt=True)
        if chains is not None:
            if chains.problem is not None:
                raise Rejected(*chains.problem)
            found += chains.atoms
            found += named(chains.z, chains.pos, atoms)
        moved, unknown = atoms.moved(found)
        if unknown:
            self._flag(
                source.file,
                'hydrogens of flexible residues are left out',
                f'the receptor has none of these names, e.g. {unknown} in '
                f'record {record.number}',
            )
        return moved

    def unfit(self, source: Source, count: int) -> str:
        r"""Why a file of side chains is not that of a file of poses.

        Args:
            source: The file of poses.
            count: How many records it has.

        Returns:
            The reason, an empty text if it fits.
        """
        path = self._of(source)
        if path is None or len(self._models[path]) == count:
            return ''
        return (
            f'{path.as_posix()} has {len(self._models[path])} models, but '
            f'there are {count} records: which belong together?'
        )

    @cached_property
    def _atoms(self) -> ReceptorAtoms | None:
        """Those of the receptor, if they have names."""
        if not isinstance(self._receptor, Receptor):
            return None
        return ReceptorAtoms(self._receptor)

    def _of(self, source: Source) -> Path | None:
        """The file of side chains of a file of poses."""
        if not self._of_poses:  # as nearly always; resolving takes its time
            return None
        return self._of_poses.get(source.path.resolve())

    def _model(self, record: Record, source: Source) -> SideChains | None:
        path = self._of(source)
        if path is None:
            return None
        models = self._models[path]
        if record.number > len(models):
            raise Rejected(
                'flexible residues', f'{path.as_posix()} has no model of it'
            )
        out = models[record.number - 1]
        title, other = out.title[:_TITLE], record.title[:_TITLE]
        if title and other and title != other:
            raise Rejected(
                'flexible residues',
                f"model {record.number} of {path.as_posix()} is of '{title}'",
            )
        return out

    def _flag(self, file: str, reason: str, detail: str) -> None:
        """Once for each file."""
        if (file, reason) not in self._flagged:
            self._flagged.add((file, reason))
            self._report.flag(file, None, '', reason, detail)
