r"""How coupled products lie in memory, for loops over vectors."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from pyg_multipose.nn.messages.vectors import LANES

if TYPE_CHECKING:
    from pyg_multipose.nn.messages.coupled_sum import Group

#: There is code for so many components at once; seven are 5 + 1 + 1.
SIZES = (5, 3, 1)


class Table(NamedTuple):
    r"""Where the loops have the columns of a tensor.

    Channels come in blocks of :obj:`LANES`, the last one of a part filled up
    with zeros; blocks come component by component, so that what is computed
    at once is one vector.
    """

    #: Pairs: a column of the tensor, and its place in a row of the table.
    columns: Any
    #: The width of the table.
    width: int

    def is_same(self, width: int) -> bool:
        r"""Whether a tensor of this width is its own table."""
        own, places = self.columns.T
        return bool(self.width == width == len(own) and (own == places).all())

    def fits(self, width: int) -> bool:
        r"""Whether a tensor of this width has all columns."""
        return bool(self.columns[:, 0].max(initial=-1) < width)


class Layout(NamedTuple):
    r"""All that the loops know about some products.

    Paths are cut into tiles of a few components, for which there is code.
    Each has couplings, output by output, filled up to whole vectors.
    """

    #: The tables of source features, weights and outputs.
    tables: tuple[Table, Table, Table]
    #: For each tile: components of the source and of the output; blocks of
    #: channels; the place in the source and the step from block to block;
    #: the place of the weights; the place in the output and the step; and
    #: the place of its couplings.
    tiles: Any
    #: How features give couplings, one vector at a time: how many features
    #: that follow each other; which vector is added to, and which one
    #: becomes the sum; the place in `numbers`; the first of the features.
    terms: Any
    #: Numbers: for every feature of a term a vector.
    numbers: Any
    #: How gradients of couplings give those of features: where the terms of
    #: every feature start, the couplings of these, and a number for each.
    starts: Any
    couplings: Any
    factors: Any
    #: The length of all couplings.
    num_couplings: int

    @property
    def num_features(self) -> int:
        r"""The number of features of an edge."""
        return len(self.starts) - 1


def make_layout(groups: tuple[Group, ...], dtype: torch.dtype) -> Layout:
    r"""Returns the layout of products, which is made once.

    Args:
        groups: The products, with one path or more.
        dtype: The type of numbers.
    """
    return _make_layout(_Identity(groups), dtype)


class _Identity:
    # Equal to itself only: tensors cannot be keys, nor be compared.
    def __init__(self, groups: tuple[Group, ...]):
        self.groups = groups

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.groups is other.groups

    def __hash__(self) -> int:
        return id(self.groups)


@lru_cache(maxsize=64)
def _make_layout(identity: _Identity, dtype: torch.dtype) -> Layout:
    source, weights, out = _Columns(), _Columns(), _Columns()
    tiles = []
    couplings: list[Any] = []
    at_t = LANES  # The first vector is the one that sums start from.
    for group in identity.groups:
        mul, A = group.shape
        coupling = group.coupling.unflatten(1, (A, -1)).transpose(1, 2)
        blocks = _blocks(mul)
        at_x = source.add(group.source.start, mul, A)
        for path in group.paths:
            K = path.rows.stop - path.rows.start
            at_w = weights.add(
                group.weights.start + path.channels.start, mul, 1
            )
            at_out = out.add(path.out.start, mul, K)
            for (a, num_a), (k, num_k) in product(_cut(A), _cut(K)):
                start = path.rows.start + k
                part = coupling[:, start : start + num_k, a : a + num_a]
                tile = [num_a, num_k, blocks, at_x + a * LANES, A * LANES]
                tile += [at_w, at_out + k * LANES, K * LANES, at_t]
                tiles.append(tile)
                couplings.append(part.flatten(1).numpy(force=True))
                at_t += _blocks(num_a * num_k) * LANES
    sizes = [tile[:2] for tile in tiles]
    terms, numbers = _forward(couplings)
    features, places, factors = _backward(couplings, sizes)
    real = str(dtype).removeprefix('torch.')
    return Layout(
        (source.table(), weights.table(), out.table()),
        np.array(tiles),
        np.array(terms),
        np.concatenate(numbers).astype(real),
        np.searchsorted(features, np.arange(len(couplings[0]) + 1)),
        places,
        factors.astype(real),
        at_t,
    )


class _Columns:
    # The columns of a table that is not complete yet.
    def __init__(self) -> None:
        self.columns: list[tuple[int, int]] = []
        self.width = 0

    def add(self, start: int, mul: int, size: int) -> int:
        # The place of a new part.
        at = self.width
        for u, i in product(range(mul), range(size)):
            vector = u // LANES * size + i
            place = at + vector * LANES + u % LANES
            self.columns.append((start + u * size + i, place))
        self.width += _blocks(mul) * size * LANES
        return at

    def table(self) -> Table:
        return Table(np.array(self.columns).reshape(-1, 2), self.width)


def _blocks(size: int) -> int:
    return -(-size // LANES)


def _cut(size: int) -> list[tuple[int, int]]:
    # Starts and sizes of parts that there is code for.
    parts = []
    start = 0
    while start < size:
        part = next(part for part in SIZES if part <= size - start)
        parts.append((start, part))
        start += part
    return parts


def _forward(couplings: list[Any]) -> tuple[list[Any], list[Any]]:
    # Most couplings are zero. For each vector, features are read from the
    # first to the last one that is not.
    terms: list[Any] = []
    numbers: list[Any] = []
    at = LANES
    for coupling in couplings:
        for start in range(0, coupling.shape[1], LANES):
            part = coupling[:, start : start + LANES]
            part = np.pad(part, ((0, 0), (0, LANES - part.shape[1])))
            used = np.flatnonzero(part.any(1)).tolist() or [0]
            before = 0
            for first, size in _cut(used[-1] + 1 - used[0]):
                first += used[0]
                terms.append([size, before, at, len(numbers) * LANES, first])
                numbers.extend(part[first : first + size])
                before = at
            at += LANES
    # The same code again and again is fast. Parts of one sum are in order,
    # as the larger ones of them come first.
    terms.sort(key=lambda term: -term[0])
    return terms, numbers


def _backward(couplings: list[Any], sizes: list[Any]) -> tuple[Any, Any, Any]:
    # What is not zero, by features.
    terms = []
    at = LANES
    for coupling, (num_a, num_k) in zip(couplings, sizes, strict=True):
        used = (coupling != 0).reshape(-1, num_k, num_a)
        # Of every component something is used, even if it is zero: what is
        # not a number would be lost.
        used[0, ~used.any((0, 2)), 0] = True
        used[0, 0, ~used.any((0, 1))] = True
        features, places = used.reshape(coupling.shape).nonzero()
        terms.append((features, at + places, coupling[features, places]))
        at += _blocks(num_a * num_k) * LANES
    features, places, factors = map(np.concatenate, zip(*terms, strict=True))
    order = features.argsort(kind='stable')
    return features[order], places[order], factors[order]
