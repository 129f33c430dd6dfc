r"""The smooth extremum over poses."""

from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.combination import functional
from pyg_multipose.nn.combination.running import Running, RunningMax
from pyg_multipose.nn.combination.scaled import (
    ScaledCombination,
    log_prior_of,
)


class MaxCombinationFunction(torch.autograd.Function):
    r"""The smooth extremum of every group, with its analytic derivative.

    .. math::
        y &= \frac{n}{t} \ln \sum_{i=1}^{N} \exp(n t y_i) \tag{5} \\
        Q &= \ln \sum_{i=1}^{N} \exp(n t y_i) \tag{6} \\
        \frac{\partial y}{\partial \theta} &= \frac{n^2}
        {\sum_{i=1}^{N} \exp(n t y_i)} \sum_{i=1}^{N} \left[ \exp(n t y_i)
        \frac{\partial y_i}{\partial \theta} \right] \tag{7} \\
        &= \frac{1}{\exp(Q)} \sum_{i=1}^{N} \left[ \exp(n t y_i)
        \frac{\partial y_i}{\partial \theta} \right] \tag{8} \\
        &= \sum_{i=1}^{N} \left[ \exp(n t y_i - Q)
        \frac{\partial y_i}{\partial \theta} \right] \tag{9}

    By the scale and the logarithms of prior weights, it is :eq:`eq-scale-grad`
    and :eq:`eq-prior-grad`.

    Differentiable to any order. Called as
    :obj:`apply(x, index, ptr, dim_size, scale, negate, normalize,
    log_prior)`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import MaxCombinationFunction
        >>> x = torch.tensor([[-8.0], [-7.0], [-5.0]], requires_grad=True)
        >>> index = torch.tensor([0, 0, 1])
        >>> options = 1.0, True, False  # scale, negate, normalize
        >>> y = MaxCombinationFunction.apply(x, index, None, 2, *options)
        >>> y.detach().round(decimals=2).view(-1)
        tensor([-8.3100, -5.0000])
        >>> torch.autograd.grad(y.sum(), x)[0].round(decimals=2).view(-1)
        tensor([0.7300, 0.2700, 1.0000])
    """

    @staticmethod
    def forward(
        x: Tensor,
        index: Tensor,
        ptr: Tensor | None,
        dim_size: int,
        scale: float | Tensor,
        negate: bool,
        normalize: bool,
        log_prior: Tensor | None = None,
    ) -> Tensor:
        r"""Computes equation (5).

        Args:
            x: The predictions :math:`y_i`, shape :math:`(P, F)`.
            index: The group of each row, shape :math:`(P)`.
            ptr: The boundaries of the groups, shape :math:`(G + 1)`, if rows
                are sorted by group.
            dim_size: The number of groups :math:`G`.
            scale: The sharpness :math:`t`, a number or a scalar tensor.
            negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
            normalize: If :obj:`True`, subtracts :math:`\frac{n}{t} \ln N`,
                or :math:`\frac{n}{t} \ln \sum_i p_i`.
            log_prior: The logarithms :math:`\ln p_i` of prior weights, shape
                :math:`(P)`. (default: :obj:`None`)

        Returns:
            The combined predictions :math:`y`, shape :math:`(G, F)`.
        """
        return functional.log_sum_exp(
            x, index, dim_size, scale, negate, normalize, ptr, log_prior
        )

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Any, ...], output: Tensor
    ) -> None:
        r"""Keeps what the derivative needs."""
        x, index, _, ctx.dim_size, scale, *options, log_prior = inputs
        ctx.negate, ctx.normalize = options
        ctx.number = None if isinstance(scale, Tensor) else scale
        scale = scale if isinstance(scale, Tensor) else None
        ctx.save_for_backward(x, index, scale, log_prior)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Any, ...]:
        r"""Computes the factor of each pose's gradient, equation (9)."""
        (grad_y,) = grad_outputs
        x, index, scale, prior = ctx.saved_tensors
        scale = ctx.number if scale is None else scale
        options = index, ctx.dim_size, scale, ctx.negate
        grad_rows = grad_y.index_select(0, index)
        grad_x = grad_scale = grad_prior = None
        # Computed from x, not kept, so that autograd finds its way to x when
        # this is differentiated again.
        weights = functional.softmax_weights(x, *options, prior)
        if ctx.needs_input_grad[0]:
            grad_x = grad_rows * weights
        if ctx.needs_input_grad[4]:  # eq-scale-grad
            mean, *_ = functional.boltzmann_mean(x, *options, prior)
            y = functional.log_sum_exp(
                x, *options, ctx.normalize, log_prior=prior
            )
            grad_scale = (grad_y * (mean - y)).sum() / scale
        if ctx.needs_input_grad[7]:  # eq-prior-grad
            if ctx.normalize:
                weights = weights - functional.prior_weights(
                    prior, index, ctx.dim_size
                )
            sign = -1.0 if ctx.negate else 1.0
            grad_prior = (grad_rows * weights).sum(1) * (sign / scale)
        return grad_x, None, None, None, grad_scale, None, None, grad_prior


class MaxCombination(ScaledCombination):
    r"""The smooth extremum over the poses of a set, by log-sum-exp.

    .. math::
        y = \frac{n}{t} \ln \sum_{i=1}^{N} \exp(n t y_i) \tag{5}

    As in the documentation of MTENN's Combination block.

    .. warning::
        **By default this is a smooth MINIMUM.** With :obj:`negate=True`,
        :math:`n = -1`, the pose with the *lowest* prediction wins, as is
        right for energies, where low is good. For scores where high is good
        (pK, probabilities, most confidences), pass :obj:`negate=False`.

    Poses count as :math:`\exp(n t y_i - Q)`, see
    :class:`MaxCombinationFunction`. An energy of :math:`+\infty` (with
    :obj:`negate=False`, :math:`-\infty`) counts nothing. A set with nothing
    else has that value and no gradient (NaN); an infinity on the winning side
    makes its set NaN.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        scale: The sharpness :math:`t`, in one over the unit of the
            predictions. Poses within :math:`1/t` of the best one share the
            weight; :math:`t \to \infty` is the hard extremum.
            (default: :obj:`1000.0`)
        negate: If :obj:`True`, takes the minimum (:math:`n = -1`), else the
            maximum (:math:`n = 1`). (default: :obj:`True`)
        normalize: If :obj:`True`, subtracts :math:`\frac{n}{t} \ln N`
            (log-mean-exp), so that :math:`N` equal poses combine to their
            value. Otherwise they come out lower (:math:`n = -1`) or higher
            by :math:`\frac{1}{t} \ln N`. (default: :obj:`False`)
        learn: Whether :math:`t` is a parameter (its logarithm
            :obj:`log_scale`), which starts at :obj:`scale`. Not for
            :obj:`gradient="stream"`. (default: :obj:`False`)
        prior: The key of a logarithm :math:`\ln p_i` for each pose, such as
            :obj:`"log_weight"`, which the readout takes from the batch; see
            equation :eq:`eq-prior`. (default: :obj:`None`)

    The attribute :obj:`scale` may be set between steps, which is all that a
    schedule needs.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import MaxCombination
        >>> energies = torch.tensor([[-9.0], [-8.0], [-8.9]])
        >>> round(MaxCombination()(energies).item(), 4)  # the minimum
        -9.0
        >>> annealed = MaxCombination(scale=1.0)
        >>> annealed.scale = 10.0
        >>> round(annealed(energies).item(), 4)
        -9.0313
        >>> weighted = MaxCombination(scale=1.0, prior='log_weight')
        >>> half = {'log_weight': torch.tensor([0.5, 1.0, 0.5]).log()}
        >>> round(weighted(energies, pose_values=half).item(), 4)
        -9.2779

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`, in the unit of
          the input

    Raises:
        ValueError: If :obj:`scale` is not a positive, finite number.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import MaxCombination
        >>> x = torch.tensor([-8.0, -7.0, -5.0])  # of two sets
        >>> index = torch.tensor([0, 0, 1])
        >>> MaxCombination()(x, index, dim=0)  # energies, low is good
        tensor([-8., -5.])
        >>> MaxCombination(negate=False)(x, index, dim=0)
        tensor([-7., -5.])
        >>> MaxCombination(scale=1.0)(x, index, dim=0).round(decimals=2)
        tensor([-8.3100, -5.0000])
    """

    def __init__(
        self,
        scale: float = 1000.0,
        negate: bool = True,
        normalize: bool = False,
        learn: bool = False,
        prior: str | None = None,
    ) -> None:
        super().__init__(scale, negate, learn, prior)
        self.normalize = normalize

    def combine(
        self,
        x: Tensor,
        index: Tensor,
        ptr: Tensor | None,
        dim_size: int,
        *values: Tensor,
    ) -> Tensor:
        r"""Computes equation (5)."""
        return MaxCombinationFunction.apply(
            x,
            index,
            ptr,
            dim_size,
            self.sharpness(x),
            self.negate,
            self.normalize,
            log_prior_of(values, x),
        )

    def running(self) -> Running:
        r"""Returns a new running form, unless the scale is learned."""
        if not self.has_running_form:
            return super().running()
        return RunningMax(self.scale, self.negate, self.normalize)

    def __repr__(self) -> str:
        more = self._repr(learn=False, prior=None).partition('(')[2]
        return (
            f'{self.__class__.__name__}(scale={self.scale}, '
            f'negate={self.negate}, normalize={self.normalize}'
            f'{", " if len(more) > 1 else ""}{more}'
        )
