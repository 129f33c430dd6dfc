"""The examples of docstrings."""

import doctest
import importlib

import pytest
import torch

import pyg_multipose.nn.combination as combination

MODULES = [
    'boltzmann_mean',
    'free_energy',
    'gated_attention',
    'hard_max',
    'log_mean_exp',
    'max',
    'top_k_mean',
    'two_level',
]


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    module = importlib.import_module(f'{combination.__name__}.{name}')
    names = {key: getattr(combination, key) for key in combination.__all__}
    found = doctest.testmod(
        module, extraglobs={'torch': torch, **names}, verbose=False
    )
    assert found.attempted > 1 and not found.failed
