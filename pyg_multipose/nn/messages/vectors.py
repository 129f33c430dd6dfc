r"""Vectors of a few numbers, at which loops of numba compute at once.

A loop over channels would be left to the compiler, which knows neither that
channels come in eights, nor that what is written is not what is read. It
makes a copy of the loop for every case, and the slow ones often run.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

#: Numbers of one vector: those of an instruction of most processors in
#: float32. Others, and float64, take more instructions.
LANES = 8

# What loops call, as numpy has it, which is what runs where nothing is
# compiled; `vector_types.py` has the same for numba, and `+` and `*` of
# vectors. Places are those of numbers in arrays of one dimension.


def load(array, at):  # type: ignore[no-untyped-def]
    r"""Returns the vector at a place of an array."""
    return array[at : at + LANES].copy()


def load_all(count, array, at):  # type: ignore[no-untyped-def]
    r"""Returns a constant number of vectors that follow each other."""
    return array[at : at + count * LANES].reshape(count, LANES).copy()


def spread(array, at):  # type: ignore[no-untyped-def]
    r"""Returns a vector of equal numbers: the one at a place of an array."""
    return np.full(LANES, array[at])


def store(vector, array, at):  # type: ignore[no-untyped-def]
    r"""Writes a vector to a place of an array."""
    array[at : at + LANES] = vector


def add_all(vectors, array, at, step):  # type: ignore[no-untyped-def]
    r"""Adds vectors to those in an array, from a place on, step by step."""
    for i in range(len(vectors)):
        array[at + i * step : at + i * step + LANES] += vectors[i]


def each(vector, vectors):  # type: ignore[no-untyped-def]
    r"""Returns the products of a vector with each of some others."""
    return vector * vectors


def weigh(start, array, at, step, vectors):  # type: ignore[no-untyped-def]
    r"""Adds vectors to a first one, times numbers of an array.

    These are read from a place on, step by step.
    """
    for i in range(len(vectors)):
        start = start + array[at + i * step] * vectors[i]
    return start


def total(vector):  # type: ignore[no-untyped-def]
    r"""Returns the sum of the numbers of a vector."""
    return vector.sum()


def fetch(array, at):  # type: ignore[no-untyped-def]
    r"""Has the processor fetch what is around a place, as it comes soon."""


_INLINE: list[Callable[..., None]] = []
_LOCK = Lock()


def inline(function: Callable[..., None]) -> Any:
    r"""Makes a function a part of the loops that call it.

    Integers from around it are constants there.

    Args:
        function: The function.
    """
    _INLINE.append(function)
    return function


@inline
def fetch_row(array, row, width):  # type: ignore[no-untyped-def]
    r"""Has the processor fetch a row of a table."""
    # A line of the cache is two vectors, in float32.
    for at in range(row * width, row * width + width, 2 * LANES):
        fetch(array, at)


@inline
def add_product(out, at, a, i, b, j, width):  # type: ignore[no-untyped-def]
    r"""Adds the product of two rows to a third one, from their places on."""
    whole = width - width % LANES
    for u in range(0, whole, LANES):
        more = load(a, i + u) * load(b, j + u)
        store(load(out, at + u) + more, out, at + u)
    for u in range(whole, width):
        out[at + u] += a[i + u] * b[j + u]


@inline
def add_change(out, at, a, i, b, j, c, k, width):  # type: ignore[no-untyped-def]
    r"""Adds the difference of two rows, times another one, to a fourth."""
    whole = width - width % LANES
    for u in range(0, whole, LANES):
        more = (load(a, i + u) - load(b, j + u)) * load(c, k + u)
        store(load(out, at + u) + more, out, at + u)
    for u in range(whole, width):
        out[at + u] += (a[i + u] - b[j + u]) * c[k + u]


def teach_numba() -> None:
    r"""Tells numba of everything here, and of what is inline."""
    # Not before it is needed: numba may not be there.
    from pyg_multipose.nn.messages.vector_types import add_inline

    with _LOCK:
        while _INLINE:
            add_inline(_INLINE.pop())
