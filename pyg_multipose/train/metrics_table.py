r"""What is logged, in a table of epochs."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from pyg_multipose.campaign import atomic_file

#: The columns that come first.
_FIRST = ('epoch', 'step')


class MetricsTable(Logger):
    r"""Logs to a CSV file with a row for each epoch.

    Unlike Lightning's :obj:`CSVLogger`, which begins a file anew, it can be
    told the rows of the epochs before a training was interrupted. The file
    is there as a whole at any time.

    Args:
        path: The file.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.train import MetricsTable
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table = MetricsTable(Path(folder, 'metrics.csv'))
        ...     table.log_metrics({'lr': 0.1}, step=0)
        ...     table.log_metrics({'epoch': 0, 'train_loss': 2.5}, step=9)
        ...     table.save()
        ...     print(table.path.read_text())
        epoch,step,lr,train_loss
        0,9,0.1,2.5
        >>> again = MetricsTable('metrics.csv')
        >>> again.rows = table.rows
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = Path(path)
        #: The rows, as dictionaries.
        self.rows: list[dict[str, Any]] = []
        self._next: dict[str, Any] = {}

    @property
    def name(self) -> str:
        r"""None."""
        return ''

    @property
    def version(self) -> str:
        r"""None."""
        return ''

    @rank_zero_only
    def log_metrics(
        self, metrics: dict[str, Any], step: int | None = None
    ) -> None:
        r"""Adds to the row of an epoch.

        Args:
            metrics: Numbers by name. Without an :obj:`epoch` they go into
                the row that comes next.
            step: The step of the training. (default: :obj:`None`)
        """
        self._next.update(metrics)
        if 'epoch' not in metrics:
            return
        epoch = int(metrics['epoch'])
        if not self.rows or self.rows[-1]['epoch'] != epoch:
            self.rows.append({})
        self.rows[-1].update(self._next, epoch=epoch, step=step)
        self._next = {}

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        r"""Does nothing: config.yaml has them.

        Args:
            args: Anything.
            kwargs: Anything.
        """

    @rank_zero_only
    def save(self) -> None:
        r"""Writes the file."""
        names = {name for row in self.rows for name in row} - {*_FIRST}
        with atomic_file(self.path, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(
                file, [*_FIRST, *sorted(names)], lineterminator='\n'
            )
            writer.writeheader()
            writer.writerows(self.rows)
