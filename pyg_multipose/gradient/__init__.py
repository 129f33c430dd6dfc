r"""Gradients of many poses in bounded memory.

A single-pose model is evaluated over the poses of a batch in chunks; how its
gradient is obtained is the *gradient mode*.
This package knows nothing of combinations, except (for :obj:`stream`) their
running form.
"""

from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.modes.evaluate import evaluate, predict
from pyg_multipose.gradient.modes.gate import Gate, negligible
from pyg_multipose.gradient.modes.sampling import draw, sampled
from pyg_multipose.gradient.modes.store import store
from pyg_multipose.gradient.modes.stream import stream
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.plan.live_bytes import LiveBytes
from pyg_multipose.gradient.plan.plan import MODES, Plan

__all__ = [
    'MODES',
    'Counts',
    'Evaluation',
    'Gate',
    'LiveBytes',
    'Plan',
    'draw',
    'evaluate',
    'negligible',
    'predict',
    'sampled',
    'store',
    'stream',
]
