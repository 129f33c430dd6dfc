r"""Steps of a training: whether they are right, and how long they take."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.distributed import ShardedReadout
from pyg_multipose.distributed.ranks import num_ranks
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.loader import DealtSets, PoseSetSampler
from pyg_multipose.train.multi_pose_module import MultiPoseModule
from pyg_multipose.train.over_ranks import OverRanks
from pyg_multipose.train.pose_set_data_module import PoseSetDataModule

#: Steps before the clock is started.
WARM_UP = 3


class Step(nn.Module):
    r"""The loss of a batch, as one module for DDP.

    Args:
        module: What is trained.
        plain: Whether by plain autograd, of whole complexes.
        deal: As of the data module.
    """

    def __init__(
        self, module: MultiPoseModule, plain: bool, deal: str
    ) -> None:
        super().__init__()
        self.module, self.plain = module, plain
        readout: Any = module.readout
        if num_ranks() > 1 and deal == 'poses' and not plain:
            readout = ShardedReadout(readout)
        self.call = [readout]  # its parameters are those of the module
        self.ranks = OverRanks()

    def forward(self, batch: PoseSet) -> Tensor:
        r"""The loss, over all ranks.

        Args:
            batch: The sets of this rank.
        """
        labels, relation = self.module.labels(batch)
        self.ranks.count(self.module, labels, relation)
        args = (self._converted(batch), *labels)
        return self.ranks.loss(self.module, 'train', args, relation)[0]

    def alone(self, batch: PoseSet) -> Tensor:
        r"""The loss of this rank.

        Args:
            batch: Its sets.
        """
        labels, relation = self.module.labels(batch)
        pred = self._converted(batch)
        return self.module.loss(pred, *labels, relation=relation)

    def predict(self, batch: PoseSet) -> Tensor:
        r"""Combined predictions.

        Args:
            batch: Its sets.
        """
        readout = self.module.readout
        if not self.plain:
            return self.call[0](batch)
        before = readout.gradient, readout.share_receptor
        readout.share_receptor, readout.gradient = False, 'full'
        try:
            return readout(batch)
        finally:
            readout.gradient, readout.share_receptor = before

    def wrapped(self) -> nn.Module:
        r"""Itself, in DDP where there are several ranks."""
        return DistributedDataParallel(self) if num_ranks() > 1 else self

    def _converted(self, batch: PoseSet) -> Tensor:
        pred, affinity = self.predict(batch), self.module.affinity
        return pred if affinity is None else affinity(pred)


def gradient_error(
    module: MultiPoseModule, data: PoseSetDataModule, sample: int, plain: bool
) -> float:
    r"""How far a gradient is from that of plain autograd on one process.

    In double precision and without dropout, on the first sets to train on.
    Every rank has to call this.

    Args:
        module: What is trained; it stays as it is.
        data: Its data, after the setup.
        sample: How many sets.
        plain: Whether plain autograd is compared with itself.

    Returns:
        The largest difference of all parameters, relative to the largest
        entry.
    """
    sets: Any = data.parts['train']
    number = min(sample, len(sets))
    chosen = [_wide(sets[index]) for index in range(number)]
    together = next(iter(DataLoader(chosen, batch_size=number)))
    reference = Step(_twin(module), True, 'sets')
    reference.alone(together.to(module.device)).backward()
    step = Step(_twin(module), plain, data.deal)
    dealt = data.deal == 'sets'
    sampler = PoseSetSampler(
        chosen,
        max_poses=2**40,
        num_replicas=None if dealt else 1,
        rank=None if dealt else 0,
        deal='sets',
    )
    (batch,) = DataLoader(DealtSets(chosen), batch_sampler=sampler)
    wrapped = step.wrapped()  # held: without it nobody averages gradients
    wrapped(batch.to(module.device)).backward()
    worst = scale = 0.0
    pairs = zip(
        step.module.parameters(), reference.module.parameters(), strict=True
    )
    for one, other in pairs:
        found, expected = (
            torch.zeros_like(p) if p.grad is None else p.grad
            for p in (one, other)
        )
        worst = max(worst, float((found - expected).abs().max()))
        scale = max(scale, float(expected.abs().max()))
    return worst / scale if scale else worst


def steps_per_second(
    module: MultiPoseModule,
    data: PoseSetDataModule,
    seconds: float,
    plain: bool,
) -> tuple[float, float]:
    r"""Measures steps of a training, loading included.

    Every rank has to call this. The module is trained by it.

    Args:
        module: What is trained.
        data: Its data, after the setup.
        seconds: How long.
        plain: Whether by plain autograd.

    Returns:
        Steps a second, and the poses of a step, of all ranks together.
    """
    step = Step(module.train(), plain, data.deal)
    wrapped = step.wrapped()
    # Plain steps of next to no length: it is about their time.
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-6)
    steps, passed, start = 0, 0.0, 0.0
    for batch in _endless(data):
        if steps == WARM_UP:
            start = time.perf_counter()
        optimizer.zero_grad()
        wrapped(batch.to(module.device)).backward()
        optimizer.step()
        if module.device.type == 'cuda':
            torch.cuda.synchronize()
        steps += 1
        passed = time.perf_counter() - start
        over = steps > WARM_UP and passed > seconds
        if _first_says(over, module.device):
            break
    poses = data.parts['train'].sizes(with_edges=False)[:, 2].sum()
    batches = len(data.loader('train', True, dealt=False))
    return (steps - WARM_UP) / passed, float(poses) / batches


def held_bytes(
    module: MultiPoseModule, data: PoseSetDataModule, plain: bool
) -> int:
    r"""Bytes that are held between forward and backward, counted.

    Of the first batch; every rank has to call this.

    Args:
        module: What is trained.
        data: Its data, after the setup.
        plain: Whether by plain autograd.
    """
    batch = next(iter(data.train_dataloader())).to(module.device)
    step = Step(module, plain, data.deal)
    with LiveBytes() as live:
        held = step.predict(batch)
        total = live.held()
    del held
    return total


def _first_says(over: bool, device: torch.device) -> bool:
    """What the first rank thinks: each has a clock of its own."""
    if num_ranks() == 1:
        return over
    told = torch.tensor(float(over), device=device)
    dist.broadcast(told, 0)
    return bool(told)


def _endless(data: PoseSetDataModule) -> Iterator[PoseSet]:
    loader: Any = data.train_dataloader()
    epoch = 0
    while True:
        loader.batch_sampler.set_epoch(epoch)
        yield from loader
        epoch += 1


def _twin(module: MultiPoseModule) -> MultiPoseModule:
    return copy.deepcopy(module).double().eval()


def _wide(pose_set: PoseSet) -> PoseSet:
    """A set in double precision."""
    out = copy.copy(pose_set)
    for key, value in pose_set.stores[0].items():
        if isinstance(value, Tensor) and value.is_floating_point():
            out[key] = value.double()
    return out
