r"""The hard extremum over poses."""

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.combination import functional
from pyg_multipose.nn.combination.base import Combination
from pyg_multipose.nn.combination.running import Running, RunningHardMax


class HardMaxCombinationFunction(torch.autograd.Function):
    r"""The extremum of every group, with a subgradient.

    Value :eq:`eq-hard-max` and subgradient :eq:`eq-hard-max-grad`: the best
    prediction has it all, and :math:`T` equal ones :math:`1/T` each.

    Differentiable again; the second derivative is zero.
    Called as :obj:`apply(x, index, dim_size, negate)`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import HardMaxCombinationFunction
        >>> x, index = torch.tensor([[-8.0], [-7.0]]), torch.tensor([0, 0])
        >>> HardMaxCombinationFunction.apply(x, index, 1, True)
        tensor([[-8.]])
    """

    @staticmethod
    def forward(
        x: Tensor, index: Tensor, dim_size: int, negate: bool
    ) -> Tensor:
        r"""Computes equation :eq:`eq-hard-max`.

        Args:
            x: The predictions :math:`y_i`, shape :math:`(P, F)`.
            index: The group of each row, shape :math:`(P)`.
            dim_size: The number of groups :math:`G`.
            negate: If :obj:`True`, the minimum, else the maximum.

        Returns:
            The combined predictions :math:`y`, shape :math:`(G, F)`.
        """
        # PyG warns of a slow path for gradients, which is not taken.
        return functional.hard_max(x.detach(), index, dim_size, negate)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, ...], output: Tensor
    ) -> None:
        r"""Keeps what the derivative needs."""
        x, index, ctx.dim_size, ctx.negate = inputs
        ctx.save_for_backward(x, index)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        r"""Computes equation :eq:`eq-hard-max-grad`."""
        (grad_y,) = grad_outputs
        x, index = ctx.saved_tensors
        weights = functional.hard_max_weights(
            x.detach(), index, ctx.dim_size, ctx.negate
        )
        return grad_y.index_select(0, index) * weights, None, None, None


class HardMaxCombination(Combination):
    r"""The best pose of a set and nothing else.

    .. math::
        y = n \max_{i} n y_i

    Equation :eq:`eq-hard-max`, the limit :math:`t \to \infty` of
    :class:`~pyg_multipose.nn.MaxCombination`, with no bias for equal poses.

    .. warning::
        **By default this is the MINIMUM.** With :obj:`negate=True`,
        :math:`n = -1`, the *lowest* prediction wins, as is right for
        energies. For scores where high is good, pass :obj:`negate=False`.

    Only the best pose is trained. Of equal ones, each gets the same share
    (:meth:`torch.amax` does so too), so that nothing depends on the order of
    poses.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        negate: If :obj:`True`, takes the minimum (:math:`n = -1`), else the
            maximum (:math:`n = 1`). (default: :obj:`True`)

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import HardMaxCombination
        >>> energies = torch.tensor([[-9.0], [-8.0], [-9.0]])
        >>> _ = energies.requires_grad_()
        >>> y = HardMaxCombination()(energies)
        >>> y.item()
        -9.0
        >>> torch.autograd.grad(y, energies)[0].flatten().tolist()
        [0.5, 0.0, 0.5]

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`, in the unit of
          the input
    """

    has_running_form = True

    def __init__(self, negate: bool = True) -> None:
        super().__init__()
        self.negate = negate

    def combine(
        self, x: Tensor, index: Tensor, ptr: Tensor | None, dim_size: int
    ) -> Tensor:
        r"""Computes equation :eq:`eq-hard-max`."""
        return HardMaxCombinationFunction.apply(
            x, index, dim_size, self.negate
        )

    def running(self) -> Running:
        r"""Returns a new running form."""
        return RunningHardMax(self.negate)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(negate={self.negate})'
