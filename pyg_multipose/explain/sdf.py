"""Attributions as data items of the SDF records that poses came from."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pyg_multipose.explain.attribution import Attribution
from pyg_multipose.explain.places import place_of, same_place
from pyg_multipose.io.source.text_file import TextFile

if TYPE_CHECKING:
    from pyg_multipose.io.poses.docked_poses import DockedPoses

#: The columns of the table that become data items, without the prefix.
TAGS = (
    'pose_prediction',
    'weight',
    'rank',
    'change',
    'prediction',
    'num_effective',
)
_HYDROGENS = ('H', 'D', 'T')
_ITEM = re.compile(rb'>[^<]*<(.*)>')
#: A file, and the number of a record in it, from 1.
Place = tuple[str, int]


def write_sdf(
    attribution: Attribution,
    records: str | os.PathLike[str] | DockedPoses | Sequence[Place],
    path: str | os.PathLike[str],
    prefix: str = 'multipose_',
) -> None:
    r"""Copies SDF records, each with what its pose was found to matter.

    Records are copied byte by byte, in their order, file after file; only
    line ends become those of Unix. Those of explained poses get the data
    items :obj:`multipose_pose_prediction`, :obj:`multipose_weight`,
    :obj:`multipose_rank`, :obj:`multipose_change`,
    :obj:`multipose_prediction` and :obj:`multipose_num_effective`, see
    :meth:`Attribution.to_table`; one that is not defined is left out.
    All others are copied as they are.

    A record has to be where its pose is (heavy atoms, to 0.01 Angstrom);
    only for sets without :obj:`z` and :obj:`pos` this cannot be seen.

    Args:
        attribution: The attribution.
        records: Where the poses came from. The result of
            :func:`~pyg_multipose.io.read_poses`, in which sets are
            found by their names; an SDF file whose records are the explained
            poses, in this order; or the file and the number of the record
            (from 1) of each pose.
        path: The file to write, compressed if it ends in :obj:`.gz`. It
            appears when all is written.
        prefix: What the names of data items begin with.
            (default: :obj:`"multipose_"`)

    Raises:
        ValueError: If records and poses do not fit each other, if a record
            has such a data item already, or if :obj:`path` is one of the
            files to read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import torch
        >>> from pyg_multipose.explain import Attribution, write_sdf
        >>> from pyg_multipose.io import read_poses
        >>> from pyg_multipose.nn import MeanCombination
        >>> atom = '    0.0000    0.0000    0.0000 C   0  0'
        >>> counts = '  1  0  0  0  0  0            999 V2000'
        >>> record = f'a\n\n\n{counts}\n{atom}\nM  END\n$$$$\n'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file, tagged = Path(folder) / 'a.sdf', Path(folder) / 'b.sdf'
        ...     _ = file.write_text(record)
        ...     docked = read_poses(file)
        ...     one = torch.ones(1)
        ...     explained = Attribution.from_outputs(
        ...         MeanCombination(), docked[0], -one, -one, one
        ...     )
        ...     write_sdf(explained, docked, tagged)
        ...     lines = tagged.read_text().splitlines()
        >>> lines[-5:-1]
        ['', '>  <multipose_num_effective>', '1', '']
    """
    path = Path(path)
    if isinstance(records, str | os.PathLike):
        places = _of_file(attribution, Path(records))
    elif hasattr(records, 'records'):
        places = _of_dataset(attribution, records)
    else:
        places = [(str(file), int(number)) for file, number in records]
    _check_places(attribution, places)
    files = list(dict.fromkeys(file for file, _ in places))
    if path.resolve() in [Path(file).resolve() for file in files]:
        raise ValueError(
            f"'{path}' would be written while it is read; choose another file"
        )
    poses = {place: pose for pose, place in enumerate(places)}
    rows = attribution.to_table()
    part = path.with_name(f'{path.name}.part')
    opened = gzip.open if path.suffix.lower() == '.gz' else open
    try:
        with opened(part, 'wb') as out:
            for file in files:
                for number, lines in _records(file):
                    pose = poses.pop((file, number), None)
                    if pose is not None:
                        where = f'{file}, record {number}'
                        _check_pose(
                            attribution, pose, rows[pose], lines, where
                        )
                        lines = _tagged(lines, rows[pose], prefix, where)
                    out.write(b'\n'.join([*lines, b'$$$$', b'']))
        if poses:
            (file, number), pose = next(iter(poses.items()))
            raise ValueError(
                f'{file} has no record {number}, which is to be pose '
                f'{rows[pose]["pose"]} of {_set_of(attribution, pose)}. Was '
                f'the file changed since it was read?'
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _of_file(attribution: Attribution, path: Path) -> list[Place]:
    count = sum(1 for _ in _records(str(path)))
    if count != attribution.num_poses:
        raise ValueError(
            f'{path} has {count} records, but {attribution.num_poses} poses '
            f'were explained. Expected one record for each pose; else give '
            f'the result of read_poses, or the file and record of each pose'
        )
    return [(str(path), number + 1) for number in range(count)]


def _of_dataset(attribution: Attribution, dataset: Any) -> list[Place]:
    known = dict(zip(dataset.names, dataset.records, strict=True))
    places: list[Place] = []
    for number, name in enumerate(attribution.names):
        if name not in known:
            raise ValueError(
                f'{attribution.set_name(number)} is none of the {len(known)} '
                f'sets that were read; explain sets of that dataset'
            )
        records, size = known[name], int(attribution.set_size[number])
        if len(records) != size:
            file, record = records[-1]
            raise ValueError(
                f'{attribution.set_name(number)} was explained with {size} '
                f'poses, but was read from {len(records)} records, the last '
                f'of them {file}, record {record}. If a transform chose among '
                f'poses, give the file and record of each that is left'
            )
        places += records
    return places


def _check_places(attribution: Attribution, places: list[Place]) -> None:
    if len(places) != attribution.num_poses:
        raise ValueError(
            f"'records' has {len(places)} entries, expected one for each of "
            f'the {attribution.num_poses} explained poses'
        )
    seen = set()
    for place in places:
        if place in seen:
            raise ValueError(
                f'{place[0]}, record {place[1]} is given for two poses'
            )
        seen.add(place)


def _records(file: str) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of each record without the end, and its number from 1."""
    text = TextFile(Path(file))
    lines: list[bytes] = []
    number = 0
    for line in text:
        if line.startswith(b'$$$$'):
            number += 1
            yield number, lines
            lines = []
        else:
            lines.append(line)
    if text.cut:
        raise ValueError(f'{file} cannot be read to its end: {text.cut}')
    if any(line.strip() for line in lines):
        yield number + 1, lines


def _check_pose(
    attribution: Attribution,
    pose: int,
    row: dict[str, Any],
    lines: list[bytes],
    where: str,
) -> None:
    expected = attribution.place[pose]
    if expected.isnan().all():
        return
    what = f'pose {row["pose"]} of {_set_of(attribution, pose)}'
    try:
        pos = _heavy_atoms(lines)
    except (IndexError, StopIteration, ValueError):
        raise ValueError(
            f'{where} is to be {what}, but has no mol block that can be read'
        ) from None
    if not same_place(place_of(pos), expected):
        raise ValueError(
            f'{where} is to be {what}, but its heavy atoms are not where '
            f'those of the pose are: {pos.size(0)} around '
            f'{_shown(place_of(pos))}, expected {int(expected[0])} around '
            f'{_shown(expected)}. Are records and poses in the same order?'
        )


def _heavy_atoms(lines: list[bytes]) -> Tensor:
    """The positions of heavy atoms in a mol block, V2000 or V3000."""
    text = [line.decode('latin-1') for line in lines]
    start = next(
        number for number, line in enumerate(text)
        if re.match(r'[ \d]{3}.*V[23]000\s*$', line)
    )  # fmt: skip
    found: list[list[str]] = []
    if text[start].rstrip().endswith('V2000'):
        for line in text[start + 1 : start + 1 + int(text[start][:3])]:
            found.append(
                [line[31:34].strip(), line[:10], line[10:20], line[20:30]]
            )
    else:
        begin = text.index('M  V30 BEGIN ATOM') + 1
        end = text.index('M  V30 END ATOM')
        found = [line.split()[3:7] for line in text[begin:end]]
    heavy = [
        [float(value) for value in pos]
        for symbol, *pos in found
        if symbol not in _HYDROGENS
    ]
    return torch.tensor(heavy, dtype=torch.float64).reshape(-1, 3)


def _tagged(
    lines: list[bytes], row: dict[str, Any], prefix: str, where: str
) -> list[bytes]:
    """The lines of a record with the data items at its end."""
    there = {m[1] for line in lines if (m := _ITEM.match(line))}
    out = list(lines)
    last = next((line for line in reversed(out) if line.strip()), b'')
    if not last.startswith(b'M  END') and out[-1].strip():
        out.append(b'')  # ends the value before
    for tag in TAGS:
        name = f'{prefix}{tag}'.encode()
        if name in there:
            raise ValueError(
                f"{where} has a data item '{prefix}{tag}' already; choose "
                f"another 'prefix'"
            )
        if row[tag] is not None:
            value = row[tag]
            shown = str(value) if isinstance(value, int) else f'{value:.7g}'
            out += [b'>  <' + name + b'>', shown.encode(), b'']
    return out


def _set_of(attribution: Attribution, pose: int) -> str:
    ends = attribution.set_size.cumsum(0)
    return attribution.set_name(int((ends <= pose).sum()))


def _shown(place: Tensor) -> str:
    x, y, z = place[1:4].tolist()
    return f'({x:.2f}, {y:.2f}, {z:.2f})'
