r"""Which pose mattered, by one call of a readout."""

from pyg_multipose.explain.atoms import AtomContributions
from pyg_multipose.explain.attribution import Attribution
from pyg_multipose.explain.explanation import explain
from pyg_multipose.explain.measures import leave_one_out, weight_entropy
from pyg_multipose.explain.plot import plot_poses
from pyg_multipose.explain.scene import Model, scene
from pyg_multipose.explain.sdf import write_sdf
from pyg_multipose.explain.table import write_csv
from pyg_multipose.explain.view import view_poses

__all__ = [
    'AtomContributions',
    'Attribution',
    'Model',
    'explain',
    'leave_one_out',
    'plot_poses',
    'scene',
    'view_poses',
    'weight_entropy',
    'write_csv',
    'write_sdf',
]
