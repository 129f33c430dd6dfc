"""Which predictions of a second pass are those of the first."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pyg_multipose.gradient.replay.comparison import Comparison, Mismatch

NAN, INF = float('nan'), float('inf')


def compare(first, again, regrouped=False, dtype=torch.float32):
    first = torch.tensor(first, dtype=dtype)
    again = torch.tensor(again, dtype=dtype)
    layout = SimpleNamespace(pose_name='pose {}'.format)
    compared = Comparison(SimpleNamespace(layout=layout), first)
    # The first chunk is right.
    compared.add(first[:1], first[:1], np.array([0]), regrouped)
    compared.add(again[1:], first[1:], np.arange(1, len(first)), regrouped)
    compared.check()


@pytest.mark.parametrize(
    'again',
    [
        [1.0, 2.01, 3.0],
        [1.0, 1.99, 3.0],
        [1.0, 2.0, NAN],
        [1.0, 2.0, INF],
    ],
)
def test_other_numbers(again):
    with pytest.raises(Mismatch):
        compare([1.0, 2.0, 3.0], again)


def test_numbers_that_are_not_finite():
    compare([1.0, NAN, 3.0], [1.0, NAN, 3.0])
    for first in (NAN, INF):
        with pytest.raises(Mismatch):
            compare([1.0, first, 3.0], [1.0, 2.0, 3.0])
        # It sets no limit for others.
        with pytest.raises(Mismatch):
            compare([1.0, first, 3.0], [1.0, first, 3.1])


def test_rounding():
    compare([1.0, 100.0, 3.0], [1.0, 100.0, 3.0005])
    with pytest.raises(Mismatch):
        compare([1.0, 100.0, 3.0], [1.0, 100.0, 3.02])
    compare([1.0, 100.0, 3.0], [1.0, 100.5, 3.0], dtype=torch.bfloat16)


def test_an_offset_hides_nothing_in_another_chunk():
    first, again = [1000.0, 1000.001, 1000.002], [1000.0, 1000.001, 1000.003]
    compare(first, again)
    with pytest.raises(Mismatch):
        compare(first, again, regrouped=True)


def test_one_feature_of_many():
    first = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    with pytest.raises(Mismatch):
        compare(first, [[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])


def test_the_pose_has_a_name():
    words = r'pose 2 was 3.0 and is now 4.0'
    with pytest.raises(Mismatch, match=words):
        compare([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 4.0])


def test_on_a_cpu_it_looks_at_once():
    layout = SimpleNamespace(pose_name='pose {}'.format)
    first = torch.ones(2)
    compared = Comparison(SimpleNamespace(layout=layout), first)
    compared.add(first[:1], first[:1], np.array([0]), False)
    with pytest.raises(Mismatch):
        compared.add(first[1:] + 1, first[1:], np.array([1]), False)
