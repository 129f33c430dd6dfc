r"""Transforms of single graphs, for pose sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import Compose

from pyg_multipose.data import PoseSet
from pyg_multipose.data.levels import Levels
from pyg_multipose.data.rebuilt import rebuilt
from pyg_multipose.data.siblings.check import name_of
from pyg_multipose.transforms.arguments import check_set, set_name
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform

#: The key under which atoms carry a number, by which they are found again.
_LABEL = 'atom_label_of_per_pose'


@functional_transform('per_pose')
class PerPose(PoseSetTransform):
    r"""Applies a transform to every pose, as a complex of its own.

    (functional name: :obj:`per_pose`).

    To a transform, a pose set is one graph in which all poses touch one
    receptor; this one hands it the poses one by one
    (:meth:`~pyg_multipose.data.PoseSet.to_poses`), and puts what it makes of
    them together again.
    A :class:`~torch_geometric.data.Data` is a pose of its own, and is handed
    on.

    **The receptor** is still stored once if it is equal in all poses
    afterwards, edges within it included.
    If not, as where its atoms get the numbers of their neighbours in the pose,
    the set is in the form of
    :meth:`~pyg_multipose.data.PoseSet.from_poses`: whole complexes, which take
    the memory and time of whole complexes.
    :obj:`pose_set.receptor` is :obj:`None` then.

    **Keys** that are new describe edges or bonds if their name starts with
    :obj:`edge_` or :obj:`bond_`, atoms if there is a row for each, else the
    pose.
    **Bonds** are unknown to :pyg:`PyG`: they are taken out of the hands of its
    transforms, and follow the atoms.
    **Random numbers** are drawn for each pose: a random rotation, say, turns
    the poses, and their receptors, apart from each other.

    Args:
        transform: A transform, or a function, of a
            :class:`~torch_geometric.data.Data`.

    Raises:
        ValueError: If the transform fails for a pose, or if what it returns
            is not the poses of a set.

    Example:
        >>> from torch_geometric.transforms import Compose, OneHotDegree
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import PerPose, RadiusGraph
        >>> degrees = PerPose(OneHotDegree(max_degree=60))
        >>> transform = Compose([RadiusGraph(4.5), degrees])
        >>> pose_set = MproMoonshot('test', transform=transform)[0]
        >>> pose_set.pose(0).x.shape, pose_set.receptor
        (torch.Size([519, 61]), None)
    """

    def __init__(self, transform: Callable[[Data], Any]) -> None:
        if not callable(transform):
            raise ValueError(
                f'PerPose takes a transform or a function, got '
                f'{transform!r}; several go into a Compose'
            )
        self.transform = transform

    def forward(self, data: Any) -> Any:
        r"""Applies the transform.

        Args:
            data: A pose set, or a graph that is a pose.
        """
        if isinstance(data, Data) and not isinstance(data, Batch | PoseSet):
            return self.transform(data)
        pose_set = check_set(data, self.__class__.__name__)
        bonds = Levels.of(pose_set).on('bond')
        poses, same_atoms = [], True
        for number, pose in enumerate(pose_set.to_poses()):
            where = f'{set_name(pose_set)}, pose {number}'
            label = _labels(pose.num_nodes, pose_set['pose_size'].device)
            pose[_LABEL] = label
            pose = _applied(self.transform, pose, bonds, where)
            after = pose.get(_LABEL)
            same_atoms &= _equal(after, label)
            del pose[_LABEL]
            poses.append(pose)
        try:
            return rebuilt(pose_set, poses, same_atoms)
        except ValueError as error:
            raise ValueError(
                f'{name_of(self)}: what it makes of {set_name(pose_set)} are '
                f'not the poses of a set. {error}'
            ) from error

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({name_of(self.transform)})'


def _applied(
    step: Any, pose: Data, bond_keys: Sequence[str], where: str
) -> Data:
    """What a transform makes of a pose; bonds follow the atoms."""
    if isinstance(step, Compose):
        for part in step.transforms:
            pose = _applied(part, pose, bond_keys, where)
        return pose
    bonds = {
        key: pose[key]
        for key in pose.keys()
        if key in bond_keys or key.startswith('bond_')
    }
    of_pyg = type(step).__module__.split('.')[0] == 'torch_geometric'
    if of_pyg:
        for key in bonds:
            del pose[key]
    before, edges = pose.get(_LABEL), pose.get('edge_index')
    try:
        out = step(pose)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(
            f'{name_of(step)} fails for {where}, with '
            f'{type(error).__name__}: {error}'
        ) from error
    if not isinstance(out, Data) or isinstance(out, Batch):
        raise ValueError(
            f'{name_of(step)} makes a {type(out).__name__} of {where}, '
            f'expected a torch_geometric Data'
        )
    where = f'{name_of(step)}: {where}'
    if of_pyg or all(_equal(out.get(key), bonds[key]) for key in bonds):
        _follow(bonds, before, out, where)
    if (
        before is not None
        and not _same_first(out.get(_LABEL), before)
        and edges is not None
        and edges.numel()
        and _equal(out.get('edge_index'), edges)
    ):
        raise ValueError(
            f"{where}: atoms changed places or went, but 'edge_index' did not "
            f'follow. Put it before RadiusGraph'
        )
    return out


def _labels(count: int, device: torch.device) -> Tensor:
    """Numbers that are in no way made of each other."""
    draw = torch.Generator().manual_seed(0)
    return torch.randint(1, 2**62, (count,), generator=draw).to(device)


def _equal(one: Any, two: Tensor) -> bool:
    return isinstance(one, Tensor) and torch.equal(one.to(two.device), two)


def _same_first(after: Any, before: Tensor) -> bool:
    """Whether the atoms are as before, but for such as were added."""
    return after is None or _equal(after[: len(before)], before)


def _follow(
    bonds: dict[str, Tensor],
    before: Tensor | None,
    out: Data,
    where: str,
) -> None:
    """Puts the bonds between those atoms that are still there."""
    after = out.get(_LABEL)
    if not bonds or before is None or after is None:
        out.update(bonds)
        return
    bonds = {key: value.to(after.device) for key, value in bonds.items()}
    before = before.to(after.device)
    found, order = after.sort()
    twice = found[1:][found[1:] == found[:-1]]
    if torch.isin(twice, before).any():
        raise ValueError(
            f'{where}: some atoms are there more than once, so bonds cannot '
            f"follow them. Remove 'bond_index' and what describes its rows"
        )
    # What is not found is before the end, which leads nowhere.
    found = torch.cat([found, found.new_tensor([2**62])])
    order = torch.cat([order, order.new_tensor([-1])])
    near = torch.searchsorted(found, before)
    place = torch.where(found[near] == before, order[near], -1)
    ends = place[bonds['bond_index']]
    kept = (ends >= 0).all(dim=0)
    for key, value in bonds.items():
        out[key] = ends[:, kept] if key == 'bond_index' else value[kept]
