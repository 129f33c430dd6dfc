r"""Poses that something may be wrong with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms.arguments import check_set, set_name
from pyg_multipose.transforms.pose_flags import FLAGS, pose_flags
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform


@functional_transform('flag_poses')
class FlagPoses(PoseSetTransform):
    r"""Checks poses for clashes, impossible bonds and the like.

    (functional name: :obj:`flag_poses`).

    Adds the counts of :func:`~pyg_multipose.transforms.pose_flags` as keys of
    poses, and drops poses if asked to.

    Args:
        drop: Flags whose poses are dropped, e.g., :obj:`["flag_clash"]`.
            (default: :obj:`()`, none)

    Raises:
        ValueError: If a flag is unknown, or if a set lacks what it needs or
            has no pose left.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.transforms import FlagPoses
        >>> receptor = Data(z=torch.tensor([8]), pos=torch.zeros(1, 3))
        >>> z, pos = torch.tensor([6]), torch.tensor([[1.0, 0.0, 0.0]])
        >>> ligands = [Data(z=z, pos=pos * r) for r in (1.0, 3.5)]  # Angstrom
        >>> pose_set = PoseSet.from_complex(receptor, ligands)
        >>> FlagPoses()(pose_set).flag_clash
        tensor([1, 0])
        >>> FlagPoses(drop=['flag_clash'])(pose_set).num_poses
        1
    """

    def __init__(self, drop: Iterable[str] = ()) -> None:
        self.drop = (drop,) if isinstance(drop, str) else tuple(drop)
        unknown = [name for name in self.drop if name not in FLAGS]
        if unknown:
            raise ValueError(
                f'Unknown flags {unknown}, choose among {list(FLAGS)}'
            )

    def forward(self, data: Any) -> PoseSet:
        r"""Flags the poses, and drops some.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        pose_set = check_set(data, self.__class__.__name__)
        flags = pose_flags(pose_set)
        missing = [name for name in self.drop if name not in flags]
        if missing:
            raise ValueError(
                f'{set_name(pose_set)} cannot be judged by {missing}: it has '
                f'no receptor, bonds, elements or positions. Leave them out '
                f"of 'drop'"
            )
        device = pose_set['pose_size'].device
        for key, count in flags.items():
            pose_set.put(key, count.to(device), 'pose')
        if not self.drop:
            return pose_set
        bad = torch.stack([flags[name] > 0 for name in self.drop]).any(dim=0)
        if bad.all():
            found = {name: flags[name].tolist() for name in self.drop}
            raise ValueError(
                f'Of {set_name(pose_set)} no pose is left: {found}. Leave the '
                f'set out of the dataset; pose_flags tells beforehand'
            )
        return pose_set.select(~bad) if bad.any() else pose_set

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(drop={list(self.drop)})'
