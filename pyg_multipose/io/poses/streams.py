"""Records of files that are read in part, forwards."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice

from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.poses.index import Index, Run
from pyg_multipose.io.source.sources import Source
from pyg_multipose.io.source.text_file import TextFile

#: Records that are passed over rather than sought behind.
_FEW = 16
#: Files that are held open, where they were left.
_OPEN = 4


class Streams:
    r"""Gives the records of shards, one shard after another.

    A file that may be read from any record on is; another one, such as a
    compressed one, is held open where it was left, so that shards in their
    order read it once, and not once each from its beginning.

    Args:
        index: Where the records are.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        #: The records of files, and the number of the next one.
        self._open: OrderedDict[int, tuple[Iterator[Record], int]] = (
            OrderedDict()
        )

    def records(
        self, source: Source, runs: Sequence[Run]
    ) -> Iterator[tuple[str, Record]]:
        r"""Some records of a file.

        Args:
            source: The file.
            runs: Which ones, in their order.

        Yields:
            The id that each had, and the record.

        Raises:
            ValueError: If it is not as it was when it was looked through.
        """
        for run in runs:
            for number in range(run.record, run.record + run.length):
                record = self._record(source, number, run)
                if record is None:
                    raise changed(source, number, run.name)
                yield run.name, record

    def _record(self, source: Source, number: int, run: Run) -> Record | None:
        records, at = self._open.pop(source.number, (iter(()), 0))
        skips = number - at
        if at == 0 or skips < 0 or (skips > _FEW and run.place is not None):
            place, at = run.place or 0, 1
            if run.place is not None:
                at = run.record
            lines = TextFile(source.path, place)
            records = source.format().records(lines, source.file)
            skips = number - at
        record = next(islice(records, skips, None), None)
        if record is not None:
            record.number = number
            self._open[source.number] = records, number + 1
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return record


def changed(source: Source, number: int, name: str) -> ValueError:
    r"""An error: a file is not as it was when it was looked through.

    Args:
        source: The file.
        number: The number of a record.
        name: The id that it had.
    """
    return ValueError(
        f"'{source.file}' was changed since it was looked through: its "
        f"record {number} is not of '{name}' any more"
    )
