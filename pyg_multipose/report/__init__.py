r"""A page that shows a run: one HTML file, without a server or a network."""

from pyg_multipose.report.baselines import baselines
from pyg_multipose.report.compounds import Compounds
from pyg_multipose.report.run_page import RunPage
from pyg_multipose.report.scene import scene
from pyg_multipose.report.sections.left_out import LeftOut
from pyg_multipose.report.sections.poses import PoseView

__all__ = [
    'Compounds',
    'LeftOut',
    'PoseView',
    'RunPage',
    'baselines',
    'scene',
]
