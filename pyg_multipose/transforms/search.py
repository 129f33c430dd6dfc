"""What every search for neighbours shares: its arguments, checked."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor

#: Distances above are as good as infinite; their squares are still finite.
_FAR = 1e100
#: Distances below are found as candidates whatever the radius, since their
#: squares underflow.
_NEAR = 1e-150


class NeighborSearch:
    r"""Some atoms, prepared for finding neighbours among them.

    Args:
        pos: Coordinates in Angstrom, shape :obj:`[num_atoms, 3]`.
        r: The distance in Angstrom.
        batch: The graph of each atom. (default: :obj:`None`)

    Raises:
        ValueError: As :func:`radius_graph`.
    """

    def __init__(
        self, pos: Tensor, r: float, batch: Tensor | None = None
    ) -> None:
        self.r = check_radius(r)
        self.device = pos.device
        self._limit = self.r * self.r
        # Candidates are looked for a little further, and then measured.
        self._reach = min(max(self.r * (1 + 1e-9), _NEAR), 10 * _FAR)
        self._prepare(*_checked(pos, batch, 'pos'))

    def graph(self, loop: bool = False) -> Tensor:
        r"""All pairs among the atoms themselves, see :func:`radius_graph`."""
        raise NotImplementedError

    def query(self, y: Tensor, batch: Tensor | None = None) -> Tensor:
        r"""The neighbours of other atoms, see :func:`radius`."""
        if y.device != self.device:
            raise ValueError(
                f"'y' is on {y.device}, but the atoms searched are on "
                f'{self.device}; move one'
            )
        return self._query(*_checked(y, batch, 'y'))

    def _prepare(self, x: Tensor, batch: Tensor | None) -> None:
        raise NotImplementedError

    def _query(self, y: Tensor, batch: Tensor | None) -> Tensor:
        raise NotImplementedError


def exact(pos: Tensor) -> Tensor:
    r"""Coordinates in float64; on the CPU if their device has no float64."""
    pos = pos.detach()
    return (pos.cpu() if pos.device.type == 'mps' else pos).double()


def check_radius(r: object) -> float:
    r"""Refuses a radius that is not a positive, finite number."""
    if isinstance(r, bool) or not isinstance(r, Real):
        raise ValueError(
            f"'r' has to be a number in Angstrom, got {type(r).__name__}"
        )
    value = float(r)
    if not 0 < value < math.inf:
        raise ValueError(
            f"'r' has to be positive and finite (Angstrom), got {r}"
        )
    return value


def check_finite(pos: Tensor, where: Callable[[int], str]) -> None:
    r"""Refuses coordinates that are not finite.

    Args:
        pos: Coordinates in float64, shape :obj:`[num_atoms, 3]`.
        where: How to call the atom of a row in the message.
    """
    fine = pos.abs() <= _FAR
    if not bool(fine.all()):
        row = int((~fine).any(dim=1).nonzero()[0])
        raise ValueError(
            f'{where(row)} is at {pos[row].tolist()}, expected finite '
            f'coordinates in Angstrom. Drop the pose'
        )


def check_shape(pos: object, name: str) -> Tensor:
    r"""Refuses what are not coordinates."""
    if not isinstance(pos, Tensor) or pos.dim() != 2 or pos.size(1) != 3:
        got = list(pos.shape) if isinstance(pos, Tensor) else type(pos)
        raise ValueError(
            f"'{name}' has to be coordinates of shape [num_atoms, 3], got "
            f'{got}'
        )
    return pos


def _checked(
    x: Tensor, batch: Tensor | None, name: str
) -> tuple[Tensor, Tensor | None]:
    x = check_shape(x, name)
    if batch is not None:
        batch = _checked_batch(batch, x, name)
    x = exact(x)
    if batch is not None:
        batch = batch.to(x.device)

    def where(row: int) -> str:
        if batch is None:
            return f"Atom {row} of '{name}'"
        graph = int(batch[row])
        atom = int((batch[:row] == graph).sum())
        return f"Graph {graph}, atom {atom} (row {row} of '{name}')"

    check_finite(x, where)
    return x, batch


def _checked_batch(batch: Tensor, x: Tensor, name: str) -> Tensor:
    if batch.shape != x.shape[:1] or batch.is_floating_point():
        raise ValueError(
            f"The batch vector of '{name}' has to hold {len(x)} integers, got "
            f'shape {list(batch.shape)} and {batch.dtype}'
        )
    if batch.device != x.device:
        raise ValueError(
            f"The batch vector of '{name}' is on {batch.device}, but the "
            f'coordinates are on {x.device}; move one'
        )
    batch = batch.detach().long()
    if len(batch):
        low, high = (int(end) for end in torch.aminmax(batch))
        if low < 0 or high >= 2**31:
            raise ValueError(
                f"The batch vector of '{name}' has to number graphs from 0, "
                f'got {low} to {high}'
            )
    return batch
