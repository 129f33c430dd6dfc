"""Predictions that are not finite: refused, or left out."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from torch import Tensor

from pyg_multipose.data.layout import Poses

if TYPE_CHECKING:
    from pyg_multipose.gradient.evaluation import Evaluation


class NothingFiniteError(ValueError):
    r"""No pose of a set has a prediction that is finite."""


def finite_rows(predictions: Tensor) -> np.ndarray:
    r"""Which poses have a finite prediction.

    Args:
        predictions: One row per pose.
    """
    predictions = predictions.detach()
    # One number tells for nearly all calls.
    if predictions.is_cpu and math.isfinite(predictions.sum()):
        return np.ones(len(predictions), dtype=bool)
    finite = predictions.isfinite()
    if finite.dim() > 1:
        finite = finite.all(dim=1)
    return finite.cpu().numpy()


def screen(evaluation: Evaluation, predictions: Tensor) -> None:
    r"""Finds predictions that are not finite: raises, or masks them.

    Args:
        evaluation: The call; notes which predictions are finite.
        predictions: Those of all poses, in order.
    """
    evaluation.finite = finite_rows(predictions)
    if evaluation.finite.all():
        return
    bad = (~evaluation.finite).nonzero()[0]
    name = evaluation.layout.pose_name
    if evaluation.nonfinite == 'raise':
        refuse(evaluation, predictions, np.arange(evaluation.layout.num_poses))
    left = np.bincount(
        evaluation.layout.set_of_pose[evaluation.finite],
        minlength=evaluation.layout.num_sets,
    )
    if (left == 0).any():
        refuse_empty(evaluation, int((left == 0).nonzero()[0][0]))
    for poses in evaluation.chunks:
        mixed = (
            evaluation.finite[poses].any()
            and not evaluation.finite[poses].all()
        )
        if mixed and evaluation.replay.whole_chunks:
            raise ValueError(
                f'{name(bad[0])} cannot be left out: the model draws '
                f'random numbers or couples the poses of a chunk. Use '
                f'max_nodes_per_chunk=1 for one pose at a time'
            )
    warnings.warn(
        f'Left out {len(bad)} poses whose prediction is not finite: '
        f'{", ".join(name(pose) for pose in bad[:5])}'
        f'{", ..." if len(bad) > 5 else ""}',
        stacklevel=2,
    )


def refuse(evaluation: Evaluation, predictions: Tensor, poses: Poses) -> None:
    r"""Raises if a prediction is not finite.

    Args:
        evaluation: The call.
        predictions: Some predictions.
        poses: The numbers of their poses.
    """
    bad = (~finite_rows(predictions)).nonzero()[0]
    if len(bad):
        name = evaluation.layout.pose_name(poses[bad[0]])
        raise ValueError(
            f'The prediction of {name} is '
            f'{predictions[int(bad[0])].tolist()}, expected a finite '
            f'number ({len(bad)} of {len(poses)} poses looked at are '
            f'not). Look at the pose, or leave such poses out by '
            f"nonfinite='mask'"
        )


def refuse_empty(evaluation: Evaluation, index: int) -> NoReturn:
    r"""Raises, since a set has nothing to combine.

    Args:
        evaluation: The call.
        index: Number of the set.
    """
    raise NothingFiniteError(
        f'No pose of {evaluation.layout.set_name(index)} has a finite '
        f'prediction, so there is nothing to combine'
    )
