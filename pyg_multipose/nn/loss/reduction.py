r"""From the losses of labels to one number."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor


def reduced(
    each: Tensor, known: Tensor, weight: Tensor | None, reduction: str
) -> Tensor:
    r"""Reduces losses over the labels that exist, by :eq:`eq-masked-mean`.

    Args:
        each: The loss of each label, anything where there is none.
        known: Where there is a label that counts.
        weight: The weights, in the shape of :obj:`each`, or :obj:`None`.
        reduction: :obj:`"mean"`, :obj:`"sum"` or :obj:`"none"`.

    Returns:
        A number, or the weighted losses, 0 where there is no label. Without
        any label, 0 with a gradient of 0, and a warning but in a compiled
        graph.
    """
    if not torch.compiler.is_compiling() and not bool(known.any()):
        warnings.warn(
            'None of these predictions has a label that counts: the loss is '
            '0, and so is its gradient. Optimizers with momentum or weight '
            'decay move on all the same; skip the step if they should not',
            UserWarning,
            stacklevel=2,
        )
    share = known.to(each.dtype) if weight is None else weight
    # A product alone would not do: 0 * NaN is NaN.
    share = torch.where(known, share, 0.0)
    each = torch.where(known, each, 0.0) * share
    if reduction == 'none':
        return each
    if reduction == 'sum':
        return each.sum()
    total = share.sum()
    return each.sum() / torch.where(total > 0, total, 1.0)
