"""What we read ourselves passes the contract of readers."""

from pathlib import Path

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.io import read_poses  # noqa: E402
from pyg_multipose.testing import ReaderContract  # noqa: E402

CASES = Path(__file__).with_name('cases')


class TestReadPoses(ReaderContract):
    @pytest.fixture(params=['05-*/mixed.sdf', '28-*/*.mol2'], autouse=True)
    def choose(self, request):
        (self.chosen,) = CASES.glob(request.param)

    def path(self):
        return self.chosen

    def read(self, path):
        return read_poses(path)
