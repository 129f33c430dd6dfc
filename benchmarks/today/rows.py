"""What this build is held to beside the earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bars import FIXED_SHARP
from benchmarks.cases import MODELS, Case, batch, one_set
from benchmarks.settings import Settings
from benchmarks.ways import BARE, PLAIN

EARLIER, THIS = 'earlier', 'this'


@dataclass(frozen=True)
class Lane:
    r"""A way in a build.

    Args:
        build: :obj:`EARLIER` or :obj:`THIS`, which may have numba.
        way: The name of a way.
        mode: The gradient mode in which our readout takes the plain model,
            if the way is that. (default: :obj:`None`)
        fresh: How many steps a readout has done before each, if a new one is
            made each time.
        steps: Steps that warm it up; :obj:`None`: as in the other tables.
    """

    build: str
    way: str
    mode: str | None = None
    fresh: int = 0
    steps: int | None = None

    @property
    def name(self) -> str:
        r"""What the answers of its build call it."""
        return f'{self.way}, {self.fresh}'

    @property
    def arguments(self) -> dict[str, str]:
        r"""Those of :class:`benchmarks.ways.Way`."""
        mode = {} if self.mode is None else {'mode': self.mode}
        return {'name': self.way, **mode}


@dataclass(frozen=True)
class Row:
    r"""A ratio that must not be exceeded.

    Args:
        what: It, in words.
        bound: The most that it may be.
        case: The poses, the model and the loss.
        mine: What is measured.
        bases: What with; the fastest counts.
        key: :obj:`"seconds"`, :obj:`"step_seconds"` (without the search for
            edges) or :obj:`"peak_bytes"`.
        renew: Whether weights change before every step.
    """

    what: str
    bound: float
    case: Case
    mine: Lane
    bases: tuple[Lane, ...] = field(default=())
    key: str = 'seconds'
    renew: bool = True

    def __str__(self) -> str:
        return f'{self.what}, {self.case.model}'


def rows(s: Settings) -> list[Row]:
    r"""All rows.

    Args:
        s: How many poses there are.
    """
    return [row for model in MODELS for row in _rows(model, s)]


def _rows(model: str, s: Settings) -> Iterator[Row]:
    N, nine = f'N = {s.many}', f'N = {s.nine}'
    mean, sharp = (
        batch('pocket', model, loss, s.many, s) for loss in ('mean', 'max1000')
    )
    chain = one_set(s.chain, model, 'mean', s.nine)

    def beside(
        what: str, bound: float, case: Case, way: str, **more: Any
    ) -> Row:
        lanes = (Lane(build, way) for build in (THIS, EARLIER))
        mine, base = lanes
        text = f'{what}: this build / the earlier one'
        return Row(text, bound, case, mine, (base,), **more)

    inference, shared = 'auto, shared, inference', 'auto, shared'
    text = f'receptor shared, inference, {N}, pocket'
    yield beside(text, 0.50, sharp, inference)
    text = f'receptor shared, inference, {nine}, whole chain (state kept)'
    yield beside(text, 0.60, chain, inference, renew=False)
    text = f'receptor shared, Max (one of a set matters), {N}, pocket'
    yield beside(text, 0.55, sharp, shared)
    text = f'receptor shared, Mean, {N}, pocket'
    yield beside(text, 0.60, mean, shared)
    text = f'receptor shared, Mean, {nine}, whole chain'
    yield beside(text, 0.65, chain, shared)
    yield beside(f'whole complexes, Max, {N}', 0.75, sharp, 'auto')
    text = f'peak memory, receptor shared, Mean, {N}, `auto`'
    yield beside(text, 0.60, mean, shared, key='peak_bytes')

    small = one_set('ligand', model, 'mean', s.nine)
    text = f'{nine} ligands alone: `auto` / bare model'
    auto, bare = ((Lane(THIS, name)) for name in ('auto', BARE.name))
    yield Row(text, 1.03, small, auto, (bare,), 'step_seconds')

    one_sharp, one_mean = (
        one_set('pocket', model, loss, s.many) for loss in ('max1000', 'mean')
    )
    text = f'foreign model, Max, {N}: `recompute` / plain inference'
    plain = Lane(THIS, 'plain, inference')
    yield Row(text, 1.08, one_sharp, _foreign('recompute'), (plain,))
    text = f'foreign model, Mean, {N}: `stream` / plain pose by pose'
    plain = Lane(THIS, PLAIN)
    yield Row(text, 1.02, one_mean, _foreign('stream'), (plain,))
    auto = _foreign('auto', steps=2)
    for loss, case in (('Max', one_sharp), ('Mean', one_mean)):
        text = f'foreign model, {loss}, {N}: `auto` after two steps / the '
        text += 'best fixed mode'
        modes = FIXED_SHARP if loss == 'Max' else ('full', *FIXED_SHARP)
        fixed = tuple(_foreign(mode) for mode in modes)
        yield Row(text, 1.05, case, auto, fixed)

    text = f'receptor shared, Max, {N}: the second step of `auto` / the best '
    text += 'fixed mode'
    auto = Lane(THIS, shared, fresh=1, steps=0)
    fixed = tuple(Lane(THIS, f'{mode}, shared') for mode in FIXED_SHARP)
    yield Row(text, 1.15, sharp, auto, fixed)


def _foreign(mode: str, steps: int | None = None) -> Lane:
    """The plain model in our readout, whole complexes."""
    return Lane(THIS, f'{mode}, foreign model', mode, steps=steps)
