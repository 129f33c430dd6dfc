"""The files that a call is about: given by name, or found in a folder."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_multipose.io.report import Report
from pyg_multipose.io.source.diffdock import PoseName, is_animation, parse_name

if TYPE_CHECKING:
    from pyg_multipose.io.ligand.format import Format


#: Ends of names of files that may be complexes.
_STRUCTURES = ('.cif', '.mmcif', '.pdb')


@dataclass(frozen=True)
class Source:
    r"""A file to read poses from.

    Args:
        path: Where it is.
        file: How the report calls it: as it was given.
        format: Its format, one of :mod:`pyg_multipose.io.ligand.formats`.
        folder: The name of its folder, relative to what was given.
        diffdock: What its name says, if DiffDock wrote it.
        is_copy: Whether it is DiffDock's second copy of a pose.
        has_output: Whether a file of its format, of its name and more, is
            beside it: the output of docking this one, if it has no scores.
        number: Its place among the files of a call.
    """

    path: Path
    file: str
    format: type[Format]
    folder: str
    diffdock: PoseName | None = None
    is_copy: bool = False
    has_output: bool = False
    number: int = 0

    @property
    def stem(self) -> str:
        r"""The name of the file without what tells its format."""
        return stem_of(self.path.name)


def stem_of(file: str) -> str:
    r"""The name of a file without its folders and what tells its format.

    Args:
        file: The path of the file.
    """
    name = Path(file).name
    name = name[:-3] if name.lower().endswith('.gz') else name
    return Path(name).stem


def find_sources(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    report: Report,
    formats: Iterable[type[Format]],
) -> list[Source]:
    r"""Lists the files of a call; what is none of poses goes to the report.

    Folders are searched with all that is below them, in natural order
    (:obj:`rank2` before :obj:`rank10`). Links that lead out of the folder
    are not followed.

    Args:
        paths: A file, a folder, or several of them.
        report: Where to note what is left out.
        formats: Those that can be read.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If there are no paths.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    given = [Path(path) for path in paths]
    if not given:
        raise ValueError('No files given to read poses from')
    ends = {end: format_ for format_ in formats for end in format_.suffixes}
    out: list[Source] = []
    seen: dict[Path, str] = {}
    for path in given:
        if not path.exists():
            raise FileNotFoundError(
                f"'{path}' does not exist; expected a file of poses or a "
                f'folder of them'
            )
        for file, folder in walk(path, report):
            real = file.resolve()
            if real in seen:
                report.drop(
                    file.as_posix(), None, '', 'given twice', seen[real]
                )
                continue
            seen[real] = file.as_posix()
            source = _source(file, folder, ends, report)
            if source is not None:
                out.append(source)
    return _with_companions(out, report)


def walk(path: Path, report: Report) -> Iterator[tuple[Path, str]]:
    r"""Lists a file, or the files of a folder and below, in natural order.

    Args:
        path: The file or the folder.
        report: Where to note what is no regular file.

    Yields:
        Each file, and its folder's name, relative to what was given.
    """
    if not path.is_dir():
        yield path, path.resolve().parent.name
        return
    root = path.resolve()
    for at, folders, names in os.walk(path):
        folders.sort(key=_natural)
        here = Path(at)
        if not folders and not names:
            report.drop(here.as_posix(), None, '', 'empty folder')
        relative = here.relative_to(path).as_posix()
        for name in sorted(names, key=_natural):
            file = here / name
            try:
                mode = file.stat().st_mode
            except OSError as error:
                report.drop(
                    file.as_posix(), None, '', 'unreadable file', str(error)
                )
                continue
            if not stat.S_ISREG(mode):
                reason = 'not a regular file'
            elif root not in file.resolve().parents:
                reason = 'a link out of the folder'
            else:
                yield file, root.name if relative == '.' else relative
                continue
            report.drop(file.as_posix(), None, '', reason, 'not read')


def _source(
    file: Path, folder: str, ends: Mapping[str, type[Format]], report: Report
) -> Source | None:
    name = file.name.lower()
    name = name[:-3] if name.endswith('.gz') else name
    end = Path(name).suffix
    # Also in one word: a.sdfgz, a.sdz.
    known = (end, end.removesuffix('gz'), end.removesuffix('z'))
    format_ = next((ends[one] for one in known if one in ends), None)
    if format_ is None:
        detail = (
            f'ignored; files of poses end in {sorted(ends)}, or in these and '
            f'.gz, gz or z'
        )
        if is_animation(file.name):
            detail = (
                "the frames of DiffDock's sampling (reverseprocess), ignored"
            )
        elif Path(name).suffix in _STRUCTURES:
            detail += '. Samples of co-folding are read by read_cofolded'
        report.drop(file.as_posix(), None, '', 'not a pose', detail)
        return None
    return Source(
        file, file.as_posix(), format_, folder, parse_name(file.name)
    )


def _with_companions(sources: list[Source], report: Report) -> list[Source]:
    """Marks files that others beside them explain; flags repeated ranks."""
    stems: dict[tuple[type[Format], Path], list[str]] = defaultdict(list)
    for source in sources:
        stems[source.format, source.path.parent].append(source.stem)
    ranks: dict[Path, dict[int, list[str]]] = {}
    for source in sources:
        name = source.diffdock
        if name is not None and name.confidence is not None:
            of_folder = ranks.setdefault(source.path.parent, defaultdict(list))
            of_folder[name.rank].append(source.path.name)
    for folder, of_folder in ranks.items():
        again = {r: names for r, names in of_folder.items() if len(names) > 1}
        if again:
            report.flag(
                folder.as_posix(),
                None,
                '',
                'two runs in one folder',
                f'repeated ranks: {dict(sorted(again.items()))}',
            )
    return [
        replace(
            source,
            number=number,
            has_output=source.format.is_input
            and any(
                stem.startswith(f'{source.stem}_')
                for stem in stems[source.format, source.path.parent]
            ),
            is_copy=source.diffdock is not None
            and source.diffdock.confidence is None
            and source.diffdock.rank in ranks.get(source.path.parent, {}),
        )
        for number, source in enumerate(sources)
    ]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Numbers in a name compare as numbers."""
    return [
        (0, int(part), '') if part.isdecimal() else (1, 0, part)
        for part in re.split(r'(\d{1,18})', name)
    ]
