r"""The combinations in plain torch: the reference for their autograd forms.

Predictions come as :math:`(P, F)`, one row per pose, and :obj:`index` says
which group (set of poses) a row belongs to; rows need not be sorted.
Every function is differentiable to any order by ordinary autograd, unless
:obj:`ptr` is given, and knows nothing of empty groups, for which it returns
NaN or an infinity: :class:`~pyg_multipose.nn.combination.Combination` refuses
them.
The equations are numbered as in the documentation of the Combination block of
`MTENN <https://github.com/choderalab/mtenn>`_.
"""

import math

import torch
from torch import Tensor
from torch_geometric.utils import scatter, segment


def group_sum(
    x: Tensor, index: Tensor, dim_size: int, ptr: Tensor | None = None
) -> Tensor:
    r"""Returns the sum of every group.

    Args:
        x: The values, shape :math:`(P, F)` or :math:`(P)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        ptr: The boundaries of the groups, shape :math:`(G + 1)`, if rows are
            sorted by group. The sum is then taken by
            :meth:`torch_geometric.utils.segment`, which may not be
            differentiable twice. (default: :obj:`None`)

    Returns:
        The sums, shape :math:`(G, F)` or :math:`(G)`.
    """
    if ptr is not None:
        return segment(x, ptr, reduce='sum')
    return scatter(x, index, 0, dim_size, reduce='sum')


def group_size(like: Tensor, index: Tensor, dim_size: int) -> Tensor:
    r"""Returns the number of rows :math:`N` of every group.

    Args:
        like: Any tensor of the type to return.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.

    Returns:
        The sizes, shape :math:`(G, 1)`.
    """
    return group_sum(like.new_ones(index.size(0), 1), index, dim_size)


def mean(
    x: Tensor, index: Tensor, dim_size: int, ptr: Tensor | None = None
) -> Tensor:
    r"""Returns the mean of every group.

    .. math::
        y = \frac{1}{N} \sum_{i=1}^{N} y_i \tag{3}

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`, in any unit.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        ptr: See :meth:`group_sum`. (default: :obj:`None`)

    Returns:
        The combined predictions :math:`y`, shape :math:`(G, F)`, in the unit
        of :obj:`x`.
    """
    return group_sum(x, index, dim_size, ptr) / group_size(x, index, dim_size)


def exponents(
    x: Tensor,
    index: Tensor,
    dim_size: int,
    scale: float | Tensor,
    negate: bool,
    log_prior: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | float]:
    r"""Returns the exponents of (5)-(9), relative to the largest of a group.

    .. math::
        a_i = t (n y_i - m) + \ln p_i - s, \qquad m = \max_i n y_i, \qquad
        s = \max_i [t (n y_i - m) + \ln p_i]

    Without prior weights, :math:`s = 0`.

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        scale: The sharpness :math:`t`; a tensor is a scalar.
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
        log_prior: The logarithms :math:`\ln p_i` of prior weights, shape
            :math:`(P)`; :math:`-\infty` leaves a pose out.
            (default: :obj:`None`, all zero)

    Returns:
        The exponents :math:`a_i \le 0`, shape :math:`(P, F)`; the extremum
        :math:`m` and the shift :math:`s` (constants to autograd: no result
        depends on them), shape :math:`(G, F)`.
    """
    signed = -x if negate else x
    nothing = None
    if log_prior is not None or isinstance(scale, Tensor):
        # What counts nothing has no part in derivatives by t: 0 times inf.
        nothing = signed == -math.inf
        if log_prior is not None:
            nothing = nothing | (log_prior == -math.inf).unsqueeze(1)
        best = signed.detach().masked_fill(nothing, -math.inf)
        signed = signed.masked_fill(nothing, 0.0)
    else:
        best = signed.detach()
    extremum = scatter(best, index, 0, dim_size, reduce='max')
    # Without a finite member there is no finite extremum, and inf - inf is
    # NaN.
    extremum = extremum.masked_fill(extremum == -math.inf, 0.0)
    # The extremum goes before the product: t * y_i of -300 and t = 1000 is
    # rounded to 0.03 in float32, and the weights would be off by as much.
    a = scale * (signed - extremum.index_select(0, index))
    if nothing is not None:
        a = a.masked_fill(nothing, -math.inf)
    if log_prior is None:
        return a, extremum, 0.0
    a = a + log_prior.unsqueeze(1)
    shift = scatter(a.detach(), index, 0, dim_size, reduce='max')
    shift = shift.masked_fill(shift == -math.inf, 0.0)
    return a - shift.index_select(0, index), extremum, shift


def log_sum_exp(
    x: Tensor,
    index: Tensor,
    dim_size: int,
    scale: float | Tensor = 1000.0,
    negate: bool = True,
    normalize: bool = False,
    ptr: Tensor | None = None,
    log_prior: Tensor | None = None,
) -> Tensor:
    r"""Returns the smooth extremum of every group.

    .. math::
        y = \frac{n}{t} \ln \sum_{i=1}^{N} \exp(n t y_i) \tag{5}

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        scale: The sharpness :math:`t`, in one over the unit of :obj:`x`.
            (default: :obj:`1000.0`)
        negate: If :obj:`True`, :math:`n = -1`: the smooth *minimum*, for
            energies. If :obj:`False`, :math:`n = 1`: the smooth maximum.
            (default: :obj:`True`)
        normalize: If :obj:`True`, subtracts the bias
            :math:`\frac{n}{t} \ln N`, or
            :math:`\frac{n}{t} \ln \sum_i p_i`. (default: :obj:`False`)
        ptr: See :meth:`group_sum`. (default: :obj:`None`)
        log_prior: See :meth:`exponents`; terms of the sum are then
            :math:`p_i \exp(n t y_i)`. (default: :obj:`None`)

    Returns:
        The combined predictions :math:`y`, shape :math:`(G, F)`, in the unit
        of :obj:`x`.
    """
    a, extremum, shift = exponents(
        x, index, dim_size, scale, negate, log_prior
    )
    total = group_sum(a.exp(), index, dim_size, ptr)
    if log_prior is not None:
        log_total = total.log() + shift
        if normalize:
            log_total = log_total - _log_mass(log_prior, index, dim_size)
        out = extremum + log_total / scale
        return -out if negate else out
    if normalize:
        total = total / group_size(x, index, dim_size)
    out = extremum + total.log() / scale
    return -out if negate else out


def _log_mass(log_prior: Tensor, index: Tensor, dim_size: int) -> Tensor:
    r"""The logarithm of :math:`\sum_i p_i`, shape :math:`(G, 1)`."""
    column = log_prior.unsqueeze(1)
    return log_sum_exp(column, index, dim_size, 1.0, False)


def prior_weights(log_prior: Tensor, index: Tensor, dim_size: int) -> Tensor:
    r"""Returns what share of the prior weights of its group a row has.

    Args:
        log_prior: See :meth:`exponents`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.

    Returns:
        The shares :math:`p_i / \sum_j p_j`, shape :math:`(P, 1)`.
    """
    column = log_prior.unsqueeze(1)
    return softmax_weights(column, index, dim_size, 1.0, False)


def softmax_weights(
    x: Tensor,
    index: Tensor,
    dim_size: int,
    scale: float | Tensor = 1000.0,
    negate: bool = True,
    log_prior: Tensor | None = None,
) -> Tensor:
    r"""Returns how much each prediction counts in :meth:`log_sum_exp`.

    .. math::
        Q &= \ln \sum_{i=1}^{N} \exp(n t y_i) \tag{6} \\
        \frac{\partial y}{\partial y_i} &= \exp(n t y_i - Q)
        = \frac{\exp(a_i)}{\sum_{j=1}^{N} \exp(a_j)} \tag{9}

    Computed in the last form, as :math:`Q` may be so large that the
    difference is rounded away.

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        scale: The sharpness :math:`t`. (default: :obj:`1000.0`)
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
            (default: :obj:`True`)
        log_prior: See :meth:`exponents`. (default: :obj:`None`)

    Returns:
        The weights, shape :math:`(P, F)`, which sum to one in every group.
    """
    out = exponents(x, index, dim_size, scale, negate, log_prior)[0].exp()
    return out / group_sum(out, index, dim_size).index_select(0, index)


def boltzmann_mean(
    x: Tensor,
    index: Tensor,
    dim_size: int,
    scale: float | Tensor = 1.0,
    negate: bool = True,
    log_prior: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Returns the mean of every group under the weights of (9).

    .. math::
        y = \sum_{i=1}^{N} w_i y_i, \qquad
        w_i = \frac{\exp(a_i)}{\sum_{j=1}^{N} \exp(a_j)}

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        scale: The sharpness :math:`t`. (default: :obj:`1.0`)
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
            (default: :obj:`True`)
        log_prior: See :meth:`exponents`. (default: :obj:`None`)

    Returns:
        The combined predictions :math:`y`, shape :math:`(G, F)`; the weights
        :math:`w_i` and the deviations :math:`y_i - y` (zero where
        :math:`w_i` is), shape :math:`(P, F)`.
    """
    a, extremum, _ = exponents(x, index, dim_size, scale, negate, log_prior)
    weights = a.exp()
    total = group_sum(weights, index, dim_size)
    weights = weights / total.index_select(0, index)
    # Relative to the best, so that equal predictions give their value.
    origin = -extremum if negate else extremum
    off = x - origin.index_select(0, index)
    off = off.masked_fill(weights == 0, 0.0)  # 0 times inf is NaN
    mean = group_sum(weights * off, index, dim_size)
    deviation = off - mean.index_select(0, index)
    return origin + mean, weights, deviation.masked_fill(weights == 0, 0.0)


def hard_max(
    x: Tensor, index: Tensor, dim_size: int, negate: bool = True
) -> Tensor:
    r"""Returns the extremum of every group.

    .. math::
        y = n \max_i n y_i

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        negate: If :obj:`True`, :math:`n = -1`: the *minimum*. If
            :obj:`False`, the maximum. (default: :obj:`True`)

    Returns:
        The combined predictions :math:`y`, shape :math:`(G, F)`, in the unit
        of :obj:`x`.
    """
    reduce = 'min' if negate else 'max'
    return scatter(x, index, 0, dim_size, reduce=reduce)


def hard_max_weights(
    x: Tensor, index: Tensor, dim_size: int, negate: bool = True
) -> Tensor:
    r"""Returns how much each prediction counts in :meth:`hard_max`.

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        negate: As above. (default: :obj:`True`)

    Returns:
        One over the number of best predictions for these, else zero, shape
        :math:`(P, F)`.
    """
    best = hard_max(x, index, dim_size, negate).index_select(0, index)
    out = (x == best).to(x.dtype)
    return out / group_sum(out, index, dim_size).index_select(0, index)


def top_k_weights(
    x: Tensor, index: Tensor, dim_size: int, k: int, negate: bool = True
) -> Tensor:
    r"""Returns how much each prediction counts in the mean of the best.

    Predictions that are better than the :math:`k`-th best count
    :math:`1/k`, those that are equal to it share what is left.

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        k: How many count; no group has fewer.
        negate: If :obj:`True`, the lowest are the best, else the highest.
            (default: :obj:`True`)

    Returns:
        The weights, shape :math:`(P, F)`, which sum to one in every group.
    """
    signed = -x.detach() if negate else x.detach()
    # Sorted by value, then, keeping that order, by group.
    ranked, order = signed.sort(dim=0, descending=True)
    group, again = index[order].sort(dim=0, stable=True)
    ranked = ranked.gather(0, again)
    size = group_sum(torch.ones_like(index), index, dim_size)
    last = size.cumsum(0) - size + k - 1
    border = ranked.index_select(0, last.clamp(max=max(len(x) - 1, 0)))
    border = border.index_select(0, index)
    above = (signed > border).to(x.dtype)
    equal = (signed == border).to(x.dtype)
    left = k - group_sum(above, index, dim_size)
    share = left / group_sum(equal, index, dim_size)
    return (above + equal * share.index_select(0, index)) / k
