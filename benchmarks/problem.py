"""A case made ready: its poses, its models and its loss."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from benchmarks.cases import Case
from benchmarks.losses import LOSSES
from benchmarks.models import build, needs_edges
from benchmarks.poses import pose_sets
from benchmarks.rivals import compiled, no_compiler
from benchmarks.settings import Settings
from benchmarks.ways import Way
from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.sharing.sharer import sharer_of
from pyg_multipose.transforms import RadiusGraph

#: Calls after which a model that shares is not looked at for long.
LOOKS = 10
#: The atoms that a step looks at, at least, which warms a way up.
WARM_ATOMS = 4096


def warm_steps(way: Way, settings: Settings) -> int:
    r"""Steps before anything is measured.

    Args:
        way: The way; `auto` has to learn how many poses matter, and a model
            that shares is looked at in its 1st, 4th, 10th and 28th call.
        settings: How quickly.
    """
    learns = way.mode == 'auto' and way.train
    if way.share and not settings.quick:
        return max(LOOKS, settings.warm_steps)
    if learns:
        return settings.warm_steps
    return 0 if settings.quick else 1


class Unavailable(Exception):
    r"""Why a way cannot run."""


class Problem:
    r"""What all ways of a case have in common.

    Args:
        case: The case.
        settings: Widths, device and seeds.
    """

    def __init__(self, case: Case, settings: Settings) -> None:
        self.case, self.settings = case, settings
        self.loss = LOSSES[case.loss]
        self.sets = pose_sets(case, settings)
        self.poses = [pose for item in self.sets for pose in item.to_poses()]
        self.plain, self.ours = build(case.model, self.loss, settings)
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.combination = self.loss.combination().to(settings.device)
        self.connect = RadiusGraph(settings.cutoff)

    @property
    def atoms(self) -> int:
        r"""Atoms of all poses together, receptors included in each."""
        return sum(pose.num_nodes for pose in self.poses)

    def few_sets(self) -> int:
        r"""How many sets warm a way up."""
        count, atoms = 0, 0
        while atoms < WARM_ATOMS and count < len(self.sets):
            count += 1
            atoms = sum(
                pose.num_nodes
                for pose in self.poses[: count * self.case.per_set]
            )
        return count


class Runner:
    r"""One way on one problem, ready to step.

    Args:
        way: The way.
        problem: The problem. Its models are shared by all runners, its
            combination is copied.

    Raises:
        Unavailable: If the way cannot run, with the reason.
    """

    def __init__(self, way: Way, problem: Problem) -> None:
        if not way.fits(problem.case.loss):
            raise Unavailable(f'{way.name} does not serve this loss')
        if way.predict is compiled and no_compiler():
            raise Unavailable(no_compiler())
        self.way, self.problem = way, problem
        self.model = problem.ours if way.ours else problem.plain
        self.combination = copy.deepcopy(problem.combination)
        self.device = problem.settings.device
        self.readout: MultiPoseReadout | None = None
        if way.mode is not None:
            sharer = sharer_of(self.model, None)
            if way.share and not hasattr(sharer, 'encode_receptor'):
                raise Unavailable(
                    f'{type(self.model).__name__} has no encode_receptor'
                )
            self.readout = MultiPoseReadout(
                self.model,
                self.combination,
                way.mode,
                share_receptor='auto' if way.share else False,
            )

    @property
    def parameters(self) -> list[nn.Parameter]:
        r"""Those of the model, then those of the combination."""
        return [*self.model.parameters(), *self.combination.parameters()]

    def prepare(self, sets: int | None = None) -> list[PoseSet] | list[Data]:
        r"""The items of a dataset with their edges, as far as needed.

        Args:
            sets: How many sets, the first ones. (default: :obj:`None`, all)
        """
        problem = self.problem
        if self.readout is not None:
            return [problem.connect(item) for item in problem.sets[:sets]]
        poses = problem.poses
        if sets is not None:
            poses = poses[: sets * problem.case.per_set]
        if not needs_edges(self.model):
            return poses
        return [problem.connect(pose) for pose in poses]

    def collate(self, items: Sequence[Any]) -> Any:
        r"""A fresh batch on the device; chunks of poses for rivals.

        Args:
            items: What :meth:`prepare` made.
        """
        if self.readout is not None:
            return Batch.from_data_list(list(items)).to(self.device)
        size = self.way.chunk_size(self.device, len(items))
        return [
            Batch.from_data_list(list(items[start : start + size])).to(
                self.device
            )
            for start in range(0, len(items), size)
        ]

    def predict(self, batch: Any) -> tuple[Tensor, Tensor | None]:
        r"""Predictions of sets, and of poses where the loss sees them.

        Args:
            batch: What :meth:`collate` made.
        """
        on_poses = self.problem.loss.on_poses
        if self.readout is not None:
            if on_poses:
                return self.readout(batch, return_poses=True)
            return self.readout(batch), None
        assert self.way.predict is not None
        poses = self.way.predict(self.model, batch)
        per_set = self.problem.case.per_set
        index = torch.arange(len(poses), device=poses.device) // per_set
        combined = self.combination(
            poses if poses.dim() > 1 else poses.unsqueeze(1),
            index=index,
            dim_size=len(poses) // per_set,
        )
        if combined.size(1) == 1:
            combined = combined.squeeze(1)
        return combined, poses if on_poses else None

    def forward(self, batch: Any) -> Tensor:
        r"""The loss.

        Args:
            batch: What :meth:`collate` made.
        """
        combined, poses = self.predict(batch)
        labels = [item.y for item in self.problem.sets[: len(combined)]]
        target = torch.cat(labels).to(self.device)
        return self.problem.loss(combined, poses, target)

    def run(self, batch: Any) -> None:
        r"""A step of training, or of inference.

        Args:
            batch: What :meth:`collate` made.
        """
        if self.way.train:
            self.forward(batch).backward()
        else:
            with torch.no_grad():
                self.predict(batch)

    def clear(self) -> None:
        r"""Throws gradients away."""
        for parameter in self.parameters:
            parameter.grad = None

    def warm_up(self) -> None:
        r"""Runs until nothing is new: lazy set-up, and what `auto` learns."""
        sets = self.problem.few_sets()
        items = self.prepare(sets)
        for _ in range(warm_steps(self.way, self.problem.settings)):
            self.run(self.collate(items))
            self.clear()
        if self.way.share and not self.problem.settings.quick:
            # Atoms of a new kind are looked at, too.
            self.run(self.collate(self.prepare()))
            self.clear()
