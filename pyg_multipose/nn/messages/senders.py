r"""What atoms of poses, and of the receptor that they share, send."""

import torch
from torch import Tensor


def senders(source: Tensor, alone: Tensor, atoms: Tensor | None) -> Tensor:
    r"""What the sources of edges send, as one table.

    Args:
        source: What atoms of poses send :math:`(m, F)`.
        alone: What the atoms of the receptor send alone :math:`(R, F)`.
        atoms: The receptor atom of every row of :obj:`source` :math:`(m)`, if
            differences are sent; :obj:`None`: not.

    Returns:
        The differences :math:`(m, F)`; without :obj:`atoms`, one table below
        the other :math:`(m + R, F)`.
    """
    if atoms is None:
        return torch.cat([source, alone])
    return source - alone.index_select(0, atoms)
