"""What a run measures, in which order, and about how long that takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.bars import bars
from benchmarks.cases import MODELS, Case, batch, one_set
from benchmarks.losses import LOSSES
from benchmarks.settings import Settings
from benchmarks.ways import MODES, PLAIN, RIVALS, SHARED, WAYS, Way

PARTS = ('bars', 'grid', 'memory')
#: Seconds that plain autograd takes for an atom, forward and backward, on one
#: core of a server of 2023: only for the estimate of the time left.
SECONDS_PER_ATOM = {'schnet': 2e-4, 'e3nn': 3.5e-4}
#: Atoms of a pose of the bundled dataset, about.
ATOMS = {'pocket': 515, 'chain': 2360, 'ligand': 28}
SHARED_AUTO = 'auto, shared'
#: The ways that pictures show: few enough to tell apart.
SHOWN = (
    PLAIN,
    'plain, batched',
    'checkpoint per pose',
    'gradient caching',
    'seed (MTENN)',
    'stream',
    'recompute',
    'auto',
    SHARED_AUTO,
)


@dataclass(frozen=True)
class Task:
    r"""Something that is measured without a break.

    Args:
        kind: :obj:`"time"` or :obj:`"memory"`.
        case: The case.
        ways: The ways; of memory, one.
        once: Whether times are taken once.
    """

    kind: str
    case: Case
    ways: tuple[Way, ...]
    once: bool = False

    def seconds(self, settings: Settings) -> float:
        r"""About how long it takes on a CPU.

        Args:
            settings: The settings.
        """
        kind, _, size = self.case.data.partition('-')
        atoms = self.case.poses * int(size or ATOMS.get(kind, 0))
        step = atoms * SECONDS_PER_ATOM[self.case.model]
        if self.kind == 'memory':
            return 2 + 3 * step
        rounds = 1 if self.once else settings.repeats_of(atoms)
        return 2 + len(self.ways) * step * (rounds + 1)


def tasks(settings: Settings, only: str | None = None) -> list[Task]:
    r"""Everything that is to be measured; a case is timed once, in all ways.

    Args:
        settings: The settings.
        only: One of :obj:`PARTS`. (default: :obj:`None`, all)
    """
    times: dict[Case, list[str]] = {}
    once: set[Case] = set()
    memory: dict[tuple[Case, str], None] = {}
    if only in (None, 'bars'):
        for bar in bars(settings):
            for cell in (bar.cell, *bar.bases):
                if bar.kind == 'time':
                    times.setdefault(cell.case, []).append(cell.way)
                else:
                    memory[cell.case, cell.way] = None
    if only in (None, 'grid'):
        for case, ways, one in _grid(settings):
            times.setdefault(case, []).extend(ways)
            if one:
                once.add(case)
    if only in (None, 'memory'):
        for case, ways in _memory(settings):
            memory |= {(case, way): None for way in ways}
    return [
        *(
            Task('time', case, _ordered(ways, case), case in once)
            for case, ways in times.items()
        ),
        *(Task('memory', case, (WAYS[way],)) for case, way in memory),
    ]


def _ordered(names: Iterable[str], case: Case) -> tuple[Way, ...]:
    chosen = set(names)
    return tuple(
        way
        for way in WAYS.values()
        if way.name in chosen and way.fits(case.loss)
    )


def _grid(s: Settings) -> Iterable[tuple[Case, list[str], bool]]:
    small, middle, large = (f'generated-{atoms}' for atoms in s.atoms)
    every = [way.name for way in (*RIVALS, *MODES)]
    every += ['plain, inference', 'auto, inference']
    shared = [way.name for way in SHARED] + ['auto, shared, inference']
    vector = [PLAIN, 'checkpoint per pose', 'full', 'recompute', 'auto']
    serial = [PLAIN, 'checkpoint per pose', 'seed (MTENN)']
    serial += ['stream', 'recompute', 'auto']
    for m in MODELS:
        for loss in LOSSES:
            for n in (1, s.few, s.many):
                yield batch(small, m, loss, n, s), every, False
        yield batch(small, m, 'max1000', s.most, s), every, True
        for n in (1, s.few):
            for loss in ('mean', 'max1000'):
                yield batch('pocket', m, loss, n, s), every + shared, False
        yield batch('pocket', m, 'attention', s.few, s), vector, False
        shown = list(SHOWN)
        yield batch('pocket', m, 'max1000', s.many, s), shown, False
        # Without the rivals, which would hold 36 GB here.
        most = batch('pocket', m, 'max1000', s.most, s)
        yield most, ['auto', SHARED_AUTO], True
        for n in (1, s.few, s.many):
            case = batch(middle, m, 'max1000', n, s)
            yield case, serial, n == s.many
        for n in (1, s.few):
            yield batch(large, m, 'max1000', n, s), serial, True


def _memory(s: Settings) -> Iterable[tuple[Case, list[str]]]:
    small = f'generated-{s.atoms[0]}'
    flat = ['stream', 'recompute', 'auto', SHARED_AUTO]
    shown = [way for way in SHOWN if way != SHARED_AUTO]
    for m in MODELS:
        for n in (1, s.few, s.many, s.most):
            yield one_set(small, m, 'max1000', n), shown
            ways = flat if n == s.most else list(SHOWN)
            yield one_set('pocket', m, 'max1000', n), ways
