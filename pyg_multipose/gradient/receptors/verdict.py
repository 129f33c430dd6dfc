"""Whether a model may share receptors, as far as it has been seen."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.receptors.agreement import disagreement
from pyg_multipose.gradient.receptors.drift import Drift
from pyg_multipose.gradient.receptors.receptors import Receptors
from pyg_multipose.gradient.receptors.witnesses import (
    MANY,
    Kind,
    by_contacts,
    kinds,
)
from pyg_multipose.gradient.replay.structure import Structure

#: How much rarer the check becomes each time, in calls.
_RARER = 3
#: Poses that are looked at: every so often; and at first, or after a change.
_POSES = 2, 4
#: At first, the predictions of so many are compared.
_MOST = 16


class Verdict:
    r"""Whether sharing a receptor has been seen to change nothing.

    Real poses of the batch are evaluated both ways (:func:`disagreement`):
    when a model is first used, whenever its structure or a buffer changes,
    when poses have atoms of a kind that was never looked at, and again after
    3, 9, 27, ... calls, as parameters move and other poses come. A model that
    was seen to differ does not share until its structure changes.
    Copies and pickles know nothing.
    """

    def __init__(self) -> None:
        #: What the model was made of in the last call.
        self.structure: Structure | None = None
        self._ways: list[Verdict] = []
        self._forget()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()

    def _forget(self) -> None:
        self._reason = ''
        self._calls = self._checks = self._next = 0
        self._seen: set[Kind] = set()
        self._drift: Drift | None = None
        self._switches = 0

    def way(self, number: int) -> Verdict:
        r"""The verdict on another way in which the same model may share.

        Args:
            number: Number of the way; 0 is this one.
        """
        while len(self._ways) < number:
            self._ways.append(Verdict())
        return self._ways[number - 1] if number else self

    def deny(self, reason: str) -> None:
        r"""Takes up that a model may not share, until its structure changes.

        Args:
            reason: Why not.
        """
        self._reason = reason

    def reason(
        self,
        model: nn.Module,
        modules: Sequence[nn.Module],
        layout: Layout,
        tables: Mapping[str, Any],
        receptors: Receptors,
    ) -> str:
        r"""Why a model may not share receptors; empty if it may.

        Args:
            model: The single-pose model.
            modules: All of its modules.
            layout: The layout of the batch.
            tables: Its values by key.
            receptors: What would be shared.
        """
        now = Structure(modules, self.structure)
        if self.structure is None or self.structure.change(now):
            self._forget()
        self.structure = now
        if now.hooked:
            return f'{now.hooked}, which may count on every call'
        if self._reason:
            return self._reason
        moved, due = self._moved(modules), self._calls >= self._next
        alone = (receptors.of_pose < 0).any()
        shared = (receptors.of_pose >= 0).nonzero()[0] if alone else None
        if moved or due or self._news(kinds(layout, tables, shared)):
            many = moved or not self._calls
            self._check(model, layout, tables, receptors, moved or due, many)
            self._drift = Drift(modules)
            if due:
                self._next = _RARER * max(self._calls, 1)
        self._calls += 1
        return self._reason

    def _moved(self, modules: Sequence[nn.Module]) -> bool:
        """Whether parameters or buffers are no longer what was looked at."""
        if self._drift is None:
            return False
        written = self._drift.switched(modules)
        self._switches += bool(written)
        return (
            self._drift.moved(modules)
            or any(not buffer.is_floating_point() for buffer in written)
            # Numbers may change in every step: ever more rarely.
            or (bool(written) and not self._switches & (self._switches - 1))
        )

    def _check(
        self,
        model: nn.Module,
        layout: Layout,
        tables: Mapping[str, Any],
        receptors: Receptors,
        due: bool,
        many: bool,
    ) -> None:
        number = self._checks % len(receptors.sets)
        for place, index in enumerate(receptors.sets):
            poses = receptors.poses_of(index)
            found = [kinds(layout, tables, [pose]) for pose in poses]
            news = self._news(set().union(*found))
            if (news or (due and place == number)) and not self._reason:
                chosen = self._chosen(found, _POSES[many])
                if many:
                    best = by_contacts(layout, tables, poses)[: _POSES[False]]
                    rest = [place for place in chosen if place not in best]
                    chosen = [*best, *rest]
                first = (1 + len(chosen)) // 2
                if not self._calls:
                    left = [p for p in range(len(poses)) if p not in chosen]
                    chosen += left[: max(_MOST - len(chosen), 0)]
                taken = poses[chosen]
                self._look(model, layout, tables, index, taken, first)
                self._seen.update(*(found[number] for number in chosen))
        self._checks += 1

    def _news(self, found: set[Kind]) -> bool:
        """Whether there are kinds that were not looked at."""
        seen = Counter(key[:2] for key in self._seen)
        # What takes many values is a number or a name, and no kind.
        return any(seen[key[:2]] < MANY for key in found - self._seen)

    def _look(
        self,
        model: nn.Module,
        layout: Layout,
        tables: Mapping[str, Any],
        index: int,
        poses: Poses,
        first: int,
    ) -> None:
        values = layout.select(dict(tables), poses, index)
        values['levels'] = str(layout.levels)
        # At first also far from these parameters.
        places = ('near',) if self._calls else ('near', 'turned', 'open')
        number = 1 + self._calls  # random, but always the same
        self._reason = disagreement(model, values, number, places, first)
        if self._reason and self._calls:
            warnings.warn(
                f'Receptors were shared in {self._calls} calls, and now a '
                f'shared receptor was seen to give something else: '
                f'{self._reason}. Earlier results may be affected',
                stacklevel=2,
            )

    def _chosen(self, kinds: list[set[Kind]], number: int) -> list[int]:
        """Poses with all that was not seen yet, or others than last time."""
        left = list(range(len(kinds)))
        first = self._checks * number % len(kinds)
        left = left[first:] + left[:first]
        unseen = set().union(*kinds) - self._seen
        chosen: list[int] = []
        while left and (len(chosen) < number or unseen):
            best = max(left, key=lambda place: len(kinds[place] & unseen))
            left.remove(best)
            chosen.append(best)
            unseen -= kinds[best]
        return chosen
