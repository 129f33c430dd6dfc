"""Random models, sets, settings and events against plain autograd.

Longer: `make fuzz N=20000 SEED=1`.
"""

import pytest

from tests.random_cases.__main__ import replay_line
from tests.random_cases.outcome import run_case

#: Cases, and how many of them are a test.
CASES, EACH = 300, 10


@pytest.mark.parametrize('first', range(0, CASES, EACH))
def test_cases(first):
    outcomes = [run_case(seed) for seed in range(first, first + EACH)]
    failed = [replay_line(outcome) for outcome in outcomes if outcome.failed]
    assert not failed, '\n'.join(['replay by', *failed])
    # Refusals are not all that there is.
    assert any(outcome.error > 0 for outcome in outcomes)
    assert max(outcome.error for outcome in outcomes) < 1e-10
