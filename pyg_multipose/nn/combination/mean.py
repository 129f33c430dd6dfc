r"""The mean over poses."""

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.combination import functional
from pyg_multipose.nn.combination.base import Combination
from pyg_multipose.nn.combination.running import Running, RunningMean


class MeanCombinationFunction(torch.autograd.Function):
    r"""The mean of every group, with its analytic derivative.

    .. math::
        y &= \frac{1}{N} \sum_{i=1}^{N} y_i \tag{3} \\
        \frac{\partial y}{\partial \theta} &= \frac{1}{N} \sum_{i=1}^{N}
        \frac{\partial y_i}{\partial \theta} \tag{4}

    Differentiable to any order.
    Called as :obj:`apply(x, index, ptr, dim_size)`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import MeanCombinationFunction
        >>> x = torch.tensor([[-8.0], [-7.0], [-5.0]], requires_grad=True)
        >>> index = torch.tensor([0, 0, 1])
        >>> y = MeanCombinationFunction.apply(x, index, None, 2)
        >>> y.tolist()
        [[-7.5], [-5.0]]
        >>> torch.autograd.grad(y.sum(), x)[0].tolist()
        [[0.5], [0.5], [1.0]]
    """

    @staticmethod
    def forward(
        x: Tensor, index: Tensor, ptr: Tensor | None, dim_size: int
    ) -> Tensor:
        r"""Computes equation (3).

        Args:
            x: The predictions :math:`y_i`, shape :math:`(P, F)`.
            index: The group of each row, shape :math:`(P)`.
            ptr: The boundaries of the groups, shape :math:`(G + 1)`, if rows
                are sorted by group.
            dim_size: The number of groups :math:`G`.

        Returns:
            The combined predictions :math:`y`, shape :math:`(G, F)`.
        """
        return functional.mean(x, index, dim_size, ptr)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, ...], output: Tensor
    ) -> None:
        r"""Keeps what the derivative needs."""
        _, index, _, ctx.dim_size = inputs
        ctx.save_for_backward(index)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        r"""Computes the factor of each pose's gradient, equation (4)."""
        (grad_y,) = grad_outputs
        (index,) = ctx.saved_tensors
        size = functional.group_size(grad_y, index, ctx.dim_size)
        return (grad_y / size).index_select(0, index), None, None, None


class MeanCombination(Combination):
    r"""The mean over the poses of a set: every pose counts the same.

    .. math::
        y = \frac{1}{N} \sum_{i=1}^{N} y_i \tag{3}

    As in the documentation of MTENN's Combination block.
    Takes predictions of any unit and either sign, and keeps both.
    See :class:`MeanCombinationFunction` for the derivative and
    :class:`Combination` for arguments, precision and errors.

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import MeanCombination
        >>> energy = torch.tensor([-8.0, -7.0, -5.0])  # of two sets
        >>> MeanCombination()(energy, torch.tensor([0, 0, 1]), dim=0)
        tensor([-7.5000, -5.0000])
    """

    has_running_form = True

    def combine(
        self, x: Tensor, index: Tensor, ptr: Tensor | None, dim_size: int
    ) -> Tensor:
        r"""Computes equation (3)."""
        return MeanCombinationFunction.apply(x, index, ptr, dim_size)

    def running(self) -> Running:
        r"""Returns a new running form."""
        return RunningMean()
