"""Guesses of how many poses will matter."""

import copy
import random

import pytest

from pyg_multipose.gradient.plan.lately import Lately


def guesses(shares):
    lately, out = Lately(), []
    for share in shares:
        lately.note(share)
        out.append(lately.share)
    return out


def test_at_first_all_matter():
    assert Lately().share == 1.0


@pytest.mark.parametrize('share', [0.0, 0.1, 1.0])
def test_known_after_one_step(share):
    assert guesses([share] * 5) == [share] * 5


@pytest.mark.parametrize('before, after', [(0.1, 1.0), (1.0, 0.1)])
@pytest.mark.parametrize('steps', [1, 2, 30])
def test_a_turn_is_known_after_one_step(before, after, steps):
    found = guesses([before] * steps + [after] * 5)
    assert found == [before] * steps + [after] * 5


def test_a_turn_and_back_again():
    shares = [0.1] * 20 + [1.0] * 20 + [0.1] * 20 + [1.0] * 20
    assert guesses(shares) == shares


def test_batches_in_turn_do_not_flap():
    found = guesses([0.0, 1.0] * 20)
    assert found[:2] == [0.0, 1.0]  # nothing else is known
    assert all(0.2 < share < 0.8 for share in found[4:])


def test_batches_at_random_flap_less_than_the_last_step():
    draw = random.Random(0)
    shares = [float(draw.random() < 0.3) for _ in range(200)]
    found = guesses(shares)
    assert sum(share == 1.0 for share in found) < 0.6 * sum(shares)
    assert abs(sum(found) - sum(shares)) < 20


def test_a_turn_of_noisy_batches():
    draw = random.Random(0)
    noise = [0.02 * draw.random() for _ in range(30)]
    found = guesses([*noise, *(1 - share for share in noise)])
    assert found[29] < 0.05 and found[33] > 0.7 and found[-1] > 0.95


def test_copies():
    lately = Lately()
    lately.note(0.5)
    again = copy.deepcopy(lately)
    lately.note(0.1), again.note(0.1)
    assert again == lately and again.share == 0.1
