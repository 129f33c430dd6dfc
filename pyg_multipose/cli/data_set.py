r"""A data set that a command works on, with what is known beside the sets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pyg_multipose.cli.bundled import NAME as BUNDLED
from pyg_multipose.cli.bundled import columns_of, is_bundled, open_bundled
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import PoseSetDataset, PoseSetShards
from pyg_multipose.datasets.pose_set_shards import LIST

#: What `prepare` writes beside the sets: how they were made, and a table.
ABOUT, TABLE = 'prepared.json', 'sets.csv'
#: What was left out, as a text and as counts by reason.
REPORT, COUNTS = 'report.txt', 'report.json'
#: The file of the sets, if it is one.
SETS = Path('processed', 'sqlite.db')


@dataclass
class DataSet:
    r"""Pose sets, and what is known of them.

    Args:
        path: Where they come from.
        sets: The sets.
        names: The id of each.
        unit: The unit of the labels, if it is known.
        columns: Texts of each set by the name of a column: SMILES,
            scaffolds, dates.
        about: What :obj:`multipose prepare` has written.
    """

    path: str
    sets: Sequence[PoseSet]
    names: Sequence[str]
    unit: str | None = None
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def left_out(self) -> dict[str, dict[str, dict[str, int]]]:
        r"""How much was dropped and flagged, by what was read and reason."""
        file = Path(self.path, COUNTS)
        if not file.is_file():
            return {}
        return json.loads(file.read_text(encoding='utf-8'))

    @property
    def ligands(self) -> Sequence[str]:
        r"""What tells ligands apart: the SMILES where all have one."""
        smiles = self.columns.get('smiles', [])
        return smiles if smiles and all(smiles) else self.names

    def labels(self) -> tuple[torch.Tensor, torch.Tensor]:
        r"""As :func:`labels_of`; from the table of sets, if it has them."""
        columns = self.columns
        if 'y' not in columns or 'relation' not in columns:
            return labels_of(self.sets)
        y = [float(text or 'nan') for text in columns['y']]
        codes = {'<': -1, '': 0, '>': 1}
        relation = [codes[text] for text in columns['relation']]
        return torch.tensor(y), torch.tensor(relation)

    def column(self, name: str, table: str | None) -> list[str]:
        r"""A value of each set.

        Args:
            name: The name of the column.
            table: A CSV file with a column :obj:`ligand_id`. (default of
                commands: :obj:`None`, what is known of the sets)

        Raises:
            ValueError: If there is no such column, or no row for a set.
            FileNotFoundError: If there is no such file.
        """
        if table is None:
            if name not in self.columns:
                raise ValueError(
                    f"'{self.path}' has no column {name!r}, it has "
                    f'{sorted(self.columns)}; --table names a CSV file with '
                    f"the columns 'ligand_id' and {name!r}"
                )
            return self.columns[name]
        rows = read_table(Path(table))
        if rows and not {'ligand_id', name} <= rows[0].keys():
            raise ValueError(
                f"'{table}' has the columns {list(rows[0])}, expected "
                f"'ligand_id' and {name!r}"
            )
        values = {row['ligand_id'].strip(): row[name].strip() for row in rows}
        missing = [one for one in self.names if not values.get(one)]
        if missing:
            raise ValueError(
                f"'{table}' has no {name!r} for {len(missing)} of "
                f'{len(self.names)} sets, such as {missing[:3]}'
            )
        return [values[one] for one in self.names]


def is_data_set(path: str) -> bool:
    r"""Whether a path is that of a data set, and not of poses.

    Args:
        path: A folder, or the name of the bundled data.
    """
    folder = Path(path)
    is_one = (folder / SETS).is_file() or (folder / LIST).is_file()
    return is_bundled(path) or is_one


def open_data(path: str) -> DataSet:
    r"""Opens a data set.

    Args:
        path: The folder that :obj:`multipose prepare` or a
            :class:`~pyg_multipose.datasets.PoseSetDataset` has written, or
            the name of the bundled data.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged or empty.
    """
    if is_bundled(path):
        bundled, about = open_bundled(path)
        return DataSet(
            path, bundled, bundled.names, 'pIC50', columns_of(bundled), about
        )
    folder = Path(path)
    if not is_data_set(path):
        what = 'holds no data set' if folder.exists() else 'does not exist'
        if (folder / 'shards' / 'run.json').is_file():
            what = 'has not been prepared to the end'
        raise FileNotFoundError(
            f"'{path}' {what}; 'multipose prepare --out {path}' makes one, "
            f"and '{BUNDLED}' is the bundled one"
        )
    sets: Any
    if (folder / LIST).is_file():
        sets = PoseSetShards(path)
    else:
        sets = PoseSetDataset(path)
    if not len(sets):
        raise ValueError(f"'{path}' is a data set without any pose set")
    about = {}
    if (folder / ABOUT).is_file():
        about = json.loads((folder / ABOUT).read_text(encoding='utf-8'))
    table: Mapping[str, list[str]] = {}
    if (folder / TABLE).is_file():
        table = _Columns(folder / TABLE, sets.names)
    return DataSet(path, sets, sets.names, about.get('unit'), table, about)


class _Columns(Mapping[str, list[str]]):
    """The columns of a table of sets, read when they are asked for."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path, self._names = path, names
        with open(path, newline='', encoding='utf-8-sig') as file:
            header = next(csv.reader(file), [])
        self._keys = [key for key in header if key != 'ligand_id']

    def __getitem__(self, key: str) -> list[str]:
        if key not in self._keys:
            raise KeyError(key)
        with open(self._path, newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file)
            found = [(row['ligand_id'], row[key]) for row in rows]
        if [name for name, _ in found] != list(self._names):
            values = dict(found)  # of a data set that was added to
            missing = [one for one in self._names if one not in values]
            if missing:
                raise ValueError(
                    f"'{self._path}' has no row for {len(missing)} sets, such "
                    f'as {missing[:3]}'
                )
            return [values[name] for name in self._names]
        return [value for _, value in found]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def read_table(path: Path) -> list[dict[str, str]]:
    r"""The rows of a CSV file.

    Args:
        path: The file.
    """
    with open(path, newline='', encoding='utf-8-sig') as file:
        return list(csv.DictReader(file))


def receptor_of(data: DataSet) -> tuple[Any, str | None]:
    r"""The receptor that all sets of a data set have, and its name.

    Args:
        data: The data set.

    Raises:
        ValueError: If there is none, or several.
    """
    first = data.sets[0]
    receptor = first.receptor
    names: set[Any]
    if isinstance(data.sets, PoseSetShards):
        names = set(data.sets.receptor_names())
    else:
        every = range(len(data.names))
        names = {data.sets[n].get('receptor_name') for n in every}
    if receptor is None or len(names) > 1:
        count = (
            'no receptor' if receptor is None else f'{len(names)} receptors'
        )
        raise ValueError(
            f"'{data.path}' has {count}, expected one that all sets share; "
            f'give the file of a structure'
        )
    for key in list(receptor.keys()):
        if key not in ('z', 'pos', 'residue'):
            del receptor[key]
    return receptor, names.pop()


def labels_of(sets: Any) -> tuple[torch.Tensor, torch.Tensor]:
    r"""The labels of sets, NaN where there is none, and their relations.

    Args:
        sets: The sets.
    """
    y, relation = [], []
    for number in range(len(sets)):
        pose_set = sets[number]
        found = pose_set.get('y')
        y.append(torch.nan if found is None else float(found.reshape(-1)[0]))
        code = pose_set.get('y_relation')
        relation.append(0 if code is None else int(code))
    return torch.tensor(y), torch.tensor(relation)
