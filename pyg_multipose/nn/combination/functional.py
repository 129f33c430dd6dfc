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
    x: Tensor, index: Tensor, dim_size: int, scale: float, negate: bool
) -> tuple[Tensor, Tensor]:
    r"""Returns the exponents of (5)-(9), relative to the largest of a group.

    .. math::
        a_i = t (n y_i - m), \qquad m = \max_i n y_i

    Args:
        x: The predictions :math:`y_i`, shape :math:`(P, F)`.
        index: The group of each row, shape :math:`(P)`.
        dim_size: The number of groups :math:`G`.
        scale: The sharpness :math:`t`.
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.

    Returns:
        The exponents :math:`a_i \le 0`, shape :math:`(P, F)`, and the
        extremum :math:`m` (a constant to autograd: no result depends on it),
        shape :math:`(G, F)`.
    """
    signed = -x if negate else x
    extremum = scatter(signed.detach(), index, 0, dim_size, reduce='max')
    # Without a finite member there is no finite extremum, and inf - inf is
    # NaN.
    extremum = extremum.masked_fill(extremum == -math.inf, 0.0)
    # The extremum goes before the product: t * y_i of -300 and t = 1000 is
    # rounded to 0.03 in float32, and the weights would be off by as much.
    return scale * (signed - extremum.index_select(0, index)), extremum


def log_sum_exp(
    x: Tensor,
    index: Tensor,
    dim_size: int,
    scale: float = 1000.0,
    negate: bool = True,
    normalize: bool = False,
    ptr: Tensor | None = None,
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
            :math:`\frac{n}{t} \ln N`. (default: :obj:`False`)
        ptr: See :meth:`group_sum`. (default: :obj:`None`)

    Returns:
        The combined predictions :math:`y`, shape :math:`(G, F)`, in the unit
        of :obj:`x`.
    """
    a, extremum = exponents(x, index, dim_size, scale, negate)
    total = group_sum(a.exp(), index, dim_size, ptr)
    if normalize:
        total = total / group_size(x, index, dim_size)
    out = extremum + total.log() / scale
    return -out if negate else out


def softmax_weights(
    x: Tensor,
    index: Tensor,
    dim_size: int,
    scale: float = 1000.0,
    negate: bool = True,
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

    Returns:
        The weights, shape :math:`(P, F)`, which sum to one in every group.
    """
    out = exponents(x, index, dim_size, scale, negate)[0].exp()
    return out / group_sum(out, index, dim_size).index_select(0, index)
