"""Processes of one machine."""

import os

import pytest
import torch

from pyg_multipose.distributed import RankError, launch

from . import cases


def test_each_process_knows_its_rank():
    before, threads = dict(os.environ), torch.get_num_threads()
    assert launch(cases.told, (), 2) == [['0', '2', 1], ['1', '2', 1]]
    assert dict(os.environ) == before
    assert torch.get_num_threads() == threads


def test_a_process_that_is_killed_stops_the_others():
    with pytest.raises(RankError, match=r'Process 1 of 2 .* by SIGKILL'):
        launch(cases.killed, (), 2)


def test_errors_of_input_are_those_of_the_process():
    with pytest.raises(FileNotFoundError, match="'x.sdf' does not exist"):
        launch(cases.at_fault, (), 2)


def test_other_errors_come_with_their_place():
    with pytest.raises(RankError, match='KeyError: .a bug') as caught:
        launch(cases.broken, (), 2)
    assert 'cases.py' in str(caught.value)


def test_a_number_that_is_none():
    with pytest.raises(ValueError, match="'processes' has to be at least 1"):
        launch(cases.told, (), 0)
