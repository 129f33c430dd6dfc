"""Searches on a device, which is asked seldom."""

import itertools

import pytest
import torch

from pyg_multipose.nn.sharing.reach_search import degrees, ranges, where
from tests import remote
from tests.reaches import everything, reach_of


@pytest.mark.parametrize('ligand_only', [False, True])
@pytest.mark.parametrize('num_layers', [1, 2, 4])
@pytest.mark.parametrize('size', [0, 1, 12])
def test_as_on_a_cpu(size, num_layers, ligand_only):
    for seed in range(3):
        arguments = seed, num_layers, ligand_only, size
        expected = everything(reach_of(*arguments), num_layers)
        with remote.device():
            reach = reach_of(*arguments, moved=remote.moved)
            found = everything(reach, num_layers)
        for one, two in itertools.zip_longest(found, expected):
            assert one.dtype == two.dtype
            assert torch.equal(one.values, two)


@pytest.mark.parametrize('ligand_only', [False, True])
@pytest.mark.parametrize('num_layers', [1, 3, 6])
def test_questions(num_layers, ligand_only):
    """As many for any number of layers: sizes, and what no longer counts."""
    with remote.device() as asked:
        reach = reach_of(
            0, num_layers, ligand_only, moved=remote.moved, num_ligand=6
        )
        for layer in range(num_layers):
            reach.around_ligand(layer)
            if reach.atoms(layer + 1).numel():
                reach.within_receptor(layer)
    assert len(asked) == 2 + (ligand_only and num_layers > 2)


def test_where_as_on_a_cpu():
    masks = torch.rand(3, 50, generator=torch.Generator().manual_seed(0)) > 0.5
    masks[1] = False
    expected = where(masks)
    with remote.device() as asked:
        found = where(remote.moved(masks))
    assert len(asked) == 1
    for one, two in zip(found, expected, strict=True):
        assert torch.equal(one.values, two)


def test_numbers():
    assert degrees(torch.tensor([2, 0, 2]), 4).tolist() == [1, 0, 2, 0]
    start, count = torch.tensor([5, 0, 9]), torch.tensor([2, 0, 1])
    for total in (None, 3):
        owner, number = ranges(start, count, total)
        assert owner.tolist() == [0, 0, 2] and number.tolist() == [5, 6, 9]
