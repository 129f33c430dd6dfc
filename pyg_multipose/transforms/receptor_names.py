"""The name of a receptor that is no longer that of other sets."""

from __future__ import annotations

from torch import Tensor

from pyg_multipose.data import PoseSet
from pyg_multipose.data.receptors import digest


def name_by_content(pose_set: PoseSet) -> None:
    r"""Adds a digest of its content to the name of a receptor.

    One name stands for one content: a transform that changes the receptor of
    each set in another way calls this, so that equal receptors have equal
    names, and others do not.

    Args:
        pose_set: A pose set, changed in place.
    """
    name, receptor = pose_set.get('receptor_name'), pose_set.receptor
    if name and receptor is not None:
        tables = receptor.to_dict().items()
        content = {k: v for k, v in tables if isinstance(v, Tensor)}
        pose_set['receptor_name'] = f'{name} {digest(content)[:8]}'
