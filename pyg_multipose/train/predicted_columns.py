r"""What a module predicts of a batch, as columns of two tables."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.model.finite import NothingFiniteError
from pyg_multipose.train.multi_pose_module import MultiPoseModule
from pyg_multipose.train.units import UNITS

#: Values by the name of a column.
Columns = dict[str, list[Any]]
#: What stands in the column of flags.
NO_PREDICTION = 'no prediction: that of no pose is finite'
NEW_RECEPTOR = 'receptor not in training'


def predicted_columns(
    module: MultiPoseModule, batch: PoseSet, first: int = 0, check: bool = True
) -> tuple[Columns, Columns]:
    r"""Predicts sets and their poses.

    A pose whose prediction is not finite counts nothing, and a set of such
    poses only has no prediction (:obj:`None`); both are flagged.

    Args:
        module: A module, on any device.
        batch: A pose set, or a batch of them, on any device.
        first: The number of the first set, for names of those without one.
            (default: :obj:`0`)
        check: Whether the sets are compared with those of the training.
            (default: :obj:`True`)

    Returns:
        The columns of the sets, all but the rank, and those of the poses.

    Raises:
        ValueError: If the sets are not like those of the training, or if the
            model predicts several numbers.
    """
    nonfinite, module.readout.nonfinite = module.readout.nonfinite, 'mask'
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Left out .* not finite')
            found = _predicted(module, batch.to(module.device), check)
    finally:
        module.readout.nonfinite = nonfinite
    combined, of_poses, weights = (one.detach().cpu() for one in found)
    if combined.dim() != 1:
        raise ValueError(
            f'The model predicts {list(combined.shape)[1:]} numbers of a set; '
            f'tables hold one'
        )
    layout = Layout(batch)
    number = layout.num_sets
    names = list(_texts(batch.get('name'), number))
    names = [one or f'set {first + n}' for n, one in enumerate(names)]
    receptors = list(_texts(batch.get('receptor_name'), number))
    finite = of_poses.isfinite().numpy()
    left_out = np.bincount(layout.set_of_pose[~finite], minlength=number)
    low: list[Any] = [None] * number
    high: list[Any] = [None] * number
    calibration = getattr(module, 'calibration', None)
    if calibration is not None:
        ends = calibration.interval(combined)
        low, high = (_numbers(end) for end in ends)
    sizes = layout.set_size
    sets = {
        'id': names,
        'receptor': receptors,
        'prediction': _numbers(combined),
        'low': low,
        'high': high,
        'unit': [module.unit] * number,
        'poses': sizes.tolist(),
        'flags': _flags(module, batch, layout, left_out, sizes),
    }
    start = layout.set_ptr[:-1][layout.set_of_pose]
    keys = of_poses.double().numpy()
    rank = ranks(keys, UNITS[module.unit], layout.set_of_pose) - start
    poses = {
        'id': [names[n] for n in layout.set_of_pose],
        'receptor': [receptors[n] for n in layout.set_of_pose],
        'pose': (np.arange(layout.num_poses) - start).tolist(),
        'prediction': _numbers(of_poses),
        'unit': [module.unit] * layout.num_poses,
        'weight': _numbers(weights.masked_fill(~of_poses.isfinite(), 0.0)),
        'rank': rank.tolist(),
    }
    return sets, poses


def ranks(
    values: np.ndarray[Any, Any],
    strong: bool,
    groups: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, Any]:
    r"""Ranks from 1, the strongest; equal ones in their order, NaN last.

    Args:
        values: Predictions.
        strong: Whether a high value is strong.
        groups: Where each belongs, ascending; those of a group come before
            those of the next. (default: :obj:`None`, all together)
    """
    keys = np.where(np.isnan(values), np.inf, -values if strong else values)
    if groups is None:
        order = np.argsort(keys, kind='stable')
    else:
        order = np.lexsort((keys, groups))
    out = np.empty(len(order), dtype=np.int64)
    out[order] = np.arange(1, len(order) + 1)
    return out


def _predicted(
    module: MultiPoseModule, batch: PoseSet, check: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """As the module does, and NaN for a set of which nothing is finite."""
    try:
        return module.predict_poses(batch, check)
    except NothingFiniteError:
        if Layout(batch).num_sets == 1:
            nan = torch.full((batch.num_poses,), math.nan)
            return nan[:1], nan, torch.zeros_like(nan)
    # One of several: each by itself.
    parts = [
        _predicted(module, one, False)  # type: ignore[arg-type]
        for one in batch.to_data_list()
    ]
    combined, poses, weights = zip(*parts, strict=True)
    return torch.cat(combined), torch.cat(poses), torch.cat(weights)


def _flags(
    module: MultiPoseModule,
    batch: PoseSet,
    layout: Layout,
    left_out: np.ndarray[Any, Any],
    sizes: np.ndarray[Any, Any],
) -> list[str]:
    new = [False] * layout.num_sets
    if module.inputs is not None:
        new = module.inputs.new_receptors(batch, layout)
    out = []
    for count, size, is_new in zip(left_out, sizes, new, strict=True):
        flags = []
        if count == size:
            flags.append(NO_PREDICTION)
        elif count:
            flags.append(f'{count} of {size} poses left out: not finite')
        if is_new:
            flags.append(NEW_RECEPTOR)
        out.append('; '.join(flags))
    return out


def _numbers(values: Tensor) -> list[float | None]:
    """Missing where they are not finite."""
    if bool(values.isfinite().all()):
        return values.tolist()
    return [one if math.isfinite(one) else None for one in values.tolist()]


def _texts(value: Any, count: int) -> Sequence[str]:
    if value is None:
        return [''] * count
    return [value] if isinstance(value, str) else value
