"""The contracts hold for sets in which atoms of receptors have moved."""

import pytest

from pyg_multipose.nn.models import SchNet
from pyg_multipose.testing import ModelContract, ReaderContract
from tests.gradient.receptors.test_moved_atoms import Rigid
from tests.moved_sets import CUTOFF, make_sets


class WithMovedAtoms(ModelContract):
    def pose_sets(self):
        sets = make_sets(counts=((2, 1), (0, 0), (0, 2)))
        return [sets[0].set, sets[3].set]


class TestSchNet(WithMovedAtoms):
    invariant = True

    def model(self):
        return SchNet(6, 6, 2, 5, CUTOFF, atoms='ligand')


class TestReader(ReaderContract):
    same_atoms = False

    def read(self, path):
        return [one.set for one in make_sets(bonds=12)]


def test_a_model_that_knows_of_no_moved_atoms():
    class Mine(WithMovedAtoms):
        positions = False

        def model(self):
            return Rigid()

    with pytest.raises(AssertionError, match='predictions differ'):
        Mine().test_shared_receptor()
