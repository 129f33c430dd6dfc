r"""The Boltzmann mean over poses."""

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.combination import functional
from pyg_multipose.nn.combination.scaled import (
    ScaledCombination,
    log_prior_of,
)


class BoltzmannMeanCombinationFunction(torch.autograd.Function):
    r"""The Boltzmann mean of every group, with its analytic derivative.

    Value :eq:`eq-boltzmann-mean` and derivative
    :eq:`eq-boltzmann-mean-grad`; by the scale and the logarithms of prior
    weights, :eq:`eq-boltzmann-mean-scale-grad`.

    Differentiable to any order. Called as
    :obj:`apply(x, index, dim_size, scale, negate, log_prior)`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import BoltzmannMeanCombinationFunction
        >>> x, index = torch.tensor([[-8.0], [-7.0]]), torch.tensor([0, 0])
        >>> y = BoltzmannMeanCombinationFunction.apply(x, index, 1, 1.0, True)
        >>> y.round(decimals=2)
        tensor([[-7.7300]])
    """

    @staticmethod
    def forward(
        x: Tensor,
        index: Tensor,
        dim_size: int,
        scale: float | Tensor,
        negate: bool,
        log_prior: Tensor | None = None,
    ) -> Tensor:
        r"""Computes equation :eq:`eq-boltzmann-mean`.

        Args:
            x: The predictions :math:`y_i`, shape :math:`(P, F)`.
            index: The group of each row, shape :math:`(P)`.
            dim_size: The number of groups :math:`G`.
            scale: The sharpness :math:`t`, a number or a scalar tensor.
            negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
            log_prior: The logarithms :math:`\ln p_i` of prior weights, shape
                :math:`(P)`. (default: :obj:`None`)

        Returns:
            The combined predictions :math:`y`, shape :math:`(G, F)`.
        """
        return functional.boltzmann_mean(
            x, index, dim_size, scale, negate, log_prior
        )[0]

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, ...], output: Tensor
    ) -> None:
        r"""Keeps what the derivative needs."""
        x, index, ctx.dim_size, scale, ctx.negate, log_prior = inputs
        ctx.number = None if isinstance(scale, Tensor) else scale
        scale = scale if isinstance(scale, Tensor) else None
        ctx.save_for_backward(x, index, scale, log_prior)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        r"""Computes the factor of each pose's gradient."""
        (grad_y,) = grad_outputs
        x, index, scale, log_prior = ctx.saved_tensors
        scale = ctx.number if scale is None else scale
        # Computed from x, not kept, so that autograd finds its way to x when
        # this is differentiated again.
        _, weights, off = functional.boltzmann_mean(
            x, index, ctx.dim_size, scale, ctx.negate, log_prior
        )
        sign = -1.0 if ctx.negate else 1.0
        grad_rows = grad_y.index_select(0, index)
        grad_x = grad_scale = grad_prior = None
        if ctx.needs_input_grad[0]:  # eq-boltzmann-mean-grad
            grad_x = grad_rows * weights * (1.0 + sign * scale * off)
        if ctx.needs_input_grad[3]:  # eq-boltzmann-mean-scale-grad
            grad_scale = sign * (grad_rows * weights * off * off).sum()
        if ctx.needs_input_grad[5]:
            grad_prior = (grad_rows * weights * off).sum(1)
        return grad_x, None, None, grad_scale, None, grad_prior


class BoltzmannMeanCombination(ScaledCombination):
    r"""The average of energies over the Boltzmann weights of the poses.

    .. math::
        y = \sum_{i=1}^{N} w_i y_i, \qquad
        w_i = \frac{\exp(n t y_i)}{\sum_{j=1}^{N} \exp(n t y_j)}

    Equation :eq:`eq-boltzmann-mean`. It is an **average** of predictions, in
    their unit and within their range, and no free energy: for energies in kT
    it is :class:`~pyg_multipose.nn.FreeEnergyCombination` without the
    entropy. Another pose of higher energy raises it.

    A pose counts as :math:`w_i (1 + n t (y_i - y))`, equation
    :eq:`eq-boltzmann-mean-grad`. This sums to one, but is **negative** for
    poses more than :math:`1/t` worse than :math:`y`: training raises the
    energies of bad poses to take their weight away.

    There is no running form: this derivative would take two sums of
    gradients for each set, so :obj:`gradient="stream"` is refused.
    An energy of :math:`+\infty` (with :obj:`negate=False`, :math:`-\infty`)
    counts nothing; a set with nothing else is NaN.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        scale: The sharpness :math:`t`, in one over the unit of the
            predictions; one over kT for the thermal average. :math:`t \to 0`
            is the mean, :math:`t \to \infty` the hard extremum.
            (default: :obj:`1.0`)
        negate: If :obj:`True`, :math:`n = -1`: low predictions weigh most,
            else high ones (:math:`n = 1`). (default: :obj:`True`)
        learn: See :class:`MaxCombination`. (default: :obj:`False`)
        prior: See :class:`MaxCombination`; weights are then
            :math:`w_i \propto p_i \exp(n t y_i)`. (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`scale` is not a positive, finite number.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import BoltzmannMeanCombination
        >>> energies = torch.tensor([[-9.0], [-8.0], [-8.9]])
        >>> round(BoltzmannMeanCombination()(energies).item(), 4)
        -8.7983

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`, in the unit of
          the input
    """

    has_running_form = False  # type: ignore[assignment]
    running_obstacle = (  # type: ignore[assignment]
        'its derivative would take two sums of gradients for each set'
    )

    def __init__(
        self,
        scale: float = 1.0,
        negate: bool = True,
        learn: bool = False,
        prior: str | None = None,
    ) -> None:
        super().__init__(scale, negate, learn, prior)

    def combine(
        self,
        x: Tensor,
        index: Tensor,
        ptr: Tensor | None,
        dim_size: int,
        *values: Tensor,
    ) -> Tensor:
        r"""Computes equation :eq:`eq-boltzmann-mean`."""
        return BoltzmannMeanCombinationFunction.apply(
            x,
            index,
            dim_size,
            self.sharpness(x),
            self.negate,
            log_prior_of(values, x),
        )

    def __repr__(self) -> str:
        more = self._repr(learn=False, prior=None).partition('(')[2]
        return (
            f'{self.__class__.__name__}(scale={self.scale}, '
            f'negate={self.negate}{", " if len(more) > 1 else ""}{more}'
        )
