"""Where PyG's transforms are called with pose sets."""

from __future__ import annotations

import functools
from typing import Any

import torch_geometric.transforms
from torch_geometric.transforms import BaseTransform, Compose

from pyg_multipose.data.pose_set import PoseSet
from pyg_multipose.data.siblings.check import applied


def watch_transforms() -> None:
    r"""Has transforms checked that are called with a pose set.

    A pose set is told neither that a transform reads it nor which one: what
    it sees is a copy and some attributes, as any other code may ask for.
    So the check is put where all transforms are called,
    :meth:`torch_geometric.transforms.BaseTransform.__call__`, and into the
    transforms of :pyg:`PyG` that have a method of their own for it.
    Nothing changes for what is no pose set.
    """
    known = vars(torch_geometric.transforms).values()
    for cls in (BaseTransform, *known):
        if isinstance(cls, type) and issubclass(cls, BaseTransform):
            if '__call__' in vars(cls) and not issubclass(cls, Compose):
                _watch(cls)


def _watch(cls: type) -> None:
    original: Any = vars(cls)['__call__']
    if hasattr(original, '_of_pyg'):
        return

    @functools.wraps(original)
    def __call__(self: Any, data: Any) -> Any:
        # A list of transforms: each of them is called by itself.
        if not isinstance(data, PoseSet) or isinstance(self, Compose):
            return original(self, data)
        return applied(self, data, original)

    __call__._of_pyg = original  # type: ignore[attr-defined]
    cls.__call__ = __call__  # type: ignore[method-assign]
