r"""Poses combine to conformers of the receptor, and these to a set."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor
from torch_geometric.nn.aggr import Aggregation

from pyg_multipose.nn.combination.base import Combination


class TwoLevelCombination(Combination):
    r"""Combines within groups of poses, and then across these groups.

    .. math::
        y = h_2(z_1, \ldots, z_C), \qquad z_c = h_1(\{y_i : c_i = c\})

    Equation :eq:`eq-two-level`. For poses in several conformers of a
    receptor: a pose :math:`i` belongs to conformer :math:`c_i`, named by a
    key of the batch on the level of poses. Any other grouping of poses
    (tautomers, docking programs, clusters) will do as well.

    Free energies on both levels, or two
    :class:`~pyg_multipose.nn.MaxCombination` of the same scale, are one over
    all poses; two means are **not** the mean over all poses, unless all
    conformers have the same number of them.
    There is no running form: poses of a conformer may come at any time.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        within: The combination :math:`h_1` of the poses of a conformer, a
            name or an instance, as of
            :class:`~pyg_multipose.nn.MultiPoseReadout`.
        across: The combination :math:`h_2` of the conformers of a set.
        key: The key of the number of the conformer of each pose. Numbers
            are those of a set: two sets may use the same ones.
            (default: :obj:`"conformer"`)

    Raises:
        ValueError: If :obj:`across` needs a number for each pose, which
            conformers do not have.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import (
        ...     HardMaxCombination,
        ...     TwoLevelCombination,
        ... )
        >>> energies = torch.tensor([[-9.0], [-8.0], [-7.0]])
        >>> both = TwoLevelCombination(HardMaxCombination(), 'mean')
        >>> conformer = torch.tensor([0, 0, 1])
        >>> both(energies, pose_values={'conformer': conformer}).item()
        -8.0

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`, in the unit of
          the two combinations
    """

    running_obstacle = 'poses of a conformer may come at any time'

    def __init__(
        self,
        within: str | Aggregation,
        across: str | Aggregation,
        key: str = 'conformer',
    ) -> None:
        super().__init__()
        # It knows this class.
        from pyg_multipose.nn.combination.resolver import combination_resolver

        self.within = combination_resolver(within)
        self.across = combination_resolver(across)
        self.key = key
        if isinstance(self.across, Combination) and self.across.pose_keys:
            raise ValueError(
                f"'across' is {self.across}, which needs "
                f'{list(self.across.pose_keys)} of each pose, but it combines '
                f"conformers. Use these in 'within'"
            )

    @property
    def pose_keys(self) -> tuple[str, ...]:
        r"""The key of the conformers, and what :obj:`within` needs."""
        return (self.key, *self._inner_keys)

    @property
    def _inner_keys(self) -> tuple[str, ...]:
        if isinstance(self.within, Combination):
            return self.within.pose_keys
        return ()

    def reset_parameters(self) -> None:
        r"""Resets both combinations."""
        self.within.reset_parameters()
        self.across.reset_parameters()

    def check_values(
        self,
        values: Sequence[Tensor],
        index: Tensor,
        dim_size: int,
        pose_name: Callable[[int], str],
        group_name: Callable[[int], str],
    ) -> None:
        r"""Refuses numbers of conformers that are no integers.

        Args:
            values: See :meth:`Combination.check_values`, like all.
            index: As above.
            dim_size: As above.
            pose_name: As above.
            group_name: As above.
        """
        conformer, *inner = values
        if conformer.is_floating_point() or conformer.is_complex():
            raise ValueError(
                f"'{self.key}' holds {conformer.dtype}, expected the number "
                f'of the conformer of each pose, an integer. Convert it by '
                f'.long() if that is what it is'
            )
        if inner:
            group, sets = _groups(index, conformer)
            number = conformer.new_empty(len(sets))
            number[group] = conformer
            cast(Combination, self.within).check_values(
                inner,
                group,
                len(sets),
                pose_name,
                lambda c: (
                    f'{group_name(int(sets[c]))}, {self.key} {int(number[c])}'
                ),
            )

    def combine(
        self,
        x: Tensor,
        index: Tensor,
        ptr: Tensor | None,
        dim_size: int,
        *values: Tensor,
    ) -> Tensor:
        r"""Computes equation :eq:`eq-two-level`."""
        conformer, *inner = values
        group, sets = _groups(index, conformer)
        # Some aggregations of PyG need rows that are sorted.
        order = group.argsort(stable=True)
        more = {}
        if inner:
            more['pose_values'] = {
                key: value[order]
                for key, value in zip(self._inner_keys, inner, strict=True)
            }
        of_conformers = self.within(
            x[order], index=group[order], dim_size=len(sets), dim=-2, **more
        )
        return self.across(
            of_conformers, index=sets, dim_size=dim_size, dim=-2
        )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.within}, {self.across}, '
            f'key={self.key!r})'
        )


def _groups(index: Tensor, conformer: Tensor) -> tuple[Tensor, Tensor]:
    """The conformer of each row, numbered set by set, and their sets."""
    pairs = torch.stack([index, conformer.long()], dim=1)
    distinct, group = pairs.unique(dim=0, return_inverse=True)
    return group, distinct[:, 0]
