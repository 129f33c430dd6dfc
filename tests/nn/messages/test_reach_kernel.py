"""Searches from ligands, as by torch."""

import itertools

import pytest
import torch

from pyg_multipose.nn.messages import kernel
from pyg_multipose.nn.messages.reach_kernel import find_reached
from tests.reaches import everything, reach_of


@pytest.mark.parametrize('ligand_only', [False, True])
@pytest.mark.parametrize('num_layers', [1, 2, 4])
@pytest.mark.parametrize('size', [0, 1, 12])
def test_equals_torch(size, num_layers, ligand_only, fused, unfused):
    for seed in range(3):
        arguments = seed, num_layers, ligand_only, size
        found = everything(reach_of(*arguments), num_layers)
        assert fused
        expected = everything(unfused(reach_of, *arguments), num_layers)
        for one, two in itertools.zip_longest(found, expected):
            assert one.dtype == two.dtype and torch.equal(one, two)


def test_numbers_of_filters_instead_of_edges():
    reach = reach_of(0, 3)
    table = 7 * reach.edges
    for layer in range(3):
        edges, numbers = reach.within_receptor(layer)
        again, rows = reach.within_receptor(layer, table)
        assert torch.equal(edges, again) and torch.equal(rows, 7 * numbers)


@pytest.mark.parametrize('bad', [-1, 12])
def test_bad_indices_are_left_to_torch(bad, fused):
    edges = torch.zeros(2, 3, dtype=torch.long)
    into = torch.zeros(1, dtype=torch.long)
    assert find_reached(into, edges, 1, 12, 2, 2, 0) is not None
    for row in range(2):
        wrong = edges.clone()
        wrong[row, 1] = bad
        assert find_reached(into, wrong, 1, 12, 2, 2, 0) is None
    assert find_reached(into + bad, edges, 1, 12, 2, 2, 0) is None


def test_without_numba(monkeypatch):
    monkeypatch.setattr(kernel, 'find_numba', lambda: None)
    edges = torch.zeros(2, 3, dtype=torch.long)
    assert find_reached(edges[0], edges, 1, 12, 2, 2, 0) is None
