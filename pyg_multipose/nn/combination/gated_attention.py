r"""Learned attention over poses."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pyg_multipose.nn.combination import functional
from pyg_multipose.nn.combination.base import Combination


class GatedAttentionCombination(Combination):
    r"""Gated attention over the feature vectors of the poses of a set.

    .. math::
        y = \mathbf{U} \sum_{i=1}^{N} \alpha_i \mathbf{h}_i + \mathbf{b},
        \qquad \alpha_i = \mathrm{softmax}_i \left[ \mathbf{w}^{\top}
        \left( \tanh(\mathbf{V}_1 \mathbf{h}_i + \mathbf{b}_1) \odot
        \sigma(\mathbf{V}_2 \mathbf{h}_i + \mathbf{b}_2) \right) \right]

    Equation :eq:`eq-gated-attention`, from `"Attention-based Deep Multiple
    Instance Learning" <https://arxiv.org/abs/1802.04712>`_.
    The single-pose model gives a vector :math:`\mathbf{h}_i` of features per
    pose instead of an energy; which poses matter is learned from these, and
    the prediction is made after pooling. Weights sum to one over a set, so
    equal poses combine to the value of one, and neither a sign nor a unit is
    assumed. A learned weight is no Boltzmann weight: it may prefer poses
    with a high energy. It needs more data than a combination without
    parameters.

    The weights are given by :meth:`attention`. (:obj:`return_weights` of a
    readout is :math:`\partial y / \partial \mathbf{h}_i`.)
    It has no running form, which is for one prediction per pose.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        in_channels: The number of features :math:`F` per pose.
        hidden_channels: The width of the gate. (default: :obj:`64`)
        out_channels: The number of predictions per set.
            (default: :obj:`None`, the :math:`F` pooled features)

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import GatedAttentionCombination
        >>> _ = torch.manual_seed(0)
        >>> pool = GatedAttentionCombination(8, out_channels=1)
        >>> features, index = torch.randn(5, 8), torch.tensor([0, 0, 0, 1, 1])
        >>> pool(features, index, dim_size=2).shape
        torch.Size([2, 1])
        >>> pool.attention(features, index, 2).sum().round().item()
        2.0

    Shapes:
        - **input:** features :math:`(P, F)`, index vector :math:`(P)` or
          boundaries :math:`(G + 1)`
        - **output:** pooled features :math:`(G, F)`, or predictions
          :math:`(G, F_{out})`
    """

    running_obstacle = 'it pools vectors'

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 64,
        out_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels
        self.out_channels = out_channels
        self.tanh = torch.nn.Linear(in_channels, hidden_channels)
        self.sigmoid = torch.nn.Linear(in_channels, hidden_channels)
        # A constant would not change a softmax.
        self.score = torch.nn.Linear(hidden_channels, 1, bias=False)
        self.lin = None
        if out_channels is not None:
            self.lin = torch.nn.Linear(in_channels, out_channels)

    def reset_parameters(self) -> None:
        r"""Draws all parameters anew."""
        for lin in (self.tanh, self.sigmoid, self.score, self.lin):
            if lin is not None:
                lin.reset_parameters()

    def attention(self, x: Tensor, index: Tensor, dim_size: int) -> Tensor:
        r"""Returns the weights :math:`\alpha_i` of the poses.

        Args:
            x: The features, shape :math:`(P, F)`.
            index: The group of each row, shape :math:`(P)`.
            dim_size: The number of groups :math:`G`.

        Returns:
            The weights, shape :math:`(P, 1)`, which sum to one in every
            group.
        """
        with torch.autocast(x.device.type, enabled=False):
            gated = _linear(self.tanh, x).tanh()
            gated = gated * _linear(self.sigmoid, x).sigmoid()
            score = _linear(self.score, gated)
        return functional.softmax_weights(score, index, dim_size, 1.0, False)

    def combine(
        self, x: Tensor, index: Tensor, ptr: Tensor | None, dim_size: int
    ) -> Tensor:
        r"""Computes equation :eq:`eq-gated-attention`."""
        if x.size(1) != self.in_channels:
            raise ValueError(
                f'{self} got {x.size(1)} features per pose, expected '
                f'in_channels={self.in_channels}. Give it what the '
                f'single-pose model returns'
            )
        weights = self.attention(x, index, dim_size)
        out = functional.group_sum(weights * x, index, dim_size)
        if self.lin is None:
            return out
        with torch.autocast(x.device.type, enabled=False):
            return _linear(self.lin, out)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, '
            f'hidden_channels={self.hidden_channels}, '
            f'out_channels={self.out_channels})'
        )


def _linear(lin: torch.nn.Linear, x: Tensor) -> Tensor:
    """In the type of the features, which is never half."""
    bias = None if lin.bias is None else lin.bias.to(x.dtype)
    return F.linear(x, lin.weight.to(x.dtype), bias)
