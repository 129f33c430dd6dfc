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


def cosine_cutoff(dist: Tensor, cutoff: float) -> Tensor:
    r"""Returns the cosine that falls from one to zero at the cutoff.

    Args:
        dist: Distances in Angstrom :math:`(R)`. Beyond the cutoff it rises
            again.
        cutoff: The cutoff in Angstrom.

    Returns:
        Values :math:`(R, 1)`.
    """
    scaled = dist.unsqueeze(-1) / cutoff
    return 0.5 * ((scaled * math.pi).cos() + 1.0)
