"""From docking output to pose sets.

Poses need RDKit and receptors gemmi
(:obj:`pip install 'pyg_multipose[io]'`); each name is
imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyg_multipose.io.cofolding.cofolded_poses import CofoldedPoses
    from pyg_multipose.io.cofolding.confidences import CONFIDENCES
    from pyg_multipose.io.cofolding.read_cofolded import read_cofolded
    from pyg_multipose.io.labels.join import join_labels
    from pyg_multipose.io.labels.label import Label
    from pyg_multipose.io.labels.labels import Labels, read_labels
    from pyg_multipose.io.ligand.format import Format
    from pyg_multipose.io.ligand.ligand import ligand_of
    from pyg_multipose.io.ligand.record import Record
    from pyg_multipose.io.molecule.from_tables import mol_of
    from pyg_multipose.io.molecule.murcko import scaffolds
    from pyg_multipose.io.poses.docked_poses import DockedPoses
    from pyg_multipose.io.poses.overlap import check_overlap
    from pyg_multipose.io.poses.pose_checks import check_poses
    from pyg_multipose.io.poses.read_poses import read_poses
    from pyg_multipose.io.poses.score_readers import (
        FileName,
        JSONValue,
        TextNumber,
    )
    from pyg_multipose.io.poses.score_table import ScoreTable
    from pyg_multipose.io.poses.scores import KNOWN, Score
    from pyg_multipose.io.receptor.read_receptor import read_receptor
    from pyg_multipose.io.receptor.receptor import Receptor
    from pyg_multipose.io.report import Rejected, Report, Row

#: The module of each public name.
_MODULES = {
    'CONFIDENCES': 'cofolding.confidences',
    'CofoldedPoses': 'cofolding.cofolded_poses',
    'DockedPoses': 'poses.docked_poses',
    'FileName': 'poses.score_readers',
    'Format': 'ligand.format',
    'JSONValue': 'poses.score_readers',
    'KNOWN': 'poses.scores',
    'Label': 'labels.label',
    'Labels': 'labels.labels',
    'Receptor': 'receptor.receptor',
    'Record': 'ligand.record',
    'Rejected': 'report',
    'Report': 'report',
    'Row': 'report',
    'Score': 'poses.scores',
    'ScoreTable': 'poses.score_table',
    'TextNumber': 'poses.score_readers',
    'check_overlap': 'poses.overlap',
    'check_poses': 'poses.pose_checks',
    'join_labels': 'labels.join',
    'ligand_of': 'ligand.ligand',
    'mol_of': 'molecule.from_tables',
    'read_cofolded': 'cofolding.read_cofolded',
    'read_labels': 'labels.labels',
    'read_poses': 'poses.read_poses',
    'read_receptor': 'receptor.read_receptor',
    'scaffolds': 'molecule.murcko',
}

__all__ = [
    'CONFIDENCES',
    'KNOWN',
    'CofoldedPoses',
    'DockedPoses',
    'FileName',
    'Format',
    'JSONValue',
    'Label',
    'Labels',
    'Receptor',
    'Record',
    'Rejected',
    'Report',
    'Row',
    'Score',
    'ScoreTable',
    'TextNumber',
    'check_overlap',
    'check_poses',
    'join_labels',
    'ligand_of',
    'mol_of',
    'read_cofolded',
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
