r"""Predictions of all ranks, with the gradient of each rank's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.modes.refusals import refuse_batched

#: The dtypes of predictions, by the number that ranks tell each other.
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class DifferentBatchesError(RuntimeError):
    r"""Ranks that have to work on one batch had different ones."""


def gathered(
    own: Tensor | None,
    shares: list[np.ndarray],
    checksum: int,
    device: torch.device,
    group: dist.ProcessGroup | None,
) -> Tensor:
    r"""The predictions of all poses, without gradient.

    Every rank has to call this, also one that has failed.

    Args:
        own: Those of this rank, :obj:`None` if it has failed; of a rank
            without poses, empty.
        shares: The poses of each rank.
        checksum: What tells one batch from another.
        device: Where predictions are.
        group: The process group.

    Raises:
        RuntimeError: If a rank has failed, or has another batch.
    """
    ranks = dist.get_world_size(group)
    width = -1 if own is None or own.dim() == 1 else own.size(1)
    kind = 0 if own is None else DTYPES.index(own.dtype)
    count = -1 if own is None else len(own)
    head = torch.tensor(
        [count, width, kind, checksum], dtype=torch.long, device=device
    )
    heads = [torch.empty_like(head) for _ in range(ranks)]
    dist.all_gather(heads, head, group=group)
    found = torch.stack(heads).cpu().numpy()
    failed = np.flatnonzero(found[:, 0] < 0)
    if len(failed):
        raise RuntimeError(
            f'Rank {failed[0]} of {ranks} failed in the same forward pass; '
            f'its own message says why'
        )
    if (found[:, 3] != found[0, 3]).any():
        other = int(np.flatnonzero(found[:, 3] != found[0, 3])[0])
        raise DifferentBatchesError(
            f'Ranks 0 and {other} of {ranks} have different batches. To deal '
            f'the poses of a set to ranks, all have to get the same sets: '
            f'give their loaders the same order (for PoseSetSampler '
            f'num_replicas=1, rank=0)'
        )
    have = found[found[:, 0] > 0]
    widths = {tuple(row) for row in have[:, 1:3].tolist()}
    if len(widths) != 1:
        raise RuntimeError(
            f'Ranks got predictions of different width or dtype: '
            f'{sorted(widths)} (width, dtype); the model has to be the same '
            f'on all of them'
        )
    ((width, kind),) = widths
    shape = () if width < 0 else (int(width),)
    most = max(map(len, shares))
    block = torch.zeros(most, *shape, dtype=DTYPES[kind], device=device)
    if own is not None and len(own):
        block[: len(own)] = own.detach()
    blocks = [torch.empty_like(block) for _ in range(ranks)]
    dist.all_gather(blocks, block, group=group)
    pieces = [one[: len(p)] for one, p in zip(blocks, shares, strict=True)]
    order = to_device(np.concatenate(shares), device)
    out = block.new_empty(len(order), *shape)
    out[order] = torch.cat(pieces)
    return out


def _refuse(grad: Tensor) -> None:
    if torch.is_grad_enabled():
        raise RuntimeError(
            'Poses over ranks do not support double backward '
            '(create_graph=True, for example forces in the loss): the second '
            'derivative would need predictions of other ranks with their '
            'graph. Deal sets to ranks instead, or use one process'
        )
    refuse_batched('poses over ranks', grad)


class Own(torch.autograd.Function):
    r"""Numbers of all poses or sets; backward goes to those of this rank.

    Gradients of models are averaged over ranks afterwards, and each rank has
    a part of the sum: what it has alone counts as often as there are ranks.
    Of a set with poses on several ranks (:obj:`gradient="stream"`) a rank has
    the gradient of the combination of its own, and their part in that of all.

    Args:
        every: The numbers of all.
        rows: Those that are of this rank.
        factor: What the gradient of each is multiplied by: the number of
            ranks, times the part of a set.
        own: What this rank has computed, :obj:`None` if nothing.
        anchors: What gets a gradient of zero there.
    """

    @staticmethod
    def forward(
        ctx: Any,
        every: Tensor,
        rows: np.ndarray,
        factor: Tensor | int,
        own: Tensor | None,
        *anchors: Tensor,
    ) -> Tensor:
        """Only a junction."""
        ctx.rows, ctx.factor = rows, factor
        ctx.zeros = [torch.Size(anchor.shape) for anchor in anchors]
        ctx.like = [(anchor.dtype, anchor.device) for anchor in anchors]
        return every.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """The own part."""
        _refuse(grad)
        part = None
        if len(ctx.rows):
            rows = to_device(ctx.rows, grad.device)
            part = grad[rows] * ctx.factor
        return None, None, None, part, *_zeros(ctx)


def _zeros(ctx: Any) -> list[Tensor]:
    """Zeros, not None: who averages gradients waits for every one."""
    return [
        torch.zeros(shape, dtype=dtype, device=device)
        for shape, (dtype, device) in zip(ctx.zeros, ctx.like, strict=True)
    ]
