"""The examples in docstrings run."""

import doctest
import importlib

import pytest

MODULES = ['explanation', 'measures', 'scene']


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    module = importlib.import_module(f'pyg_multipose.explain.{name}')
    failed, tried = doctest.testmod(module)
    assert tried and not failed
