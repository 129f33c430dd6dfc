"""What recent steps say of the next one."""

from __future__ import annotations

from dataclasses import dataclass

#: How much of what is known of recent steps stays at each step.
MEMORY = 0.7


@dataclass
class Lately:
    r"""The share of poses that will matter, guessed from recent steps.

    There are two guesses: the last step, which is right at once where training
    turns sharp or smooth, and the mean of recent steps, which is nearer where
    batches differ. Whichever has been nearer lately is taken, the last step if
    both were.

    Args:
        share: What is guessed before any step was seen: all poses matter, as
            in an untrained model.
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        self._last: float | None = None
        self._mean = self._last_off = self._mean_off = 0.0

    def note(self, share: float) -> None:
        r"""Learns from a step.

        Args:
            share: The share of its poses that mattered.
        """
        if self._last is None:
            self._last = self._mean = share  # there is nothing to be wrong
        self._last_off = MEMORY * self._last_off + abs(share - self._last)
        self._mean_off = MEMORY * self._mean_off + abs(share - self._mean)
        self._last = share
        self._mean = MEMORY * self._mean + (1 - MEMORY) * share
        nearer = self._last_off <= self._mean_off
        self.share = self._last if nearer else self._mean
