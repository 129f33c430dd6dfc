r"""What a model is worth on some sets, in a table."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from tqdm import tqdm

from pyg_multipose.campaign import atomic_file
from pyg_multipose.data import PoseSet
from pyg_multipose.train.affinity_metrics import METRICS, AffinityMetrics
from pyg_multipose.train.multi_pose_module import MultiPoseModule, targets_of
from pyg_multipose.train.pose_metrics import PoseMetrics
from pyg_multipose.uncertainty import Bootstrap, Estimate
from pyg_multipose.uncertainty.bootstrap import LEVEL

#: The columns of the table, and the target that stands for all.
COLUMNS = ('target', 'metric', 'value', 'low', 'high', 'sets')
ALL = 'all'
#: What :class:`~pyg_multipose.uncertainty.Bootstrap` calls a metric.
_DRAWN = {
    'mae': 'MAE', 'rmse': 'RMSE', 'spearman': 'Spearman', 'kendall': 'Kendall'
}  # fmt: skip


class Scores:
    r"""Errors and correlations of predictions, overall and by target.

    The metrics are those of :class:`~pyg_multipose.train.AffinityMetrics`,
    of sets with an exact label, and where poses have an :obj:`rmsd`
    those of :class:`~pyg_multipose.train.PoseMetrics`. If the module has an
    interval, :obj:`coverage` is the share of labels within.
    Ends are those of a 95 % interval: from a bootstrap over sets
    (:class:`~pyg_multipose.uncertainty.Bootstrap`), for shares of Clopper
    and Pearson, and none for :math:`R^2`.

    Args:
        rows: A dictionary of each row: :obj:`target`, :obj:`metric`,
            :obj:`value`, :obj:`low`, :obj:`high` and the number of
            :obj:`sets`.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import MultiPoseModule, Scores
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> sets = MproMoonshot('test', transform=RadiusGraph(4.5))[:5]
        >>> module = MultiPoseModule('SchNet', affinity='PIC50')
        >>> scores = Scores.of(module, sets, resamples=100, progress=False)
        >>> [row['metric'] for row in scores.rows]
        ['mae', 'rmse', 'spearman', 'kendall', 'r2']
        >>> scores.rows[0]['target'], scores.rows[0]['sets']
        ('all', 5)
        >>> print(scores)
        target  metric    value  95 % interval  sets
        all     mae ...
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    @classmethod
    def of(
        cls,
        module: MultiPoseModule,
        batches: Iterable[PoseSet],
        resamples: int = 0,
        seed: int = 0,
        progress: bool | None = None,
    ) -> Scores:
        r"""Predicts pose sets and compares with their labels.

        Args:
            module: A module, on any device.
            batches: Pose sets with labels, or batches of them.
            resamples: Of the bootstrap; 0 gives no intervals.
                (default: :obj:`0`)
            seed: Of the bootstrap. (default: :obj:`0`)
            progress: Whether to show a progress bar on stderr; if
                :obj:`None`, on a terminal. (default: :obj:`None`)

        Raises:
            ValueError: If sets are not like those of the training, or none
                has an exact label.
        """
        training = module.training
        module.eval()
        # By itself, also on one of several ranks.
        metrics = AffinityMetrics(sync_on_compute=False)
        of_poses = PoseMetrics(sync_on_compute=False)
        try:
            for batch in tqdm(
                batches,
                desc='Scoring',
                unit='batch',
                disable=None if progress is None else not progress,
            ):
                _update(module, batch.to(module.device), metrics, of_poses)
        finally:
            module.train(training)
        if not metrics.count:
            raise ValueError(
                'No set has an exact label to compare with; '
                "'multipose prepare --labels' gives them"
            )
        return cls([*_rows(metrics, module, resamples, seed),
                    *_pose_rows(of_poses)])  # fmt: skip

    def write(self, path: str | os.PathLike[str]) -> None:
        r"""Writes the table as CSV.

        Args:
            path: The file.

        Raises:
            OSError: If the place cannot be written to.

        Example:
            >>> import tempfile
            >>> from pyg_multipose.train import Scores
            >>> row = {'target': 'all', 'metric': 'mae', 'value': 0.5}
            >>> with tempfile.NamedTemporaryFile('r') as file:
            ...     Scores([{**row, 'sets': 9}]).write(file.name)
            ...     print(open(file.name).read())
            target,metric,value,low,high,sets
            all,mae,0.5,,,9
        """
        with atomic_file(path, 'w', newline='', encoding='utf-8') as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
            writer.writeheader()
            writer.writerows(self.rows)

    def __str__(self) -> str:
        head = ['target', 'metric', 'value', f'{LEVEL:.0%}'.replace('%', ' %')]
        head[-1] += ' interval'
        table = [[*head, 'sets']]
        for row in self.rows:
            interval = ''
            if row.get('low') is not None:
                interval = f'[{row["low"]:.2f}, {row["high"]:.2f}]'
            value = row['value']
            shown = 'n/a' if math.isnan(value) else f'{value:.2f}'
            cells = [row['target'], row['metric'], shown, interval]
            table.append([*cells, str(row['sets'])])
        width = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = []
        for line in table:
            pairs = zip(line, width, strict=True)
            text = '  '.join(cell.ljust(size) for cell, size in pairs)
            lines.append(text.rstrip())
        return '\n'.join(lines)


def _update(
    module: MultiPoseModule,
    batch: PoseSet,
    metrics: AffinityMetrics,
    of_poses: PoseMetrics,
) -> None:
    pred, _, _ = module.predict_poses(batch)
    y = batch.get('y')
    if y is None:
        y = torch.full_like(pred, torch.nan)
    relation = batch.get('y_relation')
    metrics.to(pred.device)
    metrics.update(pred, y, relation, targets_of(batch))
    rmsd = batch.get('rmsd')
    if rmsd is not None:
        with torch.no_grad():
            _, energies = module.readout(batch, return_poses=True)
        of_poses.to(pred.device)
        of_poses.update(energies, rmsd, batch.set_size, False)


def _rows(
    metrics: AffinityMetrics,
    module: MultiPoseModule,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    out = []
    by_target = metrics.by_target()
    values: dict[str | None, Any] = {None: metrics.compute()}
    if len(by_target) > 1:
        values |= dict(sorted(by_target.items()))
    for target, found in values.items():
        pred, y = (one.cpu().numpy() for one in metrics.predictions(target))
        drawn: dict[str, Estimate] = {}
        if resamples and np.isfinite(pred).all():
            drawn = Bootstrap(y, resamples, seed)(pred)
        name = ALL if target is None else target
        for metric in METRICS:
            estimate = drawn.get(_DRAWN.get(metric, ''))
            out.append(
                _row(name, metric, float(found[metric]), len(y), estimate)
            )
        if module.calibration is not None:
            low, high = module.calibration.interval(torch.from_numpy(pred))
            within = (low.numpy() <= y) & (y <= high.numpy())
            out.append(_share(name, 'coverage', int(within.sum()), len(y)))
    return out


def _pose_rows(metrics: PoseMetrics) -> list[dict[str, Any]]:
    if not metrics.count:
        return []
    return [
        _share(ALL, f'pose_{name}', int(found), metrics.count)
        for name, found in zip(metrics.names, metrics.found, strict=True)
    ]


def _share(target: str, metric: str, found: int, count: int) -> dict[str, Any]:
    ends = binomtest(found, count).proportion_ci(LEVEL, 'exact')
    share = Estimate(found / count, float(ends.low), float(ends.high))
    return _row(target, metric, share.value, count, share)


def _row(
    target: str, metric: str, value: float, count: int, ends: Estimate | None
) -> dict[str, Any]:
    known = ends is not None and not math.isnan(ends.low)
    return {
        'target': target,
        'metric': metric,
        'value': value,
        'low': ends.low if known and ends is not None else None,
        'high': ends.high if known and ends is not None else None,
        'sets': count,
    }
