import copy
import pickle

import pytest
import torch
from torch.utils.data import TensorDataset
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader, DynamicBatchSampler

from pyg_multipose.data import Layout, PoseSet

FORMS = ('complex', 'poses')
#: One pose first, last and in between; sets of different size.
SIZES = ((1,), (2, 3, 1), (4,), (3, 3), (1,))


@pytest.fixture
def sets(make, request):
    form = getattr(request, 'param', 'complex')
    return [
        make.set(form, sizes, seed=seed, name=f'cpd-{seed}')
        for seed, sizes in enumerate(SIZES)
    ]


both_forms = pytest.mark.parametrize('sets', FORMS, indirect=True)


@both_forms
def test_a_batch_gives_its_sets_back(make, sets):
    batch = Batch.from_data_list(sets)
    assert isinstance(batch, PoseSet)
    assert batch.num_graphs == len(batch) == 5
    assert batch.num_poses == 8
    assert batch.num_nodes == sum(of_set.num_nodes for of_set in sets)
    for index, of_set in enumerate(sets):
        make.same(batch[index], of_set)
        make.same(batch.get_example(index), of_set)
    for one, two in zip(batch.to_data_list(), sets, strict=True):
        make.same(one, two)
    for one, two in zip(batch[[3, 0]], (sets[3], sets[0]), strict=True):
        make.same(one, two)


@both_forms
def test_poses_of_a_batch_are_those_of_its_sets(make, sets):
    batch = Batch.from_data_list(sets)
    poses = [pose for of_set in sets for pose in of_set.to_poses()]
    for one, two in zip(batch.to_poses(), poses, strict=True):
        make.same(one, two)
    make.same(batch.pose(-1), poses[-1])


@both_forms
def test_order_and_company_change_nothing(make, sets):
    batch = Batch.from_data_list(sets[::-1])
    again = Batch.from_data_list(batch.to_data_list()[::-1])
    make.same(again, Batch.from_data_list(sets))


def test_a_batch_of_one(make, sets):
    for of_set in sets:
        batch = Batch.from_data_list([of_set])
        make.same(batch[0], of_set)
        for one, two in zip(batch.to_poses(), of_set.to_poses(), strict=True):
            make.same(one, two)


def test_pyg_vectors_of_a_batch(sets):
    batch = Batch.from_data_list(sets)
    sizes = [of_set.num_nodes for of_set in sets]
    assert batch.ptr.diff().tolist() == sizes
    assert torch.equal(
        batch.batch, torch.repeat_interleave(torch.tensor(sizes))
    )
    assert batch.set_size.tolist() == [1, 3, 1, 2, 1]
    assert batch.name == [f'cpd-{index}' for index in range(5)]
    assert batch.y.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert batch.is_node_attr('batch') and not batch.is_node_attr('score')


def test_labels_of_several_columns(make):
    pose = Data(pos=torch.zeros(2, 3))
    sets = [
        PoseSet.from_poses([pose], y=torch.full((1, 3), float(index)))
        for index in range(2)
    ]
    assert Batch.from_data_list(sets).y.tolist() == [[0.0] * 3, [1.0] * 3]


@both_forms
def test_copies_of_a_batch(make, sets):
    batch = Batch.from_data_list(sets)
    make.same(copy.copy(batch), batch)
    make.same(copy.deepcopy(batch), batch)
    make.same(pickle.loads(pickle.dumps(batch)), batch)
    make.same(copy.copy(batch).to('cpu'), batch)


def test_follow_batch(sets):
    loader = DataLoader(sets, batch_size=5, follow_batch=['pose_size', 'z'])
    batch = next(iter(loader))
    assert torch.equal(batch.pose_size_batch, Layout(batch).pose_to_set)
    assert batch.pose_size_ptr.tolist() == [0, 1, 4, 5, 7, 8]
    assert torch.equal(batch.z_batch, batch.batch)
    assert 'z_batch' not in batch.to_poses()[0]


def test_exclude_keys(make, sets):
    loader = DataLoader(
        sets, batch_size=5, exclude_keys=['x', 'edge_attr', 'y', 'smiles']
    )
    batch = next(iter(loader))
    for one, two in zip(
        batch.to_poses(), sets[0].to_poses()[:1], strict=False
    ):
        assert set(two.keys()) - set(one.keys()) == {
            'x',
            'edge_attr',
            'smiles',
        }
    with pytest.raises(ValueError, match="'edge_attr' describes the rows of"):
        Layout(Batch.from_data_list(sets, exclude_keys=['edge_index']))


@both_forms
def test_loader_shuffles_sets_and_keeps_poses(make, sets):
    by_name = {of_set.name: of_set for of_set in sets}
    loader = DataLoader(
        sets,
        batch_size=2,
        shuffle=True,
        generator=torch.Generator().manual_seed(1),
    )
    seen = []
    for batch in loader:
        seen += batch.name
        for of_set in batch.to_data_list():
            make.same(of_set, by_name[of_set.name])
    assert sorted(seen) == sorted(by_name) and seen != sorted(by_name)


def test_loader_with_workers(make, sets):
    loader = DataLoader(sets, batch_size=2, num_workers=2)
    plain = DataLoader(sets, batch_size=2)
    for one, two in zip(loader, plain, strict=True):
        make.same(one, two)
        for of_one, of_two in zip(one.to_poses(), two.to_poses(), strict=True):
            make.same(of_one, of_two)


def test_batch_sampler_of_pyg(sets):
    sampler = DynamicBatchSampler(sets, max_num=40, mode='node')
    batches = [batch for batch in DataLoader(sets, batch_sampler=sampler)]
    assert sum(batch.num_graphs for batch in batches) == 5
    assert all(batch.num_nodes <= 40 for batch in batches)


def test_positions_as_a_leaf(make, sets):
    """The gradient of every pose reaches the one table of the batch."""
    batch = Batch.from_data_list(sets)
    batch.pos.requires_grad_()
    weight = torch.arange(1.0, 9.0)
    loss = sum(
        w * (pose.pos**2).sum()
        for w, pose in zip(weight, batch.to_poses(), strict=True)
    )
    loss.backward()
    of_set = torch.repeat_interleave(batch.set_size)
    total = torch.zeros(5).index_add_(0, of_set, weight)
    factor = total[batch.batch]
    of_pose = torch.repeat_interleave(weight, batch.pose_size)
    factor[batch.is_ligand] = of_pose
    expected = 2 * batch.pos.detach() * factor.unsqueeze(1)
    torch.testing.assert_close(batch.pos.grad, expected)


def test_a_batch_of_a_batch_is_taken_apart_first(sets):
    batch = Batch.from_data_list(sets)
    again = Batch.from_data_list([*batch.to_data_list(), *sets])
    assert again.num_graphs == 10 and again.num_poses == 16


@pytest.mark.parametrize('order', ['bb', 'sb', 'bs', 'b'])
def test_a_batch_of_batches_is_refused(sets, order):
    parts = {'b': Batch.from_data_list(sets[:2]), 's': sets[2]}
    text = 'A batch of 2 sets cannot be a part of another batch.*to_data_list'
    with pytest.raises(ValueError, match=text):
        Batch.from_data_list([parts[part] for part in order])
    if order == 'bb':
        with pytest.raises(ValueError, match=text):
            next(iter(DataLoader([parts['b'], parts['b']], batch_size=2)))


def test_sets_are_not_split_by_torch_datasets(sets):
    """A list of sets is a dataset; PyG's loader collates it by itself."""
    data = TensorDataset(torch.arange(5))
    loader = DataLoader(
        [(index, of_set) for (index,), of_set in zip(data, sets, strict=True)],
        batch_size=5,
    )
    index, batch = next(iter(loader))
    assert index.tolist() == [0, 1, 2, 3, 4] and batch.num_poses == 8


def test_missing_keys_of_later_sets_raise_in_pyg(make):
    sets = [make.set('complex', (2,)) for _ in range(2)]
    del sets[1]['x']
    with pytest.raises(KeyError, match='x'):
        Batch.from_data_list(sets)
    with pytest.raises(ValueError, match='only set 1 has x:node'):
        Layout(Batch.from_data_list(sets[::-1]))
