r"""Relations of labels to the truth: exact, or bounds."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

#: Where the truth is, seen from the label: 0 there, -1 below it, 1 above it.
#: These are the codes of :obj:`y_relation`.
RELATIONS = {'=': 0, '~': 0, '<': -1, '<=': -1, '>': 1, '>=': 1}


def relation_codes(
    relations: Iterable[str], device: torch.device | None = None
) -> Tensor:
    r"""Returns the code of each relation, as in :obj:`batch.y_relation`.

    A relation says where the truth is, **on the scale of the label**:
    :obj:`"<"` is a truth below it. It turns over where a scale does, since an
    IC50 above 99 uM is a pIC50 *below* 4.00. What :func:`read_labels` and
    :func:`join_labels` give is on the scale of the label already; codes of
    your own from another scale are turned by a minus sign.

    Args:
        relations: The relations, each one of :data:`RELATIONS`.
        device: Where the codes are wanted. (default: :obj:`None`, the CPU)

    Returns:
        0 for exact (and rough) labels, -1 if the truth is below, 1 if it is
        above, int64 of shape :math:`(S)`.

    Raises:
        ValueError: If a relation is unknown.

    Example:
        >>> from pyg_multipose.nn.loss import relation_codes
        >>> relation_codes(['=', '<', '>=', '~'])
        tensor([ 0, -1,  1,  0])
        >>> ic50 = relation_codes(['>'])  # above 99 uM
        >>> -ic50  # of the pIC50: below 4.00
        tensor([-1])
    """
    if isinstance(relations, str) or not isinstance(relations, Iterable):
        raise ValueError(
            f"'relation' is {relations!r}, expected a relation for each "
            f'label: a list of texts, or a tensor of codes'
        )
    codes = []
    for number, sign in enumerate(relations):
        if not isinstance(sign, str) or sign not in RELATIONS:
            raise ValueError(
                f"'relation' has {sign!r} at {number}, expected one of "
                f'{list(RELATIONS)}. Codes are given as a tensor of integers'
            )
        codes.append(RELATIONS[sign])
    return torch.tensor(codes, dtype=torch.long, device=device)
