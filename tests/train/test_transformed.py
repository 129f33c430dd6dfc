"""Sets of a dataset, with edges."""

import pickle

import torch
from torch_geometric.transforms import Compose

from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.train import transformed
from pyg_multipose.train.transformed import TransformedSets
from pyg_multipose.transforms import RadiusGraph


class Counted(RadiusGraph):
    """Counts the sets that it is given."""

    calls = 0

    def __call__(self, data):
        self.calls += 1
        return super().__call__(data)


def counted(sets, number=3, **options):
    """Sets whose edges are counted when they are searched."""
    out = TransformedSets(sets, range(number), cutoff=4.5, **options)
    out.edges = Counted(4.5)
    return out


def same(one, two):
    """Whether two sets hold the same."""
    first, second = one.to_dict(), two.to_dict()
    return first.keys() == second.keys() and all(
        torch.equal(value, second[key])
        if isinstance(value, torch.Tensor)
        else value == second[key]
        for key, value in first.items()
    )


def test_sets_of_a_file_are_read_once():
    sets = counted(MproMoonshot('test'))
    fresh = [TransformedSets(MproMoonshot('test'), [i], None, 4.5)[0]
             for i in range(3)]  # fmt: skip
    for _ in range(2):
        for number in range(3):
            assert same(sets[number], fresh[number])
    assert sets.edges.calls == 3


def test_what_is_done_to_a_set_does_not_stay():
    sets = counted(MproMoonshot('test'))
    before = sets[1].pos.clone()
    sets[1].pos.zero_()
    sets[1].y = None
    assert torch.equal(sets[1].pos, before)
    assert sets[1].y is not None


def test_what_may_change_is_read_again():
    listed = [MproMoonshot('test')[0]]
    changing = MproMoonshot('test', transform=Compose([]))
    for sets in (
        counted(listed, 1),
        counted(changing, 1),
        counted(MproMoonshot('test'), 1, transform=lambda one: one),
    ):
        sets[0], sets[0]
        assert sets.edges.calls == 2


def test_no_more_than_fits(monkeypatch):
    one = transformed._num_bytes(counted(MproMoonshot('test'))[0])
    monkeypatch.setattr(transformed, '_MOST_KEPT', int(1.5 * one))
    sets = counted(MproMoonshot('test'), 3)
    for _ in range(2):
        for number in range(3):
            sets[number]
    assert sets.edges.calls == 5
    assert len(sets._kept) == 1


def test_processes_are_not_sent_what_is_kept():
    sets = TransformedSets(MproMoonshot('test'), range(3), cutoff=4.5)
    before = len(pickle.dumps(sets))
    first = sets[0]
    assert len(pickle.dumps(sets)) == before
    assert same(pickle.loads(pickle.dumps(sets))[0], first)
