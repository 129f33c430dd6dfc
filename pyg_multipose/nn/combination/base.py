r"""The base class of all combinations."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.aggr import Aggregation
from torch_geometric.utils import scatter

from pyg_multipose.nn.combination.running import Running, widen


class Combination(Aggregation):
    r"""Combines the predictions of the poses of a set into one.

    A :class:`torch_geometric.nn.aggr.Aggregation`, so it also serves as
    :obj:`aggr` of any :class:`~torch_geometric.nn.conv.MessagePassing` layer.
    It differs in what is safe for a prediction of a physical quantity: it is
    computed and returned in float32 or wider whatever the precision of its
    input, and a group without members is an error instead of zero.
    (Where :meth:`torch.compile` rules out an error, such a group is NaN.)

    A prediction that is NaN makes its own group NaN, and no other.

    A subclass implements :meth:`combine`, for which plain differentiable
    torch will do, and may offer a running form by :meth:`running` and
    :attr:`has_running_form`.

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import Combination
        >>> class MedianCombination(Combination):
        ...     def combine(self, x, index, ptr, dim_size):
        ...         sets = [x[index == number] for number in range(dim_size)]
        ...         return torch.stack([x.median(dim=0).values for x in sets])
        >>> energy = torch.tensor([-7.0, -9.0, -5.0, -6.0])
        >>> MedianCombination()(energy, torch.tensor([0, 0, 0, 1]), dim=0)
        tensor([-7., -6.])
    """

    #: Whether :meth:`running` is implemented.
    has_running_form: bool = False
    #: Why it is not, if that is a matter of the arguments.
    running_obstacle: str = ''

    @property
    def pose_keys(self) -> tuple[str, ...]:
        r"""The keys of numbers of poses that :meth:`combine` needs.

        A :class:`~pyg_multipose.nn.MultiPoseReadout` takes them from the
        batch, where they are on the level of poses.
        """
        return ()

    def __call__(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
        **kwargs: Any,
    ) -> Tensor:
        r"""See :meth:`forward`."""
        # PyG infers zero groups from zero rows, but one group was meant.
        if index is None and ptr is None and dim_size is None:
            dim_size = 1
        return super().__call__(x, index, ptr, dim_size, dim, **kwargs)

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
        pose_values: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        r"""Forward pass.

        Args:
            x: The predictions, one for each pose along :obj:`dim`.
            index: The group of each prediction, in any order.
                (default: :obj:`None`)
            ptr: The boundaries of the groups, if predictions are sorted by
                group. Wins over :obj:`index`. With neither, there is one
                group. (default: :obj:`None`)
            dim_size: The number of groups. (default: :obj:`None`)
            dim: The dimension to combine along; a vector of predictions
                needs :obj:`0`. (default: :obj:`-2`)
            pose_values: One number for each prediction under each of
                :attr:`pose_keys`, as vectors. (default: :obj:`None`)

        Returns:
            The combined predictions, in float32 or wider.

        Raises:
            ValueError: If a group is empty, or if the arguments do not fit
                one another.
        """
        if not x.is_floating_point():
            raise ValueError(
                f"Expected 'x' to hold real floating-point predictions (got "
                f'{x.dtype}). Convert it first'
            )
        rows = x.movedim(dim, 0)
        num_rows, shape = rows.size(0), rows.shape[1:]
        if ptr is not None:
            count, valid = _sizes_from_ptr(ptr, num_rows)
        else:
            if index is None:
                index = x.new_zeros(num_rows, dtype=torch.long)
                dim_size = 1 if dim_size is None else dim_size
            count, valid = _sizes_from_index(index, num_rows, dim_size)

        compiling = torch.compiler.is_compiling()
        if not compiling and not bool(valid):
            raise ValueError(_reason(count, ptr, num_rows))

        if ptr is not None:
            index = torch.repeat_interleave(count, output_size=num_rows)
        assert index is not None
        flat = widen(rows).reshape(num_rows, math.prod(shape))
        values = self._values(pose_values or {}, num_rows)
        if values and not compiling:
            self.check_values(
                values, index, count.numel(), 'row {}'.format, _group_name
            )
        out = self.combine(flat, index, ptr, count.numel(), *values)
        if compiling:
            out = out.masked_fill(count.unsqueeze(-1) == 0, math.nan)
        if out.size(1) != flat.size(1):  # it mixes features
            shape = out.shape[1:]
        return out.reshape(count.numel(), *shape).movedim(0, dim)

    def combine(
        self, x: Tensor, index: Tensor, ptr: Tensor | None, dim_size: int
    ) -> Tensor:
        r"""Combines checked predictions; every group has a member.

        A combination with :attr:`pose_keys` takes their values too, one more
        argument of shape :math:`(P)` for each.

        Args:
            x: The predictions, float32 or wider, shape :math:`(P, F)`.
            index: The group of each row, always given, shape :math:`(P)`.
            ptr: The boundaries of the groups, if the caller gave them, shape
                :math:`(G + 1)`.
            dim_size: The number of groups :math:`G`.

        Returns:
            The combined predictions, shape :math:`(G, F)`.
        """
        raise NotImplementedError

    def check_values(
        self,
        values: Sequence[Tensor],
        index: Tensor,
        dim_size: int,
        pose_name: Callable[[int], str],
        group_name: Callable[[int], str],
    ) -> None:
        r"""Refuses numbers of poses that :meth:`combine` cannot use.

        By default it takes all.

        Args:
            values: Those of :attr:`pose_keys`, shape :math:`(P)` each.
            index: The group of each row, shape :math:`(P)`.
            dim_size: The number of groups :math:`G`.
            pose_name: How to call a row in messages.
            group_name: How to call a group in messages.
        """

    def _values(
        self, given: Mapping[str, Tensor], num_rows: int
    ) -> list[Tensor]:
        out = []
        for key in self.pose_keys:
            value = given.get(key)
            if value is None or value.numel() != num_rows:
                got = 'none' if value is None else list(value.shape)
                raise ValueError(
                    f"{self} needs 'pose_values' with one number under the "
                    f"key '{key}' for each of {num_rows} predictions (got "
                    f'{got}). A MultiPoseReadout takes it from the batch, but '
                    f'not for a combination inside an aggregation of PyG'
                )
            out.append(value.reshape(-1))
        return out

    def running(self) -> Running:
        r"""Returns a new running form, for the predictions of one set.

        Returns:
            The running form.

        Raises:
            NotImplementedError: If there is none.

        Example:
            >>> import torch
            >>> from pyg_multipose.nn import FreeEnergyCombination
            >>> running = FreeEnergyCombination().running()
            >>> for energy in (-7.0, -8.0):
            ...     rescale, weight = running.update(torch.tensor([energy]))
            >>> running.value().round(decimals=2)
            tensor(-8.3100)
        """
        reason = self.running_obstacle
        raise NotImplementedError(
            f"'{self.__class__.__name__}' has no running form"
            f'{f" ({reason})" if reason else ""}, so its gradient cannot be '
            f"streamed. Use another gradient mode, e.g. 'recompute'"
        )


def _group_name(group: int) -> str:
    return f'group {group}'


def _sizes_from_ptr(ptr: Tensor, num_rows: int) -> tuple[Tensor, Tensor]:
    if ptr.dtype != torch.long or ptr.dim() != 1 or ptr.numel() == 0:
        raise ValueError(
            f"Expected 'ptr' to be a vector of integers (torch.int64), one "
            f'boundary more than there are groups (got shape '
            f'{list(ptr.shape)}, {ptr.dtype})'
        )
    count = ptr.diff()
    ends = (ptr[0] == 0) & (ptr[-1] == num_rows)
    return count, ends & (count > 0).all()


def _sizes_from_index(
    index: Tensor, num_rows: int, dim_size: int | None
) -> tuple[Tensor, Tensor]:
    if index.dtype != torch.long or list(index.shape) != [num_rows]:
        raise ValueError(
            f"Expected 'index' to be a vector of {num_rows} integers "
            f'(torch.int64), one for each prediction (got shape '
            f"{list(index.shape)}, {index.dtype}). Check 'dim' as well"
        )
    count = scatter(torch.ones_like(index), index, 0, dim_size, reduce='sum')
    return count, (count > 0).all()


def _reason(count: Tensor, ptr: Tensor | None, num_rows: int) -> str:
    if ptr is not None:
        first, last = int(ptr[0]), int(ptr[-1])
        if first != 0 or last != num_rows or bool((count < 0).any()):
            return (
                f"Expected 'ptr' to rise from 0 to the number of predictions, "
                f'{num_rows} (got {first} to {last}, smallest step '
                f'{int(count.min()) if count.numel() else 0})'
            )
    empty = (count == 0).nonzero().flatten().tolist()
    names = ', '.join(map(str, empty[:10])) + ', ...' * (len(empty) > 10)
    return (
        f'Got no prediction for {len(empty)} of {count.numel()} groups '
        f'(number {names}), and nothing combines to no number. Remove the '
        f"sets without poses, or lower 'dim_size' if these groups do not "
        f'exist'
    )
