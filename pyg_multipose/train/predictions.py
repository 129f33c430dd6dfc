r"""Predictions of sets and of their poses, as tables."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.train.multi_pose_module import MultiPoseModule
from pyg_multipose.train.units import UNITS

#: The columns of both tables.
OF_SETS = ('id', 'receptor', 'prediction', 'unit', 'rank', 'poses')
OF_POSES = ('id', 'receptor', 'pose', 'prediction', 'unit', 'weight', 'rank')
#: The ends of names that say the format of a table.
FORMATS = ('.csv', '.parquet')


class Predictions:
    r"""What a module predicts, in rows of sets and rows of poses.

    A rank is 1 for what binds strongest: among all sets, and among the poses
    of a set. The weight of a pose is how much the prediction of its set moves
    with its own. Poses are counted from 0, in the order of the set.

    Args:
        sets: A row (a dictionary) of each set.
        poses: A row of each pose.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import MultiPoseModule, Predictions
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> sets = MproMoonshot('test', transform=RadiusGraph(4.5))[:2]
        >>> module = MultiPoseModule('SchNet', 'mean', affinity='PIC50').eval()
        >>> table = Predictions.of(module, sets, progress=False)
        >>> [row['id'] for row in table.sets], len(table.poses)
        (['ALP-POS-6479a3a9-1', 'EDJ-MED-c5ca5386-1'], 17)
        >>> table.poses[0]['unit'], table.poses[0]['weight']
        ('pIC50', 0.125)
    """

    def __init__(
        self, sets: list[dict[str, Any]], poses: list[dict[str, Any]]
    ) -> None:
        self.sets, self.poses = sets, poses

    @classmethod
    def of(
        cls,
        module: MultiPoseModule,
        batches: Iterable[PoseSet],
        progress: bool | None = None,
    ) -> Predictions:
        r"""Predicts pose sets.

        Args:
            module: A module, on any device.
            batches: Pose sets, or batches of them such as a loader gives.
            progress: Whether to show a progress bar on stderr; if
                :obj:`None`, on a terminal. (default: :obj:`None`)

        Raises:
            ValueError: If the sets are not like those of the training.
        """
        training = module.training
        module.eval()
        strong = UNITS[module.unit]
        sets: list[dict[str, Any]] = []
        poses: list[dict[str, Any]] = []
        bar = tqdm(
            batches,
            desc='Predicting',
            unit='batch',
            disable=None if progress is None else not progress,
        )
        try:
            for batch in bar:
                found = module.predict_poses(batch.to(module.device))
                _add(batch, found, module.unit, strong, sets, poses)
        finally:
            module.train(training)
        of_all = [row['prediction'] for row in sets]
        for row, rank in zip(sets, _ranks(of_all, strong), strict=True):
            row['rank'] = rank
        return cls(sets, poses)

    def write(self, path: str | os.PathLike[str]) -> tuple[Path, Path]:
        r"""Writes both tables, the second one as :obj:`NAME_poses`.

        Args:
            path: The file of the table of sets; its end says the format,
                :obj:`.csv` or :obj:`.parquet`.

        Returns:
            The files.

        Raises:
            ValueError: If the end of the name is another one.
            ImportError: If pyarrow is not installed, for :obj:`.parquet`.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> from pyg_multipose.train import Predictions
            >>> row = dict.fromkeys(('receptor', 'unit', 'rank', 'poses'), '')
            >>> table = Predictions(
            ...     [{'id': 'a', 'prediction': 6.5, **row}], []
            ... )
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     files = table.write(Path(folder, 'out.csv'))
            ...     print([file.name for file in files])
            ...     print(files[0].read_text())
            ['out.csv', 'out_poses.csv']
            id,receptor,prediction,unit,rank,poses
            a,,6.5,,,
        """
        first = Path(path)
        check_format(first)
        second = first.with_name(f'{first.stem}_poses{first.suffix}')
        for file, rows, columns in (
            (first, self.sets, OF_SETS),
            (second, self.poses, OF_POSES),
        ):
            if file.suffix == '.csv':
                with open(file, 'w', newline='', encoding='utf-8') as out:
                    writer = csv.DictWriter(out, columns, lineterminator='\n')
                    writer.writeheader()
                    writer.writerows(rows)
            else:
                _write_parquet(file, rows, columns)
        return first, second


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


def _add(
    batch: PoseSet,
    found: tuple[Tensor, Tensor, Tensor],
    unit: str,
    strong: bool,
    sets: list[dict[str, Any]],
    poses: list[dict[str, Any]],
) -> None:
    combined, of_poses, weights = (one.detach().cpu() for one in found)
    if combined.dim() != 1:
        raise ValueError(
            f'The model predicts {list(combined.shape)[1:]} numbers of a set; '
            f'tables hold one'
        )
    layout = Layout(batch)
    names = _texts(batch.get('name'), layout.num_sets)
    receptors = _texts(batch.get('receptor_name'), layout.num_sets)
    sizes = layout.set_size.tolist()
    parts = zip(of_poses.split(sizes), weights.split(sizes), strict=True)
    for index, (values, shares) in enumerate(parts):
        ids = {
            'id': names[index] or f'set {len(sets)}',
            'receptor': receptors[index],
        }
        sets.append(
            {
                **ids,
                'prediction': combined[index].item(),
                'unit': unit,
                'poses': sizes[index],
            }
        )
        ranks = _ranks(values.tolist(), strong)
        for pose, (value, share) in enumerate(
            zip(values.tolist(), shares.tolist(), strict=True)
        ):
            poses.append(
                {
                    **ids,
                    'pose': pose,
                    'prediction': value,
                    'unit': unit,
                    'weight': share,
                    'rank': ranks[pose],
                }
            )


def _texts(value: Any, count: int) -> Sequence[str]:
    if value is None:
        return [''] * count
    return [value] if isinstance(value, str) else value


def _ranks(values: Sequence[float], strong: bool) -> list[int]:
    """From 1, the strongest; equal ones in their order, NaN last."""
    numbers = torch.tensor(values, dtype=torch.float64)
    numbers = -numbers if strong else numbers
    numbers = numbers.nan_to_num(torch.inf, torch.inf, -torch.inf)
    order = numbers.argsort(stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(1, len(order) + 1)
    return ranks.tolist()


def _write_parquet(
    file: Path, rows: list[dict[str, Any]], columns: Sequence[str]
) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "Parquet needs pyarrow: pip install 'pyg_multipose[train]'; or "
            'write a .csv'
        ) from error
    table = {name: [row[name] for row in rows] for name in columns}
    parquet.write_table(pyarrow.table(table), file)
