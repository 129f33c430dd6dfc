"""What we read ourselves passes the contract of readers."""

from pathlib import Path

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.io import read_poses  # noqa: E402
from pyg_multipose.testing import ReaderContract  # noqa: E402

HERE = Path(__file__).parent


class TestReadPoses(ReaderContract):
    @pytest.fixture(
        params=[
            'cases/05-*/mixed.sdf',
            'cases/28-*/*.mol2',
            'cases/68-*/*.maegz',
            'samples/*.mae',
            'samples/*.dlg',
        ],
        autouse=True,
    )
    def choose(self, request):
        (self.chosen,) = HERE.glob(request.param)

    def path(self):
        return self.chosen

    def read(self, path):
        return read_poses(path)
