"""Our combinations pass the contract that others' have to pass."""

import copy

import pytest

from pyg_multipose.testing import CombinationContract


class TestOurs(CombinationContract):
    @pytest.fixture(params=[1, 3], ids='{} features'.format, autouse=True)
    def choose(self, combination, request):
        self.chosen = combination
        self.num_features = request.param
        self.spread = 1.0 / getattr(combination, 'scale', 1.0)

    def combination(self):
        return copy.deepcopy(self.chosen)
