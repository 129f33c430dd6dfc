r"""The activation of SchNet."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch_geometric.nn.models import schnet

from pyg_multipose.nn.messages.kernel import can_run
from pyg_multipose.nn.messages.softplus_kernel import (
    shifted_softplus,
    softplus_gradient,
)

#: Of fewer numbers, torch is done before a kernel has begun.
_FEWEST = 2**15


class ShiftedSoftplus(schnet.ShiftedSoftplus):
    r"""As that of :pyg:`PyG`, in one table less.

    Of many numbers in float32, and with numba, it takes one pass, and keeps
    its result for backward, which the layer behind it keeps anyway; then the
    derivative is right to :math:`10^{-7}`, also where it is smaller.

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
        large = x.dtype == torch.float32 and x.numel() >= _FEWEST
        if large and can_run(x.dtype, x):
            out: Tensor = _Fused.apply(x)  # type: ignore[no-untyped-call]
            return out
        # In place: for backward, a softplus keeps its input.
        return softplus(x).sub_(self.shift)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        out = shifted_softplus(x)
        # Not where numba cannot compile.
        return softplus(x) - math.log(2.0) if out is None else out

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (y,) = ctx.saved_tensors
        if not torch.is_grad_enabled():
            found = softplus_gradient(grads[0], y)
            if found is not None:
                return found
        return grads[0] * (1.0 - 0.5 * torch.exp(-y))
