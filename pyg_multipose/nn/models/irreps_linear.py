r"""A mixing of channels that is the same for all components of an irrep."""

from typing import Any

import torch
from e3nn import o3
from torch import Tensor


class IrrepsLinear(o3.Linear):
    r"""The linear layer of e3nn, as products of matrices alone.

    .. math::
        x^{\prime}_{v,m} = \frac{s}{\sqrt{U}} \sum_u W_{uv} \, x_{u,m}
        = \frac{s}{\sqrt{U}} \sum_{u,k} (W \otimes 1)_{uk,vm} \, x_{u,k}

    Components :math:`m` of a channel lie side by side in memory. e3nn brings
    them apart before each product and together after it; the Kronecker
    product with a unit matrix takes them as they are. That is
    :math:`2 l + 1` times as many multiplications, in a product that is as
    much wider, and no copies: with one thread, forward and backward of
    :obj:`"56x0e+72x1o+64x2e"` to :obj:`"56x0e+16x1o+8x2e"` take .55 of the
    time on 4,000 atoms, and as long on 500. Weights, their names and values
    are those of :class:`e3nn.o3.Linear`.

    Args:
        irreps_in: Irreps of the input.
        irreps_out: Irreps of the output.

    Example:
        >>> import torch
        >>> from e3nn import o3
        >>> from pyg_multipose.nn.models.irreps_linear import IrrepsLinear
        >>> ours = IrrepsLinear('4x0e+2x1o', '3x0e+5x1o')
        >>> theirs = o3.Linear('4x0e+2x1o', '3x0e+5x1o')
        >>> _ = theirs.load_state_dict(ours.state_dict())
        >>> x = torch.randn(7, 10)
        >>> torch.allclose(ours(x), theirs(x), atol=1e-5)
        True
    """

    def __init__(self, irreps_in: Any, irreps_out: Any) -> None:
        super().__init__(irreps_in, irreps_out)
        # Plain numbers, which can be compiled: the output, the columns of
        # the input, the weights, their number of channels, the components
        # and the normalisation of every product.
        self._products: list[tuple[Any, ...]] = []
        columns, first = self.irreps_in.slices(), 0
        for path in self.instructions:
            at, (wide, out) = columns[path.i_in], path.path_shape
            part = first, first + wide * out
            first = part[1]
            dim = self.irreps_in[path.i_in].ir.dim
            if wide * out:
                self._products.append(
                    (
                        path.i_out,
                        (at.start, at.stop),
                        part,
                        (wide, out),
                        dim,
                        path.path_weight,
                    )
                )
        self._dims = [mul_ir.dim for mul_ir in self.irreps_out]

    def forward(  # type: ignore[override]
        self, features: Tensor, scale: float = 1.0
    ) -> Tensor:
        r"""Returns mixed features.

        Args:
            features: Features :math:`(\ldots, \mathrm{irreps\_in})`.
            scale: The factor :math:`s`. (default: :obj:`1.0`)
        """
        found: list[Tensor | None] = [None] * len(self._dims)
        for number, at, part, shape, dim, norm in self._products:
            weight = self.weight[part[0] : part[1]].view(shape) * norm * scale
            if dim > 1:
                one = torch.eye(dim, dtype=weight.dtype, device=weight.device)
                weight = torch.kron(weight, one)
            more = features[..., at[0] : at[1]] @ weight
            before = found[number]
            found[number] = more if before is None else before + more
        sizes = features.shape[:-1]
        return torch.cat(
            [
                features.new_zeros(*sizes, dim) if out is None else out
                for out, dim in zip(found, self._dims, strict=True)
            ],
            dim=-1,
        )
