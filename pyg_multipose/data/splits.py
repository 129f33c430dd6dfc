"""Parts of a dataset that no ligand is in two of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from datetime import date
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

#: Leaks that a message names.
_SHOWN = 5


def random_split(
    ligands: Sequence[Hashable], lengths: Sequence[float], seed: int = 0
) -> list[list[int]]:
    r"""Splits a dataset at random, ligand by ligand.

    Args:
        ligands: What tells the ligand of each set: its id, or, since a
            molecule may have several ids, its canonical SMILES.
        lengths: The share of each part; they sum to 1.
        seed: What the random numbers depend on. (default: :obj:`0`)

    Returns:
        The numbers of the sets in each part, in order.

    Raises:
        ValueError: If the shares do not sum to 1, if a ligand is
            :obj:`None`, or if a part would be empty.

    Example:
        >>> from pyg_multipose.data import random_split
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> dataset = MproMoonshot('all')
        >>> train, test = random_split(dataset.names, [0.8, 0.2])
        >>> dataset[train], dataset[test]
        (MproMoonshot(192, ...), MproMoonshot(48, ...))
    """
    group = _united(ligand=ligands)
    count = group.max(initial=-1) + 1
    place = np.random.default_rng(seed).permutation(count)
    return _parts(_cut(place, group, lengths), ligands, lengths)


def group_split(
    ligands: Sequence[Hashable],
    groups: Sequence[Hashable],
    lengths: Sequence[float],
) -> list[list[int]]:
    r"""Splits a dataset so that no ligand and no group is in two parts.

    Groups are, e.g., scaffolds (:func:`~pyg_multipose.io.scaffolds`) or
    targets.
    Large groups come first, each into the first part that has room for it, so
    that the last part has the rare ones.
    Groups that share a ligand stay together, as one ligand docked into two
    targets.

    Args:
        ligands: As in :func:`random_split`.
        groups: The group of each set.
        lengths: The share of each part; they sum to 1.

    Returns:
        The numbers of the sets in each part, in order.

    Raises:
        ValueError: As :func:`random_split`.

    Example:
        >>> from pyg_multipose.data import group_split
        >>> ligands = ['a', 'b', 'c', 'd', 'e']
        >>> targets = ['kinase', 'kinase', 'protease', 'kinase', 'protease']
        >>> group_split(ligands, targets, [0.6, 0.4])
        [[0, 1, 3], [2, 4]]
    """
    group = _united(ligand=ligands, group=groups)
    size = np.bincount(group)
    room = np.array(_checked(lengths)) * len(group)
    part_of = np.empty(len(size), dtype=np.int64)
    # Stable: of groups of one size the first in the dataset comes first.
    for number in np.argsort(-size, kind='stable'):
        fits = (room + 1e-9 >= size[number]).nonzero()[0]
        part = fits[0] if len(fits) else room.argmax()
        part_of[number] = part
        room[part] -= size[number]
    parts = _parts(part_of[group], ligands, lengths)
    check_leaks(*_taken(parts, groups), what='group')
    return parts


def date_split(
    ligands: Sequence[Hashable],
    dates: Sequence[date | str | float],
    lengths: Sequence[float],
) -> list[list[int]]:
    r"""Splits a dataset by time: each part is later than the one before.

    The date of a ligand is the earliest of its sets; ligands of one date are
    in one part.

    Args:
        ligands: As in :func:`random_split`.
        dates: The date of each set: dates, texts in the form of
            :obj:`2021-03-31`, or numbers.
        lengths: The share of each part; they sum to 1.

    Returns:
        The numbers of the sets in each part, in order.

    Raises:
        ValueError: As :func:`random_split`, or if a date cannot be read.

    Example:
        >>> from pyg_multipose.data import date_split
        >>> ligands = ['a', 'b', 'c', 'd']
        >>> dates = ['2021-06-30', '2020-05-01', '2021-12-29', '2021-03-31']
        >>> date_split(ligands, dates, [0.5, 0.5])
        [[1, 3], [0, 2]]
    """
    group = _united(ligand=ligands)
    _check_lengths(dates, ligands, 'date')
    time = [_time(value, index) for index, value in enumerate(dates)]
    if len({type(value) for value in time}) > 1:
        raise ValueError('Some dates are numbers, others are not; use one')
    rank_of = {value: rank for rank, value in enumerate(sorted(set(time)))}
    rank = np.array([rank_of[value] for value in time], dtype=np.int64)
    first = np.full(group.max(initial=-1) + 1, len(rank_of))
    np.minimum.at(first, group, rank)
    # All that have one date are cut as one.
    return _parts(_cut(first, group, lengths), ligands, lengths)


def check_leaks(*parts: Sequence[Hashable], what: str = 'ligand') -> None:
    r"""Fails if something is in two parts of a dataset.

    Args:
        parts: What must not be in two of them: ids, SMILES, scaffolds, ...
        what: What that is, for the message. (default: :obj:`"ligand"`)

    Raises:
        ValueError: If something is in two parts.

    Example:
        >>> from pyg_multipose.data import check_leaks
        >>> check_leaks(['a', 'b'], ['c'], ['d', 'e'])
        >>> check_leaks(['C1CC1', 'CO'], ['CO'], what='molecule')
        Traceback (most recent call last):
            ...
        ValueError: 1 of 2 molecules are in several parts: 'CO' in part 0 ...
    """
    found: dict[Hashable, dict[int, int]] = defaultdict(dict)
    for number, part in enumerate(parts):
        for index, key in enumerate(part):
            found[key].setdefault(number, index)
    leaks = [(key, where) for key, where in found.items() if len(where) > 1]
    if not leaks:
        return
    shown = '; '.join(
        f'{key!r} in '
        + ' and '.join(f'part {n} (item {i})' for n, i in where.items())
        for key, where in leaks[:_SHOWN]
    )
    more = len(leaks) - _SHOWN
    raise ValueError(
        f'{len(leaks)} of {len(found)} {what}s are in several parts: {shown}'
        f'{f"; and {more} more" if more > 0 else ""}. What a model was '
        f'trained on tells nothing about how it does on others'
    )


def _united(**keys: Sequence[Hashable]) -> np.ndarray:
    """Numbers of the smallest groups that divide no value of any key."""
    first = next(iter(keys.values()))
    rows, columns = [np.empty(0, int)], [np.empty(0, int)]
    number: dict[Any, int] = {}
    for what, values in keys.items():
        _check_lengths(values, first, what)
        for index, value in enumerate(values):
            if value is None:
                raise ValueError(f'Set {index} has no {what}')
        known = [number.setdefault((what, v), len(number)) for v in values]
        rows.append(np.arange(len(values)))
        columns.append(np.array(known, dtype=int))
    row, column = np.concatenate(rows), np.concatenate(columns)
    size = len(first) + len(number)
    edges = coo_array(
        (np.ones(len(row)), (row, column + len(first))), shape=(size, size)
    )
    _, label = connected_components(edges, directed=False)
    return np.unique(label[: len(first)], return_inverse=True)[1]


def _cut(
    place: np.ndarray, group: np.ndarray, lengths: Sequence[float]
) -> np.ndarray:
    """The part of each set, if groups follow one another by place."""
    size = np.bincount(place[group])
    centre = size.cumsum() - size / 2
    ends = np.cumsum(_checked(lengths))[:-1] * len(group)
    return np.searchsorted(ends, centre, side='right')[place[group]]


def _parts(
    part_of: np.ndarray, ligands: Sequence[Hashable], lengths: Sequence[float]
) -> list[list[int]]:
    parts = [
        (part_of == part).nonzero()[0].tolist() for part in range(len(lengths))
    ]
    sizes = [len(part) for part in parts]
    if not all(sizes):
        raise ValueError(
            f'Parts of {sizes} sets for shares {list(lengths)}: one is empty. '
            f'{len(ligands)} sets of {len(set(ligands))} ligands are too few, '
            f'or groups too large: what shares a ligand, group or date is in '
            f'one part'
        )
    check_leaks(*_taken(parts, ligands))
    return parts


def _taken(
    parts: Sequence[Sequence[int]], values: Sequence[Hashable]
) -> list[list[Hashable]]:
    return [[values[index] for index in part] for part in parts]


def _checked(lengths: Sequence[float]) -> list[float]:
    shares = [float(share) for share in lengths]
    fine = len(shares) > 1 and all(0 < share < 1 for share in shares)
    if not fine or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise ValueError(
            f"'lengths' has to be the shares of two parts or more, which sum "
            f'to 1, got {list(lengths)}'
        )
    return shares


def _check_lengths(
    values: Sequence[Any], like: Sequence[Any], what: str
) -> None:
    if len(values) != len(like):
        raise ValueError(
            f'Every set has one {what}: got {len(values)} for {len(like)} sets'
        )


def _time(value: Any, index: int) -> date | float:
    if isinstance(value, date):
        # A datetime is a date, too, but cannot be compared with one.
        return date(value.year, value.month, value.day)
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f'The date of set {index} is {value!r}, expected a date, a text '
            f"such as '2021-03-31', or a number"
        )
    return number
