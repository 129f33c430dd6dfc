r"""Labels of poses: which one is right."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.utils import scatter

from pyg_multipose.nn.loss._checks import (
    check_device,
    check_floats,
    check_positive,
    refuse,
)

#: How far the probabilities of a set may be from a sum of one.
SUM_TOLERANCE = 1e-3


def soft_pose_labels(
    rmsd: Tensor, set_size: Tensor, scale: float = 1.0
) -> Tensor:
    r"""Returns how right each pose is, as probabilities within its set.

    .. math::
        q_i = \frac{\exp(-d_i / s)}{\sum_j \exp(-d_j / s)}

    Equation :eq:`eq-soft-labels`, with the distance :math:`d_i` of pose
    :math:`i` to the reference. Other than :math:`1 / d_i`, this is finite
    where a pose is the reference.

    Args:
        rmsd: The RMSD :math:`d_i` of each pose to the reference, set by set,
            **in Angstrom**; NaN for all poses of a set without a reference.
        set_size: The number of poses of each set, :obj:`batch.set_size`.
        scale: The distance :math:`s` in Angstrom, at which a pose counts
            :math:`1/e` of one that is the reference. (default: :obj:`1.0`)

    Returns:
        The probabilities in the order of :obj:`rmsd`, summing to one in each
        set, for :class:`PoseCrossEntropyLoss`; NaN where there is no
        reference.

    Raises:
        ValueError: If shapes do not fit, if an RMSD is negative or infinite,
            if it is missing for some poses of a set but not for all, or if
            :obj:`scale` is not positive and finite.

    Shapes:
        - **input:** distances :math:`(P)`, sizes :math:`(S)`
        - **output:** probabilities :math:`(P)`

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.loss import soft_pose_labels
        >>> rmsd = torch.tensor([0.5, 1.5, 6.0, 2.0])  # sets of 3 and 1
        >>> soft_pose_labels(rmsd, torch.tensor([3, 1]))
        tensor([0.7289, 0.2681, 0.0030, 1.0000])
    """
    scale = check_positive('scale', scale, 'number of Angstrom')
    check_floats('rmsd', rmsd, (1,))
    size = check_sizes(set_size, 'rmsd', rmsd)
    index = set_of_pose(size, rmsd)
    refuse(
        (rmsd < 0) | rmsd.isinf(),
        'rmsd',
        rmsd,
        'a distance of at least 0, or NaN if its set has no reference',
    )
    _refuse_partly_missing('rmsd', rmsd, index, size)
    rmsd = rmsd.to(torch.promote_types(rmsd.dtype, torch.float32))
    nearest = scatter(rmsd, index, 0, size.numel(), reduce='min')
    each = (-(rmsd - nearest[index]) / scale).exp()
    return each / scatter(each, index, 0, size.numel(), reduce='sum')[index]


def pose_probabilities(
    target: Any, pred: Tensor, index: Tensor, size: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Which pose is right, as probabilities.

    Args:
        target: As of :class:`PoseCrossEntropyLoss`.
        pred: The predictions of the poses, whose dtype is taken.
        index: The set of each pose.
        size: The number of poses of each set.

    Returns:
        The probability of each pose, 0 where its set has no label, and which
        sets have one.

    Raises:
        ValueError: If the target is none.
    """
    if not isinstance(target, Tensor) or target.is_complex():
        got = getattr(target, 'dtype', type(target).__name__)
        raise ValueError(
            f"'target' is {got}, expected a tensor: integers, the right pose "
            f'of each set; booleans, whether each pose is right; or floats, '
            f'the probability of each pose'
        )
    check_device('target', target, pred)
    by_pose = target.dtype == torch.bool or target.is_floating_point()
    rows, each = (pred, 'pose') if by_pose else (size, 'set')
    if target.shape != rows.shape:
        hint = '' if by_pose else '. Give a mask of poses as booleans'
        raise ValueError(
            f"'target' holds {target.dtype} of shape {list(target.shape)}, "
            f'expected {list(rows.shape)}, one for each {each}{hint}'
        )
    if not by_pose:
        return _of_index(target, pred, index, size)
    sets = size.numel()
    if target.dtype == torch.bool:
        right = scatter(target.long(), index, 0, sets, reduce='sum')
        refuse(
            right > 1,
            'target',
            right,
            'at most one right pose in each set. If several are right, give '
            'probabilities',
        )
        return target.to(pred.dtype), right == 1
    _refuse_partly_missing('target', target, index, size)
    missing = target.isnan()
    share = torch.where(missing, 0.0, target.to(pred.dtype))
    refuse(share < 0, 'target', share, 'a probability')
    total = scatter(share, index, 0, sets, reduce='sum')
    known = scatter(missing.long(), index, 0, sets, reduce='sum') == 0
    refuse(
        ~((total - 1).abs() <= SUM_TOLERANCE) & known,
        'target',
        total,
        'probabilities that sum to one in each set (shown is their sum)',
    )
    return share, known


def _of_index(
    target: Tensor, pred: Tensor, index: Tensor, size: Tensor
) -> tuple[Tensor, Tensor]:
    target = target.long()
    refuse(
        (target < -1) | (target >= size),
        'target',
        target,
        'the number of a pose of that set, counted from 0, or -1 if none is '
        'known to be right',
    )
    first = size.cumsum(0) - size
    places = torch.arange(index.numel(), device=pred.device)
    right = places == (first + target)[index]
    return right.to(pred.dtype), target >= 0


def check_sizes(set_size: Any, name: str, values: Tensor) -> Tensor:
    r"""Refuses sizes of sets that are none, or do not add up."""
    if (
        not isinstance(set_size, Tensor)
        or set_size.dtype != torch.long
        or set_size.dim() != 1
    ):
        got = type(set_size).__name__
        if isinstance(set_size, Tensor):
            got = f'{set_size.dtype} of shape {list(set_size.shape)}'
        raise ValueError(
            f"'set_size' is {got}, expected the number of poses of each set "
            f'as a vector of torch.int64, such as batch.set_size'
        )
    refuse(set_size < 1, 'set_size', set_size, 'at least one pose')
    if not torch.compiler.is_compiling():
        total = int(set_size.sum())
        if total != values.size(0):
            raise ValueError(
                f"'set_size' counts {total} poses in {set_size.numel()} sets, "
                f"but '{name}' has {values.size(0)} rows, expected one for "
                f'each pose, set by set'
            )
    return set_size.to(values.device)


def set_of_pose(size: Tensor, values: Tensor) -> Tensor:
    r"""The set of each pose.

    Args:
        size: The number of poses of each set.
        values: One value for each pose.
    """
    return torch.repeat_interleave(size, output_size=values.size(0))


def _refuse_partly_missing(
    name: str, values: Tensor, index: Tensor, size: Tensor
) -> None:
    missing = values.isnan()
    count = scatter(missing.long(), index, 0, size.numel(), reduce='sum')
    refuse(
        missing & (count < size)[index],
        name,
        values,
        'a number, since other poses of the set have one. Leave out the '
        'pose, or mark the whole set by NaN',
    )
