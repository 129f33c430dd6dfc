"""What tests of tables share."""

import pytest

from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.nn.models.filter_tables import FilterTables
from pyg_multipose.transforms import RadiusGraph


@pytest.fixture(scope='module')
def pose_set():
    found = RadiusGraph(4.5)(MproMoonshot('test')[0])
    found.pos = found.pos.double()
    return found


@pytest.fixture
def direct(monkeypatch):
    """A context without tables."""

    def run(function, *args):
        with monkeypatch.context() as patch:
            patch.setattr(FilterTables, 'worth', lambda self, number: False)
            return function(*args)

    return run
