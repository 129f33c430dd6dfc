"""Starting a pass again, with less, when memory runs out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.plan.budget import Kind, kind_of
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.plan.plan import Plan

T = TypeVar('T')
#: Why chunks stay as they are.
WHOLE = (
    'the model draws random numbers or couples the poses of a chunk, and '
    'smaller chunks would give another result'
)


class Limits:
    r"""What a readout has learned from running out of memory.

    Numbers only, for each kind of call.
    """

    def __init__(self) -> None:
        self._most_nodes: dict[Kind, int] = {}
        self._most_bytes: dict[Kind, int] = {}
        self._whole: set[Kind] = set()
        self._last: tuple[Kind, Counts] | None = None

    def whole(self, evaluation: Evaluation) -> bool:
        r"""Whether chunks may not be cut anew, as far as it is known.

        Dropout and batch norms would give another result then, which must
        not depend on the memory that is free.

        Args:
            evaluation: A call.
        """
        if evaluation.replay.whole_chunks:
            return True
        return bool(self._whole) and kind_of(evaluation) in self._whole

    def most_nodes(
        self, evaluation: Evaluation, asked: int | None = None
    ) -> int | None:
        r"""The most atoms of a chunk; :obj:`None` if nothing is known.

        Args:
            evaluation: A call.
            asked: The most atoms that were asked for. (default: :obj:`None`)
        """
        if self._last is not None and self._last[1].most_nodes is not None:
            self._most_nodes[self._last[0]] = self._last[1].most_nodes
        if not self._most_nodes or self.whole(evaluation):
            return asked
        fits = self._most_nodes.get(kind_of(evaluation))
        return min(filter(None, (fits, asked)), default=None)

    def most_bytes(self, evaluation: Evaluation) -> float:
        r"""The most bytes of graphs that :obj:`"auto"` holds.

        Args:
            evaluation: A call.
        """
        return self._most_bytes.get(kind_of(evaluation), float('inf'))

    def learn(self, evaluation: Evaluation) -> bool:
        r"""Notes what a first pass has told about the model.

        Args:
            evaluation: A call whose first pass is over.

        Returns:
            Whether it is news that chunks may not be cut anew.
        """
        kind = kind_of(evaluation)
        self._last = kind, evaluation.counts
        news = evaluation.replay.whole_chunks and kind not in self._whole
        if news:
            self._whole.add(kind)
        return news

    def shrink(
        self,
        evaluation: Evaluation,
        plan: Plan,
        error: torch.OutOfMemoryError,
        may_cut: bool = True,
        bytes_per_node: float | None = None,
    ) -> None:
        r"""Makes the next first pass take less, or says why it cannot.

        Args:
            evaluation: The call that ran out of memory.
            plan: What it did.
            error: What it raised.
            may_cut: Whether chunks may be smaller than asked for.
                (default: :obj:`True`)
            bytes_per_node: What the graph of an atom takes, if it is known.
                (default: :obj:`None`)
        """
        kind = kind_of(evaluation)
        poses = evaluation.chunks[evaluation.replay.chunk]
        stay = '' if may_cut else 'their size was asked for'
        if self.whole(evaluation):
            stay = WHOLE
        less = []
        if plan.keep and plan.num_chunks > 1:  # what `auto` holds may be less
            most = (plan.bytes or 0) // 2
            self._most_bytes[kind] = most
            less.append(f'graphs of at most {most:,} bytes')
        if not less or (not stay and len(poses) > 1):
            most = self._most_nodes.get(kind, plan.max_nodes)
            most = min(most, plan.max_nodes)
            nodes = smaller(
                evaluation, poses, most, error, stay, plan, bytes_per_node
            )
            self._most_nodes[kind] = nodes
            less.append(
                f'chunks of at most {nodes} atoms (before: {plan.max_nodes})'
            )
        warnings.warn(
            f'Out of memory; the forward pass starts again with '
            f'{" and ".join(less)}, and so will the next ones',
            stacklevel=2,
        )


def first_pass(
    prepare: Callable[[], tuple[Plan, Evaluation]],
    run: Callable[[Plan, Evaluation], T | None],
    shrink: Callable[[Evaluation, Plan, torch.OutOfMemoryError], None],
    limits: Limits,
    generator: torch.Generator | None = None,
) -> tuple[Evaluation, T]:
    r"""Runs a first pass, and again as long as there is something to try.

    Args:
        prepare: Gives a plan, and a fresh record of the call.
        run: Runs it; gives :obj:`None` to be prepared again.
        shrink: Takes what ran out of memory, and raises or makes the next
            plan take less.
        limits: Where to note what the model turned out to do.
        generator: What else a pass draws from; a pass that failed has drawn
            nothing. (default: :obj:`None`)
    """
    state = None if generator is None else generator.get_state()
    while True:
        plan, evaluation = prepare()
        out = None
        try:
            out = run(plan, evaluation)
        except BaseException as error:
            if generator is not None and state is not None:
                generator.set_state(state)
            if not isinstance(error, torch.OutOfMemoryError):
                raise
            shrink(evaluation, plan, error)
        # Only here, out of the handler, nothing holds the pass that failed.
        if out is None:
            torch.cuda.empty_cache()
        elif not limits.learn(evaluation) or _same(evaluation, prepare()[1]):
            return evaluation, out
        else:
            evaluation.replay.rewind()
            if generator is not None and state is not None:
                generator.set_state(state)


def smaller(
    evaluation: Evaluation,
    poses: Poses,
    most_nodes: int,
    error: torch.OutOfMemoryError,
    stay: str = '',
    plan: Plan | None = None,
    bytes_per_node: float | None = None,
) -> int:
    r"""The size of smaller chunks, or the reason why there is none.

    Args:
        evaluation: The call that ran out of memory.
        poses: The poses of the chunk that did.
        most_nodes: The most atoms of its chunks.
        error: What it raised.
        stay: Why chunks may not be smaller. (default: :obj:`""`, they may)
        plan: What it did, in a first pass. (default: :obj:`None`)
        bytes_per_node: What the graph of an atom takes, if it is known.
            (default: :obj:`None`)

    Returns:
        The most atoms of a chunk, halved until the chunk is cut.
    """
    size = evaluation.pose_nodes
    nodes = int(size[poses].sum())
    name = evaluation.layout.pose_name(int(poses[0]))
    if len(poses) == 1:
        held = {
            'full': 'the graphs of all poses',
            'store': 'one gradient of the parameters for each pose',
        }.get(plan.mode if plan is not None and plan.num_chunks > 1 else '')
        raise torch.OutOfMemoryError(
            f'Out of memory with one pose, {name} of {nodes} atoms. '
            + (
                f"gradient='{plan.mode}' holds {held}; use gradient='auto'"
                if plan is not None and held
                else 'It does not fit by itself: use a smaller cut of the '
                'receptor, a smaller model or more memory'
            )
        ) from error
    while most_nodes >= nodes:
        most_nodes //= 2
    if not stay:
        return most_nodes
    budget = ''
    if bytes_per_node is not None:
        budget = f' (or memory_budget={int(bytes_per_node * most_nodes) + 1})'
    raise torch.OutOfMemoryError(
        f'Out of memory in a chunk of {len(poses)} poses and {nodes} atoms, '
        f'from {name} on. Chunks stay as they are, since {stay}. Use '
        f'max_nodes_per_chunk={most_nodes}{budget} or less; the least is one '
        f'pose at a time, here of up to {int(size.max())} atoms'
    ) from error


def _same(first: Evaluation, second: Evaluation) -> bool:
    """Whether two calls have the same chunks."""
    return [len(c) for c in first.chunks] == [len(c) for c in second.chunks]
