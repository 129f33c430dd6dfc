"""Our datasets pass the contract of readers."""

import pytest

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot, PoseSetDataset
from pyg_multipose.testing import ReaderContract
from pyg_multipose.transforms import RadiusGraph


class TestMproMoonshot(ReaderContract):
    def read(self, path):
        return MproMoonshot('test', transform=RadiusGraph(4.5))[:3]


class TestPoseSet(ReaderContract):
    """A set in a file."""

    @pytest.fixture(autouse=True)
    def write(self, make, tmp_path):
        make.complexes('a', seed=1).save(tmp_path / 'a.pt')
        self.folder = tmp_path

    def path(self):
        return self.folder / 'a.pt'

    def read(self, path):
        return PoseSet.load(path)
