"""A few kills; `python -m tests.kills --command fit --count 100` does more."""

import pytest

pytest.importorskip('jsonargparse')
pytest.importorskip('lightning')

from .fit import kill  # noqa: E402

pytestmark = pytest.mark.processes


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path):
    assert kill(tmp_path, 3, seed=5).kills == 3
