"""A process of one build of the package, which times what it is asked to.

It is run as a file, with the root of a checkout on PYTHONPATH, and imports
the package and the benchmark of that checkout: they may be older than this.
Requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

Request = dict[str, Any]
Answer = dict[str, Any]


class Timer:
    """Runs steps of ways of cases, as they are asked for."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        self._problems: dict[str, Any] = {}
        self._runners: dict[str, Any] = {}

    def answer(self, request: Request) -> Answer:
        """Does what is asked; what goes wrong is part of the answer."""
        todo: dict[str, Callable[..., Answer]] = {
            'drop': self._drop,
            'warm': self._warm,
            'step': self._step,
            'memory': self._memory,
        }
        try:
            return todo[request.pop('do')](**request)
        except Exception as error:
            return {'unavailable': f'{type(error).__name__}: {error}'}

    def _drop(self) -> Answer:
        """Lets go of all problems and runners."""
        self._problems, self._runners = {}, {}
        return {}

    def _warm(self, name: str, steps: int | None, **what: Any) -> Answer:
        """Makes a runner ready; its predictions show that builds agree."""
        import torch

        runner = self._runner(**what)
        if steps is None:
            runner.warm_up()
        for _ in range(steps or 0):
            runner.run(runner.collate(runner.prepare()))
            runner.clear()
        self._runners[name] = runner
        with torch.no_grad():
            found, _ = runner.predict(runner.collate(runner.prepare()))
        return {
            'predictions': found.flatten().tolist(),
            'atoms': runner.problem.atoms,
        }

    def _step(self, name: str, renew: bool = True, fresh: int = 0) -> Answer:
        """Times a step: from items of a dataset to gradients.

        With `renew`, weights change a little before; with `fresh`, a readout
        that has done so many steps only takes it.
        """
        from benchmarks.models import renew as change
        from benchmarks.problem import Runner

        runner = self._runners[name]
        if fresh:
            runner = Runner(runner.way, runner.problem)
            for _ in range(fresh):
                runner.run(runner.collate(runner.prepare()))
        if renew:
            change(runner.model)
        runner.clear()
        start, cpu = time.perf_counter(), time.process_time()
        items = runner.prepare()
        middle, cpu_middle = time.perf_counter(), time.process_time()
        runner.run(runner.collate(items))
        end, cpu_end = time.perf_counter(), time.process_time()
        plan = getattr(runner.readout, 'last_plan', None)
        return {
            'seconds': end - start,
            'step_seconds': end - middle,
            'cpu_seconds': cpu_end - cpu,
            'cpu_step_seconds': cpu_end - cpu_middle,
            'plan': None if plan is None else plan.mode,
        }

    def _memory(self, case: Any, way: Any, quick: bool) -> Answer:
        """Measures memory, in a process that does nothing else."""
        from benchmarks.memory import memory_figure

        return memory_figure(_case(case), way['name'], _settings(quick))

    def _runner(self, case: Any, way: Any, quick: bool) -> Any:
        from benchmarks.problem import Problem, Runner
        from benchmarks.ways import WAYS, Way

        key = json.dumps([case, quick])
        if key not in self._problems:
            self._problems[key] = Problem(_case(case), _settings(quick))
        known = WAYS.get(way['name'])
        return Runner(known or Way(**way), self._problems[key])


def _case(values: Any) -> Any:
    from benchmarks.cases import Case

    return Case(**values)


def _settings(quick: bool) -> Any:
    from benchmarks.settings import Settings

    return Settings(quick=quick)


def main(requests: TextIO = sys.stdin, answers: TextIO = sys.stdout) -> None:
    """Answers line by line until there are no more requests."""
    if answers is sys.stdout:
        sys.stdout = sys.stderr  # what else is printed is no answer
    timer = Timer()
    for line in requests:
        answers.write(json.dumps(timer.answer(json.loads(line))) + '\n')
        answers.flush()


if __name__ == '__main__':
    if hasattr(os, 'sched_setaffinity'):  # all builds on one core
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    main()
