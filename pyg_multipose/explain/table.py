"""Attributions as a table in a file."""

from __future__ import annotations

import csv
import os

from pyg_multipose.explain.attribution import Attribution


def write_csv(attribution: Attribution, path: str | os.PathLike[str]) -> None:
    r"""Writes :meth:`Attribution.to_table` to a CSV file.

    What is not defined is an empty cell.

    Args:
        attribution: The attribution.
        path: The file; one that exists is replaced.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.explain import Attribution, write_csv
        >>> from pyg_multipose.nn import MeanCombination
        >>> z = torch.tensor([6])
        >>> poses = [Data(z=z, pos=torch.full((1, 3), x)) for x in (0.0, 1.0)]
        >>> pose_set = PoseSet.from_poses(poses, name='a')
        >>> energy, energies = torch.tensor([-8.0]), torch.tensor([-9.0, -7.0])
        >>> outputs = energy, energies, torch.tensor([0.5, 0.5])
        >>> mean = MeanCombination()
        >>> explained = Attribution.from_outputs(mean, pose_set, *outputs)

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_csv(explained, Path(folder) / 'poses.csv')
        ...     lines = (Path(folder) / 'poses.csv').read_text().splitlines()
        >>> len(lines)
        3
    """
    rows = attribution.to_table()
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
