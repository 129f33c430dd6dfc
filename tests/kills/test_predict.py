"""A few kills; `python -m tests.kills --command predict` does more."""

import pytest

pytest.importorskip('jsonargparse')
pytest.importorskip('lightning')
pytest.importorskip('rdkit')
pytest.importorskip('gemmi')

from .predict import kill  # noqa: E402

pytestmark = pytest.mark.processes


def test_killed_predictions_end_as_if_they_had_not_been(tmp_path):
    assert kill(tmp_path, 4, seed=3).kills == 4
