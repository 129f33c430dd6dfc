r"""Which sets go into one batch: plain arithmetic on their sizes."""

from __future__ import annotations

import numpy as np

#: Sets of more than all, a half, a third, ... of a budget may go alone.
_PARTS = range(1, 9)


class Strata:
    r"""Random batches, as many in every epoch, that never exceed a budget.

    Sets are sorted by size and cut into strata of as many sets as there are
    batches; each batch gets one set of each stratum, drawn at random.
    Whatever is drawn, a batch is at most as large as the sum of the largest
    sets of all strata, so the number of batches can be chosen beforehand.
    The largest sets go alone if that saves batches, those beyond the budget
    always.

    Args:
        size: The sizes of each set, shape :obj:`[num_sets, num_budgets]`.
        budget: What a batch may hold, shape :obj:`[num_budgets]`.
        multiple: What the number of batches is a multiple of.
    """

    def __init__(
        self, size: np.ndarray, budget: np.ndarray, multiple: int = 1
    ) -> None:
        self.size, self.budget = size, budget
        self.load = (size / budget).max(axis=1)
        by_size = self.size[self._order(np.arange(len(size)))]
        # The largest from here on: strata that start later are not larger.
        bound = np.maximum.accumulate(by_size[::-1], axis=0)[::-1]
        choices = [
            (alone + _fewest(bound[alone:], budget), alone)
            for alone in (int((self.load > 1 / part).sum()) for part in _PARTS)
        ]
        fewest, self.num_alone = min(choices)
        #: The number of batches.
        self.count = round_up(fewest, multiple)
        #: Whether that is more than there are sets, and sets go in pairs.
        self.exceeds = self.count > len(size)
        if self.exceeds:
            self.count = len(size) // multiple * multiple
            self.num_alone = 2 * self.count - len(size)

    def draw(self, rng: np.random.Generator) -> list[list[int]]:
        r"""The batches of an epoch.

        Args:
            rng: Where random numbers come from.
        """
        num_sets = len(self.size)
        order = self._order(rng.permutation(num_sets))
        alone, rest = order[: self.num_alone], order[self.num_alone :]
        width = self.count - len(alone)
        batches = [[index] for index in alone.tolist()]
        if width:
            stratum = np.arange(len(rest)) // width
            rest = rest[np.lexsort((rng.random(len(rest)), stratum))]
            batches += [rest[slot::width].tolist() for slot in range(width)]
        return [batches[index] for index in rng.permutation(len(batches))]

    def _order(self, sets: np.ndarray) -> np.ndarray:
        """From large to small; equal ones as given."""
        keys = (*self.size[sets].T, self.load[sets])
        return sets[np.lexsort(keys)[::-1]]


def in_order(
    size: np.ndarray, budget: np.ndarray, multiple: int = 1
) -> tuple[list[list[int]], bool]:
    r"""Batches of sets that follow one another.

    Args:
        size: The sizes of each set, shape :obj:`[num_sets, num_budgets]`.
        budget: What a batch may hold, shape :obj:`[num_budgets]`.
        multiple: What the number of batches is a multiple of.

    Returns:
        The batches, and whether some exceed the budget since there are fewer
        sets than batches needed.
    """
    ends = np.concatenate([np.zeros_like(size[:1]), size.cumsum(axis=0)])
    start, starts = 0, []
    while start < len(size):
        starts.append(start)
        last = [
            np.searchsorted(column, column[start] + limit, side='right') - 1
            for column, limit in zip(ends.T, budget, strict=True)
        ]
        start = max(start + 1, int(min(last)))
    count = round_up(len(starts), multiple)
    sets = np.arange(len(size))
    if not starts:
        return [], False
    if count > len(size):
        count = len(size) // multiple * multiple
        return [part.tolist() for part in np.array_split(sets, count)], True
    batches = [part.tolist() for part in np.split(sets, starts[1:])]
    while len(batches) < count:
        longest = int(np.argmax([len(batch) for batch in batches]))
        batch = batches[longest]
        half = len(batch) // 2
        batches[longest : longest + 1] = [batch[:half], batch[half:]]
    return batches, False


def round_up(number: int, multiple: int) -> int:
    r"""The next multiple of a number."""
    return -(-number // multiple) * multiple


def _fewest(bound: np.ndarray, budget: np.ndarray) -> int:
    """How many batches it takes, if each holds one set of each stratum."""
    low, high = min(1, len(bound)), len(bound)
    while low < high:
        count = (low + high) // 2
        if (bound[::count].sum(axis=0) <= budget).all():
            high = count
        else:
            low = count + 1
    return low
