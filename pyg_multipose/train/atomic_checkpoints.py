r"""Checkpoints that are there as a whole, or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from pyg_multipose.campaign import atomic_file, atomic_path
from pyg_multipose.train.checkpoint import read_checkpoint

#: The state of a training, and the one before, in the folder of a run.
LAST, PREVIOUS = 'last.ckpt', 'previous.ckpt'


class AtomicCheckpoints(CheckpointIO):
    r"""Writes and reads the checkpoints of a training.

    Lightning's own writes to the folder of temporary files and moves the
    result; on another file system that copies, and whoever is killed
    meanwhile has half a file in the place of a good one.
    Nothing is read but plain data.

    Of :obj:`last.ckpt` the one before is kept, as :obj:`previous.ckpt`.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pyg_multipose.train import AtomicCheckpoints
        >>> trainer = Trainer(plugins=[AtomicCheckpoints()], logger=False)
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any = None,
    ) -> None:
        r"""Writes a checkpoint.

        Args:
            checkpoint: What is saved.
            path: The file; its folder is made.
            storage_options: Not used. (default: :obj:`None`)

        Raises:
            OSError: If the place cannot be written to, or is full. What was
                there before is there still.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # First into memory: PyTorch does not say that a disk is full.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with atomic_file(path) as file:
            file.write(content.getbuffer())
            if path.name == LAST and path.exists():
                _keep(path)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = 'cpu',
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        r"""Reads a checkpoint, without running any code of it.

        Args:
            path: The file.
            map_location: As of :func:`torch.load`. (default: :obj:`"cpu"`)
            weights_only: Always so. (default: :obj:`None`)

        Raises:
            FileNotFoundError: If there is no file.
            ValueError: If it is no checkpoint, is damaged or holds code.
        """
        return read_checkpoint(path, map_location)

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        r"""Removes a checkpoint.

        Args:
            path: The file.
        """
        Path(path).unlink(missing_ok=True)


def _keep(path: Path) -> None:
    """Gives a checkpoint that is about to be replaced a second name."""
    previous = path.with_name(PREVIOUS)
    try:
        with atomic_path(previous) as second:
            os.link(path, second)
    except OSError:  # a file system without links
        os.replace(path, previous)
