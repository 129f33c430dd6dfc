"""Transforms that let a pose know its siblings are refused when called."""

import random
import re
import threading

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import BaseTransform

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.transforms import PerPose, RadiusGraph

pytestmark = pytest.mark.filterwarnings('ignore:Sparse')

FORMS = ('complex', 'poses')
KNOWS = 'lets a pose know the other poses'


def docked(make, sizes=(3, 3, 3), seed=0):
    """A receptor atom that all poses touch."""
    pose_set = make.set('complex', sizes, seed, name='A')
    del pose_set.edge_attr
    return pose_set


class Shifted(BaseTransform):
    """Less the mean of all atoms that it sees, if it is to."""

    def __init__(self, on=True):
        self.on = on

    def forward(self, data):
        if self.on:
            data.x = data.x - data.x.mean(dim=0)
        return data


# What is refused #############################################################


def test_degrees_of_all_poses_are_refused(make):
    pose_set = docked(make)
    with pytest.raises(ValueError) as error:
        T.OneHotDegree(60)(pose_set)
    text = str(error.value)
    assert text.startswith(f'OneHotDegree(60) {KNOWS} of its set')
    assert "'x' of set 'A', pose 0 is" in text
    assert 'PerPose(OneHotDegree(60))' in text


@pytest.mark.parametrize('form', FORMS)
def test_transforms_of_ones_own_are_refused(make, form):
    pose_set = make.set(form, (3, 2), name='A')
    with pytest.raises(ValueError, match=rf'^Shifted\(\) {KNOWS}'):
        Shifted()(pose_set)
    assert Shifted()(pose_set.select([1])).num_poses == 1
    assert Shifted()(pose_set.pose(0)).x.mean().abs() < 1e-12


def test_a_transform_that_fails_for_all_poses_together(make):
    """The receptor has more neighbours than any atom of a pose."""
    pose_set = docked(make, (3,) * 9)
    most = max(
        int(torch.bincount(pose.edge_index[0]).max())
        for pose in pose_set.to_poses()
    )
    with pytest.raises(ValueError, match='works for poses of .* alone'):
        T.OneHotDegree(most)(pose_set)


def test_what_fails_anyway_fails_as_it_does(make):
    class Failing(BaseTransform):
        def forward(self, data):
            raise KeyError('no such thing')

    with pytest.raises(KeyError, match='no such thing'):
        Failing()(docked(make))


def test_a_transform_that_works_only_for_the_set(make):
    class OfThisSize(BaseTransform):
        def forward(self, data):
            data.x = data.x + torch.zeros(14, 1)
            return data

    with pytest.raises(ValueError, match='but not for .*pose 0, alone'):
        OfThisSize()(docked(make))


@pytest.mark.parametrize('form', FORMS)
def test_what_could_differ_is_refused_at_the_first_set(make, form):
    """Equal poses do not show that a mean is that of all of them."""
    one = make.set(form, (3,), name='A')
    twins = one.select([0, 0, 0])
    how = 'other' if form == 'complex' else 'among these poses or among others'
    with pytest.raises(ValueError, match=how):
        Shifted()(twins)


def test_random_numbers_hide_nothing(make):
    class Noisy(BaseTransform):
        def forward(self, data):
            noise = torch.rand(data.num_nodes, 1)
            data.x = data.x + noise + data.x.abs().max()
            return data

    with pytest.raises(ValueError, match='among these poses or among others'):
        Noisy()(docked(make))


def test_a_transform_that_changes_its_ways(make):
    transform = Shifted(on=False)
    pose_set = docked(make, (3,) * 5)
    for _ in range(4):
        make.same(transform(pose_set), pose_set)
    transform.on = True
    with pytest.raises(ValueError, match=KNOWS):
        transform(pose_set)


def test_another_kind_of_set_is_looked_at_anew(make):
    """Degrees are those of whole graphs, but not of a receptor's atoms."""
    receptor, *ligands = make.poses([5, 4, 3, 4, 3], edges=6)
    apart = PoseSet.from_complex(receptor, ligands, pose_attrs=make.attrs)
    graphs = PoseSet.from_poses(apart.to_poses(), pose_attrs=make.attrs)
    assert set(apart.keys()) == set(graphs.keys())
    transform = T.OneHotDegree(60)
    for _ in range(3):
        transform(graphs)
    # No pose touches the receptor, but it could.
    with pytest.raises(ValueError, match='among these poses or among others'):
        transform(apart)


def test_a_batch_of_sets(make):
    batch = Batch.from_data_list(
        [make.set('complex', (3, 2), 1, 'A'), make.set('complex', (4,), 2)]
    )
    moved = T.Center()(batch)
    assert isinstance(moved, Batch) and moved.pos.mean().abs() < 1e-6
    with pytest.raises(ValueError, match=KNOWS):
        T.Distance()(batch)
    lengths = T.Distance(norm=False, cat=False)(batch)
    expected = T.Distance(norm=False, cat=False)(batch.pose(2))
    assert torch.equal(lengths.pose(2).edge_attr, expected.edge_attr)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize(
    ('transform', 'text'),
    [
        (T.AddSelfLoops(), "'edge_index' were reordered"),
        (T.VirtualNode(), 'rows, expected'),
        (T.ToSparseTensor(), "'adj_t' when it batches graphs"),
        (T.MaskToIndex('ring'), "'_index'"),
        (T.Pad(200), "sets 'num_nodes' to 200"),
        (T.FixedPoints(5), 'has 5 rows'),
    ],
)
def test_what_is_no_pose_set_is_refused_by_name(make, form, transform, text):
    pose_set = make.set(form, (4, 3), name='A')
    del pose_set.edge_attr
    if isinstance(transform, T.MaskToIndex):
        pose_set.put('ring_mask', pose_set.ring, 'node')
        transform, text = T.MaskToIndex('ring_mask'), "'ring_index'"
    name = type(transform).__name__
    with pytest.raises(ValueError, match=rf'^{name}\(') as error:
        transform(pose_set)
    assert text in str(error.value)
    assert f'PerPose({name}(' in str(error.value)
    with pytest.raises(ValueError, match=rf'^{name}\('):
        transform(pose_set.select([0]) if form == 'complex' else pose_set)


def test_what_is_returned_has_to_be_a_pose_set(make):
    class ToData(BaseTransform):
        def forward(self, data):
            return Data(x=data.x)

    with pytest.raises(ValueError, match='returned a Data, not a PoseSet'):
        ToData()(docked(make))


def test_who_chooses_poses_says_so(make):
    class First(BaseTransform):
        def forward(self, data):
            return data.select([0])

    with pytest.raises(ValueError, match='derives from PoseSetTransform'):
        First()(docked(make))


def test_writing_into_tensors_is_refused(make):
    class InPlace(BaseTransform):
        def forward(self, data):
            data.x.mul_(2.0)
            return data

    with pytest.raises(ValueError, match=r"writes into \['x'\] of the set"):
        InPlace()(docked(make))


def test_compositions_name_what_is_refused(make):
    pose_set = docked(make)
    steps = T.Compose([T.Center(), T.Compose([T.LocalDegreeProfile()])])
    with pytest.raises(ValueError, match='^LocalDegreeProfile'):
        steps(pose_set)

    class Own(BaseTransform):
        def forward(self, data):
            return T.LocalDegreeProfile()(T.Center()(data))

    with pytest.raises(ValueError, match='^Own'):
        Own()(pose_set)

    class Broken(BaseTransform):
        def forward(self, data):
            return T.AddSelfLoops()(data)

    with pytest.raises(ValueError, match='^AddSelfLoops'):
        Broken()(pose_set)


# What is not #################################################################


def test_as_many_neighbours_as_are_allowed(make):
    """Other poses may have more, which tells nothing."""
    pose_set = make.set('poses', (8, 8))
    most = int(torch.bincount(pose_set.edge_index[0]).max())
    out = T.OneHotDegree(most)(pose_set)
    assert out.x.shape[1] == 2 + most + 1


@pytest.mark.parametrize('form', FORMS)
def test_nothing_is_changed_by_being_checked(make, form):
    pose_set = make.set(form, (3, 2, 4), name='A')
    before = pose_set.clone()
    states = []
    transform = T.RandomJitter(0.5)
    for call in (transform, transform.forward):
        random.seed(1)
        np.random.seed(2)
        torch.manual_seed(3)
        out = call(pose_set.clone())
        states.append(
            (
                out.pos,
                random.random(),
                np.random.random(),
                torch.rand(3).tolist(),
            )
        )
    assert torch.equal(states[0][0], states[1][0])
    assert states[0][1:] == states[1][1:]
    make.same(pose_set, before)


def test_random_numbers_that_are_not_used_are_drawn_once(make):
    class Drawing(BaseTransform):
        def forward(self, data):
            torch.rand(data.num_nodes)
            np.random.random(data.num_nodes)
            random.sample(range(1000), data.num_nodes)
            return data

    pose_set, transform = docked(make), Drawing()
    after = []
    for call in (transform, transform.forward):
        random.seed(1)
        np.random.seed(2)
        torch.manual_seed(3)
        for _ in range(3):
            call(pose_set)
            numbers = random.random(), np.random.random(), float(torch.rand(1))
            after.append(numbers)
    assert after[:3] == after[3:]


class Stream:
    """Where a transform may have its random numbers from."""

    def __init__(self):
        self.rng = random.Random(0)


class Scaled(BaseTransform):
    """By random numbers of its own."""

    def __init__(self, draw, number):
        self.draw, self.number = draw, number
        self.calls, self.seen = 0, []

    def forward(self, data):
        self.calls += 1
        self.seen.append(data.num_poses)
        data.x = data.x * self.number(self.draw)
        return data


DRAWS = {
    'numpy': lambda: (np.random.default_rng(0), lambda d: d.random()),
    'state': lambda: (np.random.RandomState(0), lambda d: d.rand()),
    'python': lambda: (random.Random(0), lambda d: d.random()),
    'stream': lambda: (Stream(), lambda d: d.rng.random()),
    'torch': lambda: (
        torch.Generator().manual_seed(0),
        lambda d: torch.rand((), generator=d).double(),
    ),
}


@pytest.mark.parametrize('kind', DRAWS)
def test_a_state_of_its_own_is_not_used_up(make, kind):
    class Inside(BaseTransform):
        def __init__(self, steps):
            self.steps = steps

        def forward(self, data):
            for step in self.steps:
                data = step(data)
            return data

    pose_set = docked(make)
    draw, number = DRAWS[kind]()
    for transform in (
        Scaled(*DRAWS[kind]()),
        Inside([Scaled(*DRAWS[kind]())]),
    ):
        draw, number = DRAWS[kind]()
        for calls in (1, 2, 3):
            out = transform(pose_set)
            assert torch.equal(out.x, pose_set.x * number(draw))
            inner = getattr(transform, 'steps', [transform])[0]
            assert inner.calls == calls and inner.seen == [3] * calls


def test_what_is_large_is_not_copied(make):
    class Weighted(BaseTransform):
        def __init__(self):
            self.weight = torch.nn.Linear(2, 2).double()
            self.used = set()

        def forward(self, data):
            weights.add(id(self.weight))
            data.x = data.x * 2
            return data

    weights = set()
    Weighted()(docked(make))
    assert len(weights) == 1


def test_what_is_remembered_of_sets_does_not_get_about(make):
    class Remembering(BaseTransform):
        def __init__(self):
            self.known = {}

        def forward(self, data):
            if data.name not in self.known:
                self.known[data.name] = data.x * 2
            data.x = self.known[data.name]
            return data

    pose_set, transform = docked(make), Remembering()
    for _ in range(2):
        out = transform(pose_set)
        assert torch.equal(out.x, pose_set.x * 2)
        transform.known.clear()


def test_transforms_that_cannot_be_copied_or_hashed(make):
    class Odd(BaseTransform):
        __hash__ = None

        def __init__(self):
            self.lock = threading.Lock()

        def __copy__(self):
            raise TypeError('there is but one')

        def forward(self, data):
            data.x = 2 * data.x
            return data

    pose_set = docked(make)
    assert torch.equal(Odd()(pose_set).x, 2 * pose_set.x)


@pytest.mark.parametrize('form', FORMS)
def test_one_motion_moves_all_poses(make, form):
    pose_set = make.set(form, (3, 2))
    for transform in (T.Center(), T.RandomRotate(90), T.NormalizeRotation()):
        out = transform(pose_set)
        for pose in range(2):
            one, two = out.pose(pose).pos, pose_set.pose(pose).pos
            torch.testing.assert_close(
                torch.cdist(one, one), torch.cdist(two, two)
            )


def test_a_mirror_image_is_no_motion(make):
    class Mirrored(BaseTransform):
        def forward(self, data):
            if data.pos.mean() > 0:
                data.pos = -data.pos
            return data

    pose_set = docked(make, (9, 9))
    shift = torch.where(pose_set.is_ligand, 0.0, -1.0)
    shift[5:14] = 9.0
    pose_set.pos = pose_set.pos + shift.view(-1, 1)
    with pytest.raises(ValueError, match=r"'pos' of set 'A'"):
        Mirrored()(pose_set)


def test_levels_of_new_keys_are_declared(make):
    pose_set = make.set('poses', (3, 2), name='A')
    out = T.AddRandomWalkPE(4)(pose_set)
    expected = T.AddRandomWalkPE(4)(pose_set.pose(1)).random_walk_pe
    torch.testing.assert_close(out.pose(1).random_walk_pe, expected)
    batch = Batch.from_data_list([out, out])
    torch.testing.assert_close(batch.pose(3).random_walk_pe, expected)
    gone = T.Compose([T.Distance(norm=False, cat=False), Without()])(pose_set)
    assert 'edge_attr' not in gone.levels


class Without(BaseTransform):
    def forward(self, data):
        data.edge_attr = None
        return data


def test_what_is_no_pose_set_is_left_alone(make):
    pose = make.poses([5], edges=6)[0]
    del pose.edge_attr
    batch = Batch.from_data_list([pose, pose])
    for data in (pose, batch):
        assert T.OneHotDegree(30)(data).x.shape[1] == 33
        assert T.AddSelfLoops()(data).num_edges > data.num_edges
    assert BaseTransform.__call__.__doc__ is None
    assert BaseTransform.__call__.__name__ == '__call__'


def test_datasets_and_loaders(make):
    lengths = T.Compose([RadiusGraph(4.5), T.Distance(norm=False)])
    dataset = MproMoonshot('test', transform=lengths)[:4]
    batch = next(iter(DataLoader(dataset, batch_size=4, num_workers=1)))
    assert batch.edge_attr.shape == (batch.num_edges, 1)
    shares = T.Compose([RadiusGraph(4.5), T.Distance()])
    dataset = MproMoonshot('test', transform=shares)[:4]
    text = re.escape('PerPose(Distance(norm=True')
    with pytest.raises(ValueError, match=text):
        dataset[0]
    with pytest.raises(ValueError, match=text):
        next(iter(DataLoader(dataset, batch_size=4, num_workers=1)))
    fixed = T.Compose([RadiusGraph(4.5), PerPose(T.Distance())])
    assert float(fixed(dataset.get(0)).edge_attr.max()) == 1.0


def test_sets_alone_and_empty_of_edges(make):
    poses = [Data(pos=torch.randn(3, 3), x=torch.randn(3, 2)) for _ in 'ab']
    pose_set = PoseSet.from_poses(poses)
    assert T.Constant()(pose_set).x.shape == (6, 3)
    with pytest.raises(ValueError, match=KNOWS):
        T.NormalizeFeatures()(pose_set)
    T.NormalizeFeatures()(pose_set.select([0]))
