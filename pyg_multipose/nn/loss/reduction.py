r"""From the losses of labels to one number."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

#: What a sum of weights here is to be taken for, by thread.
_TOTALS: dict[int, Callable[[Tensor], Tensor]] = {}


@contextmanager
def totals(of: Callable[[Tensor], Tensor]) -> Iterator[None]:
    r"""Lets means be over more labels than these, those of other ranks.

    Args:
        of: Takes the sum of the weights of the labels here, and gives what to
            divide by; zero if there is no label anywhere.

    Yields:
        Nothing; it holds for losses in this thread.
    """
    thread = threading.get_ident()
    before = _TOTALS.get(thread)
    _TOTALS[thread] = of
    try:
        yield
    finally:
        del _TOTALS[thread]
        if before is not None:
            _TOTALS[thread] = before


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
    share = known.to(each.dtype) if weight is None else weight
    # A product alone would not do: 0 * NaN is NaN.
    share = torch.where(known, share, 0.0)
    each = torch.where(known, each, 0.0) * share
    over = None
    if _TOTALS and reduction == 'mean':
        over = _TOTALS.get(threading.get_ident())
    total = share.sum() if over is None else over(share.sum())
    if not torch.compiler.is_compiling():
        if not bool(known.any() if over is None else total > 0):
            warnings.warn(
                'None of these predictions has a label that counts: the loss '
                'is 0, and so is its gradient. Optimizers with momentum or '
                'weight decay move on all the same; skip the step if they '
                'should not',
                UserWarning,
                stacklevel=2,
            )
    if reduction == 'none':
        return each
    if reduction == 'sum':
        return each.sum()
    return each.sum() / torch.where(total > 0, total, 1.0)
