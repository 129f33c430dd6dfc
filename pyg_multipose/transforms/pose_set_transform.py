r"""The base of transforms that are written for pose sets."""

from __future__ import annotations

import copy
from typing import Any

from torch_geometric.transforms import BaseTransform


class PoseSetTransform(BaseTransform):
    r"""A transform that knows what a pose set is.

    Any other transform is checked when it is called with a pose set
    (:func:`~pyg_multipose.transforms.check_transform`), and refused if it
    lets a pose know the others.
    One that means to, since it chooses or compares poses, derives from this
    class, and is responsible for what it does.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import PoseSetTransform
        >>> class Ranks(PoseSetTransform):
        ...     def forward(self, data):
        ...         ranks = data.vina_score.argsort().argsort()
        ...         return data.put('rank', ranks, level='pose')
        >>> MproMoonshot('test', transform=Ranks())[0].rank
        tensor([0, 1, 2, 3, 4, 5, 6, 7])
    """

    def __call__(self, data: Any) -> Any:
        r"""Hands a shallow copy to :meth:`forward`, and checks nothing.

        Args:
            data: A pose set.
        """
        return self.forward(copy.copy(data))
