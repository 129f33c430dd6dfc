r"""What was meant by a name that is none."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    r"""A question with the nearest name, or a full stop.

    Args:
        name: What was given.
        known: What is known.
    """
    near = get_close_matches(name, list(known), 1, 0.5)
    return f'; did you mean {near[0]!r}?' if near else '.'
