r"""Where atoms of a receptor are in one pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.data.checks import check_finite
from pyg_multipose.data.levels import level_by_name
from pyg_multipose.data.part import Part


@dataclass(frozen=True, eq=False)
class MovedAtoms:
    r"""Atoms of a receptor that are elsewhere in a pose, or absent.

    For the argument :obj:`moved` of
    :meth:`~pyg_multipose.data.PoseSet.from_complex`.

    Args:
        index: Numbers of atoms of the receptor, shape :obj:`[num_moved]`.
        pos: Where they are in Angstrom, shape :obj:`[num_moved, 3]`.
        absent: Numbers of atoms that are not there, such as a hydrogen of
            another protonation state. (default: :obj:`()`)

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import MovedAtoms, PoseSet
        >>> receptor = Data(z=torch.tensor([7, 6, 8]), pos=torch.zeros(3, 3))
        >>> ligand = Data(z=torch.tensor([6]), pos=torch.full((1, 3), 4.0))
        >>> turned = MovedAtoms(torch.tensor([2]), torch.tensor([[0, 0, 1.5]]))
        >>> pose_set = PoseSet.from_complex(
        ...     receptor, [ligand, ligand], moved=[None, turned]
        ... )
        >>> pose_set.pose(0).pos[2], pose_set.pose(1).pos[2]
        (tensor([0., 0., 0.]), tensor([0.0000, 0.0000, 1.5000]))
        >>> pose_set.receptor_size, pose_set.pose_size
        (tensor([3]), tensor([1, 2]))
    """

    index: Tensor | Sequence[int]
    pos: Tensor
    absent: Tensor | Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class MovedPart:
    r"""What a pose says about atoms of its receptor.

    Args:
        index: Their numbers, shape :obj:`[num_moved]`.
        values: Their rows in the pose by key.
        absent: Numbers of atoms that are not there.
        bonds: Bonds of the ligand with the receptor, as in
            :class:`~pyg_multipose.data.part.Part`.
    """

    index: Tensor
    values: Mapping[str, Tensor]
    absent: Tensor
    bonds: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def gone(self) -> Tensor:
        r"""All atoms that are not where the receptor has them."""
        return torch.cat([self.index, self.absent])


def with_moved(
    receptor: Part | None,
    poses: Sequence[Part],
    moved: Sequence[MovedAtoms | MovedPart | None],
    keys: Sequence[str],
) -> tuple[list[Part], Tensor]:
    r"""Adds the atoms that have moved to poses, with the bonds they have.

    Args:
        receptor: The receptor.
        poses: The ligands.
        moved: One for each pose.
        keys: The keys of atoms.

    Returns:
        The poses with more atoms, and the values of :obj:`moved_index`.

    Raises:
        ValueError: If an atom is not in the receptor or has two positions,
            or if positions are no such.
    """
    if receptor is None:
        raise ValueError(
            "'moved' says which atoms of a receptor are elsewhere in a pose; "
            'PoseSet.from_poses has no receptor'
        )
    edges = [k for k in receptor.values if level_by_name(k) == 'edge']
    if edges:
        raise ValueError(
            f'{receptor.where} has {edges}, but the edges of atoms that have '
            f'moved are not known. Leave them out, and apply RadiusGraph to '
            f'the set'
        )
    given: Any = moved  # whatever was passed
    count = len(given) if isinstance(given, list | tuple) else None
    if count != len(poses):
        got = type(given).__name__ if count is None else f'{count} of them'
        raise ValueError(
            f"'moved' is a list with MovedAtoms or None for each of the "
            f'{len(poses)} poses, got {got}'
        )
    if 'pos' not in keys:
        raise ValueError(f"{receptor.where} needs 'pos' if its atoms move")
    out, pairs, first = [], [], receptor.size
    for pose, one in zip(poses, moved, strict=True):
        if isinstance(one, MovedPart):
            part = one
        else:
            part = _part(one, receptor, pose.where, keys)
        out.append(_joined(pose, receptor, part))
        stands = torch.arange(pose.size, out[-1].size) + first
        none = torch.full((part.absent.numel(),), first)
        pairs.append(
            torch.stack(
                [part.gone, torch.cat([stands, none]).to(part.gone.device)]
            )
        )
        first += out[-1].size
    return out, torch.cat(pairs, dim=1)


def _joined(pose: Part, receptor: Part, moved: MovedPart) -> Part:
    """A pose with the rows of atoms that have moved."""
    values = dict(pose.values)
    for key, rows in moved.values.items():
        values[key] = torch.cat([values[key], rows])
    # Where an atom of the receptor is in this pose, if it is anywhere.
    place = -1 - torch.arange(receptor.size, device=moved.gone.device)
    place[moved.index] = pose.size + torch.arange(
        moved.index.numel(), device=place.device
    )
    bonds = dict(moved.bonds)
    if 'bond_index' in bonds:
        ends = bonds['bond_index']
        inside = (-1 - ends).clamp(min=0)
        bonds['bond_index'] = torch.where(ends < 0, place[inside], ends)
    if 'bond_index' in receptor.values and moved.gone.numel():
        gone = torch.zeros(
            receptor.size, dtype=torch.bool, device=place.device
        )
        gone[moved.gone] = True
        absent = torch.zeros_like(gone)
        absent[moved.absent] = True
        ends = receptor.values['bond_index']
        kept = gone[ends].any(dim=0) & ~absent[ends].any(dim=0)
        for key, value in receptor.values.items():
            if level_by_name(key) != 'bond':
                continue
            new = value[kept] if key != 'bond_index' else place[ends[:, kept]]
            old = [bonds[key]] if key in bonds else []
            dim = -1 if key == 'bond_index' else 0
            bonds[key] = torch.cat([*old, new], dim=dim)
    return replace(
        pose,
        values=values,
        size=pose.size + moved.index.numel(),
        bonds=bonds,
    )


def _part(
    moved: MovedAtoms | None,
    receptor: Part,
    where: str,
    keys: Sequence[str],
) -> MovedPart:
    pos, size = receptor.values['pos'], receptor.size
    if moved is None:
        moved = MovedAtoms((), pos.new_empty(0, *pos.shape[1:]))
    if not isinstance(moved, MovedAtoms):
        raise ValueError(
            f"{where}: 'moved' has a {type(moved).__name__}, expected "
            f'MovedAtoms(index, pos) or None'
        )
    index = _numbers(moved.index, 'index', pos, where)
    absent = _numbers(moved.absent, 'absent', pos, where)
    gone = torch.cat([index, absent])
    outside = gone[(gone < 0) | (gone >= size)]
    if outside.numel():
        raise ValueError(
            f'{where}: atom {int(outside[0])} has moved, but the receptor '
            f'has {size} (0 to {size - 1})'
        )
    values, count = gone.unique(return_counts=True)
    if values.numel() < gone.numel():
        raise ValueError(
            f'{where}: atom {int(values[count > 1][0])} of the receptor has '
            f'{int(count.max())} positions; an atom is in one place, or '
            f'absent'
        )
    new = _tensor(moved.pos, 'pos', where)
    expected = (index.numel(), *pos.shape[1:])
    if tuple(new.shape) != expected or not new.is_floating_point():
        raise ValueError(
            f"{where}: 'pos' of the moved atoms has shape {list(new.shape)} "
            f'and {new.dtype}, expected {list(expected)}, coordinates in '
            f'Angstrom'
        )
    if new.numel():
        check_finite(new, f'{where}, moved atoms')
    rows = {key: receptor.values[key][index] for key in keys}
    return MovedPart(index, {**rows, 'pos': new.to(pos)}, absent)


def _tensor(given: Any, name: str, where: str) -> Tensor:
    try:
        return torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{where}: '{name}' of the moved atoms is {given!r}, expected a "
            f'tensor'
        ) from None


def _numbers(given: Any, name: str, like: Tensor, where: str) -> Tensor:
    out = _tensor(given, name, where).to(like.device)
    if not out.numel():
        return torch.empty(0, dtype=torch.long, device=like.device)
    if out.dim() != 1 or out.dtype.is_floating_point or out.is_complex():
        raise ValueError(
            f"{where}: '{name}' of the moved atoms has shape "
            f'{list(out.shape)} and {out.dtype}, expected whole numbers of '
            f'atoms, [num_moved]'
        )
    if out.dtype == torch.bool:
        raise ValueError(
            f"{where}: '{name}' of the moved atoms is a mask; give its "
            f'.nonzero().squeeze(1)'
        )
    return out.long()
