"""The bars that a release is held to, and whether a run meets them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import MODELS, PYG_MODELS, Case, batch, one_set
from benchmarks.settings import Settings
from benchmarks.timing import Figure, ratio
from benchmarks.ways import BARE, MODES, PLAIN, SHARED, WAYS

#: Bytes of a pose that do not count as held: its prediction, and two vectors
#: as long that a combination keeps.
PREDICTION = 12
#: What a fixed gradient mode is; `auto` chooses among them.
FIXED = tuple(way.name for way in MODES if way.mode != 'auto')
FIXED_SHARED = tuple(way.name for way in SHARED if way.mode != 'auto')
#: Where one pose matters, a way that takes all of them backward is not best.
FIXED_SHARP = ('stream', 'recompute')
CHECKPOINTS = ('checkpoint per pose', 'checkpoint per chunk')
SEED = 'seed (MTENN)'


@dataclass(frozen=True)
class Cell:
    r"""A way on a case."""

    case: Case
    way: str


@dataclass(frozen=True)
class Bar:
    r"""A ratio that must not be exceeded.

    Args:
        what: What it is, in words.
        model: Of which model.
        bound: The most that the ratio may be.
        kind: :obj:`"time"`, :obj:`"held"` (bytes at the end of forward) or
            :obj:`"peak"` (bytes).
        cell: What is measured.
        bases: What it is compared with; the least one counts.
        search: Whether the search for edges belongs to the time.
    """

    what: str
    model: str
    bound: float
    kind: str
    cell: Cell
    bases: tuple[Cell, ...]
    search: bool = True


def bars(settings: Settings) -> list[Bar]:
    r"""All bars.

    Args:
        settings: How many poses there are, and the device.
    """
    pyg = PYG_MODELS[:1] if settings.quick else PYG_MODELS
    return [
        *(bar for model in MODELS for bar in _bars(model, settings)),
        *(bar for model in pyg for bar in _pyg_bars(model, settings)),
    ]


def _pyg_bars(model: str, s: Settings) -> Iterator[Bar]:
    for data, where, bound in (
        ('pocket', 'pocket', 0.55),
        (s.chain, 'whole chain', 0.30),
    ):
        case = one_set(data, model, 'mean', s.nine)
        text = (
            f'as it is, Mean, N = {s.nine}, {where}: `auto`, receptor shared '
            f'/ whole complexes'
        )
        bases = Cell(case, 'auto'), Cell(case, PLAIN)
        cell = Cell(case, 'auto, shared')
        yield Bar(text, model, bound, 'time', cell, bases)


def _bars(model: str, s: Settings) -> Iterator[Bar]:
    def time(
        what: str,
        bound: float,
        case: Case,
        way: str,
        bases: Sequence[str],
        search: bool = True,
    ) -> Bar:
        fit = [Cell(case, b) for b in bases if WAYS[b].fits(case.loss)]
        cell = Cell(case, way)
        return Bar(what, model, bound, 'time', cell, tuple(fit), search)

    schnet = model == 'schnet'
    few, most = (
        one_set('pocket', model, 'max1000', n) for n in (s.few, s.most)
    )
    for kind, what, bound in (
        ('held', 'bytes held after forward', 1.05),
        ('peak', 'peak memory', 1.10),
    ):
        for mode in ('stream', 'recompute'):
            text = f'{what}, N = {s.most} against N = {s.few}, `{mode}`'
            cells = Cell(most, mode), (Cell(few, mode),)
            yield Bar(text, model, bound, kind, *cells)

    mean, sharp, poses = (
        batch('pocket', model, loss, s.many, s)
        for loss in ('mean', 'max1000', 'poses')
    )
    N = f'N = {s.many}'
    bound = 0.45 if schnet else 0.50
    yield time(f'Max, {N}: `auto` / plain', bound, sharp, 'auto', [PLAIN])
    text = f'Max, {N}: `auto` / the faster checkpointing'
    yield time(text, 0.38, sharp, 'auto', CHECKPOINTS)
    bound = 0.10 if s.device == 'cuda' else 0.50
    yield time(f'Max, {N}: `auto` / the seed', bound, sharp, 'auto', [SEED])
    yield time(f'Mean, {N}: `stream` / plain', 1.05, mean, 'stream', [PLAIN])
    yield time(f'Mean, {N}: `stream` / seed', 1.05, mean, 'stream', [SEED])
    text = f'loss on every pose, {N}: `recompute` / plain'
    yield time(text, 1.45, poses, 'recompute', [PLAIN])
    text = f'loss on every pose, {N}: `auto` / plain'
    yield time(text, 1.05, poses, 'auto', [PLAIN])

    one = batch('pocket', model, 'mean', 1, s)
    small = one_set('ligand', model, 'mean', s.nine)
    bare = [BARE.name]
    text = f'N = {s.nine} ligands alone: `auto` / bare model'
    yield time(text, 1.05, small, 'auto', bare, search=False)
    text = 'N = 1: `auto` / bare model'
    yield time(text, 1.05, one, 'auto', bare, search=False)
    text = 'N = 1, receptor shared: `auto` / bare model'
    yield time(text, 1.05, one, 'auto, shared', bare, search=False)

    nine_mean, nine_sharp, chain_mean, chain_sharp = (
        one_set(data, model, loss, s.nine)
        for data in ('pocket', s.chain)
        for loss in ('mean', 'max1000')
    )
    for case, text, bound in (
        (nine_mean, f'Mean, N = {s.nine}', 0.32),
        (nine_sharp, f'Max, N = {s.nine}', 0.25 if schnet else 0.22),
        (mean, f'Mean, {N}', 0.22 if schnet else 0.20),
        (sharp, f'Max, {N}', 0.11 if schnet else 0.09),
        (chain_mean, f'Mean, N = {s.nine}, whole chain', 0.17),
        (chain_sharp, f'Max, N = {s.nine}, whole chain', 0.13),
    ):
        text = f'receptor shared, {text}: `auto` / plain'
        yield time(text, bound, case, 'auto, shared', [PLAIN])
    for rigid, where, bounds in (
        (nine_mean, 'pocket', (1.5, 0.40)),
        (chain_mean, 'whole chain', (1.4, 0.20)),
    ):
        data = f'{rigid.data}-flexible'
        moved = one_set(data, model, 'mean', s.nine)
        text = (
            f'4 side chains moved in every pose, Mean, N = {s.nine}, {where}: '
            f'`auto`, receptor shared /'
        )
        cell, still = (Cell(one, 'auto, shared') for one in (moved, rigid))
        what = f'{text} no side chain moved'
        yield Bar(what, model, bounds[0], 'time', cell, (still,))
        yield time(f'{text} plain', bounds[1], moved, cell.way, [PLAIN])
    bound = 0.09 if schnet else 0.08
    inference = 'auto, shared, inference'
    text = f'receptor shared, inference, {N}: `auto` / plain training'
    yield time(text, bound, sharp, inference, [PLAIN])
    cells = Cell(chain_mean, 'full, shared'), (Cell(chain_mean, PLAIN),)
    text = f'receptor shared, N = {s.nine}, whole chain: bytes held / plain'
    yield Bar(text, model, 0.12, 'held', *cells)
    text = f'receptor shared, Max, {N}: `auto` / plain *inference*'
    yield time(text, 0.28, sharp, 'auto, shared', ['plain, inference'])

    for case, text in (
        (mean, f'Mean, {N}'),
        (sharp, f'Max, {N}'),
        (poses, f'loss on every pose, {N}'),
        (one, 'N = 1'),
        (small, f'N = {s.nine} ligands alone'),
    ):
        text = f'{text}: `auto` / best fixed mode'
        fixed = FIXED_SHARP if case is sharp else FIXED
        yield time(text, 1.10, case, 'auto', fixed)
    for case, text in (
        (nine_mean, f'Mean, N = {s.nine}'),
        (nine_sharp, f'Max, N = {s.nine}'),
        (mean, f'Mean, {N}'),
        (sharp, f'Max, {N}'),
        (chain_mean, f'Mean, N = {s.nine}, whole chain'),
        (chain_sharp, f'Max, N = {s.nine}, whole chain'),
    ):
        text = f'receptor shared, {text}: `auto` / best fixed mode'
        yield time(text, 1.10, case, 'auto, shared', FIXED_SHARED)


def judge(bar: Bar, figures: Sequence[Figure]) -> dict[str, Any]:
    r"""What a run says of a bar.

    Args:
        bar: The bar.
        figures: What was measured.

    Returns:
        The ratio :obj:`measured` with its spread, and :obj:`met`; both are
        :obj:`None`, and :obj:`reason` says why, where there is no ratio.
    """
    row: dict[str, Any] = {
        'what': bar.what,
        'model': bar.model,
        'bound': bar.bound,
        'case': vars(bar.cell.case).copy(),
        'way': bar.cell.way,
        'measured': None,
        'met': None,
    }
    found = [_find(bar.kind, cell, figures) for cell in (bar.cell, *bar.bases)]
    mine, bases = found[0], [f for f in found[1:] if 'unavailable' not in f]
    if 'unavailable' in mine or not bases:
        reason = mine.get('unavailable') or found[1]['unavailable']
        return {**row, 'reason': reason}
    if bar.kind == 'time':
        base = min(bases, key=lambda figure: figure['median'])
        key = 'seconds' if bar.search else 'step_seconds'
        spread = ratio(mine, base, key)
        other = ratio(mine, base, 'step_seconds')
        row |= {'without_search': other['median']}
    else:
        base = bases[0]
        over, under = _bytes(bar.kind, mine), _bytes(bar.kind, base)
        if over and not under:
            return {**row, 'reason': f'{over} bytes against none'}
        value = over / under if under else 0.0
        spread = {'median': value, 'min': value, 'max': value}
    return row | {
        'base': base['way'],
        'measured': spread['median'],
        'min': spread['min'],
        'max': spread['max'],
        'met': spread['median'] <= bar.bound,
    }


def _bytes(kind: str, figure: Figure) -> int:
    if kind == 'peak':
        return figure['peak_bytes']
    predictions = PREDICTION * figure['case']['poses']
    return max(figure['held_bytes'] - predictions, 0)


def _find(kind: str, cell: Cell, figures: Sequence[Figure]) -> Figure:
    kind = 'time' if kind == 'time' else 'memory'
    for figure in figures:
        if (
            figure['kind'] == kind
            and figure['way'] == cell.way
            and Case(**figure['case']) == cell.case
        ):
            return figure
    return {'unavailable': 'not run'}
