r"""What a training does otherwise where there are several ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pyg_multipose.distributed import GlobalMean, ShardedReadout
from pyg_multipose.distributed.ranks import num_ranks, this_rank
from pyg_multipose.train.same_data import check_same_data

if TYPE_CHECKING:
    from pyg_multipose.train.multi_pose_module import MultiPoseModule


class OverRanks:
    r"""The readout and the loss of a module, over ranks if there are any.

    No module itself: its parameters would be those of the readout again.
    """

    def __init__(self) -> None:
        self._sharded: ShardedReadout | None = None
        self._mean: GlobalMean | None = None

    def begin(self, module: MultiPoseModule, data: Any) -> None:
        r"""Compares the data of ranks, and has each draw poses of its own.

        Args:
            module: The module.
            data: The data module.
        """
        check_same_data(data)
        generator = module.readout.generator
        if this_rank() and data.deal == 'sets' and generator is not None:
            generator.manual_seed(this_rank())

    def readout(self, module: MultiPoseModule) -> nn.Module:
        r"""The readout, or what has its poses over ranks.

        Args:
            module: The module.
        """
        data = getattr(module.trainer, 'datamodule', None)
        readout = module.readout
        if num_ranks() == 1 or getattr(data, 'deal', 'sets') == 'sets':
            return readout
        if self._sharded is None or self._sharded.readout is not readout:
            self._sharded = ShardedReadout(readout)
        return self._sharded

    def count(
        self,
        module: MultiPoseModule,
        labels: tuple[Any, ...],
        relation: Tensor | None,
    ) -> None:
        r"""Has ranks add up labels while they predict.

        Args:
            module: The module.
            labels: Those of the next :meth:`loss` in training, and what else
                it takes.
            relation: Whether labels are bounds.
        """
        if num_ranks() > 1:
            self._mean = GlobalMean(module.loss)
            zeros = torch.zeros(labels[0].shape, device=labels[0].device)
            self._mean.count(zeros, *labels, relation=relation)

    def loss(
        self,
        module: MultiPoseModule,
        part: str,
        args: tuple[Any, ...],
        relation: Tensor | None,
    ) -> tuple[Tensor, int]:
        r"""The loss, and what it weighs in a mean over batches and ranks.

        Only in training do ranks wait for one another: elsewhere one may
        have more batches.

        Args:
            module: The module.
            part: :obj:`"train"`, :obj:`"valid"` or :obj:`"test"`.
            args: Predictions and labels, and what else the loss takes.
            relation: Whether labels are bounds.
        """
        count = int((~args[1].isnan()).sum())
        if num_ranks() > 1 and part == 'train':
            mean = self._mean or GlobalMean(module.loss)
            self._mean = None
            loss = mean(*args, relation=relation)
            return loss, int(mean.total)
        if not count and num_ranks() > 1:  # others may have labels
            return args[0].new_zeros(()), 0
        # Lightning takes the mean of counts over ranks, as an integer.
        return module.loss(*args, relation=relation), count * num_ranks()
