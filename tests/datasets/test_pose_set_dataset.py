"""Pose sets on disk."""

import copy
import os
import pickle
import sqlite3

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import (
    MproMoonshot,
    PoseSetDataset,
    pose_set_database,
)
from pyg_multipose.loader import PoseSetSampler, set_sizes
from pyg_multipose.transforms import RadiusGraph
from tests.moved_sets import make as make_moved
from tests.moved_sets import same_graphs


@pytest.fixture
def dataset(tmp_path):
    return PoseSetDataset(tmp_path / 'sets')


def file_of(dataset):
    return dataset.processed_paths[0]


def test_round_trip(make, dataset, monkeypatch):
    for name in ('save', 'load'):  # nothing is pickled
        monkeypatch.setattr(torch, name, None)
    sets = [
        make.complexes('A', 0),
        make.complexes('B', 1, poses=[2]),
        make.complexes('B', 2, receptor=1, receptor_name='other'),
    ]
    assert dataset.extend(sets) == 3 == len(dataset)
    assert dataset.names == ['A', 'B', 'B']
    for one in (dataset, PoseSetDataset(dataset.root)):
        for index, pose_set in enumerate(sets):
            make.same(one[index], pose_set)
            make.same(one[np.int64(index)], pose_set)
        for found, pose_set in zip(one.multi_get([2, 0]), sets[::-2],
                                   strict=True):  # fmt: skip
            make.same(found, pose_set)
    assert dataset[-1].receptor_name == 'other'


def test_sets_without_receptor_positions_or_label(make, tmp_path):
    """And with a key on every level, one that PyG needs num_nodes for."""
    bare = PoseSet.from_poses([Data(z=torch.tensor([6, 7]))] * 2, name='A')
    bare.put('weights', torch.tensor([[1.0, 2.0]]), 'set')
    bare.put('source', 'a file', 'set')
    for number, pose_set in enumerate((make.small('A', 3), bare)):
        dataset = PoseSetDataset(tmp_path / str(number))
        dataset.append(pose_set)
        make.same(dataset[0], pose_set)
        assert dataset[0].receptor is None


def test_each_item_has_memory_of_its_own(make, dataset):
    dataset.extend([make.complexes('A'), make.complexes('B')])
    pose_set = dataset[0]
    for key in pose_set.keys():
        if isinstance(pose_set[key], torch.Tensor):
            pose_set[key].zero_()
            storage = pose_set[key].untyped_storage()
            size = pose_set[key].numel() * pose_set[key].element_size()
            assert len(storage) == size
    make.same(dataset[0], make.complexes('A'))
    make.same(dataset[1], make.complexes('B'))


def test_gradients_and_devices_are_left_behind(make, dataset):
    pose_set = make.small('A')
    pose_set.pos.requires_grad_()
    dataset.append(pose_set)
    assert not dataset[0].pos.requires_grad


def test_a_receptor_is_stored_once(make, dataset):
    dataset.extend(make.complexes(f'{n}', n, n % 2) for n in range(20))
    query = 'SELECT COUNT(*) FROM receptors'
    assert dataset.db.connection.execute(query).fetchone() == (2,)
    batch = Batch.from_data_list([dataset[n] for n in range(4)])
    assert batch.receptor_groups().tolist() == [0, 1, 0, 1]


def test_atoms_that_have_moved(make, dataset):
    """They are rows of poses; the receptor is stored once for all."""
    first = make_moved(1, bonds=12, name='A')
    other = make_moved(2, bonds=12, name='B', receptor=first.receptor)
    rigid = make_moved(
        3, bonds=12, name='C', receptor=first.receptor, counts=((0, 0),)
    )
    sets = [first.set, other.set, rigid.set]
    for one in sets:
        moved_by = torch.arange(one.moved_index.size(1), dtype=torch.half)
        one.put('moved_by', moved_by, 'moved')
    dataset.extend(sets)
    query = 'SELECT COUNT(*) FROM receptors'
    assert dataset.db.connection.execute(query).fetchone() == (1,)
    for index, one in enumerate(sets):
        make.same(dataset[index], one)
    same_graphs(dataset[1].to_poses(), other.complexes)
    (batch,) = DataLoader(dataset, 3)
    assert batch.receptor_groups().tolist() == [0, 0, 0]
    sizes = set_sizes(dataset)
    assert sizes[:, 0].tolist() == [one.num_nodes for one in sets]
    plain = PoseSet.from_complex(rigid.receptor, rigid.ligands, name='D')
    with pytest.raises(ValueError, match="only the dataset has .'moved_by"):
        dataset.append(RadiusGraph(2.5)(plain))


def test_many_receptors(make, dataset):
    """More than are held."""
    sets = [make.complexes(f'{n}', n, n) for n in range(40)]
    dataset.extend(sets)
    for index in (0, 39, 0, 17):
        make.same(dataset[index], sets[index])


def test_equal_batches(dataset):
    sets = MproMoonshot('test')
    dataset.extend(sets)
    one, two = (
        DataLoader(source, batch_size=7, shuffle=True,
                   generator=torch.Generator().manual_seed(0))
        for source in (list(sets), dataset)
    )  # fmt: skip
    for batch, other in zip(one, two, strict=True):
        assert set(batch.keys()) == set(other.keys())
        for key in batch.keys():
            if isinstance(batch[key], torch.Tensor):
                assert torch.equal(batch[key], other[key])
            else:
                assert batch[key] == other[key]


# Building ####################################################################


def test_again_and_more(make, dataset):
    sets = [make.small(f'{n}', n) for n in range(10)]
    assert dataset.extend(sets[:6], batch_size=4) == 6
    assert dataset.extend(sets) == 4
    assert dataset.extend(iter(sets)) == 0
    assert dataset.names == [f'{n}' for n in range(10)]
    dataset.append(sets[0])
    assert len(dataset) == 10
    # Two times in one transaction.
    assert dataset.extend([make.small('x'), make.small('x')]) == 1


def test_another_set_of_the_same_name(make, dataset):
    dataset.extend([make.small('A', 1), make.small('B', 2)])
    more = [make.small('C', 3), make.small('B', 4)]
    with pytest.raises(ValueError, match="Set 'B' .*already, as number 1"):
        dataset.extend(more)
    # All or none.
    assert len(dataset) == 2 == len(PoseSetDataset(dataset.root))
    assert dataset.extend(more[:1]) == 1


def test_same_ligand_in_another_receptor_is_another_set(make, dataset):
    dataset.append(make.complexes('A', receptor_name='one'))
    with pytest.raises(ValueError, match="receptor 'one'"):
        dataset.append(make.complexes('A', receptor=1, receptor_name='one'))
    dataset.append(make.complexes('A', receptor=1, receptor_name='two'))
    assert len(dataset) == 2


def test_a_source_that_fails(make, dataset):
    def source(stop):
        for number in range(10):
            if number == stop:
                raise OSError('disk')
            yield make.small(f'{number}', number)

    with pytest.raises(OSError):
        dataset.extend(source(7), batch_size=3)
    assert len(dataset) == 6 == len(PoseSetDataset(dataset.root))
    assert dataset.extend(source(None), batch_size=3) == 4
    assert dataset.names == [f'{n}' for n in range(10)]


@pytest.mark.parametrize('stop', [0, 5, 9, 13])
def test_a_build_that_is_killed(make, tmp_path, stop):
    """Within a transaction, before what it wrote is committed."""
    sets = [
        PoseSet.from_poses([Data(z=torch.tensor([n]))], name=f'{n}')
        for n in range(14)
    ]
    build = os.fork()
    if not build:
        insert, left = pose_set_database._insert, [stop]

        def dying(connection, table, *values):
            if table == 'contents':
                if not left[0]:
                    os._exit(9)
                left[0] -= 1
            return insert(connection, table, *values)

        try:
            pose_set_database._insert = dying
            PoseSetDataset(tmp_path / 'sets').extend(sets, batch_size=4)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(build, 0)[1]) == 9
    dataset = PoseSetDataset(tmp_path / 'sets')
    whole = stop // 4 * 4
    assert dataset.names == [f'{n}' for n in range(whole)]
    assert dataset.extend(sets) == 14 - whole
    assert [int(one.z) for one in dataset] == list(range(14))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.put('more', torch.ones(2), 'pose'), 'the set has.*more'),
        (lambda s: s.__delitem__('y'), 'only the dataset has.*y .set'),
        (lambda s: s.update({'z': s.z.float()}), r'z \(node, torch.float32'),
        (lambda s: s.update({'pos': s.pos[:, :2]}), r'pos \(.*, \[2\]\)'),
    ],
)  # fmt: skip
def test_all_sets_need_the_same_keys(make, dataset, change, message):
    dataset.append(make.small('A'))
    other = make.small('B')
    change(other)
    with pytest.raises(ValueError, match=f"(?s)Set 'B' differs.*{message}"):
        dataset.append(other)
    assert len(dataset) == 1


def test_what_cannot_be_stored(make, dataset):
    with pytest.raises(ValueError, match='Item 1 is a Data, expected'):
        dataset.extend([make.small('A'), Data()])
    with pytest.raises(ValueError, match='Item 3 has no name'):
        named = [make.small(name) for name in ('A', 'B', 'C', None)]
        dataset.extend(named, batch_size=2)
    assert dataset.names == ['A', 'B']
    with pytest.raises(ValueError, match='a PoseSetBatch, expected a single'):
        dataset.append(Batch.from_data_list([make.small('A')]))
    odd = make.small('D')
    odd.put('table', {'a': 1}, 'set')
    with pytest.raises(ValueError, match="'table' is a dict, expected a te"):
        dataset.append(odd)
    with pytest.raises(ValueError, match="'batch_size' has to be positive"):
        dataset.extend([], batch_size=0)


def test_compact(dataset):
    """A pose takes a tenth of what its whole graph would, at least.

    Both without edges, on the bundled poses in their pocket.
    """
    sets = MproMoonshot('all')
    graphs = [pose for pose_set in sets for pose in pose_set.to_poses()]
    whole = sum(
        value.numel() * value.element_size()
        for graph in graphs
        for value in graph.to_dict().values()
    )
    dataset.extend(sets)
    assert os.path.getsize(file_of(dataset)) < whole / 20


def test_nothing_is_made_before_the_first_set(tmp_path):
    dataset = PoseSetDataset(tmp_path / 'sets')
    assert len(dataset) == 0 == len(dataset.names)
    assert dataset.set_sizes().shape == (0, 3)
    assert dataset.extend([]) == 0
    assert not (tmp_path / 'sets').exists()
    with pytest.raises(IndexError):
        dataset[0]


# Reading #####################################################################


def numbers(loader):
    return [int(y) for batch in loader for y in batch.y]


@pytest.mark.parametrize(('context', 'workers'), [('fork', 2), ('spawn', 1)])
def test_workers(make, dataset, context, workers):
    dataset.extend([make.small(f'{n}', n) for n in range(24)])
    assert dataset[3].y == 3  # the connection is open before the fork
    loader = DataLoader(
        dataset,
        batch_size=3,
        num_workers=workers,
        multiprocessing_context=context,
    )
    assert numbers(loader) == list(range(24))
    assert dataset[3].y == 3
    dataset.append(make.small('more', 24))
    assert dataset[24].y == 24


def test_parts(make, dataset):
    """PyG's own on-disk dataset loads sets of the whole one here."""
    dataset.extend([make.small(f'{n}', n) for n in range(10)])
    part = dataset[4:8]
    assert numbers(DataLoader(part, batch_size=2)) == [4, 5, 6, 7]
    assert part.names == ['4', '5', '6', '7']
    assert len(part.set_sizes()) == 4
    with pytest.raises(ValueError, match='add sets to the whole one'):
        part.append(make.small('x'))


def test_transform_and_sizes(dataset):
    sets = MproMoonshot('test')
    dataset.extend(sets[:8])
    sizes = [[s.num_nodes, s.num_edges, s.num_poses] for s in sets[:8]]
    assert set_sizes(dataset).tolist() == sizes
    dataset.transform = RadiusGraph(4.5)
    batch = next(iter(DataLoader(dataset, batch_size=8)))
    assert batch.num_edges > 0
    assert set_sizes(dataset, progress=False)[:, 1].min() > 0


def test_sampler_loads_no_set(make, dataset, monkeypatch):
    dataset.extend([make.small(f'{n}', n, 1 + n % 3) for n in range(30)])
    monkeypatch.setattr(PoseSetDataset, 'get', None)
    sampler = PoseSetSampler(dataset, max_poses=6, shuffle=True)
    monkeypatch.undo()
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=2)
    poses = [batch.num_poses for batch in loader]
    assert max(poses) <= 6 and sum(poses) == 60
    assert sorted(numbers(loader)) == list(range(30))


def test_pickle_and_copy(make, dataset):
    dataset.extend([make.small('A', 1)])
    for other in (
        pickle.loads(pickle.dumps(dataset)),
        copy.deepcopy(dataset),
    ):
        assert other[0].y == 1
    dataset.close()
    assert dataset[0].y == 1


def test_two_at_the_same_time(make, dataset):
    """One reads on while the other writes, and both may write."""
    dataset.append(make.small('A', 1))
    other = PoseSetDataset(dataset.root)
    other.append(make.small('B', 2))
    assert dataset.extend([make.small('B', 2), make.small('C', 3)]) == 1
    assert PoseSetDataset(dataset.root).names == ['A', 'B', 'C']
    assert dataset[2].y == 3


# Two writers #################################################################


def written_by_two(make, root, how):
    """Two processes that begin at once; what each of them ends with."""
    begin, go = os.pipe()
    builds = []
    for who in (0, 1):
        build = os.fork()
        if not build:
            code = 1
            try:
                dataset = PoseSetDataset(root)
                os.read(begin, 1)
                sets = [make.complexes(f'P{who}-{n}', n) for n in range(20)]
                how(dataset, sets)
                code = 0
            finally:
                os._exit(code)
        builds.append(build)
    os.write(go, b'go')
    return [
        os.waitstatus_to_exitcode(os.waitpid(build, 0)[1]) for build in builds
    ]


@pytest.mark.parametrize('has_begun', [False, True])
@pytest.mark.parametrize('batch_size', [None, 1, 7])
def test_two_writers(make, tmp_path, batch_size, has_begun):
    """All 40 sets, every name once, contents intact; then two readers."""
    root = tmp_path / 'sets'
    if has_begun:
        PoseSetDataset(root).append(make.complexes('P0-0', 0))
    codes = written_by_two(
        make, root, lambda dataset, sets: dataset.extend(sets, batch_size)
    )
    assert codes == [0, 0]
    dataset = PoseSetDataset(root)
    expected = {f'P{who}-{n}': n for who in (0, 1) for n in range(20)}
    assert sorted(dataset.names) == sorted(expected)
    for pose_set in dataset:
        make.same(
            pose_set, make.complexes(pose_set.name, expected[pose_set.name])
        )
    loader = DataLoader(dataset, batch_size=8, num_workers=2)
    assert sorted(numbers(loader)) == sorted(expected.values())


def test_two_that_begin_a_file(make, tmp_path):
    """The second one finds tables where it saw none."""
    one, two, three = (PoseSetDataset(tmp_path / 'sets') for _ in range(3))
    os.makedirs(os.path.dirname(file_of(one)))
    for dataset in (one, two, three):
        assert dataset.db.connection is not None
    assert one.extend([make.small('A', 1)]) == 1
    assert two.extend([make.small('A', 1), make.small('B', 2)]) == 1
    with pytest.raises(ValueError, match="Set 'C' differs"):
        three.extend([make.complexes('C')])
    assert three.extend([make.small('C', 3)]) == 1
    assert three.names == ['A', 'B', 'C']


def test_a_writer_that_goes_on(make, dataset, monkeypatch):
    """What reads or writes says that it waited, and what to do."""
    monkeypatch.setattr(pose_set_database, '_TIMEOUT', 0.01)
    dataset.append(make.small('A', 1))
    dataset.close()
    other = PoseSetDataset(dataset.root)
    writer = sqlite3.connect(file_of(dataset), isolation_level=None)
    writer.execute('BEGIN EXCLUSIVE')
    for what, call in (
        ('read', lambda: other[0]),
        ('write to', lambda: other.append(make.small('B'))),
        ('open', lambda: dataset[0]),
    ):
        with pytest.raises(ValueError, match=f'Cannot {what} .*locked.*again'):
            call()
    writer.execute('COMMIT')
    writer.close()
    assert other[0].y == dataset[0].y == 1
    other.append(make.small('B', 2))
    assert PoseSetDataset(dataset.root).names == ['A', 'B']


# Damage ######################################################################


def build(make, dataset, count=60):
    dataset.extend(make.complexes(f'{n}', n, n % 3) for n in range(count))
    dataset.close()
    return file_of(dataset)


@pytest.mark.parametrize(
    'content', [b'text\n' * 300, b'PK\x03\x04' + b'0' * 999]
)
def test_another_file(make, dataset, content):
    path = build(make, dataset)
    with open(path, 'wb') as file:
        file.write(content)
    with pytest.raises(ValueError, match='not a file of pose sets'):
        PoseSetDataset(dataset.root)


def test_another_database(make, dataset):
    path = build(make, dataset)
    with open(path, 'wb') as file:
        file.truncate()
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE sets (id INTEGER)')
    connection.commit()
    connection.close()
    with pytest.raises(ValueError, match='but another one of SQLite'):
        PoseSetDataset(dataset.root)


@pytest.mark.parametrize(
    'version, advice', [(3, 'upgrade pyg_multipose'), (1, 'build it anew')]
)
def test_another_version(make, dataset, version, advice):
    path = build(make, dataset)
    connection = sqlite3.connect(path)
    connection.execute(f'PRAGMA user_version = {version}')
    connection.close()
    message = f'has version {version}, .* reads 2; {advice}'
    with pytest.raises(ValueError, match=message):
        PoseSetDataset(dataset.root)


def test_damage_never_passes(make, dataset):
    """A bit that flips anywhere is an error, or changes nothing."""
    path = build(make, dataset, count=40)
    expected = [make.complexes(f'{n}', n, n % 3) for n in range(40)]
    with open(path, 'rb') as file:
        whole = file.read()
    generator = torch.Generator().manual_seed(0)
    errors = 0
    for place in torch.randint(len(whole), (60,), generator=generator):
        damaged = bytearray(whole)
        damaged[int(place)] ^= 0x10
        with open(path, 'wb') as file:
            file.write(damaged)
        try:
            found = list(PoseSetDataset(dataset.root))
        except ValueError:
            errors += 1
            continue
        assert len(found) == 40
        for one, two in zip(found, expected, strict=True):
            make.same(one, two)
    assert errors > 5


def test_a_cut_file(make, dataset):
    path = build(make, dataset)
    with open(path, 'r+b') as file:
        file.truncate(20_000)
    with pytest.raises(ValueError, match='damaged'):
        list(PoseSetDataset(dataset.root))


def test_a_folder(make, dataset, tmp_path):
    (tmp_path / 'other' / 'processed' / 'sqlite.db').mkdir(parents=True)
    with pytest.raises(ValueError, match='unable to open database file'):
        PoseSetDataset(tmp_path / 'other')
