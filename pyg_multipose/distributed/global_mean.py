r"""The mean loss of a batch whose sets lie on several ranks."""

from __future__ import annotations

from typing import Any, NamedTuple

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

    Ranks wait for one another where the sum is needed, and again where DDP
    averages gradients. Where some take longer for predictions and others for
    gradients, they wait twice; :meth:`count`, before the predictions, leaves
    the second time only.

    Args:
        loss: A loss of :mod:`pyg_multipose.nn.loss` that is reduced by
            :obj:`"mean"`, or one of your own that is a
            :class:`~pyg_multipose.nn.loss.LabelLoss`.
        group: The process group.
            (default: :obj:`None`, all processes)

    Raises:
        ValueError: In a call, if the loss does not say over how many labels
            it is a mean, or if these are not what was counted before.

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
        self._coming: _Sum | None = None

    def count(self, *args: Any, **kwargs: Any) -> None:
        r"""Begins to add up the labels of the next call, of all ranks.

        All ranks have to call it, or none. Alone it does nothing.

        Args:
            args: Those of the loss, with any numbers for predictions, such as
                zeros: labels are all that counts.
            kwargs: Those of the loss.

        Example:
            >>> import torch
            >>> from pyg_multipose.distributed import GlobalMean
            >>> from pyg_multipose.nn.loss import MSELoss
            >>> loss, y = GlobalMean(MSELoss()), torch.tensor([6.0, 5.0])
            >>> loss.count(torch.zeros(2), y)
            >>> pred = torch.tensor([6.0, 4.0])  # takes long
            >>> loss(pred, y)
            tensor(0.5000)
        """
        if num_ranks(self.group) == 1:
            return

        def begin(total: Tensor) -> Tensor:
            self._coming = _Sum.begun(total, self.group)
            return torch.ones_like(total)

        self._coming = None
        with torch.no_grad(), totals(begin):
            self.loss(*args, **kwargs)

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
                coming = self._coming or _Sum.begun(total, self.group)
                self._coming = None
                out = coming.of(total)
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


class _Sum(NamedTuple):
    """What ranks add up while they go on."""

    here: Tensor
    sum: Tensor
    work: Any

    @classmethod
    def begun(cls, total: Tensor, group: dist.ProcessGroup | None) -> _Sum:
        out = total.detach().clone()
        work = dist.all_reduce(out, group=group, async_op=True)
        return cls(total.detach(), out, work)  # a device is not asked yet

    def of(self, total: Tensor) -> Tensor:
        """The sum, if it is that of these labels."""
        here, now = float(self.here), float(total)
        if here != now:
            raise ValueError(
                f"'count' was given labels that weigh {here:g}, and the loss "
                f'some that weigh {now:g}; give both the same, before each '
                f'call'
            )
        self.work.wait()
        return self.sum.to(total.dtype)
