"""What all contracts say, and what they leave alone themselves."""

import ast
import doctest
import importlib
import random
import unittest
from pathlib import Path

import numpy as np
import pytest
import torch

from pyg_multipose import testing
from pyg_multipose.testing import (
    CombinationContract,
    ModelContract,
    ReaderContract,
    example_sets,
)
from pyg_multipose.testing.comparison import (
    check_close,
    check_equal,
    check_refused,
)
from pyg_multipose.testing.contract import left_alone

X = torch.tensor([[1.0, 2.0], [3.0, -4.0]])


def test_message():
    other = X.clone()
    other[1, 0] = 3.5
    with pytest.raises(AssertionError) as error:
        check_close('a property', {'it': other}, {'it': X}, 1e-2, 'do this')
    assert str(error.value).split('\n') == [
        'a property: it differs, most at [1, 0]',
        '  got:        3.5',
        '  expected:   3.0',
        '  difference: 5.0e-01, where numbers are up to 4.0e+00 and 4.0e-02 '
        'is allowed',
        '  what to do: do this',
    ]


@pytest.mark.parametrize(
    ('other', 'word'),
    [
        (X.double(), 'torch.float64'),
        (X[:1], '[1, 2]'),
        (X + torch.nan, 'nan'),
        (X + torch.inf, 'inf'),
        (X * (1 + 1e-4), 'allowed'),
    ],
)
def test_differs(other, word):
    with pytest.raises(AssertionError) as error:
        check_close('a property', {'it': other}, {'it': X}, 1e-5, 'do this')
    assert word in str(error.value)


def test_close():
    bad = X.clone()
    bad[0, 0], bad[1, 1] = torch.nan, -torch.inf
    for x in (X, bad, X > 2, X.long(), X[:0], torch.tensor(3.0)):
        check_close('a property', {'it': x}, {'it': x.clone()}, 0.0, 'none')
    check_close('rounding', {'it': X + 1e-6}, {'it': X}, 1e-5, 'none')
    with pytest.raises(AssertionError, match='inf'):
        check_close('infinite', {'it': bad}, {'it': -bad}, 1e-5, 'none')
    # What is next to nothing beside the rest is compared with that.
    got = {'large': X, 'small': 1e-20 * X}
    check_close('small', got, {'large': X, 'small': 0.0 * X}, 1e-9, 'none')
    with pytest.raises(AssertionError, match='small'):
        got['small'] = 1e-5 * X
        check_close('small', got, {'large': X, 'small': 0 * X}, 1e-9, 'none')


@pytest.mark.parametrize(
    ('one', 'two'),
    [
        (1, 2),
        ('a', None),
        (X, X + 1),
        (X, None),
        (1, 1.0),
        ([X, X], [X]),
        ([X, X], [X, X + 1]),
        ({'a': (X, 'b')}, {'a': (X, 'c')}),
        ({'a': X}, {'b': X}),
    ],
)
def test_equal(one, two):
    check_equal('it', one, one, 'none')
    with pytest.raises(AssertionError, match='it'):
        check_equal('it', one, two, 'none')


def test_refused():
    error = check_refused('it', lambda: int('x'), (ValueError,), 'none')
    assert isinstance(error, ValueError)
    for call, word in ((lambda: 1 / 0, 'ZeroDivision'), (lambda: X, '-4.0')):
        with pytest.raises(AssertionError, match=word):
            check_refused('it', call, (ValueError,), 'none')


CHANGES = {
    'the random numbers of torch': lambda: torch.rand(1),
    'the random numbers of numpy': lambda: np.random.rand(),
    'the random numbers of Python': random.random,
    'the default dtype': lambda: torch.set_default_dtype(torch.float64),
    'the number of threads': lambda: torch.set_num_threads(2),
    'whether gradients': lambda: torch.set_grad_enabled(False),
    'prints': lambda: print('x'),
}


@pytest.mark.parametrize('what', CHANGES)
def test_left_alone(what):
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    with pytest.raises(AssertionError, match=f'a call.*{what}'):
        with left_alone('a call', 'do not'):
            CHANGES[what]()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state()) == str(before[1])
    assert random.getstate() == before[2]
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_num_threads() == 1 and torch.is_grad_enabled()


def test_contracts_change_nothing_either(kit):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(1))

        def forward(self, batch):
            return self.weight * batch.num_nodes

    contract = type('TestMine', (ModelContract,), {'model': lambda _: Model()})
    with left_alone('a contract', 'do not'):
        found = kit.failures(contract)
    assert 'poses_do_not_mix' in found


def test_example_sets():
    for receptor in (True, False):
        sets = example_sets(receptor=receptor)
        assert [pose_set.num_poses for pose_set in sets] == [3, 2, 1]
        assert all(pose_set.num_edges for pose_set in sets)
        assert all((s.receptor is None) != receptor for s in sets)
    for one, two in zip(example_sets(), example_sets(), strict=True):
        assert torch.equal(one.pos, two.pos)


@pytest.mark.parametrize(
    'name', ['combination', 'example_sets', 'model', 'reader']
)
def test_examples_of_docstrings(name):
    module = importlib.import_module(f'pyg_multipose.testing.{name}')
    tested = doctest.testmod(module)
    assert tested.attempted and not tested.failed


def test_unittest():
    """Without pytest, in the test runner of Python."""

    class TestNothing(ReaderContract, unittest.TestCase):
        def read(self, path):
            return []

    suite = unittest.defaultTestLoader.loadTestsFromTestCase(TestNothing)
    result = unittest.TestResult()
    suite.run(result)
    assert [case.id().split('.')[-1] for case, _ in result.failures] == [
        'test_sets'
    ]
    assert not result.errors and len(result.skipped) > 5


def test_without_pytest():
    for path in Path(testing.__file__).parent.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            assert not {'pytest', 'hypothesis'} & {*names}, path


def test_all_properties_say_what_they_are():
    for contract in (CombinationContract, ModelContract, ReaderContract):
        for name in dir(contract):
            if name.startswith('test_'):
                assert getattr(contract, name).__doc__, name
