r"""A small model for campaigns of the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from pyg_multipose.train import InputRecord, MultiPoseModule
from pyg_multipose.transforms import RadiusGraph

#: Å.
CUTOFF = 4.5
#: So small that reading is most of the work.
SMALL = {
    'class_path': 'SchNet',
    'init_args': {
        'hidden_channels': 8,
        'num_filters': 8,
        'num_gaussians': 8,
        'num_interactions': 1,
        'cutoff': CUTOFF,
    },
}


def write_checkpoint(path: Path, sets: Any, model: Any = None) -> None:
    r"""Writes the checkpoint of a model that was never trained.

    Args:
        path: The file.
        sets: Some of the sets that it is to predict.
        model: As of :class:`~pyg_multipose.train.MultiPoseModule`.
            (default: :obj:`None`, a small SchNet)
    """
    torch.manual_seed(0)
    module = MultiPoseModule(model or SMALL, 'max', affinity='PIC50')
    edges = RadiusGraph(CUTOFF)
    some = [edges(sets[number]) for number in range(min(len(sets), 16))]
    module.inputs = InputRecord.of(some, CUTOFF)
    trainer = Trainer(
        logger=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        accelerator='cpu',
    )
    trainer.strategy.connect(module)
    trainer.save_checkpoint(path)
