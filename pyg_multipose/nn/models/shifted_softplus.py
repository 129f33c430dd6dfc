r"""The activation of SchNet."""

from torch import Tensor
from torch.nn.functional import softplus
from torch_geometric.nn.models import schnet


class ShiftedSoftplus(schnet.ShiftedSoftplus):
    r"""As that of :pyg:`PyG`, in one table less.

    .. math::
        \mathrm{ssp}(x) = \ln(1 + e^x) - \ln 2

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.models.shifted_softplus import (
        ...     ShiftedSoftplus,
        ... )
        >>> ShiftedSoftplus()(torch.tensor([0.0, 1.0]))
        tensor([0.0000, 0.6201])
    """

    def forward(self, x: Tensor) -> Tensor:
        r"""Returns the activation of every number."""
        # In place: for backward, a softplus keeps its input.
        return softplus(x).sub_(self.shift)
