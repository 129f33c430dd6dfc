"""Trainings side by side, each in a process with one thread."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np
from tqdm import tqdm

from benchmarks.learning.training import Job, train

#: The energies of the poses of every test set, by training.
Outcomes = dict[Job, list[np.ndarray]]


def train_all(jobs: Iterable[Job], processes: int) -> Outcomes:
    r"""Trains everything once.

    Args:
        jobs: What to train; what is asked for twice is trained once.
        processes: How many at a time.
    """
    distinct = list(dict.fromkeys(jobs))
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(processes, context) as pool:
        futures = {pool.submit(train, job): job for job in distinct}
        done = as_completed(futures)
        bar = tqdm(done, total=len(futures), unit='training', mininterval=10)
        return {futures[future]: future.result() for future in bar}
