"""A plugin of pytest: some of the tests of each file, always the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby

import pytest

#: The variable of the environment that says how many of a file; 0 is all.
MOST = 'MULTIPOSE_MOST_TESTS'


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    r"""Leaves so many tests of each file, evenly spread from the first one.

    Args:
        config: That of pytest.
        items: All tests, in the order of files.
    """
    most = int(os.environ.get(MOST, '0'))
    kept: list[pytest.Item] = []
    for _, group in groupby(items, key=lambda item: item.path):
        tests = list(group)
        number = min(most or len(tests), len(tests))
        kept += [tests[i * len(tests) // number] for i in range(number)]
    config.hook.pytest_deselected(items=_others(items, kept))
    items[:] = kept


def _others(
    items: Sequence[pytest.Item], kept: Sequence[pytest.Item]
) -> list[pytest.Item]:
    names = {id(item) for item in kept}
    return [item for item in items if id(item) not in names]
