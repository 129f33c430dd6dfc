r"""What a campaign is, and which of its shards are done."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pyg_multipose.campaign.atomic_file import atomic_file, checksum

#: What the campaign is, and the record of a shard.
RUN, RECORD = 'run.json', 'shard-{:06d}.json'
#: The form of both.
VERSION = 1


class Manifest:
    r"""A folder of shards, each with a record that is written last.

    A shard is some files and a record, which holds their sizes and checksums:
    without a record nothing was done, with one all was. A campaign is told
    apart from others by everything that its result depends on; what is of
    another one is refused. What was cut short or changed since is not done.

    Any number of processes may work in one folder, on one machine or many
    that share it. Two that do the same shard write the same.

    Args:
        folder: The folder.
        run: What decides the result, as plain data: inputs, options, the
            checksum of a checkpoint.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.campaign import Manifest, atomic_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manifest = Manifest(folder, {'input': 'a.sdf', 'cutoff': 4.5})
        ...     manifest.begin()
        ...     with atomic_file(Path(folder, '0.txt'), 'w') as file:
        ...         _ = file.write('done')
        ...     manifest.record(0, ['0.txt'], {'sets': 3})
        ...     print(manifest.missing(2), manifest.counts(0))
        ...     print(manifest.fault(0), manifest.is_done(2))
        ...     print([file.name for file in manifest.files(0)])
        [1] {'sets': 3}
        None False
        ['0.txt']
    """

    def __init__(
        self, folder: str | os.PathLike[str], run: Mapping[str, Any]
    ) -> None:
        self.folder = Path(folder)
        #: What decides the result.
        self.run: dict[str, Any] = json.loads(_json(run))
        #: A checksum of that.
        self.digest = blake2b(_json(run).encode(), digest_size=16).hexdigest()

    def begin(self) -> None:
        r"""Makes the folder, or goes on in it.

        Raises:
            ValueError: If it is of another run; the message says what
                differs.
            OSError: If it cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermissionError(
                f"'{self.folder}' cannot be made ({error.strerror}); choose "
                f'another place'
            ) from error
        file = self.folder / RUN
        if not file.is_file():
            if any(self.folder.glob('shard-*')):
                raise ValueError(
                    f"'{self.folder}' holds shards, but no '{RUN}' which says "
                    f'of what; delete it, or choose another place'
                )
            with atomic_file(file, 'w', encoding='utf-8') as out:
                json.dump({'version': VERSION, 'run': self.run}, out, indent=1)
        # Another process may have begun the folder at the same time.
        found = _read(file)
        if found.get('version') != VERSION:
            raise ValueError(
                f"'{file}' has version {found.get('version')!r}, but this "
                f'release reads {VERSION}; delete the folder to begin anew'
            )
        if found.get('run') != self.run:
            differ = '; '.join(differences(found.get('run'), self.run))
            raise ValueError(
                f"'{self.folder}' holds shards of another run: {differ}. "
                f'Delete it to begin anew, or choose another place'
            )

    def record(
        self,
        shard: int,
        files: Iterable[str],
        counts: Mapping[str, Any] | None = None,
    ) -> None:
        r"""Notes that a shard is done; its files are there.

        Args:
            shard: Its number.
            files: The names of its files in the folder.
            counts: What is to be known of it, as plain data.
                (default: :obj:`None`)

        Raises:
            OSError: If the folder cannot be written to.
        """
        values = {
            'version': VERSION,
            'run': self.digest,
            'shard': shard,
            'files': {name: self._look(name) for name in files},
            'counts': dict(counts or {}),
        }
        with atomic_file(self._file(shard), 'w', encoding='utf-8') as out:
            json.dump(values, out)

    def counts(self, shard: int) -> dict[str, Any]:
        r"""What was noted of a shard that is done.

        Args:
            shard: Its number.
        """
        return _read(self._file(shard))['counts']

    def files(self, shard: int) -> list[Path]:
        r"""The files of a shard that is done.

        Args:
            shard: Its number.
        """
        names = _read(self._file(shard))['files']
        return [self.folder / name for name in names]

    def missing(self, shards: int | Iterable[int]) -> list[int]:
        r"""The shards that are not done, or whose files are damaged.

        Of the latter a warning tells what is wrong; they are to be done
        again.

        Args:
            shards: How many there are, or which to look at.

        Raises:
            ValueError: If a shard is of another run.
        """
        out = []
        for shard in range(shards) if isinstance(shards, int) else shards:
            fault = self.fault(shard)
            if fault is None:
                continue
            out.append(shard)
            if fault:
                warnings.warn(
                    f"Shard {shard} of '{self.folder}' is done again: {fault}",
                    stacklevel=2,
                )
        return out

    def fault(self, shard: int) -> str | None:
        r"""Why a shard counts as not done.

        Args:
            shard: Its number.

        Returns:
            :obj:`None` if it is done; an empty text if there is nothing yet.

        Raises:
            ValueError: If it is of another run.
        """
        file = self._file(shard)
        if not file.is_file():
            return ''
        try:
            found = _read(file)
            files = dict(found['files'])
        except (ValueError, KeyError, TypeError):
            return f"'{file.name}' is damaged"
        if (found.get('run'), found.get('shard')) != (self.digest, shard):
            raise ValueError(
                f"'{file}' is of another run, or of another shard (number "
                f'{found.get("shard")}). Delete the folder to begin anew'
            )
        for name, known in files.items():
            if not (self.folder / name).is_file():
                return f"'{name}' is gone"
            size = (self.folder / name).stat().st_size
            if size != known['bytes']:
                return f"'{name}' has {size} bytes instead of {known['bytes']}"
            if self._look(name) != known:
                return f"'{name}' was changed (its checksum is another one)"
        return None

    def is_done(self, shards: int) -> bool:
        r"""Whether all shards have a record; files are not looked at.

        Args:
            shards: How many there are.
        """
        return all(self._file(n).is_file() for n in range(shards))

    def _file(self, shard: int) -> Path:
        return self.folder / RECORD.format(shard)

    def _look(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return {'bytes': path.stat().st_size, 'blake2b': checksum(path)}


def differences(one: Any, other: Any, where: str = '') -> Iterator[str]:
    r"""What differs between two runs, in words.

    Args:
        one: What is there.
        other: What was expected.
        where: The key that leads to both. (default: :obj:`""`)

    Yields:
        A text for each key that differs.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*other, *one]):
            if one.get(key) != other.get(key):
                name = f'{where}.{key}' if where else key
                yield from differences(one.get(key), other.get(key), name)
    else:
        yield f"'{where}' is {one!r} there and {other!r} here"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f"'{path}' is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"'{path}' is damaged")
    return found
