"""Labels from tables of measurements."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import overload

from pyg_multipose.io.labels.ids import by_likeness
from pyg_multipose.io.labels.label import Label, aggregated
from pyg_multipose.io.labels.rows import LabelReader
from pyg_multipose.io.labels.units import TEMPERATURE
from pyg_multipose.io.labels.values import Format, Measurement
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.table import read_table


class Labels(Sequence[Label]):
    r"""What :func:`read_labels` returns: labels, and the report on them.

    Args:
        labels: The labels, one for each ligand, target and kind.
        report: What was read, dropped and flagged.
        pooled: Whether kinds were pooled.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_labels
        >>> text = '''ligand_id,kind,value
        ... a,IC50,2.0
        ... a,IC50,0.5
        ... b,IC50,>100
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'activity.csv')
        ...     _ = path.write_text(text)
        ...     labels = read_labels(path, unit='uM', target_id='Mpro')
        >>> labels
        Labels(2, kinds=['IC50'])
        >>> labels[0].n_replicates, labels.report
        (2, Report(seen=3, kept=3, dropped=0, flagged=0))
    """

    def __init__(
        self, labels: Iterable[Label], report: Report, pooled: bool = False
    ) -> None:
        self._labels = list(labels)
        #: What was read, dropped and flagged; print it.
        self.report = report
        #: Whether kinds were pooled.
        self.pooled = pooled

    @overload
    def __getitem__(self, index: int) -> Label: ...

    @overload
    def __getitem__(self, index: slice) -> list[Label]: ...

    def __getitem__(self, index: int | slice) -> Label | list[Label]:
        return self._labels[index]

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def kinds(self) -> list[str]:
        r"""The kinds of the labels, in the order in which they arose."""
        return list(dict.fromkeys(label.kind for label in self._labels))

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({len(self)}, kinds={self.kinds})'


def read_labels(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
    target_id: str | None = None,
    kind: str | None = None,
    pool_kinds: bool = False,
    delimiter: str | None = None,
    decimal: str = '.',
    thousands: str | None = None,
    encoding: str = 'utf-8',
    temperature: float = TEMPERATURE,
    quotechar: str | None = '"',
) -> Labels:
    r"""Reads measured affinities from CSV files.

    Nothing is guessed: neither a unit, nor a decimal comma, nor an id from
    the position of a row. A row that cannot be read for sure is dropped,
    and all others are read; :attr:`Labels.report` says what and why.

    All rows of one ligand, target and kind make one :class:`Label`, on the
    scale of pK: the mean of the exact values.

    Args:
        paths: A file, or several with the same columns; plain or gzip.
        columns: The name of the column for each of :obj:`"ligand_id"`,
            :obj:`"value"`, :obj:`"target_id"`, :obj:`"unit"`,
            :obj:`"relation"` and :obj:`"kind"`; those that are not given are
            called so. A relation may also stand before the value, and a kind
            and a unit around it: :obj:`"Ki=3.2nM"`.
        unit: The unit of all values, if there is no column of it: one of
            :data:`pyg_multipose.io.labels.units.UNITS`, or what means one
            of them.
            (default: :obj:`None`)
        target_id: The target of all values, if there is no column of it.
            (default: :obj:`None`)
        kind: What all values are, e.g. :obj:`"IC50"`, if there is no column
            of it. (default: :obj:`None`)
        pool_kinds: Whether Ki, Kd, IC50 and so on of a ligand and a target
            are replicates of each other. (default: :obj:`False`)
        delimiter: What separates cells. (default: a comma; a tabulator if
            the name ends in .tsv or .tab)
        decimal: The decimal sign. (default: :obj:`"."`)
        thousands: What separates groups of three digits.
            (default: :obj:`None`)
        encoding: The encoding. (default: :obj:`"utf-8"`)
        temperature: What free energies in kcal/mol and kJ/mol are converted
            at, in Kelvin. (default: :obj:`298.15`)
        quotechar: What quotes cells. If :obj:`None`, nothing does, as in most
            TSV: quotation marks are a part of the text.
            (default: a quotation mark)

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file cannot be decoded or is empty, if a column is
            absent, if unit or target are not told, if the unit contradicts
            the name of the column, or if two quotation marks have whole rows
            between them. A bad row is no error but a row of the report.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_labels
        >>> text = '''ligand_id,kind,value
        ... a,IC50,2.0
        ... a,IC50,0.5
        ... b,IC50,>100
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'activity.csv')
        ...     _ = path.write_text(text)
        ...     labels = read_labels(path, unit='uM', target_id='Mpro')
        >>> [(x.ligand_id, x.relation, round(x.pvalue, 2)) for x in labels]
        [('a', '=', 6.0), ('b', '<', 4.0)]
    """
    number_format = Format(decimal, thousands)
    told = {'unit': unit, 'target_id': target_id, 'kind': kind}
    constants = {k: text for k, text in told.items() if text is not None}
    report = Report()
    groups: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
    kinds: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for path in _distinct(paths):
        table = read_table(path, delimiter, encoding, quotechar)
        reader = LabelReader(table, columns or {}, constants, report)
        for ids, one in reader.read(number_format, temperature):
            key = (*ids[:2], '') if pool_kinds else ids
            groups[key].append(one)
            kinds[key][ids[2]] = None
    labels = []
    for key, found in groups.items():
        name = '+'.join(of_kind for of_kind in kinds[key] if of_kind)
        try:
            label, flags = aggregated((*key[:2], name), found)
        except Rejected as rejected:
            for one in found:
                report.drop(
                    one.file, one.row, key[0], rejected.reason, rejected.detail
                )
            continue
        labels.append(label)
        for one in found:
            report.kept[one.file] += 1
        for reason, detail in flags:
            report.flag(found[0].file, found[0].row, key[0], reason, detail)
    pairs = [(label.ligand_id, label.target_id) for label in labels]
    for names in by_likeness(pairs).values():
        if len(names) > 1:
            report.flag(
                '', None, names[0], 'ids that are nearly the same', f'{names}'
            )
    report.check()
    report.summary = (
        f'{len(labels)} labels of {report.num_kept} values, kinds: '
        f'{sorted({label.kind for label in labels})}'
    )
    if not labels:
        warnings.warn(
            f'No labels were read. {report}', UserWarning, stacklevel=2
        )
    return Labels(labels, report, pool_kinds)


def _distinct(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[Path]:
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    out: dict[Path, Path] = {}
    for path in map(Path, paths):
        if path.resolve() in out:
            raise ValueError(
                f"'{path}' is given twice; its rows would be replicates of "
                f'themselves'
            )
        out[path.resolve()] = path
    if not out:
        raise ValueError('No files given to read labels from')
    return list(out.values())
