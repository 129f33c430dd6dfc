r"""A nonlinearity that keeps equivariance."""

from typing import Any

import torch
from e3nn import o3
from torch import Tensor
from torch.nn import Module

# They give an output with a mean square of 1 if the input is a standard
# normal variable:
_SILU, _TANH, _SIGMOID = 1.67653, 1.59254, 1.84623


class Gate(Module):
    r"""A nonlinearity of scalars, which also scale everything else.

    It follows the `"3D Steerable CNNs: Learning Rotationally Equivariant
    Features in Volumetric Data" <https://arxiv.org/abs/1807.02547>`_ paper.
    Even scalars pass through SiLU and odd ones through tanh, which keeps
    their parity. Everything else is multiplied, channel by channel, by the
    sigmoid of a further even scalar: its gate.

    Args:
        irreps_out: Irreps of the output.

    Shapes:
        - **input:** features of :obj:`gate.irreps_in`: those of the output
          with the gates after the even scalars
        - **output:** features of :obj:`gate.irreps_out`: those given, sorted
          and equal ones side by side
    """

    def __init__(self, irreps_out: Any):
        super().__init__()
        irreps = o3.Irreps(irreps_out).regroup()
        gated = [(mul, ir) for mul, ir in irreps if ir.l > 0]
        num_even, num_odd = irreps.count('0e'), irreps.count('0o')
        num_gates = sum(mul for mul, _ in gated)

        self.irreps_in = o3.Irreps(
            [(num_odd, '0o'), (num_even + num_gates, '0e')] + gated
        ).remove_zero_multiplicities()
        self.irreps_out = o3.Irreps(
            [(num_odd, '0o'), (num_even, '0e')] + gated
        ).remove_zero_multiplicities()

        # Plain numbers, which can be compiled:
        self._channels = [mul for mul, _ in gated]
        self._sizes = [num_odd, num_even, num_gates]
        self._sizes += [mul * ir.dim for mul, ir in gated]

    def forward(self, x: Tensor) -> Tensor:
        r"""Returns the gated features of every row."""
        odd, even, gates, *gated = x.split(self._sizes, dim=-1)
        out = [torch.nn.functional.silu(even) * _SILU]
        if odd.size(-1) > 0:
            out.insert(0, odd.tanh() * _TANH)
        if len(gated) > 0:
            gates = (gates.sigmoid() * _SIGMOID).unsqueeze(-1)
            for part, gate in zip(
                gated, gates.split(self._channels, dim=-2), strict=True
            ):
                part = part.unflatten(-1, (gate.size(-2), -1))
                out.append((part * gate).flatten(-2))
        return torch.cat(out, dim=-1)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.irreps_in} -> {self.irreps_out})'
        )
