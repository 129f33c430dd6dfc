r"""The mean loss of a batch whose sets lie on several ranks."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pyg_multipose.distributed.ranks import num_ranks
from pyg_multipose.nn.loss.reduction import totals


class GlobalMean(nn.Module):
    r"""The mean of a loss over the labels of all ranks.

    .. math::
        L_r = \frac{R}{\sum_{r'} n_{r'}} \sum_{i \in r} \ell_i

    with :math:`R` ranks of :math:`n_r` labels each (with weights, the sum of
    these). :class:`~torch.nn.parallel.DistributedDataParallel` averages the
    gradients of all :math:`L_r`, and so gives that of
    :math:`\sum_i \ell_i / \sum_r n_r`, the mean over the labels of the whole
    batch. The mean of each rank's own mean is another number: where there are
    few labels, they would count more.

    Missing labels and bounds are those of the loss. A rank without any label
    takes part with 0. Without a process group, this is the loss itself. All
    ranks have to call it as often as the others.

    Args:
        loss: A loss of :mod:`pyg_multipose.nn.loss` that is reduced by
            :obj:`"mean"`, or one of your own that is a
            :class:`~pyg_multipose.nn.loss.LabelLoss`.
        group: The process group.
            (default: :obj:`None`, all processes)

    Raises:
        ValueError: In a call, if the loss does not say over how many labels
            it is a mean.

    Example:
        >>> import torch
        >>> from pyg_multipose.distributed import GlobalMean
        >>> from pyg_multipose.nn.loss import HuberLoss
        >>> loss = GlobalMean(HuberLoss())
        >>> loss(torch.tensor([6.0, 5.0]), torch.tensor([6.5, 5.0]))
        tensor(0.0625)
        >>> loss.total  # labels of the last call, of all ranks
        2.0
    """

    def __init__(
        self, loss: nn.Module, group: dist.ProcessGroup | None = None
    ) -> None:
        super().__init__()
        self.loss, self.group = loss, group
        #: Labels (or their weights) of the last call, of all ranks.
        self.total = 0.0

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        r"""Computes this rank's part of the loss.

        Args:
            args: Those of the loss.
            kwargs: Those of the loss.
        """
        ranks = num_ranks(self.group)
        found: list[Tensor] = []

        def over(total: Tensor) -> Tensor:
            out = total.detach().clone()
            if ranks > 1:
                dist.all_reduce(out, group=self.group)
            found.append(out)
            return out / ranks

        with totals(over):
            loss = self.loss(*args, **kwargs)
        if len(found) != 1:
            raise ValueError(
                f'{type(self.loss).__name__} does not say over how many '
                f'labels it is a mean (it reduced {len(found)} times, '
                f'expected once). Give a loss of pyg_multipose.nn.loss with '
                f"reduction='mean', a LabelLoss of your own, or wrap each "
                f'term of a sum by itself'
            )
        self.total = float(torch.stack(found).sum())
        return loss
