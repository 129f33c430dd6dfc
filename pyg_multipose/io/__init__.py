"""From docking output to pose sets.

Poses need RDKit and receptors gemmi
(:obj:`pip install 'pyg_multipose[io]'`); each name is
imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyg_multipose.io.docked_poses import DockedPoses
    from pyg_multipose.io.labels import Labels, read_labels
    from pyg_multipose.io.labels_aggregate import Label
    from pyg_multipose.io.labels_join import join_labels
    from pyg_multipose.io.murcko import scaffolds
    from pyg_multipose.io.overlap import check_overlap
    from pyg_multipose.io.pose_checks import check_poses
    from pyg_multipose.io.poses import read_poses
    from pyg_multipose.io.receptor import read_receptor
    from pyg_multipose.io.receptor_data import Receptor
    from pyg_multipose.io.report import Report, Row
    from pyg_multipose.io.scores import KNOWN, Score

#: The module of each public name.
_MODULES = {
    'DockedPoses': 'docked_poses',
    'KNOWN': 'scores',
    'Label': 'labels_aggregate',
    'Labels': 'labels',
    'Receptor': 'receptor_data',
    'Report': 'report',
    'Row': 'report',
    'Score': 'scores',
    'check_overlap': 'overlap',
    'check_poses': 'pose_checks',
    'join_labels': 'labels_join',
    'read_labels': 'labels',
    'read_poses': 'poses',
    'read_receptor': 'receptor',
    'scaffolds': 'murcko',
}

__all__ = [
    'KNOWN',
    'DockedPoses',
    'Label',
    'Labels',
    'Receptor',
    'Report',
    'Row',
    'Score',
    'check_overlap',
    'check_poses',
    'join_labels',
    'read_labels',
    'read_poses',
    'read_receptor',
    'scaffolds',
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = importlib.import_module(f'{__name__}.{_MODULES[name]}')
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
