r"""Loops over edges that sum coupled products, and that turn gradients back.

Names are `e` for edges, `n` for targets, `b` for features of edges, `a` and
`k` for components of the source and the output, `t` for the couplings of one
edge, and `at` for places. What tables are is in `coupled_layout.py`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from pyg_multipose.nn.messages.coupled_layout import SIZES
from pyg_multipose.nn.messages.kernel import Kernel
from pyg_multipose.nn.messages.vectors import (
    LANES,
    add_all,
    each,
    fetch_row,
    inline,
    load,
    load_all,
    spread,
    store,
    teach_numba,
    total,
    weigh,
)

#: Of the files besides this one that make the loops: numba keeps what it has
#: compiled until this file changes. A test knows what it has to be.
REVISION = '1ce40097d864'


def _list(start, sources, rows, source, target, row, num_atoms, num_rows):  # type: ignore[no-untyped-def]
    # Sources and rows of edges, target by target, and where each one starts.
    # Until the end, `start` is one target ahead.
    start[:] = 0
    for e in range(target.size):
        r = row[e] if row.size else e
        if not (
            0 <= source[e] < num_atoms
            and 0 <= target[e] < start.size - 2
            and 0 <= r < num_rows
        ):
            return False
        start[target[e] + 2] += 1
    for n in range(2, start.size):
        start[n] += start[n - 1]
    for e in range(target.size):
        at = start[target[e] + 1]
        start[target[e] + 1] += 1
        sources[at] = source[e]
        rows[at] = row[e] if row.size else e
    return True


def _fill(table, x, columns):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        for j in range(columns.shape[0]):
            table[i, columns[j, 1]] = x[i, columns[j, 0]]
    return True


def _read(x, table, columns):  # type: ignore[no-untyped-def]
    for i in range(x.shape[0]):
        for j in range(columns.shape[0]):
            x[i, columns[j, 0]] = table[i, columns[j, 1]]
    return True


def _make_couple(count: int) -> Any:
    @inline
    def couple(t, before, after, numbers, at, y, at_y):  # type: ignore[no-untyped-def]
        some = load_all(count, numbers, at)
        store(weigh(load(t, before), y, at_y, 1, some), t, after)

    return couple


_couple_five, _couple_three, _couple_one = map(_make_couple, SIZES)


@inline
def _couple(t, y, row, num_y, terms, numbers):  # type: ignore[no-untyped-def]
    # The last column of `y` is zero, or not a number if a feature is not: so
    # then is every coupling, as if no zero had been left out.
    at_y = row * num_y
    store(spread(y, at_y + num_y - 1), t, 0)
    for i in range(terms.shape[0]):
        count, before, after = terms[i, 0], terms[i, 1], terms[i, 2]
        at, at_b = terms[i, 3], at_y + terms[i, 4]
        if count == 5:
            _couple_five(t, before, after, numbers, at, y, at_b)
        elif count == 3:
            _couple_three(t, before, after, numbers, at, y, at_b)
        else:
            _couple_one(t, before, after, numbers, at, y, at_b)


# What is done for a tile is compiled for every pair of sizes: then loops over
# components are no loops, and what they sum stays in registers. Numba itself
# needs the first size only, for the number of vectors. (References to arrays
# are counted in `*args`, but not in arguments one by one.)


def _of_sizes(make: Callable[[int], Any]) -> Any:
    five, three, one = (_of_constants(make(size)) for size in SIZES)

    @inline
    def call(first, second, a, b, c, d, e, f, g):  # type: ignore[no-untyped-def]
        if first == 5:
            five(second, a, b, c, d, e, f, g)
        elif first == 3:
            three(second, a, b, c, d, e, f, g)
        else:
            one(second, a, b, c, d, e, f, g)

    return call


def _of_constants(function: Any) -> Any:
    @inline
    def call(size, a, b, c, d, e, f, g):  # type: ignore[no-untyped-def]
        if size == 5:
            function(5, a, b, c, d, e, f, g)
        elif size == 3:
            function(3, a, b, c, d, e, f, g)
        else:
            function(1, a, b, c, d, e, f, g)

    return call


@inline
def _places(tiles, p):  # type: ignore[no-untyped-def]
    return (
        tiles[p, 2],
        tiles[p, 3],
        tiles[p, 4],
        tiles[p, 5],
        tiles[p, 6],
        tiles[p, 7],
        tiles[p, 8],
    )


def _make_add(num_a: int) -> Any:
    @inline
    def add(num_k, sums, t, x, w, at_x, at_w, places):  # type: ignore[no-untyped-def]
        blocks, to_x, step_x, to_w, to_sums, step_sums, at_t = places
        for block in range(blocks):
            x_a = load_all(num_a, x, at_x + to_x + block * step_x)
            wx_a = each(load(w, at_w + to_w + block * LANES), x_a)
            for k in range(num_k):
                at = to_sums + block * step_sums + k * LANES
                at_k = at_t + k * num_a
                store(weigh(load(sums, at), t, at_k, 1, wx_a), sums, at)

    return add


_add = _of_sizes(_make_add)


def _sum(  # type: ignore[no-untyped-def]
    out,
    x,
    y,
    w,
    start,
    source,
    row,
    columns,
    num_x,
    num_y,
    num_w,
    num_sums,
    num_t,
    tiles,
    terms,
    numbers,
):
    t = np.empty(num_t, out.dtype)
    sums = np.empty(num_sums, out.dtype)
    for n in range(out.shape[0]):
        if start[n] == start[n + 1]:
            continue
        sums[:] = 0
        for e in range(start[n], start[n + 1]):
            if e + 1 < source.size:
                fetch_row(x, source[e + 1], num_x)
                fetch_row(y, row[e + 1], num_y)
                fetch_row(w, row[e + 1], num_w)
            _couple(t, y, row[e], num_y, terms, numbers)
            at_x, at_w = source[e] * num_x, row[e] * num_w
            for p in range(tiles.shape[0]):
                num_a, num_k, places = (
                    tiles[p, 0],
                    tiles[p, 1],
                    _places(tiles, p),
                )
                _add(num_a, num_k, sums, t, x, w, at_x, at_w, places)
        for i in range(columns.shape[0]):
            out[n, columns[i, 0]] += sums[columns[i, 1]]
    return True


def _make_turn(num_k: int) -> Any:
    @inline
    def turn(num_a, grads, t, x, w, at_x, at_w, places):  # type: ignore[no-untyped-def]
        # From gradients of outputs to those of `x` and `w`.
        grad_x, grad_w, grad, zeros = grads
        blocks, to_x, step_x, to_w, to_grad, step_grad, at_t = places
        for block in range(blocks):
            grad_k = load_all(num_k, grad, to_grad + block * step_grad)
            at = at_w + to_w + block * LANES
            w_b, grad_w_b = load(w, at), load(zeros, 0)
            for a in range(num_a):
                at_a = at_x + to_x + block * step_x + a * LANES
                none = load(zeros, 0)
                grad_wx = weigh(none, t, at_t + a, num_a, grad_k)
                grad_w_b = grad_w_b + grad_wx * load(x, at_a)
                if grad_x.size:
                    old = load(grad_x, at_a)
                    store(old + grad_wx * w_b, grad_x, at_a)
            if grad_w.size:
                store(load(grad_w, at) + grad_w_b, grad_w, at)

    return turn


def _make_turn_t(num_k: int) -> Any:
    @inline
    def turn_t(num_a, grad_t, grad, x, w, at_x, at_w, places):  # type: ignore[no-untyped-def]
        # To those of couplings, channels apart: a vector for each coupling.
        blocks, to_x, step_x, to_w, to_grad, step_grad, at_t = places
        for block in range(blocks):
            grad_k = load_all(num_k, grad, to_grad + block * step_grad)
            w_b = load(w, at_w + to_w + block * LANES)
            for a in range(num_a):
                at_a = at_x + to_x + block * step_x + a * LANES
                at, step = (at_t + a) * LANES, num_a * LANES
                add_all(each(w_b * load(x, at_a), grad_k), grad_t, at, step)

    return turn_t


_turn, _turn_t = _of_sizes(_make_turn), _of_sizes(_make_turn_t)


@inline
def _turn_y(grad_y, r, grad_b, grad_t, starts, couplings, factors, zeros):  # type: ignore[no-untyped-def]
    # From gradients of couplings to those of features. What is not a number
    # reaches all features, as if no zero had been left out.
    rest = zeros[0]
    for b in range(grad_b.size):
        some = load(zeros, 0)
        for i in range(starts[b], starts[b + 1]):
            grad = load(grad_t, couplings[i] * LANES)
            some = some + spread(factors, i) * grad
        grad_b[b] = total(some)
        rest += zeros[0] * grad_b[b]
    for b in range(grad_b.size):
        grad_y[r, b] += grad_b[b] + rest


def _gradients(  # type: ignore[no-untyped-def]
    grad_x,
    grad_y,
    grad_w,
    grad_out,
    x,
    y,
    w,
    start,
    source,
    row,
    columns,
    num_x,
    num_y,
    num_w,
    num_sums,
    num_t,
    tiles,
    terms,
    numbers,
    starts,
    couplings,
    factors,
):
    zeros = np.zeros(LANES, grad_out.dtype)
    t = np.empty(num_t, grad_out.dtype)
    grad_t = np.empty(num_t * LANES, grad_out.dtype)
    grad_b = np.empty(num_y - 1, grad_out.dtype)
    grad = np.zeros(num_sums, grad_out.dtype)
    for n in range(grad_out.shape[0]):
        if start[n] == start[n + 1]:
            continue
        for i in range(columns.shape[0]):
            grad[columns[i, 1]] = grad_out[n, columns[i, 0]]
        for e in range(start[n], start[n + 1]):
            if e + 1 < source.size:
                fetch_row(x, source[e + 1], num_x)
                fetch_row(y, row[e + 1], num_y)
                fetch_row(w, row[e + 1], num_w)
                if grad_x.size:
                    fetch_row(grad_x, source[e + 1], num_x)
                if grad_w.size:
                    fetch_row(grad_w, row[e + 1], num_w)
            at_x, at_w = source[e] * num_x, row[e] * num_w
            if grad_x.size or grad_w.size:
                _couple(t, y, row[e], num_y, terms, numbers)
                for p in range(tiles.shape[0]):
                    num_a, num_k, places = (
                        tiles[p, 0],
                        tiles[p, 1],
                        _places(tiles, p),
                    )
                    grads = grad_x, grad_w, grad, zeros
                    _turn(num_k, num_a, grads, t, x, w, at_x, at_w, places)
            if grad_y.size:
                grad_t[:] = 0
                for p in range(tiles.shape[0]):
                    num_a, num_k, places = (
                        tiles[p, 0],
                        tiles[p, 1],
                        _places(tiles, p),
                    )
                    _turn_t(
                        num_k, num_a, grad_t, grad, x, w, at_x, at_w, places
                    )
                _turn_y(
                    grad_y,
                    row[e],
                    grad_b,
                    grad_t,
                    starts,
                    couplings,
                    factors,
                    zeros,
                )
    return True


_MATRIX, _ARRAY = '{0}[:, ::1]', '{0}[::1]'
_INTEGERS, _TABLE = 'int64[::1]', 'int64[:, ::1]'
_INPUTS = [*3 * [_ARRAY], *3 * [_INTEGERS], _TABLE, *5 * ['int64']]
_INPUTS += [*2 * [_TABLE], _ARRAY]
_GRADS = [_ARRAY, _MATRIX, _ARRAY, _MATRIX]
_BACK = [*2 * [_INTEGERS], _ARRAY]
LIST = Kernel(_list, [*6 * [_INTEGERS], *2 * ['int64']])
FILL = Kernel(_fill, [*2 * [_MATRIX], _TABLE])
READ = Kernel(_read, [*2 * [_MATRIX], _TABLE])
SUM = Kernel(_sum, [_MATRIX, *_INPUTS], prepare=teach_numba)
GRADIENTS = Kernel(
    _gradients, [*_GRADS, *_INPUTS, *_BACK], prepare=teach_numba
)
