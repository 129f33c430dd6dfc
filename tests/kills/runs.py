"""Commands in processes of their own, which are killed."""

import itertools
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from pyg_multipose.cli import main

#: What puts a file into its place, or removes one.
CALLS = ('replace', 'fsync', 'link', 'unlink', 'mkdir')
#: Kills of one run at most, before it may end.
MOST = 6


@dataclass
class Outcome:
    """How often was killed, and how many runs that were."""

    kills: int
    runs: int


def start(argv, place=None, log=os.devnull):
    """A child that runs a command; it kills itself at some call, if told."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        if place is not None:
            _kill_at(place)
        code = main(argv)
    finally:
        os._exit(code)


def _each_call(step):
    """Calls a function before and after each call that moves files."""

    def watched(call):
        def wrapped(*args, **kwargs):
            step()
            out = call(*args, **kwargs)
            step()
            return out

        return wrapped

    before = {name: getattr(os, name) for name in CALLS}
    for name, call in before.items():
        setattr(os, name, watched(call))
    return before


def _kill_at(place):
    steps = itertools.count()

    def step():
        if next(steps) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    _each_call(step)


def whole_run(argv):
    """A run that is not killed, here, so that children begin warm.

    Returns its seconds, and at how many places it could be killed.
    """
    torch.set_num_threads(1)
    steps = itertools.count()
    before = _each_call(lambda: next(steps))
    begin = time.monotonic()
    try:
        assert main(argv) == 0, 'it fails without being killed'
    finally:
        for name, call in before.items():
            setattr(os, name, call)
    return time.monotonic() - begin, next(steps)


def wait(pid, seconds=None):
    """The exit code; -9 if it was killed."""
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, 0 if end is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            end = None
        else:
            time.sleep(0.001)


def killed_runs(argv, result, folder, count, rng):
    """Kills runs at random, and compares how they end with one that is not.

    Half of the kills are at a random time, half at a call that moves files.
    """
    whole = Path(folder, 'whole')
    seconds, places = whole_run(argv(whole))
    expected = result(whole)
    kills = runs = 0
    log = Path(folder, 'printed.txt')
    while kills < count:
        run = Path(folder, f'run{runs}')
        for _ in range(min(rng.randint(1, MOST), count - kills)):
            if rng.random() < 0.5:
                child = start(argv(run), log=log)
                code = wait(child, rng.uniform(0, 1.1 * seconds))
            else:
                code = wait(start(argv(run), rng.randrange(places), log))
            assert code in (0, -9), f'{run}: {code}, {log.read_text()}'
            kills += code == -9
            if code == 0:
                break
        code = wait(start(argv(run), log=log))
        assert code == 0, f'{run}: does not go on: {log.read_text()}'
        found = result(run)
        for name, value in expected.items():
            assert found[name] == value, f'{run}: {name} differs'
        runs += 1
    return Outcome(kills, runs)
