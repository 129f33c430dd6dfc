"""Whether a model may share receptors, as far as it has been seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.receptors.agreement import disagreement
from pyg_multipose.gradient.receptors.receptors import Receptors
from pyg_multipose.gradient.replay.structure import Structure

#: How much rarer the check becomes each time, in calls.
_RARER = 3
#: Poses that are looked at together.
_POSES = 2
#: The most values of a key that are kinds of atoms, and not numbers of them.
_KINDS = 256


#: A key of atoms, and a value of it.
Kind = tuple[str, int]


class Verdict:
    r"""Whether sharing a receptor has been seen to change nothing.

    Real poses of the batch are evaluated both ways (:func:`disagreement`):
    when a model is first used, whenever its structure changes, when poses
    have atoms of a kind that was never looked at, and again after 1, 3, 9,
    ... calls, as parameters move and other poses come. A model that was seen
    to differ does not share until its structure changes.
    Copies and pickles know nothing.
    """

    def __init__(self) -> None:
        self._structure: Structure | None = None
        self._reason = ''
        self._calls = self._checks = 0
        self._seen: set[Kind] = set()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()

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
        now = Structure(modules, self._structure)
        if self._structure is None or self._structure.change(now):
            self._reason, self._seen = '', set()
            self._calls = self._checks = 0
        self._structure = now
        if now.hooked:
            return f'{now.hooked}, which may count on every call'
        due = self._calls >= _RARER**self._checks or not self._checks
        if not self._reason and (
            due or not _kinds(layout, tables) <= self._seen
        ):
            number = self._checks % len(receptors.sets)
            for place, index in enumerate(receptors.sets):
                poses = receptors.poses_of(index)
                kinds = [_kinds(layout, tables, [pose]) for pose in poses]
                news = not set().union(*kinds) <= self._seen
                if (news or (due and place == number)) and not self._reason:
                    chosen = self._chosen(kinds)
                    self._look(model, layout, tables, index, poses[chosen])
                    self._seen.update(*(kinds[pose] for pose in chosen))
            self._checks += due
        self._calls += 1
        return self._reason

    def _look(
        self,
        model: nn.Module,
        layout: Layout,
        tables: Mapping[str, Any],
        index: int,
        poses: Poses,
    ) -> None:
        values = layout.select(dict(tables), poses, index)
        values['levels'] = str(layout.levels)
        # Random, but always the same; a gate that is closed may open when
        # all signs turn.
        sign = -1.0 if self._checks % 2 else 1.0
        self._reason = disagreement(model, values, 1 + self._calls, sign)
        if self._reason and self._calls:
            warnings.warn(
                f'Receptors were shared in {self._calls} calls, and now a '
                f'shared receptor was seen to give something else: '
                f'{self._reason}. Earlier results may be affected',
                stacklevel=2,
            )

    def _chosen(self, kinds: list[set[Kind]]) -> list[int]:
        """Poses with what was not seen yet, or others than the last time."""
        seen = set(self._seen)
        first = self._checks * _POSES
        left = [(first + number) % len(kinds) for number in range(len(kinds))]
        chosen: list[int] = []
        while left and len(chosen) < _POSES:
            best = max(left, key=lambda number: len(kinds[number] - seen))
            left.remove(best)
            chosen.append(best)
            seen |= kinds[best]
        return sorted(chosen)


def _kinds(
    layout: Layout, tables: Mapping[str, Any], poses: Poses | None = None
) -> set[Kind]:
    """The kinds of atoms of complexes: elements, charges, types."""
    out: set[Kind] = set()
    for key, value in tables.items():
        if (
            layout.levels[key] != 'node'
            or not isinstance(value, Tensor)
            or value.is_floating_point()
            or value.is_complex()
            or value.numel() != len(value)
        ):
            continue
        rows = value.detach().reshape(-1)
        if poses is not None:
            rows = rows[layout.rows(key, poses)]
        found = rows.unique().tolist()
        if len(found) <= _KINDS:
            out.update((key, int(kind)) for kind in found)
    return out
