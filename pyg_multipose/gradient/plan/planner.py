"""How `auto` chooses: by measured bytes, and by how many poses mattered."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np
import torch

from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.twin import NoTwinError
from pyg_multipose.gradient.plan.budget import (
    bytes_per_node,
    gradient_bytes,
    kind_of,
    receptor_bytes,
)
from pyg_multipose.gradient.plan.chunks import NODES_ON_CPU
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.plan.lately import Lately
from pyg_multipose.gradient.plan.out_of_memory import Limits, smaller
from pyg_multipose.gradient.plan.plan import Plan

#: A backward pass, in forward passes.
BACKWARD = 2.0
#: What a graph that is held costs more than one that is used at once, in
#: forward passes: on a CPU every pose then gets memory that is not in the
#: cache, and that the system has yet to clear.
HOLD = {'cpu': 0.3}
#: What the chunk that runs takes, in graphs: its own, and what operations need
#: for a moment, above all in backward.
RUNNING = 1.5
#: Bytes of a chunk's graph that a CPU's caches still serve well, and the most
#: atoms of such a chunk: narrow models pay for calls, wide ones for memory.
CACHE, MOST_NODES = 2**25, 8 * NODES_ON_CPU
#: The most bytes of gradients, one of parameter size per set, of `stream`.
STREAM_BYTES = 2**28


@dataclass
class Choice:
    r"""What the planner chose.

    Args:
        mode: The gradient mode.
        reason: Why.
        keep: How many chunks hold their graphs (:obj:`None`: not counted).
        max_nodes: The most atoms of a chunk, if not as planned.
        bytes: What is held until backward, about.
    """

    mode: str
    reason: str
    keep: int | None = None
    max_nodes: int | None = None
    bytes: int | None = None


class Planner:
    r"""Chooses the cheapest valid plan under a memory budget.

    The cost of a plan is counted in passes of the model; what a graph weighs
    is measured on a chunk, once for each kind of call.
    How many poses matter is not known before backward, so the planner goes by
    recent steps (:class:`Lately`): at first all do, as in an untrained model.

    Args:
        budget: Bytes that graphs may take.
            (default: :obj:`None`, half of the memory that is free)
        backward_poses: The most poses of a set that go backward.
            (default: :obj:`None`, all that matter)
    """

    def __init__(
        self, budget: int | None = None, backward_poses: int | None = None
    ) -> None:
        self.budget = budget
        self.backward_poses = backward_poses
        #: The share of the poses that will matter, by recent steps.
        self.lately = Lately()
        #: What did not fit.
        self.limits = Limits()
        self._bytes: dict[tuple[object, ...], float] = {}
        self._of_receptors: dict[tuple[object, ...], tuple[float, float]] = {}
        self._seen: Counts | None = None
        # Whether all poses of the last step mattered.
        self._all = False

    def watch(self, counts: Counts) -> None:
        r"""Watches the next step.

        Args:
            counts: Those of that step.
        """
        self._learn()
        self._seen = counts

    def _learn(self) -> None:
        """Learns from the step before, once its backward pass is over."""
        seen = self._seen
        if seen is not None and seen.mattered is not None:
            self.lately.note(seen.mattered / max(seen.poses, 1))
            self._all = seen.mattered == seen.poses
            self._seen = None

    def choose(
        self,
        evaluation: Evaluation,
        no_stream: str | None,
        free_chunks: bool = False,
    ) -> Choice:
        r"""The cheapest valid plan.

        Args:
            evaluation: What to evaluate.
            no_stream: Why `stream` is not valid, or :obj:`None` if it is.
            free_chunks: Whether the planner may cut larger chunks.
                (default: :obj:`False`)
        """
        self._learn()
        layout = evaluation.layout
        device = layout.device
        share, why = self._share(evaluation)
        sizes = evaluation.nodes_of(evaluation.chunks)
        if len(sizes) == 1 and self.budget is None:
            why = f'all poses fit into one chunk; {why}'
            if self._all:
                return Choice('full', why)
            if BACKWARD <= share * (1 + BACKWARD):
                return Choice('full', why, 1)
            return Choice('recompute', why, 0)
        try:
            per_node = running = self._measured(evaluation)
        except NoTwinError as error:
            return self._unmeasured(error, why, no_stream)
        budget = free_bytes(device)
        receptors = 0
        if self.budget is not None:
            running *= RUNNING
            receptors = self._receptor_bytes(evaluation)[0]
            budget = self.budget - receptors
        max_nodes = None
        fits = self.limits.most_nodes(evaluation)
        whole = self.limits.whole(evaluation)
        if free_chunks and not whole and device.type == 'cpu':
            # Room for the chunk that runs is room for none that is held.
            graph = min(CACHE, max(budget, 0) / 8)
            max_nodes = min(int(graph / per_node), MOST_NODES)
            least = NODES_ON_CPU
            if evaluation.receptors and not evaluation.whole_poses:
                least = evaluation.receptors.nodes_on_cpu
            max_nodes = min(max(max_nodes, least), fits or MOST_NODES)
        most = max(max(sizes), max_nodes or 0)
        if self.budget is not None and running * most > budget:
            pose = int(evaluation.pose_nodes.max())
            max_nodes = max(int(budget / running), pose)
            if pose * running > budget:
                raise ValueError(
                    f'memory_budget={self.budget} bytes is not enough for '
                    f'one pose of {pose} atoms, which takes about '
                    f'{math.ceil(pose * running)} bytes'
                    + f', beside {receptors} for receptors'
                    * (receptors > 0)
                )
        if max_nodes is not None:
            sizes = evaluation.nodes_of(evaluation.split(max_nodes))
        # One chunk's graph is needed anyhow while it is evaluated.
        limit = min(budget, self.limits.most_bytes(evaluation))
        room = limit - running * max(sizes)
        keep, held = 0, 0.0
        for size in reversed(sizes):
            if held + per_node * size > room:
                break
            held += per_node * size
            keep += 1
        total = per_node * sum(sizes)
        moment = (running - per_node) * max(sizes)
        if keep == len(sizes) - 1 and total + moment <= limit:
            keep, held = len(sizes), total

        # Sums of the same numbers in another order are not always the same.
        kept = 1.0 if keep == len(sizes) else held / total
        # Of poses that share a receptor, little is held that is not its.
        shared = not evaluation.whole_poses
        hold = 0.0 if shared else HOLD.get(device.type, 0.0)
        again = share * (1 + BACKWARD)
        # A graph goes backward as a whole if one of its poses matters.
        together = layout.num_poses / len(sizes)
        states = self._receptor_bytes(evaluation)[1]
        sums = gradient_bytes(evaluation, states)
        room = STREAM_BYTES
        if self.budget is not None:
            room = min(room, int(budget - running * max(sizes)))
        if no_stream is None and sums > room:
            no_stream = (
                f'a gradient for each of {layout.num_sets} sets, {sums:,} '
                f'bytes, is too much'
            )
        costs = {
            'recompute': 1 + again,
            'keep': 1
            + kept * (hold + BACKWARD * min(1.0, share * together))
            + (1 - kept) * again,
        }
        order = ['recompute', 'keep']
        if no_stream is None:
            running = share * (1 - math.log(share)) if share else 0.0
            per_set = min(together, layout.num_poses / layout.num_sets)
            costs['stream'] = 1 + BACKWARD * min(1.0, running * per_set)
            # Among the cheapest, what holds least. Of several sets, one
            # backward pass for each takes longer than one for all of them.
            order.insert(1 if layout.num_sets == 1 else 2, 'stream')
        best = min(order, key=lambda name: costs[name])
        if no_stream is not None:
            why += f'; not stream, since {no_stream}'
        if best == 'stream':
            return Choice('stream', why, None, max_nodes, sums + receptors)
        if best == 'recompute' or keep == 0:
            return Choice('recompute', why, 0, max_nodes, receptors)
        mode = 'full' if keep == len(sizes) else 'mixed'
        return Choice(mode, why, keep, max_nodes, int(held) + receptors)

    def _unmeasured(
        self, error: NoTwinError, why: str, no_stream: str | None
    ) -> Choice:
        """What is valid whatever a graph takes."""
        if self.budget is not None:
            raise ValueError(
                f'memory_budget={self.budget} bytes cannot be kept: what the '
                f'graph of a pose takes is measured on a copy of the '
                f'single-pose model, and {error}. Use max_nodes_per_chunk'
            )
        why = f'what a graph takes is not known, since {error}; {why}'
        if no_stream is None:
            return Choice('stream', why)
        return Choice('recompute', why, 0)

    def _share(self, evaluation: Evaluation) -> tuple[float, str]:
        """The share of the poses that will go backward, and why."""
        share, layout = self.lately.share, evaluation.layout
        why = f'{share:.0%} of the poses mattered lately'
        if self.backward_poses is not None:
            most = np.minimum(layout.set_size, self.backward_poses).sum()
            share = min(share, float(most) / layout.num_poses)
            why += f', and at most {self.backward_poses} of a set go backward'
        return share, why

    def shrink(
        self,
        evaluation: Evaluation,
        plan: Plan,
        error: torch.OutOfMemoryError,
        may_cut: bool,
    ) -> None:
        r"""Makes the next plan take less, or says why it cannot.

        Args:
            evaluation: The call that ran out of memory.
            plan: What it did.
            error: What it raised.
            may_cut: Whether chunks may be smaller than asked for.
        """
        per_node = self._bytes.get(kind_of(evaluation))
        self.limits.shrink(evaluation, plan, error, may_cut, per_node)

    def _receptor_bytes(self, evaluation: Evaluation) -> tuple[int, int]:
        """What the graphs of receptors hold until backward, and states."""
        if evaluation.receptors is None:
            return 0, 0
        kind = kind_of(evaluation)
        if kind not in self._of_receptors:
            self._of_receptors[kind] = receptor_bytes(evaluation)
        sizes = evaluation.layout.receptor_size[evaluation.receptors.sets]
        graph, state = (
            math.ceil(each * int(sizes.sum()))
            for each in self._of_receptors[kind]
        )
        return graph, state

    def _measured(self, evaluation: Evaluation) -> float:
        kind = kind_of(evaluation)
        if kind not in self._bytes:
            try:
                self._bytes[kind] = max(bytes_per_node(evaluation), 1.0)
            except torch.OutOfMemoryError as error:
                one = evaluation.chunks[0][:1]
                smaller(evaluation, one, 1, error)  # says that it is one
                raise
            self.limits.learn(evaluation)
        return self._bytes[kind]


def free_bytes(device: torch.device) -> int:
    r"""Half of the memory that is free now.

    Args:
        device: Where graphs are held.
    """
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0] // 2
    try:
        pages = os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (AttributeError, OSError, ValueError):  # not on every system
        return 2**31
    return pages // 2
