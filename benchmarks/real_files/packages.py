"""Packages with files that nobody here wrote: pinned, fetched, unpacked."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO


@dataclass(frozen=True)
class Package:
    r"""A package, for the files inside.

    Args:
        name: Its name.
        version: Its version.
        source: Whether the source distribution is taken: a wheel lacks the
            files. (default: :obj:`False`)
    """

    name: str
    version: str
    source: bool = False

    def __str__(self) -> str:
        return f'{self.name} {self.version}'


PACKAGES = (
    Package('prolif', '2.2.3'),
    Package('meeko', '0.8.0', source=True),
    Package('posebusters', '0.6.5'),
    Package('dockstring', '0.3.4'),
    Package('MDAnalysisTests', '2.11.0'),
    Package('fragmenstein', '1.1.3'),
)
#: Ends of the names of archives.
ENDS = ('.whl', '.tar.gz')


def fetch(package: Package, folder: Path) -> Path:
    r"""The archive of a package, downloaded unless the folder has it.

    Args:
        package: The package.
        folder: Where archives are.

    Raises:
        RuntimeError: If pip cannot get it.
    """
    found = _archive(package, folder)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    only = ['--no-binary', package.name] if package.source else []
    wanted = f'{package.name}=={package.version}'
    pip('download', '--no-deps', '--dest', str(folder), *only, wanted)
    found = _archive(package, folder)
    if found is None:
        names = sorted(path.name for path in folder.iterdir())
        raise RuntimeError(
            f'pip downloaded {wanted}, but {folder} has no archive of this '
            f'name and version, only {names}'
        )
    return found


def install(package: Package, folder: Path) -> None:
    r"""Installs a package, without what it needs, into a folder of its own.

    Args:
        package: The package.
        folder: The folder, for :obj:`PYTHONPATH`.

    Raises:
        RuntimeError: If pip cannot install it.
    """
    wanted = f'{package.name}=={package.version}'
    pip('install', '--no-deps', '--target', str(folder), wanted)


def pip(*words: str) -> None:
    r"""Runs pip.

    Args:
        words: Its command and arguments.

    Raises:
        RuntimeError: If it fails.
    """
    command = [
        sys.executable,
        '-m',
        'pip',
        '--disable-pip-version-check',
        '-q',
    ]
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f'pip {" ".join(words)} failed; with --folder, archives that are '
            f'there are taken:\n{done.stderr.strip()}'
        )


def unpack(archive: Path, folder: Path) -> Path:
    r"""Unpacks the plain files of an archive; nothing of it is executed.

    Args:
        archive: A wheel or a gzipped tar file.
        folder: Where the files go.

    Raises:
        ValueError: If a name in the archive leads out of the folder.
    """
    if archive.name.endswith('.whl'):
        with zipfile.ZipFile(archive) as whl:
            for one in whl.infolist():
                if not one.is_dir():
                    with whl.open(one) as file:
                        _write(file, _inside(folder, one.filename, archive))
        return folder
    with tarfile.open(archive) as tar:
        for member in tar:
            # A link, or a device, is no file of data.
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                _write(content, _inside(folder, member.name, archive))
    return folder


def _archive(package: Package, folder: Path) -> Path | None:
    start = f'{package.name}-{package.version}'.lower()
    ends = ENDS[1:] if package.source else ENDS
    for path in sorted(folder.glob('*')):
        name = path.name.lower()
        rest = name.removeprefix(start)
        if rest != name and rest[:1] in '-.' and name.endswith(ends):
            return path
    return None


def _inside(folder: Path, name: str, archive: Path) -> Path:
    parts = PurePosixPath(name)
    if parts.is_absolute() or '..' in parts.parts or '\\' in name:
        raise ValueError(
            f"{archive.name} has a file '{name}', which leads out of the "
            f'folder it is unpacked into; it is not read'
        )
    return folder.joinpath(*parts.parts)


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('wb') as out:
        shutil.copyfileobj(content, out)
