r"""Noise on coordinates."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.data.rows import ligand_rows
from pyg_multipose.transforms.arguments import check_length, check_set
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.random_stream import RandomStream
from pyg_multipose.transforms.receptor_names import name_by_content
from pyg_multipose.transforms.search import check_shape


@functional_transform('coordinate_noise')
class CoordinateNoise(PoseSetTransform):
    r"""Moves every atom of the ligand by random numbers, as augmentation.

    (functional name: :obj:`coordinate_noise`).

    Each coordinate gets a normal random number of its own, in each pose.
    The receptor is rigid and stays where it is, so it is still shared.
    Edges are not searched again: put this transform before
    :class:`~pyg_multipose.transforms.RadiusGraph`.
    Random numbers come from a generator of the transform's own; in the
    workers of a loader each has its own, new in every epoch.

    Args:
        std: The standard deviation in Angstrom.
        receptor: Whether to move the receptor's atoms, too; all poses of the
            set see it moved alike, but no two sets have the same one then.
            (default: :obj:`False`)
        seed: The seed. (default: :obj:`0`)

    Raises:
        ValueError: If a set has no positions, or has edges already.

    Example:
        >>> from torch_geometric.transforms import Compose
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import CoordinateNoise, RadiusGraph
        >>> transform = Compose([CoordinateNoise(0.1), RadiusGraph(4.5)])
        >>> pose_set = MproMoonshot('test')[0]
        >>> moved = (transform(pose_set).pos != pose_set.pos).any(dim=1)
        >>> bool(moved[:487].any()), bool(moved[487:].all())
        (False, True)
    """

    def __init__(
        self, std: float, receptor: bool = False, seed: int = 0
    ) -> None:
        self.std = check_length(std, 'std')
        self.receptor = receptor
        self._stream = RandomStream(seed)

    def forward(self, data: Any) -> PoseSet:
        r"""Moves the atoms.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        name = self.__class__.__name__
        pose_set = check_set(data, name)
        pos = check_shape(pose_set.get('pos'), 'pos')
        if 'edge_index' in pose_set:
            raise ValueError(
                f'{name} does not search edges again; put it before '
                f'RadiusGraph'
            )
        rng = self._stream.rng
        noise = torch.from_numpy(rng.normal(0.0, self.std, pos.shape))
        noise = noise.to(pos)
        if not self.receptor:
            noise[~ligand_rows(pose_set)] = 0.0
        pose_set.pos = pos + noise
        if self.receptor:
            name_by_content(pose_set)
        return pose_set

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.std}, '
            f'receptor={self.receptor}, seed={self._stream.seed})'
        )
