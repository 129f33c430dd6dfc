"""What a run measures, in which order, and about how long that takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.bars import SEED, bars
from benchmarks.cases import MODELS, Case, batch, one_set
from benchmarks.losses import LOSSES
from benchmarks.problem import WARM_ATOMS, warm_steps
from benchmarks.settings import Settings
from benchmarks.ways import (
    COMPILED,
    ENGINE,
    MODES,
    PLAIN,
    RIVALS,
    SHARED,
    WAYS,
    Way,
)

PARTS = ('bars', 'grid', 'memory')
#: For the estimate of the time left: seconds that plain autograd takes for an
#: atom, forward and backward, on one core of a server of 2023; ...
SECONDS_PER_ATOM = {
    'schnet': 1.7e-4,
    'e3nn': 2.3e-4,
    'GIN': 2e-5,
    'GATv2': 8e-5,
    'PNA': 1.5e-4,
    "PyG's SchNet": 1.3e-4,
}
#: ... how much more it is among the many neighbours of generated atoms; ...
GENERATED = 1.6
#: ... how much longer a way takes, if it is not as long; ...
COST = {
    'plain, batched': 1.5,
    'checkpoint per pose': 1.35,
    'checkpoint per chunk': 1.6,
    'gradient caching': 1.35,
    'recompute': 1.35,
}
#: ... and what is left of it where the model is ours, one pose of a set
#: matters, the receptor is shared, or nothing goes backward.
OURS, SHARP, SHARING, FORWARD = 0.8, 0.45, 0.2, 0.35
#: Atoms of a pose of the bundled dataset, about.
ATOMS = {
    'pocket': 515,
    'chain': 2360,
    'pocket-flexible': 515,
    'chain-flexible': 2360,
    'ligand': 28,
}
SHARED_AUTO = 'auto, shared'
#: The ways that pictures show: few enough to tell apart.
SHOWN = (
    PLAIN,
    'plain, batched',
    'checkpoint per pose',
    'gradient caching',
    SEED,
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
        data = self.case.data
        known = ATOMS.get(data)
        atoms = self.case.poses * (known or int(data.partition('-')[2]))
        few = min(atoms, WARM_ATOMS)
        rounds: float = 1 if self.once else settings.repeats_of(atoms)
        if self.kind == 'memory':
            rounds = 2.5  # forward once more, and freed memory costs time
        work = sum(
            _cost(way, self.case)
            * (atoms * rounds + few * warm_steps(way, settings))
            for way in self.ways
        )
        if known is None:
            work *= GENERATED
        return 1 + work * SECONDS_PER_ATOM[self.case.model]


def _cost(way: Way, case: Case) -> float:
    if way.share:
        return SHARING
    if not way.train:
        return FORWARD
    skips = way.mode in ('stream', 'recompute', 'auto')
    if skips and LOSSES[case.loss].sharp:
        return SHARP
    return COST.get(way.name, 1.0) * (OURS if way.ours else 1.0)


def tasks(settings: Settings, only: str | None = None) -> list[Task]:
    r"""Everything that is to be measured; a case is timed once, in all ways.

    Also if only a part is: figures of a case replace those from before.

    Args:
        settings: The settings.
        only: One of :obj:`PARTS`. (default: :obj:`None`, all)
    """
    times: dict[Case, list[str]] = {}
    once: set[Case] = set()
    memory: dict[tuple[Case, str], None] = {}
    wanted: set[Case] = set()
    for bar in bars(settings):
        for cell in (bar.cell, *bar.bases):
            if bar.kind == 'time':
                times.setdefault(cell.case, []).append(cell.way)
                wanted |= {cell.case} if only in (None, 'bars') else set()
            elif only in (None, 'bars'):
                memory[cell.case, cell.way] = None
    for case, ways, one in _grid(settings):
        times.setdefault(case, []).extend(ways)
        wanted |= {case} if only in (None, 'grid') else set()
        if one:
            once.add(case)
    if only in (None, 'memory'):
        for case, ways in _memory(settings):
            memory |= {(case, way): None for way in ways}
    return [
        *(
            Task('time', case, _ordered(ways, case), case in once)
            for case, ways in times.items()
            if case in wanted
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
    serial = [PLAIN, 'checkpoint per pose', SEED]
    serial += ['stream', 'recompute', 'auto']
    two_pass = [*serial, 'gradient caching', *(way.name for way in ENGINE)]
    # To compile takes minutes.
    two_pass += [] if s.quick else [COMPILED.name]
    for m in MODELS:
        for loss in LOSSES:
            yield batch(small, m, loss, s.few, s), every, False
        yield batch(small, m, 'max1000', 1, s), every, False
        yield batch(small, m, 'max1000', s.many, s), every, True
        yield batch(small, m, 'max1000', s.most, s), serial, True
        for n in (1, s.few):
            yield batch('pocket', m, 'max1000', n, s), every + shared, False
        yield batch('pocket', m, 'attention', s.few, s), vector, False
        yield batch('pocket', m, 'max1000', s.many, s), two_pass, False
        # Without the rivals, which would hold 36 GB here.
        most = batch('pocket', m, 'max1000', s.most, s)
        yield most, ['auto', SHARED_AUTO], True
        nine = [SEED, 'checkpoint per pose', 'recompute', SHARED_AUTO]
        for loss, way in (('mean', 'stream'), ('max1000', 'recompute')):
            yield one_set(s.chain, m, loss, s.nine), [PLAIN, *nine], False
            yield batch(s.chain, m, loss, 1, s), [PLAIN, SHARED_AUTO], False
            if not s.quick:
                many = [SEED, way, SHARED_AUTO]  # plain would hold 20 GB
                yield batch(s.chain, m, loss, s.many, s), many, True
        yield batch(s.chain, m, 'max1000', s.most, s), [SHARED_AUTO], True
        yield batch(middle, m, 'max1000', s.few, s), serial, False
        yield batch(large, m, 'max1000', 1, s), serial, True
        yield batch(large, m, 'max1000', s.few, s), serial, True


def _memory(s: Settings) -> Iterable[tuple[Case, list[str]]]:
    small = f'generated-{s.atoms[0]}'
    flat = ['stream', 'recompute', SHARED_AUTO]
    some = [PLAIN, SEED, 'auto', *flat]
    if s.quick:
        for m in MODELS:
            for data in (small, 'pocket'):
                yield one_set(data, m, 'max1000', s.few), [PLAIN, *flat[:1]]
        return
    every = list(SHOWN)
    for m in MODELS:
        for n in (1, s.few, s.many, s.most):
            ways = every if n != s.most else some
            yield one_set(small, m, 'max1000', n), ways[:-1]
        for n in (1, s.few):
            yield one_set('pocket', m, 'max1000', n), every
        yield one_set('pocket', m, 'max1000', s.many), some
        # The others would hold 36 GB here.
        yield one_set('pocket', m, 'max1000', s.most), flat[:2]
