r"""From the contributions of atoms to one of their graph."""

import torch
from torch import Tensor
from torch_geometric.utils import scatter


def pool_atoms(
    contribution: Tensor,
    index: Tensor,
    dim_size: int,
    pool: str,
    is_ligand: Tensor | None = None,
) -> Tensor:
    r"""Sums or averages over the atoms of every graph.

    Args:
        contribution: The contribution of every atom :math:`(n, F)`.
        index: The graph of every atom :math:`(n)`.
        dim_size: The number of graphs :math:`P`.
        pool: :obj:`"sum"` or :obj:`"mean"`.
        is_ligand: The atoms that contribute :math:`(n)`; :obj:`None`: all.
            (default: :obj:`None`)

    Returns:
        Sums or means :math:`(P, F)`, taken in float32 or wider.

    Raises:
        ValueError: If a graph has no atoms to average.
    """
    # Hundreds of terms are too many for a sum in half precision:
    dtype = torch.promote_types(contribution.dtype, torch.float32)
    contribution = contribution.to(dtype)
    if is_ligand is not None:
        contribution = torch.where(
            is_ligand.unsqueeze(-1),
            contribution,
            torch.zeros_like(contribution),
        )
    out = scatter(contribution, index, dim=0, dim_size=dim_size)
    if pool == 'sum':
        return out

    count = torch.ones_like(contribution[:, :1])
    if is_ligand is not None:
        count = is_ligand.unsqueeze(-1).to(dtype)
    count = scatter(count, index, dim=0, dim_size=dim_size)
    if not torch.compiler.is_compiling() and bool((count < 1).any()):
        empty = (count[:, 0] < 1).nonzero().view(-1).tolist()
        what = 'atoms' if is_ligand is None else 'ligand atoms'
        raise ValueError(
            f'A mean over atoms needs {what} in every graph (got none in '
            f'graphs {empty}); leave these graphs out or take the sum'
        )
    return out / count
