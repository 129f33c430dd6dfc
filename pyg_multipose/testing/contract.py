"""What contracts have in common."""

from __future__ import annotations

import io
import random
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, TypeVar

import numpy as np
import torch
from torch import nn

from pyg_multipose.gradient.model.twin import random_states
from pyg_multipose.testing.comparison import broken

T = TypeVar('T')


class Contract:
    r"""Tests of properties, one method for each, for a subclass to inherit.

    pytest collects a subclass whose name starts with :obj:`Test`.
    With :mod:`unittest`, inherit from :class:`unittest.TestCase` as well.
    Neither is imported by anything else of the package.

    A property that does not hold raises an :class:`AssertionError` with the
    property, what was got, what was expected, how large the difference is,
    and what to do. One that does not apply is skipped, with the reason.
    """

    def made(self, make: Callable[[], T], seed: int = 0) -> T:
        r"""What a method makes, with the same random numbers every time.

        Args:
            make: Makes it. The global random state is left as it was.
            seed: What torch's random numbers start from. (default: :obj:`0`)
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return make()

    def made_module(self, make: Callable[[], Any], seed: int = 0) -> nn.Module:
        r"""As :meth:`made`, of what must be a module.

        Args:
            make: Makes it.
            seed: As above. (default: :obj:`0`)

        Raises:
            TypeError: If it is something else.
        """
        module = self.made(make, seed)
        if not isinstance(module, nn.Module):
            raise TypeError(
                f'{type(self).__name__}.{make.__name__}() returned '
                f'{module!r}, expected a new torch.nn.Module. Return the '
                f'instance to test'
            )
        return module

    def skip(self, reason: str) -> NoReturn:
        r"""Leaves out a property that does not apply.

        Args:
            reason: Why.
        """
        raise unittest.SkipTest(reason)


def generator(seed: int = 0) -> torch.Generator:
    r"""A generator of random numbers on the CPU.

    Args:
        seed: Its seed. (default: :obj:`0`)
    """
    return torch.Generator().manual_seed(seed)


@contextmanager
def left_alone(what: str, advice: str) -> Iterator[None]:
    r"""Checks that a block leaves alone what all programs share.

    That is the states of random number generators (of torch, numpy and
    Python), the default dtype, the number of threads, whether gradients are
    recorded, and stdout. All but what was printed is put back.

    Args:
        what: What the block does, for messages.
        advice: What to do where it fails.

    Raises:
        AssertionError: If something was changed.
    """
    numbers = torch.get_rng_state(), np.random.get_state(), random.getstate()
    before, out = _shared(), io.StringIO()
    try:
        with redirect_stdout(out):
            yield
        after = _shared()
    finally:
        torch.set_rng_state(numbers[0])
        np.random.set_state(numbers[1])
        random.setstate(numbers[2])
        torch.set_default_dtype(before['the default dtype'])
        if torch.get_num_threads() != before['the number of threads']:
            torch.set_num_threads(before['the number of threads'])
        torch.set_grad_enabled(before['whether gradients are recorded'])
    for name, value in before.items():
        if after[name] != value:
            states = name.startswith('the random')
            raise broken(
                f'{what} changes {name}',
                'another state' if states else after[name],
                'the state before' if states else value,
                advice,
            )
    if out.getvalue():
        raise broken(
            f'{what} prints', repr(out.getvalue()[:200]), 'nothing', advice
        )


def _shared() -> dict[str, Any]:
    numbers, python, arrays = random_states(torch.device('cpu'))
    return {
        'the random numbers of torch': numbers,
        'the random numbers of Python': python,
        'the random numbers of numpy': arrays,
        'the default dtype': torch.get_default_dtype(),
        'the number of threads': torch.get_num_threads(),
        'whether gradients are recorded': torch.is_grad_enabled(),
    }
