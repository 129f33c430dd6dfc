"""The samples of a call: given by name, or found in a folder."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pyg_multipose.io.cofolding.programs import (
    SUFFIXES,
    SampleName,
    parse_name,
)
from pyg_multipose.io.report import Report
from pyg_multipose.io.source.sources import walk

#: Files that a row about all others names.
SHOWN = 5
_EXPECTED = (
    'expected NAME_model_0.cif (Boltz), pred.model_idx_0.cif (Chai), '
    'seed-1_sample-0/model.cif (AlphaFold 3), fold_NAME_model_0.cif '
    '(AlphaFold Server) or NAME_sample_0.cif (Protenix); .pdb will do, too'
)


@dataclass(frozen=True)
class Sample:
    r"""A file with one complex.

    Args:
        path: Where it is.
        file: How the report calls it: as it was given.
        name: What its name says.
        id: The id of its set.
    """

    path: Path
    file: str
    name: SampleName
    id: str

    @property
    def title(self) -> str:
        r"""How the report calls the sample."""
        return f'{self.name.id}, {self.name.label}'

    @property
    def confidences(self) -> Path | None:
        r"""The file of its confidences, if there is one."""
        return self._beside(self.name.confidences)

    @property
    def affinity(self) -> Path | None:
        r"""The file of the affinity predicted for it, if there is one."""
        return self._beside([self.name.affinity] if self.name.affinity else [])

    def _beside(self, files: Iterable[str]) -> Path | None:
        paths = (self.path.parent / file for file in files)
        return next((path for path in paths if os.path.exists(path)), None)


def find_samples(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    report: Report,
) -> list[tuple[Path, str, SampleName]]:
    r"""Lists the samples of a call; what is none goes to the report.

    Folders are searched with all that is below them, in natural order.

    Args:
        paths: A file, a folder, or several of them.
        report: Where to note what is left out.

    Returns:
        For each sample its file, how the report calls it, and what its name
        says.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If there are no paths.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    given = [Path(path) for path in paths]
    if not given:
        raise ValueError('No folders given to read samples from')
    out: list[tuple[Path, str, SampleName]] = []
    others: dict[Path, list[Path]] = defaultdict(list)
    seen: dict[Path, str] = {}
    for path in given:
        if not path.exists():
            raise FileNotFoundError(
                f"'{path}' does not exist; expected a folder of samples, or "
                f'one of them'
            )
        for file, _ in walk(path, report):
            name = file.as_posix()
            real = file.resolve()
            if real in seen:
                report.drop(name, None, '', 'given twice', seen[real])
                continue
            seen[real] = name
            if not _is_structure(file):
                others[path].append(file)
                continue
            sample = parse_name(file)
            if sample is None:
                report.drop(name, None, '', 'not a sample', _EXPECTED)
            elif sample.is_copy:
                report.drop(
                    name,
                    None,
                    '',
                    'a copy of the best sample',
                    f'{sample.program} has it in a folder of its own, too',
                )
            else:
                out.append((file, name, sample))
    _note_others(others, out, report)
    return out


def _is_structure(path: Path) -> bool:
    name = path.name.lower().removesuffix('.gz')
    return Path(name).suffix in SUFFIXES


def _note_others(
    others: dict[Path, list[Path]],
    samples: list[tuple[Path, str, SampleName]],
    report: Report,
) -> None:
    """One row for all files that belong to no sample: there may be many."""
    used = {
        (path.parent / file).resolve()
        for path, _, name in samples
        for file in (*name.confidences, name.affinity)
        if file
    }
    for folder, files in others.items():
        rest = [path for path in files if path.resolve() not in used]
        if rest:
            shown = ', '.join(
                path.relative_to(folder).as_posix() if folder != path else ''
                for path in rest[:SHOWN]
            ).strip(', ')
            report.drop(
                folder.as_posix(),
                None,
                '',
                'not a sample',
                f'{len(rest)} files of other kinds are not read'
                + (f', e.g. {shown}' if shown else f'; {_EXPECTED}'),
            )
