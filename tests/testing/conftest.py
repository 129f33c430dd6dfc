"""Runs a contract as a third party's test runner would."""

import unittest
from types import SimpleNamespace

import pytest


def failures(contract):
    """What each property that does not hold says."""
    found = {}
    for name in dir(contract):
        if not name.startswith('test_'):
            continue
        try:
            getattr(contract(), name)()
        except unittest.SkipTest:
            pass
        except Exception as error:
            found[name.removeprefix('test_')] = error
    return found


def check(contract, main, others=(), words=()):
    """The main property fails with a text that helps, and these others."""
    found = failures(contract)
    assert set(found) == {main, *others}, found
    error = found[main]
    assert isinstance(error, AssertionError), error
    starts = [line.split(':')[0].strip() for line in str(error).split('\n')]
    for start in ('got', 'expected', 'what to do'):
        assert start in starts, error
    for word in words:
        assert word in str(error), error


@pytest.fixture
def kit():
    """The functions above, for test modules."""
    return SimpleNamespace(failures=failures, check=check)
