"""When a model is looked at again, and on which poses."""

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.receptors import verdict as module
from pyg_multipose.gradient.receptors.receptors import Receptors
from pyg_multipose.gradient.receptors.verdict import Verdict


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))
        self.register_buffer('switch', torch.zeros(1, dtype=torch.long))
        self.register_buffer('level', torch.zeros(1))


def complexes(receptor, elements, contacts=()):
    """A set; some poses are close to the receptor."""
    around = Data(z=torch.tensor([receptor]), pos=torch.zeros(1, 3))
    poses = [
        Data(
            z=torch.tensor([z]),
            pos=torch.full((1, 3), 1.0 if place in contacts else 30.0 + place),
        )
        for place, z in enumerate(elements)
    ]
    return PoseSet.from_complex(around, poses)


@pytest.fixture
def looks(monkeypatch):
    """What is looked at: places of poses, where, number, the first ones."""
    found = []

    def disagreement(model, values, number, places, first):
        z, size = values['z'], len(values['pose_size'])
        far = (values['pos'][-size:, 0] - 30).round().int().tolist()
        found.extend(
            (int(z[0]), far, where, number, first) for where in places
        )
        return disagreement.reason

    disagreement.reason = ''
    monkeypatch.setattr(module, 'disagreement', disagreement)
    found_and = found, disagreement
    return found_and


class Asks:
    def __init__(self, *sets):
        self.model, self.verdict = Net(), Verdict()
        self.give(*sets)

    def give(self, *sets):
        self.poses = Batch.from_data_list(list(sets))

    def __call__(self):
        layout, values = Layout(self.poses), self.poses.stores[0]
        levels = layout.levels.items()
        tables = {k: values[k] for k, level in levels if level != 'set'}
        receptors = Receptors(layout, tables, self.poses)
        modules = list(self.model.modules())
        return self.verdict.reason(
            self.model, modules, layout, tables, receptors
        )


def near(found):
    return [look for look in found if look[2] == 'near']


def test_ever_more_rarely(looks):
    found, _ = looks
    ask, calls = Asks(complexes(6, [8] * 3)), []
    for call in range(30):
        before = len(found)
        assert ask() == ''
        calls += [call] * (len(found) > before)
    assert calls == [0, 3, 9, 27]
    assert [look[2] for look in found[:3]] == ['near', 'turned', 'open']
    assert all(look[2] == 'near' for look in found[3:])
    assert len({look[3] for look in near(found)}) == 4


def test_a_parameter_that_moves(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 9))
    ask()
    ask.verdict._next = 4  # nothing else is due before
    ask.model.gate.data += 0.05
    ask()
    assert len(near(found)) == 1
    ask.model.gate.data += 0.1
    ask()
    ask()
    assert len(near(found)) == 2
    assert [len(look[1]) for look in near(found)] == [9, 6]
    assert [look[4] for look in near(found)] == [2, 3]
    for _ in range(10):
        ask()
    assert len(near(found)[-1][1]) == 2


def test_looks_after_a_change_do_not_move_the_others(looks):
    found, _ = looks
    ask, calls = Asks(complexes(6, [8] * 9)), []
    for call in range(12):
        before = len(found)
        if call in (4, 5):
            ask.model.gate.data += 1
        ask()
        calls += [call] * (len(found) > before)
    assert calls == [0, 3, 4, 5, 9]


def test_numbers_of_atoms_are_no_kinds(looks):
    """As soon as more of them were seen than there are kinds."""
    found, _ = looks
    ask = Asks(complexes(6, [8] * 3))
    ask()
    found.clear()
    ask.verdict._seen |= {('z', 'ligand', kind) for kind in range(300)}
    ask.verdict._next = 10**9  # nothing else is due
    ask.give(complexes(6, [999] * 3))
    ask()
    ask()
    assert not found
    ask.give(complexes(99, [8] * 3))
    ask()
    assert found


def test_buffers(looks):
    """Switches at once, numbers ever more rarely."""
    found, _ = looks
    ask = Asks(complexes(6, [8] * 3))
    ask()
    ask.verdict._next = 10**9  # nothing else is due
    for _ in range(5):
        ask.model.switch += 1
        ask()
    assert len(near(found)) == 6
    ask = Asks(complexes(6, [8] * 3))
    ask()
    found.clear()
    ask.verdict._next = 10**9  # nothing else is due
    for _ in range(20):
        ask.model.level += 1
        ask()
    assert len(found) == 5  # 1, 2, 4, 8, 16


def test_kinds_that_were_never_seen(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 3))
    ask()
    found.clear()
    ask.verdict._next = 10**9  # nothing else is due
    ask()
    assert not found
    ask.give(complexes(6, [8, 8, 8, 8, 99]))
    ask()
    assert len(found) == 1 and 4 in found[0][1]
    ask()
    assert len(found) == 1
    ask.give(complexes(7, [8] * 3), complexes(6, [8] * 3))
    ask()
    assert [look[0] for look in found[1:]] == [7]


def test_all_kinds_are_looked_at(looks):
    """Eight at first, then one that is new."""
    found, _ = looks
    ask = Asks(complexes(6, range(1, 9)))
    ask()
    assert set(near(found)[0][1]) == set(range(8))
    found.clear()
    ask.give(complexes(6, [1, 2, 3, 9]))
    ask()
    ask()
    assert len(found) == 1 and 3 in found[0][1] and len(found[0][1]) == 2


def test_what_is_new_comes_first(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8, 8, 8, 8, 8, 8, 9, 10]))
    ask()
    look = near(found)[0]
    assert {6, 7} <= set(look[1][: 2 * look[4]])
    assert look[4] <= 3


@pytest.mark.parametrize(('number', 'looked_at'), [(9, 9), (16, 16), (40, 16)])
def test_predictions_of_more_at_first(looks, number, looked_at):
    found, _ = looks
    ask = Asks(complexes(6, [8] * number))
    for _ in range(4):
        ask()
    looked = [look[1] for look in near(found)]
    assert [len(poses) for poses in looked] == [looked_at, 2]
    assert len(set(looked[0])) == looked_at


def test_most_contacts(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 9, contacts=[7]))
    ask()
    assert -29 in near(found)[0][1]
    assert near(found)[0][1][0] == -29


def test_others_each_time(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 9))
    for _ in range(10):
        ask()
    seen = [tuple(look[1]) for look in near(found)[1:]]
    assert len(set(seen)) == len(seen)


def test_one_receptor_after_the_other(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 3), complexes(7, [8] * 3))
    for _ in range(10):
        ask()
    # Both at first, for their kinds.
    assert [look[0] for look in near(found)] == [6, 7, 7, 6]


def test_what_was_seen_stays(looks):
    found, disagreement = looks
    disagreement.reason = 'it differs'
    ask = Asks(complexes(6, [8] * 3))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert ask() == 'it differs'
    disagreement.reason = ''
    count = len(found)
    assert len(near(found)) == 1  # and it need not be seen twice
    for _ in range(5):
        assert ask() == 'it differs'
    assert len(found) == count
    ask.model.eval()
    assert ask() == '' and len(found) > count


def test_denied(looks):
    ask = Asks(complexes(6, [8] * 3))
    assert ask() == ''
    ask.verdict.deny('it draws')
    assert ask() == 'it draws'
    ask.model.add_module('new', nn.Tanh())
    assert ask() == ''


def test_earlier_results_are_doubted(looks):
    _, disagreement = looks
    ask = Asks(complexes(6, [8] * 3))
    ask()
    disagreement.reason = 'it differs'
    ask.model.gate.data += 1
    with pytest.warns(UserWarning, match='in 1 calls, .* it differs'):
        assert ask() == 'it differs'


def test_hooks(looks):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 3))
    handle = ask.model.register_forward_hook(print)
    assert 'has hooks' in ask() and not found
    handle.remove()
    assert ask() == '' and found


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies_know_nothing(looks, copied):
    found, _ = looks
    ask = Asks(complexes(6, [8] * 3))
    ask()
    ask.verdict = copied(ask.verdict)
    ask()
    assert len(near(found)) == 2
