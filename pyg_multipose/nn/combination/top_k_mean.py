r"""The mean over the best poses."""

import math

import torch
from torch import Tensor

from pyg_multipose.nn.combination import functional
from pyg_multipose.nn.combination.base import Combination


class TopKMeanCombination(Combination):
    r"""The mean over the :math:`k` best poses of a set.

    .. math::
        y = \sum_{i=1}^{N} w_i y_i, \qquad
        w_i \in \{0, \tfrac{1}{k}\} \text{ unless predictions are equal}

    Equation :eq:`eq-top-k`. By default the best are the **lowest**
    predictions, as is right for energies. Predictions that are equal to the
    :math:`k`-th best share what is left of the weight, so that nothing
    depends on the order of poses. The weights are the derivative; where
    predictions are equal, a subgradient.

    Between :class:`~pyg_multipose.nn.HardMaxCombination` (:math:`k = 1`) and
    :class:`~pyg_multipose.nn.MeanCombination` (:math:`k = N`): it forgives a
    pose that scores too well by mistake, and ignores those that are clearly
    wrong. It has no running form: which poses count is known only when all
    were seen. An energy of :math:`+\infty` (with :obj:`negate=False`,
    :math:`-\infty`) that is not among the best counts nothing.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        k: How many poses count. A set with fewer is an error.
        negate: If :obj:`True`, the lowest are the best, else the highest.
            (default: :obj:`True`)

    Raises:
        ValueError: If :obj:`k` is not a positive integer or, in a call, if a
            group has fewer members.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import TopKMeanCombination
        >>> energies = torch.tensor([[-9.0], [-8.0], [-7.0], [0.0]])
        >>> TopKMeanCombination(k=2)(energies).item()
        -8.5

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`, in the unit of
          the input
    """

    running_obstacle = 'the best are known only when all poses were seen'

    def __init__(self, k: int, negate: bool = True) -> None:
        super().__init__()
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ValueError(
                f"Expected 'k', the number of poses that count, to be a "
                f'positive integer (got {k!r})'
            )
        self.k = k
        self.negate = negate

    def combine(
        self, x: Tensor, index: Tensor, ptr: Tensor | None, dim_size: int
    ) -> Tensor:
        r"""Computes equation :eq:`eq-top-k`."""
        size = functional.group_sum(torch.ones_like(index), index, dim_size)
        small = size < self.k
        compiling = torch.compiler.is_compiling()
        if not compiling and small.any():
            group = int(small.nonzero()[0])
            raise ValueError(
                f'{self} needs {self.k} predictions of each group, but group '
                f'{group} has {int(size[group])} (in a readout, groups are '
                f'sets, numbered in the batch; within TwoLevelCombination, '
                f'conformers). Lower k, or leave out sets with fewer poses'
            )
        weights = functional.top_k_weights(
            x, index, dim_size, self.k, self.negate
        )
        # 0 times inf is NaN; but what is NaN shows.
        unused = (weights == 0) & x.isinf()
        kept = weights * x.masked_fill(unused, 0.0)
        out = functional.group_sum(kept, index, dim_size)
        if compiling:
            out = out.masked_fill(small.unsqueeze(1), math.nan)
        return out

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(k={self.k}, negate={self.negate})'
