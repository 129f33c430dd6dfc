r"""A table that is written some rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pyg_multipose.campaign import atomic_file

#: The columns of both tables, and what they hold.
OF_SETS = {
    'id': 'string',
    'receptor': 'string',
    'prediction': 'float64',
    'low': 'float64',
    'high': 'float64',
    'unit': 'string',
    'poses': 'int64',
    'rank': 'int64',
    'flags': 'string',
}
OF_POSES = {
    'id': 'string',
    'receptor': 'string',
    'pose': 'int64',
    'prediction': 'float64',
    'unit': 'string',
    'weight': 'float64',
    'rank': 'int64',
}
#: The ends of names that say the format of a table.
FORMATS = ('.csv', '.parquet')
#: Rows of Parquet that are compressed together.
_ROWS = 65_536


class TableWriter:
    r"""Writes a table of CSV or Parquet, which is there when all is written.

    Args:
        path: The file; its end says the format.
        columns: The type of each column.

    Raises:
        ValueError: If the end of the name is another one.
        ImportError: If pyarrow is not installed, for :obj:`.parquet`.
        OSError: If the file cannot be written.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        check_format(path)
        self.path, self.columns = path, dict(columns)
        self._waiting: list[Any] = []
        self._rows = 0

    def __enter__(self) -> TableWriter:
        with ExitStack() as stack:
            if self.path.suffix == '.csv':
                file = stack.enter_context(
                    atomic_file(self.path, 'w', newline='', encoding='utf-8')
                )
                self._csv = csv.writer(file, lineterminator='\n')
                self._csv.writerow(self.columns)
            else:
                pyarrow = arrow()
                self._schema = pyarrow.schema(
                    [
                        (k, getattr(pyarrow, t)())
                        for k, t in self.columns.items()
                    ]
                )
                file = stack.enter_context(atomic_file(self.path))
                self._parquet = stack.enter_context(
                    arrow('parquet').ParquetWriter(file, self._schema)
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> Any:
        if error[0] is None and self._waiting:
            self._write_parquet()
        return self._stack.__exit__(*error)

    def add(self, columns: Mapping[str, Sequence[Any]]) -> None:
        r"""Adds rows.

        Args:
            columns: Their values by the name of the column; missing ones are
                :obj:`None`.
        """
        values = [columns[name] for name in self.columns]
        if self.path.suffix == '.csv':
            self._csv.writerows(zip(*values, strict=True))
            return
        pyarrow = arrow()
        arrays = [
            pyarrow.array(one, field.type)
            for one, field in zip(values, self._schema, strict=True)
        ]
        self._waiting.append(pyarrow.table(arrays, self._schema))
        self._rows += len(self._waiting[-1])
        if self._rows >= _ROWS:
            self._write_parquet()

    def _write_parquet(self) -> None:
        table = arrow().concat_tables(self._waiting)
        self._parquet.write_table(table, row_group_size=_ROWS)
        self._waiting, self._rows = [], 0


def check_format(path: Path) -> None:
    r"""Refuses a table of an unknown format.

    Args:
        path: The file.
    """
    if path.suffix not in FORMATS:
        raise ValueError(
            f"'{path}' has to end in one of {list(FORMATS)}, which says the "
            f'format of the table'
        )


def of_poses(path: Path) -> Path:
    r"""The file of the table of poses, beside that of sets.

    Args:
        path: The latter.
    """
    return path.with_name(f'{path.stem}_poses{path.suffix}')


def arrow(module: str = '') -> Any:
    r"""Arrow, which reads and writes Parquet.

    Args:
        module: A module of it. (default: :obj:`""`, all of it)

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "Parquet needs pyarrow: pip install 'pyg_multipose[train]'; or "
            'write a .csv'
        ) from error
    return getattr(pyarrow, module) if module else pyarrow
