"""Step times, all ways of a case in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch

from benchmarks.cases import Case
from benchmarks.kernels import kernel_share
from benchmarks.models import renew
from benchmarks.problem import Problem, Runner, Unavailable
from benchmarks.settings import Settings
from benchmarks.ways import PLAIN, Way

Figure = dict[str, Any]
#: Why a way has no figure.
OBSTACLES = (Unavailable, torch.OutOfMemoryError, MemoryError)


def time_case(
    case: Case,
    ways: Sequence[Way],
    settings: Settings,
    once: bool = False,
    progress: Callable[[Way], None] = lambda way: None,
) -> list[Figure]:
    r"""Times all ways, interleaved, in this process.

    A step starts at the items of a dataset and ends with the gradients.
    Every round takes each way once, so that a change of the machine's speed
    touches all alike; a round starts one way further than the last one.

    Args:
        case: The case.
        ways: The ways.
        settings: How often, and where.
        once: Whether there is one round only. (default: :obj:`False`)
        progress: Told of every way that has run. (default: nothing)
    """
    problem = Problem(case, settings)
    runners: dict[str, Runner] = {}
    figures: dict[str, Figure] = {}
    for way in ways:
        figures[way.name] = {'kind': 'time', 'case': vars(case).copy()}
        figures[way.name] |= {'way': way.name, 'atoms': problem.atoms}
        try:
            runners[way.name] = Runner(way, problem)
            runners[way.name].warm_up()
            figures[way.name] |= {'seconds': [], 'prepare_seconds': []}
        except OBSTACLES as reason:
            _leave_out(runners, figures[way.name], reason)
            progress(way)
    rounds = 1 if once else settings.repeats_of(problem.atoms)
    names = list(runners)
    for number in range(rounds):
        start = number % max(len(names), 1)
        for name in names[start:] + names[:start]:
            if name not in runners:
                continue
            runner = runners[name]
            try:
                prepare, step = timed(runner)
            except OBSTACLES as reason:
                _leave_out(runners, figures[name], reason)
                progress(runner.way)
                continue
            figures[name]['seconds'].append(prepare + step)
            figures[name]['prepare_seconds'].append(prepare)
            if number == 0:
                figures[name] |= _what_ran(runner)
            if number == rounds - 1:
                progress(runner.way)
    for name, runner in runners.items():
        seconds = figures[name]['seconds']
        median = statistics.median(seconds)
        figures[name]['median'] = median
        if settings.device == 'cuda':
            figures[name]['poses_per_second'] = case.poses / median
            with suppress(torch.OutOfMemoryError):  # profiling takes some
                figures[name]['kernel_share'] = kernel_share(runner)
    if PLAIN in runners:
        for name in runners:
            figures[name]['to_plain'] = ratio(figures[name], figures[PLAIN])
    return list(figures.values())


def _leave_out(
    runners: dict[str, Runner], figure: Figure, reason: BaseException
) -> None:
    """A way that cannot run, or has no room, does not stop the others."""
    runners.pop(figure['way'], None)
    for key in figure.keys() - {'kind', 'case', 'way', 'atoms'}:
        del figure[key]
    # Of an allocator's message, the first sentence.
    said = str(reason).partition('. ')[0]
    figure['unavailable'] = said or type(reason).__name__


def timed(runner: Runner) -> tuple[float, float]:
    r"""Seconds that one step takes: finding edges, and all the rest.

    Args:
        runner: The way. Its weights change a little first.
    """
    renew(runner.model)
    runner.clear()
    _wait(runner.device)
    start = time.perf_counter()
    items = runner.prepare()
    middle = time.perf_counter()
    runner.run(runner.collate(items))
    _wait(runner.device)
    return middle - start, time.perf_counter() - middle


def ratio(
    figure: Figure, base: Figure, key: str = 'seconds'
) -> dict[str, float]:
    r"""The ratio of two ways of a case, round by round.

    Args:
        figure: The one way.
        base: The other.
        key: :obj:`"seconds"` of everything, or :obj:`"step_seconds"` without
            the search for edges. (default: :obj:`"seconds"`)

    Returns:
        The median, and the least and the largest.
    """
    both = zip(_rounds(figure, key), _rounds(base, key), strict=True)
    ratios = [mine / theirs for mine, theirs in both]
    return {
        'median': statistics.median(ratios),
        'min': min(ratios),
        'max': max(ratios),
    }


def _rounds(figure: Figure, key: str) -> list[float]:
    seconds = figure['seconds']
    if key == 'seconds':
        return seconds
    prepare = figure['prepare_seconds']
    return [a - b for a, b in zip(seconds, prepare, strict=True)]


def _what_ran(runner: Runner) -> Figure:
    if runner.readout is None or runner.readout.last_plan is None:
        return {}
    plan = runner.readout.last_plan
    return {
        'plan': plan.mode,
        'reason': plan.reason,
        'receptor': plan.receptor,
        'mattered': plan.counts.mattered,
        'backward': plan.counts.backward,
    }


def _wait(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()
