"""Measures the rows, builds in turn."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from benchmarks.cases import Case
from benchmarks.settings import Settings
from benchmarks.timing import Figure
from benchmarks.today.builds import COMMIT, MissingBuildError, builds
from benchmarks.today.rows import EARLIER, THIS, Lane, Row, rows

#: The fewest rounds of a row, and of one with few atoms.
ROUNDS, MANY = 5, 25
#: How far predictions of two builds may be apart, relative to the largest.
SAME = 1e-3


class Asked(Protocol):
    r"""What answers: a build."""

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        r"""Has something done."""


def today(settings: Settings) -> Iterator[Figure]:
    r"""Figures of all rows, or the one that says why there are none.

    Args:
        settings: The settings.
    """
    try:
        with builds('HEAD' if settings.quick else COMMIT) as ready:
            for row in rows(settings):
                yield figure(row, ready, settings)
    except MissingBuildError as error:
        yield {'kind': 'today', 'case': {}, 'way': '', 'missing': str(error)}


def figure(row: Row, ready: Mapping[str, Asked], settings: Settings) -> Figure:
    r"""The ratios of a row, without numba and with it.

    Every round runs each lane once, and starts one lane further than the
    round before.

    Args:
        row: The row.
        ready: The builds.
        settings: The settings.
    """
    out: Figure = {
        'kind': 'today',
        'case': {**vars(row.case), 'what': row.what},
        'way': row.mine.way,
        'bound': row.bound,
        'key': row.key,
        'ratios': {},
    }
    lanes = _lanes(row, ready)
    try:
        found = _memory if row.key == 'peak_bytes' else _times
        values = found(row, lanes, ready, settings)
    except _Unavailable as reason:
        return {**out, 'unavailable': str(reason)}
    finally:
        for build in ready.values():
            build.ask('drop')
    for name in (THIS, 'fast'):
        if name not in ready:
            continue
        mine = values[name, row.mine]
        bases = [
            values[name if lane.build == THIS else EARLIER, lane]
            for lane in row.bases
        ]
        base = min(bases, key=lambda v: statistics.median(v[row.key]))
        ratio = {
            **_spread(mine[row.key], base[row.key]),
            row.key: statistics.median(mine[row.key]),
            f'base_{row.key}': statistics.median(base[row.key]),
        }
        if f'cpu_{row.key}' in mine:
            cpu = _spread(mine[f'cpu_{row.key}'], base[f'cpu_{row.key}'])
            ratio['cpu'] = cpu['median']
        ratio['met'] = ratio['median'] <= row.bound
        ratio['plans'] = sorted({str(plan) for plan in mine.get('plan', [])})
        out['ratios'][name] = ratio
    return out


class _Unavailable(Exception):
    """A build cannot do what is asked."""


#: What a lane gave in every round, by name of the build.
_Values = dict[tuple[str, Lane], dict[str, list[Any]]]


def _lanes(row: Row, ready: Mapping[str, Asked]) -> list[tuple[str, Lane]]:
    return [
        (name, lane)
        for lane in (row.mine, *row.bases)
        for name in ([EARLIER] if lane.build == EARLIER else [THIS, 'fast'])
        if name in ready
    ]


def _times(
    row: Row,
    lanes: list[tuple[str, Lane]],
    ready: Mapping[str, Asked],
    settings: Settings,
) -> _Values:
    values: _Values = {}
    seen: list[list[float]] = []
    what = {'case': vars(row.case).copy(), 'quick': settings.quick}
    atoms = 0
    for name, lane in lanes:
        way = lane.arguments
        warm = _asked(
            ready[name], 'warm', name=lane.name, steps=lane.steps, way=way,
            **what,
        )  # fmt: skip
        seen.append(warm['predictions'])
        atoms = warm['atoms']
        values[name, lane] = {}
    _check_same(row.case, seen)
    for number in range(_rounds(atoms, settings)):
        start = number % len(lanes)
        for name, lane in lanes[start:] + lanes[:start]:
            step = _asked(
                ready[name], 'step', name=lane.name, renew=row.renew,
                fresh=lane.fresh,
            )  # fmt: skip
            for key, value in step.items():
                values[name, lane].setdefault(key, []).append(value)
    return values


def _memory(
    row: Row,
    lanes: list[tuple[str, Lane]],
    ready: Mapping[str, Asked],
    settings: Settings,
) -> _Values:
    values: _Values = {}
    for name, lane in lanes:
        found = _asked(
            ready[name], 'memory', case=vars(row.case).copy(),
            way=lane.arguments, quick=settings.quick,
        )  # fmt: skip
        values[name, lane] = {row.key: [found[row.key]]}
    return values


def _asked(build: Asked, do: str, **what: Any) -> dict[str, Any]:
    answer = build.ask(do, **what)
    if 'unavailable' in answer:
        raise _Unavailable(answer['unavailable'])
    return answer


def _rounds(atoms: int, settings: Settings) -> int:
    if settings.quick:
        return settings.repeats
    return max(settings.repeats, ROUNDS, min(MANY, 10_000 // max(atoms, 1)))


def _check_same(case: Case, seen: list[list[float]]) -> None:
    """Builds that predict something else are not worth comparing."""
    most = max(abs(value) for found in seen for value in found)
    for found in seen[1:]:
        off = max(abs(a - b) for a, b in zip(found, seen[0], strict=True))
        if not off <= SAME * most:
            raise _Unavailable(
                f'builds predict {found} and {seen[0]} of {case}'
            )


def _spread(mine: list[float], base: list[float]) -> dict[str, float]:
    ratios = [a / b if b else 0.0 for a, b in zip(mine, base, strict=True)]
    return {
        'median': statistics.median(ratios),
        'min': min(ratios),
        'max': max(ratios),
    }
