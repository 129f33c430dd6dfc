"""Parts of a dataset that no ligand is in two of."""

from collections import Counter
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.data import (
    check_leaks,
    date_split,
    group_split,
    random_split,
)
from pyg_multipose.datasets import MproMoonshot

SHARES = ([0.8, 0.2], [0.5, 0.25, 0.25], [0.25] * 4)
ids = st.lists(st.integers(0, 15), min_size=20, max_size=60)


def disjoint(parts, values):
    taken = [{values[index] for index in part} for part in parts]
    return sum(map(len, taken)) == len(set().union(*taken))


def check(parts, ligands, shares):
    assert sorted(sum(parts, [])) == list(range(len(ligands)))
    assert all(parts) and all(part == sorted(part) for part in parts)
    assert len(parts) == len(shares) and disjoint(parts, ligands)


def near(parts, shares, largest):
    """As large as asked for, give or take the largest group."""
    count = sum(map(len, parts))
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - share * count) <= largest


def split(function, *args):
    """Parts, or none if one would be empty."""
    try:
        return function(*args)
    except ValueError as error:
        assert 'one is empty' in str(error)
        return None


@settings(max_examples=80, deadline=None)
@given(ids, st.sampled_from(SHARES), st.integers(0, 5))
def test_random(ligands, shares, seed):
    parts = split(random_split, ligands, shares, seed)
    if parts is not None:
        check(parts, ligands, shares)
        near(parts, shares, max(Counter(ligands).values()))
        assert parts == random_split(ligands, shares, seed)


def test_random_by_seed_and_in_any_order():
    ligands = [f'L{n // 2}' for n in range(400)]
    one, two = (random_split(ligands, [0.8, 0.2], seed) for seed in (0, 1))
    assert one != two
    assert len(one[0]) == 320
    # Every ligand is as likely in the test part.
    seen = np.zeros(400)
    for seed in range(300):
        seen[random_split(ligands, [0.8, 0.2], seed)[1]] += 1
    assert seen.mean() == 60 and 30 < seen.min() and seen.max() < 95


@settings(max_examples=80, deadline=None)
@given(ids, st.sampled_from(SHARES), st.data())
def test_groups(ligands, shares, data):
    groups = data.draw(
        st.lists(
            st.integers(0, 20),
            min_size=len(ligands),
            max_size=len(ligands),
        )
    )
    parts = split(group_split, ligands, groups, shares)
    if parts is not None:
        check(parts, ligands, shares)
        assert disjoint(parts, groups)


def test_large_groups_come_first():
    groups = ['rare', 'a', 'a', 'b', 'b', 'a', 'a', 'other', 'b', '']
    ligands = list(range(10))
    parts = group_split(ligands, groups, [0.7, 0.3])
    assert parts == [[1, 2, 3, 4, 5, 6, 8], [0, 7, 9]]


def test_a_ligand_joins_its_targets():
    """Docked into two targets, it keeps them together."""
    ligands = ['A', 'B', 'C', 'C', 'D', 'E']
    targets = ['x', 'x', 'x', 'y', 'y', 'z']
    parts = group_split(ligands, targets, [0.8, 0.2])
    assert parts == [[0, 1, 2, 3, 4], [5]]
    with pytest.raises(ValueError, match=r'\[6, 0\] sets.*one is empty'):
        group_split([*ligands[:5], 'D'], targets, [0.8, 0.2])


@settings(max_examples=80, deadline=None)
@given(ids, st.sampled_from(SHARES), st.data())
def test_dates(ligands, shares, data):
    dates = data.draw(
        st.lists(
            st.integers(0, 30), min_size=len(ligands), max_size=len(ligands)
        )
    )
    parts = split(date_split, ligands, dates, shares)
    if parts is None:
        return
    check(parts, ligands, shares)
    first = {
        ligand: min(d for d, li in zip(dates, ligands, strict=True)
                    if li == ligand)
        for ligand in ligands
    }  # fmt: skip
    spans = [[first[ligands[index]] for index in part] for part in parts]
    for earlier, later in zip(spans[:-1], spans[1:], strict=True):
        assert max(earlier) < min(later)


def test_kinds_of_dates():
    ligands = list(range(4))
    texts = ['2021-12-01', '2021-03-01', '2020-05-05', '2022-01-01']
    days = [date.fromisoformat(text) for text in texts]
    times = [datetime(day.year, day.month, day.day, 5) for day in days]
    years = [2021.9, 2021.2, np.float32(2020.4), 2022]
    for dates in (texts, days, times, years):
        assert date_split(ligands, dates, [0.5, 0.5]) == [[1, 2], [0, 3]]
    for bad in ('2021-3-1', '', None, float('nan'), '01.03.2021'):
        with pytest.raises(ValueError, match='The date of set 3 is'):
            date_split(ligands, [*texts[:3], bad], [0.5, 0.5])
    with pytest.raises(ValueError, match='Some dates are numbers'):
        date_split(ligands, [*texts[:3], 2021], [0.5, 0.5])


@pytest.mark.parametrize(
    'shares', [[1.0], [], [0.5, 0.6], [0.5, 0.0, 0.5], [1.2, -0.2], [8, 2]]
)
def test_shares(shares):
    for parts in (
        lambda: random_split(range(9), shares),
        lambda: group_split(range(9), range(9), shares),
        lambda: date_split(range(9), range(9), shares),
    ):
        with pytest.raises(ValueError, match="'lengths' has to be the shar"):
            parts()


def test_what_does_not_fit():
    with pytest.raises(ValueError, match='one group: got 2 for 3 sets'):
        group_split([1, 2, 3], [1, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match='one date: got 2 for 3 sets'):
        date_split([1, 2, 3], [1, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match='Set 1 has no ligand'):
        random_split(['A', None], [0.5, 0.5])
    with pytest.raises(ValueError, match='Set 0 has no group'):
        group_split(['A', 'B'], [None, 'x'], [0.5, 0.5])
    for ligands in (['A'] * 9, []):
        with pytest.raises(ValueError, match='one is empty'):
            random_split(ligands, [0.5, 0.5])


def test_leaks():
    check_leaks(['A', 'B', 'A'], ['C'], [])
    with pytest.raises(
        ValueError,
        match=r"2 of 4 scaffolds .*'B' in part 0 \(item 1\) and part 2 \(item"
        r" 0\); 'D' in part 1",
    ):
        check_leaks(['A', 'B'], ['C', 'D'], ['B', 'D'], what='scaffold')
    with pytest.raises(ValueError, match='and 4 more'):
        check_leaks(range(9), range(9))


def test_the_bundled_dataset():
    dataset = MproMoonshot('all')
    parts = group_split(dataset.names, dataset.scaffolds, [0.8, 0.1, 0.1])
    assert [len(part) for part in parts] == [192, 24, 24]
    train, _, test = (dataset[part] for part in parts)
    check_leaks(train.scaffolds, test.scaffolds, what='scaffold')
    train, _, test = (
        dataset[part]
        for part in date_split(dataset.names, dataset.dates, [0.7, 0.1, 0.2])
    )
    assert max(train.dates) < min(test.dates)
    with pytest.raises(ValueError, match='scaffolds are in several parts'):
        check_leaks(train.scaffolds, test.scaffolds, what='scaffold')
