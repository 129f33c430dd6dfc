"""Each broken reader fails the property that it breaks."""

import itertools

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.testing import ReaderContract

calls = itertools.count()


def atoms(size, shift=0.0, **kwargs):
    pos = torch.arange(3.0 * size).view(size, 3) / 7 + shift
    return Data(z=torch.arange(size) % 8 + 1, pos=pos, **kwargs)


def pose_set(name, count=2, ligand=3, receptor=True, shift=0.0, **kwargs):
    ligands = [
        atoms(ligand, 9 + number, score=-float(number))
        for number in range(count)
    ]
    if not receptor:
        return PoseSet.from_poses(ligands, name=name, pose_attrs=['score'])
    return PoseSet.from_complex(
        atoms(8, shift), ligands, name=name, pose_attrs=['score'], **kwargs
    )


def sound(path):
    """Sets of a file with a name in each line."""
    with open(path) as file:
        return [pose_set(line.strip()) for line in file]


def changed(change):
    """As above, with something done to the second set."""

    def read(path):
        sets = sound(path)
        sets[1] = change(sets[1]) or sets[1]
        return sets

    return read


def renamed(of_set):
    of_set.name = 'cpd-1'


def nameless(of_set):
    del of_set['name']


def nan(of_set):
    of_set.pos[3, 1] = torch.nan


def longer(of_set):
    of_set.z = of_set.z[:-1]


def more(of_set):
    of_set.put('charge', torch.zeros(of_set.num_nodes), 'node')


def wide(of_set):
    of_set.pos = of_set.pos.double()


def swapped(of_set):
    of_set.z[-3:] = of_set.z[-3:].flip(0)


def moved(of_set):
    return pose_set('cpd-2', shift=1e-6)


def hidden(of_set):
    of_set.pos.origin = Data()


def other_name(path):
    return [
        pose_set(f'cpd-{number}', shift=number, receptor_name='1ABC')
        for number in (1, 2)
    ]


def vague(path):
    try:
        return sound(path)
    except OSError as error:
        raise ValueError('there is no such file') from error


def forgiving(path):
    try:
        return sound(path)
    except OSError:
        return []


def growing(path):
    return sound(path) + [pose_set(f'cpd-{3 + next(calls)}')]


def jittered(path):
    shift = 1e-3 * next(calls)
    return [pose_set(f'cpd-{n}', shift=shift) for n in (1, 2)]


def drawn(path):
    torch.rand(1)
    return sound(path)


def chatty(path):
    print('reading', path)
    return sound(path)


class Strange(str):
    """A string that is more than that, which a file must not hold."""

    def __reduce__(self):
        return Strange, (str(self),)


def strange(of_set):
    of_set.name = Strange(of_set.name)


def fragments(path):
    """Of each molecule, as many as it has; a loader keeps two of each."""
    sets = sound(path)
    for number, of_set in enumerate(sets):
        value = [torch.ones(3)] * (2 + number)
        of_set.put('fragments', value, 'set')
    return sets


BROKEN = {
    'sets': [
        (
            lambda path: [Data()],
            'missing_file',
            ['Data', 'PoseSet.from_poses'],
        ),
        (
            lambda path: [Batch.from_data_list(sound(path))],
            '*',
            ['PoseSetBatch'],
        ),
        (lambda path: [], 'missing_file', ['no pose sets']),
        (changed(nan), '', ["'cpd-2'", 'nan', 'finite']),
        (changed(longer), '*', ["'z' (level 'node') has 13 rows"]),
    ],
    'names': [
        (changed(renamed), '', ["['cpd-1'] more than once"]),
        (
            lambda path: [pose_set(None) for _ in sound(path)],
            '',
            ['the name of set 0', 'a string'],
        ),
    ],
    'same_keys': [
        (changed(more), '*', ["'charge'", 'no such key']),
        (changed(wide), '*', ['torch.float64', 'torch.float32']),
    ],
    'same_atoms': [(changed(swapped), '', ["'z' of set 'cpd-2', pose 1"])],
    'receptors': [
        (changed(moved), '', ['bit by bit', 'Angstrom apart']),
        (other_name, 'missing_file', ["'1ABC'"]),
    ],
    'batches': [(fragments, '*', ["'fragments' of set 'cpd-2'"])],
    'files': [(changed(strange), 'same_keys', ['weights_only=True', 'cpd-2'])],
    'same_again': [
        (growing, '', ["'name' of set 'cpd-", 'sort']),
        (jittered, 'missing_file', ["'pos' of set 'cpd-1', read again"]),
    ],
    'missing_file': [
        (vague, '', ["'there is no such file'", 'no-such-names.txt']),
        (forgiving, '', ['no error but []', 'open()']),
    ],
    'leaves_the_rest_alone': [
        (drawn, '', ['random numbers of torch']),
        (chatty, '', ["'reading"]),
    ],
}
CASES = [(main, *case) for main, cases in BROKEN.items() for case in cases]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('cpd-1\ncpd-2\n')
    return path


def contract_of(read, path, **settings):
    made = {
        'path': lambda self: path,
        'read': lambda self, path: read(path),
        **settings,
    }
    return type('TestMine', (ReaderContract,), made)


@pytest.mark.parametrize(('main', 'read', 'others', 'words'), CASES)
def test_broken(kit, path, main, read, others, words):
    contract = contract_of(read, path)
    if others == '*':
        found = kit.failures(contract)
        error = found[main]
        assert isinstance(error, AssertionError), error
        assert all(word in str(error) for word in words), error
        return
    kit.check(contract, main, others.split(), words)


def test_sound(kit, path):
    assert not kit.failures(contract_of(sound, path))
    sets = sound(path)
    for read in (
        lambda path: sets,
        lambda path: iter(sets),
        lambda path: sets[0],
        lambda path: [pose_set('cpd-1', receptor=False)],
        lambda path: [pose_set(f'cpd-{n}', shift=n) for n in (1, 2)],
    ):
        assert not kit.failures(contract_of(read, None))


def test_exceptions(kit, path):
    contract = contract_of(changed(swapped), path, same_atoms=False)
    assert not kit.failures(contract)


def test_each_property_can_fail():
    names = {
        name.removeprefix('test_')
        for name in dir(ReaderContract)
        if name.startswith('test_')
    }
    assert names == set(BROKEN)


def test_says_what_is_missing():
    with pytest.raises(NotImplementedError, match='Implement read'):
        ReaderContract().test_sets()
    with pytest.raises(TypeError, match='returned None, expected a PoseSet'):
        contract_of(lambda path: None, None)().test_sets()
