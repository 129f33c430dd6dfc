"""From docking output to pose sets.

Poses need RDKit (:obj:`pip install 'pyg_multipose[io]'`); each name is
imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyg_multipose.io.docked_poses import DockedPoses
    from pyg_multipose.io.poses import read_poses
    from pyg_multipose.io.report import Report, Row
    from pyg_multipose.io.scores import KNOWN, Score

#: The module of each public name.
_MODULES = {
    'DockedPoses': 'docked_poses',
    'KNOWN': 'scores',
    'Report': 'report',
    'Row': 'report',
    'Score': 'scores',
    'read_poses': 'poses',
}

__all__ = ['KNOWN', 'DockedPoses', 'Report', 'Row', 'Score', 'read_poses']


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module = importlib.import_module(f'{__name__}.{_MODULES[name]}')
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
