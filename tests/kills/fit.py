"""multipose fit, killed at any moment, ends as if it had not been."""

import csv
import random
from pathlib import Path

import torch
from lightning.pytorch import callbacks

from pyg_multipose.datasets import PoseSetDataset

from .runs import Outcome, killed_runs
from .sets import pose_sets

#: Files of a run whose bytes are compared.
FILES = (
    'metrics.csv', 'split.csv', 'train_predictions.csv',
    'valid_predictions.csv', 'test_predictions.csv',
    'test_predictions_poses.csv', 'test_scores.csv',
)  # fmt: skip
#: Of the checkpoints.
STATE = (
    'epoch', 'global_step', 'state_dict', 'optimizer_states', 'lr_schedulers',
    'hyper_parameters', 'pyg_multipose', 'current_model_state', 'callbacks',
)  # fmt: skip
#: Of Lightning 2.6.
EMA = ['--ema', '0.5'] if hasattr(callbacks, 'EMAWeightAveraging') else []
#: All that a training has a state of: an average of weights, a schedule that
#: looks at metrics, early stopping, steps over several batches, dropout.
OPTIONS = [
    '--device', 'cpu', '--progress', 'false', '--epochs', '4',
    '--unit', 'pIC50', '--lengths', '[0.5, 0.25, 0.25]',
    '--max_poses', '16', *EMA, '--patience', '3', '--processes', '1',
    '--accumulate', '2', '--schedule', 'cosine',
    '--model', 'tests.kills.sets.WithDropout', '--readout',
    '{"inputs": "z, pos, batch", "gradient": "full"}',
]  # fmt: skip


def argv(folder: Path, run: Path) -> list[str]:
    """The command; the data are made where they are not there."""
    data = folder / 'data'
    if not data.is_dir():
        PoseSetDataset(data).extend(pose_sets(24))
    return ['fit', '--data', str(data), '--out', str(run), *OPTIONS]


def plain(value):
    """Tensors as bytes, so that NaN is as NaN."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    return repr(value)


def result(run: Path) -> dict:
    """What has to be the same: tables and weights, to the bit."""
    out = {name: (run / name).read_bytes() for name in FILES}
    for name in ('last.ckpt', 'best.ckpt'):
        found = torch.load(run / name, weights_only=True)
        out[name] = {key: plain(found[key]) for key in STATE}
    with open(run / 'metrics.csv', newline='') as file:
        epochs = [int(row['epoch']) for row in csv.DictReader(file)]
    assert epochs == list(range(len(epochs))), epochs
    left = {path.name for path in run.iterdir()}
    assert not {name for name in left if name.startswith('.')}, left
    assert 'previous.ckpt' not in left, left
    return out


def kill(folder: Path, count: int, seed: int) -> Outcome:
    """Kills runs until it has been done so often."""
    return killed_runs(
        lambda run: argv(folder, run), result, folder, count,
        random.Random(seed),
    )  # fmt: skip
