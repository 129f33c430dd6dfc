r"""Whether a transform lets a pose know the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch_geometric.transforms import Compose

from pyg_multipose.data import PoseSet
from pyg_multipose.data.siblings.check import applied
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform


def check_transform(transform: Callable[[Any], Any], pose_set: PoseSet) -> Any:
    r"""Applies a transform to a set, if no pose gets to know the others.

    To a transform of :pyg:`PyG` a pose set is one graph, in which all poses
    touch one receptor: the degree of an atom or the longest edge are then
    those of all poses together, and a prediction that uses them depends on
    which poses a set has.
    This function applies the transform to a set, to poses of it alone, and
    to the set with some poses changed, with the same random numbers.
    What becomes of a pose has to be the same each time, but for one rigid
    motion of all its atoms.

    All transforms that derive from
    :class:`~torch_geometric.transforms.BaseTransform` are checked like this
    when they are called with a pose set: thoroughly the first time (for
    each kind of set), by two poses of each set later.
    This function does the same, thoroughly, for any function.
    :class:`~pyg_multipose.transforms.PoseSetTransform` and
    :class:`~pyg_multipose.transforms.PerPose` are not checked.

    Args:
        transform: The transform, or a function of a pose set.
        pose_set: The set, or a batch of sets, of two poses or more.

    Returns:
        What the transform makes of the set, a shallow copy; levels of new
        keys are declared.

    Raises:
        ValueError: If a pose would be told from others, or if what the
            transform returns is no pose set with the same poses and atoms.

    Example:
        >>> from torch_geometric.transforms import Distance
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import RadiusGraph, check_transform
        >>> pose_set = MproMoonshot('test', transform=RadiusGraph(4.5))[0]
        >>> check_transform(Distance(norm=False), pose_set).edge_attr.shape
        torch.Size([12112, 1])
        >>> try:
        ...     check_transform(Distance(), pose_set)  # over the longest edge
        ... except ValueError as error:
        ...     print(str(error)[:60])
        Distance(norm=True, max_value=None) lets a pose know the oth
    """
    if not isinstance(pose_set, PoseSet):
        raise ValueError(
            f'A transform is checked on a PoseSet, got '
            f'{type(pose_set).__name__}'
        )
    if isinstance(transform, PoseSetTransform):
        return transform(pose_set)
    if isinstance(transform, Compose):
        for step in transform.transforms:
            pose_set = check_transform(step, pose_set)
        return pose_set
    return applied(transform, pose_set, lambda step, data: step(data), True)
