r"""Training and prediction with Lightning.

Needs Lightning and torchmetrics
(:obj:`pip install 'pyg_multipose[train]'`); each name is imported when it is
asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyg_multipose.train.affinity_metrics import AffinityMetrics
    from pyg_multipose.train.atomic_checkpoints import AtomicCheckpoints
    from pyg_multipose.train.calibration import ConformalInterval, calibrate
    from pyg_multipose.train.data_record import DataRecord
    from pyg_multipose.train.input_record import InputRecord
    from pyg_multipose.train.metrics_table import MetricsTable
    from pyg_multipose.train.multi_pose_module import MultiPoseModule
    from pyg_multipose.train.pose_metrics import PoseMetrics
    from pyg_multipose.train.pose_set_data_module import PoseSetDataModule
    from pyg_multipose.train.predictions import Predictions
    from pyg_multipose.train.run_checkpoints import RunCheckpoints

#: The module of each public name.
_MODULES = {
    'AffinityMetrics': 'affinity_metrics',
    'AtomicCheckpoints': 'atomic_checkpoints',
    'ConformalInterval': 'calibration',
    'DataRecord': 'data_record',
    'InputRecord': 'input_record',
    'MetricsTable': 'metrics_table',
    'MultiPoseModule': 'multi_pose_module',
    'PoseMetrics': 'pose_metrics',
    'PoseSetDataModule': 'pose_set_data_module',
    'Predictions': 'predictions',
    'RunCheckpoints': 'run_checkpoints',
    'calibrate': 'calibration',
}

__all__ = [
    'AffinityMetrics',
    'AtomicCheckpoints',
    'ConformalInterval',
    'DataRecord',
    'InputRecord',
    'MetricsTable',
    'MultiPoseModule',
    'PoseMetrics',
    'PoseSetDataModule',
    'Predictions',
    'RunCheckpoints',
    'calibrate',
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = importlib.import_module(f'{__name__}.{_MODULES[name]}')
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
