"""Everything that a package has inside, read and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rdkit import Chem, rdBase

from benchmarks.real_files import ligands, receptors
from benchmarks.real_files.by_meeko import by_meeko
from benchmarks.real_files.files import files_of
from benchmarks.real_files.findings import Finding, Section
from benchmarks.real_files.packages import Package
from benchmarks.real_files.vina import folder_of, same_sets

#: Reads models of docking programs: all records of each file.
Models = dict[Path, list[Chem.Mol | None]]


@dataclass
class Survey:
    r"""What came out for all packages.

    Args:
        ligands: Sections on poses.
        receptors: Sections on receptors.
        same_sets: The poses of one docking in three formats.
        not_read: Files in forms that are not read, by package.
        notes: What the reader of the table has to know.
    """

    ligands: list[Section] = field(default_factory=list)
    receptors: list[Section] = field(default_factory=list)
    same_sets: list[Finding] = field(default_factory=list)
    not_read: dict[str, Counter[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def unexplained(self) -> list[Finding]:
        r"""The findings that nobody has explained."""
        sections = [*self.ligands, *self.receptors]
        found = [one for section in sections for one in section.findings]
        return [
            one
            for one in [*found, *self.same_sets]
            if one.outcome == 'unexplained'
        ]


def survey(
    folders: dict[Package, Path],
    meeko: Package,
    place: Path,
    advance: Callable[[], object],
) -> Survey:
    r"""Reads and compares all files of all packages.

    Args:
        folders: Where each package was unpacked.
        meeko: The Meeko to compare with.
        place: Where to install it.
        advance: Called after each file.
    """
    out = Survey()
    sorted_files = {one: files_of(folder) for one, folder in folders.items()}
    models = [
        path
        for files in sorted_files.values()
        for paths in files.models.values()
        for path in paths
    ]
    theirs = _models(meeko, models, place, out)
    with _quiet():
        for package, files in sorted_files.items():
            root = folders[package]
            for kind, paths in files.molecules.items():
                section = Section(str(package), kind, 'RDKit')
                for path in _each(paths, advance):
                    ligands.compare(
                        section, path, _shown(path, root), ligands.by_rdkit
                    )
                out.ligands.append(section)
            for kind, paths in files.models.items():
                section = Section(str(package), kind, 'Meeko')
                for path in _each(paths, advance):
                    ligands.compare(section, path, _shown(path, root), theirs)
                out.ligands.append(section)
            for kind, paths in files.structures.items():
                reader = 'RDKit' if kind == 'PDBQT' else 'gemmi'
                section = Section(str(package), kind, reader)
                for path in _each(paths, advance):
                    receptors.compare(section, path, _shown(path, root))
                out.receptors.append(section)
            if files.not_read:
                out.not_read[str(package)] = files.not_read
            docked = folder_of(root)
            if docked is not None:
                out.same_sets += same_sets(docked)
    return out


def _models(
    meeko: Package, paths: Sequence[Path], place: Path, out: Survey
) -> ligands.Reader:
    """Meeko, or nothing to compare with if it cannot be installed."""
    found: Models | None = {}
    if paths:
        try:
            found = by_meeko(meeko, paths, place)
        except RuntimeError as error:
            found = None
            out.notes.append(
                f'{meeko} is not at hand, so models of docking programs are '
                f'read here and compared with nothing: '
                f'{str(error).splitlines()[-1]}'
            )
    return lambda path: None if found is None else found[path]


def _each(
    paths: Sequence[Path], advance: Callable[[], object]
) -> Iterator[Path]:
    for path in paths:
        yield path
        advance()


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


@contextmanager
def _quiet() -> Iterator[None]:
    """RDKit writes a line for every molecule that it refuses."""
    with rdBase.BlockLogs():
        yield
