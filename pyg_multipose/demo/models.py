r"""What is trained: the same network under one of the combinations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyg_multipose.demo.settings import CONFIG, Settings


@dataclass(frozen=True)
class Model:
    r"""What is trained: a combination of all poses, or of the first alone.

    Args:
        name: What tables call it.
        folder: The name of the folder of its run.
        combination: How poses are combined.
        best_docked_only: Whether only the pose of the best score is taken.
            (default: :obj:`False`)
    """

    name: str
    folder: str
    combination: str
    best_docked_only: bool = False

    def command(self, settings: Settings, runs: Path) -> list[str]:
        r"""The words of the command that trains it, after :obj:`multipose`.

        Args:
            settings: How to train it.
            runs: The folder of all runs.
        """
        data = f'{settings.data},poses=1' if self.best_docked_only else None
        return [
            'fit',
            *('--config', CONFIG),
            *('--data', data or settings.data),
            *('--combination', self.combination),
            *('--epochs', str(settings.epochs)),
            *('--seed', str(settings.seed)),
            *('--device', 'cpu'),
            *('--processes', '1'),
            *('--progress', 'false'),
            *('--out', str(runs / self.folder)),
        ]


MODELS = (
    Model('single best-docked pose', 'single', 'mean', best_docked_only=True),
    Model('multi-pose Mean', 'mean', 'mean'),
    Model('multi-pose Max', 'max', 'max'),
    Model('free energy', 'free_energy', 'free_energy'),
)
