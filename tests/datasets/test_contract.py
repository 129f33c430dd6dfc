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

    same_atoms = False

    @pytest.fixture(autouse=True)
    def write(self, make, tmp_path):
        make.complexes('a', seed=1).save(tmp_path / 'a.pt')
        self.folder = tmp_path

    def path(self):
        return self.folder / 'a.pt'

    def read(self, path):
        return PoseSet.load(path)


class TestPoseSetDataset(ReaderContract):
    """Sets of two receptors in a database."""

    same_atoms = False

    @pytest.fixture(autouse=True)
    def write(self, make, tmp_path):
        self.folder = tmp_path
        PoseSetDataset(tmp_path).extend(
            [make.complexes(f'c{seed}', seed, seed // 2) for seed in range(3)]
        )

    def read(self, path):
        return PoseSetDataset(self.folder)
