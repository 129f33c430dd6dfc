r"""What the filters of SchNet are functions of."""

import math

import torch
from torch import Tensor
from torch_geometric.nn.models.schnet import GaussianSmearing


def smear(
    expansion: GaussianSmearing, dist: Tensor, dtype: torch.dtype
) -> Tensor:
    r"""Returns Gaussians of distances.

    Args:
        expansion: Their centers and their width.
        dist: Distances in Angstrom :math:`(R)`, in float32 or wider.
        dtype: The type of the values.

    Returns:
        Values :math:`(R, G)`, zero where they would be next to nothing.
    """
    exponent = dist.view(-1, 1) - expansion.offset
    if torch.is_grad_enabled() and dist.requires_grad:
        exponent = expansion.coeff * exponent.square()
    else:
        exponent.square_().mul_(expansion.coeff)
    # Exponentials that are denormal numbers, and products with these, take a
    # processor a hundred times longer, and what is as small adds nothing to a
    # filter.
    wide = torch.promote_types(dtype, torch.float32)
    tiny = exponent < math.log(torch.finfo(wide).tiny) * 2 / 3
    return exponent.masked_fill_(tiny, -math.inf).exp_().to(dtype)


def expand(
    expansion: GaussianSmearing,
    dist: Tensor,
    cutoff: float,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    r"""Returns what a filter network makes filters of.

    Args:
        expansion: The Gaussians.
        dist: Distances in Angstrom :math:`(R)`.
        cutoff: The cutoff in Angstrom.
        dtype: The type of the values.

    Returns:
        Gaussians :math:`(R, G)` and the cosine :math:`(R, 1)`, zero from the
        cutoff on.
    """
    cosine = cosine_cutoff((dist / cutoff).clamp(max=1.0))
    return smear(expansion, dist, dtype), cosine.to(dtype)


def cosine_cutoff(scaled: Tensor) -> Tensor:
    r"""Returns the cosine that falls from one to zero at the cutoff.

    Args:
        scaled: Distances in units of the cutoff :math:`(R)`. Beyond it, the
            cosine rises again.

    Returns:
        Values :math:`(R, 1)`.
    """
    return (0.5 * ((scaled * math.pi).cos() + 1.0)).unsqueeze(-1)
