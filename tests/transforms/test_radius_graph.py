import copy
import math
import re
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import BaseTransform, Compose

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.transforms import RadiusGraph, neighbors
from pyg_multipose.transforms.cell_search import CellSearch


def molecule(size, seed=0, width=4.0, shift=0.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(size, 3, generator=generator, dtype=dtype) * width
    first = torch.arange(max(size - 1, 0))
    bonds = torch.stack([first, first + 1])
    return Data(
        z=torch.randint(1, 9, (size,), generator=generator),
        pos=pos + shift,
        bond_index=bonds,
        bond_type=first,
    )


def complex_set(
    num_receptor=40, sizes=(6, 9, 6), seed=0, receptor=None, **kwargs
):
    if receptor is None:
        receptor = molecule(num_receptor, seed)
    ligands = [
        molecule(size, 100 * seed + i + 1, 2.0) for i, size in enumerate(sizes)
    ]
    for i, ligand in enumerate(ligands):
        ligand.score = torch.tensor([float(i)])
    kwargs.setdefault('name', f'c{seed}')
    kwargs.setdefault('y', float(seed))
    return PoseSet.from_complex(
        receptor, ligands, pose_attrs=['score'], **kwargs
    )


def free_set(sizes=(6, 9, 6), seed=0, dtype=torch.float32):
    poses = [
        molecule(size, 100 * seed + i + 1, 2.0, dtype=dtype)
        for i, size in enumerate(sizes)
    ]
    return PoseSet.from_poses(poses, name=f'f{seed}', y=float(seed))


def brute(pos, r, loop=False, batch=None):
    step = pos.double()[:, None] - pos.double()[None]
    near = (step * step).sum(dim=-1) <= r * r
    if batch is not None:
        near &= batch[:, None] == batch[None]
    target, source = near.nonzero().t()
    keep = (source != target) | loop
    return torch.stack([source[keep], target[keep]])


def edge_set(edge_index):
    edges = [tuple(edge) for edge in edge_index.t().tolist()]
    assert len(edges) == len(set(edges))
    return set(edges)


def snapshot(data):
    out = {
        key: value.clone() if isinstance(value, torch.Tensor) else value
        for key, value in data.to_dict().items()
    }
    for name in ('_slice_dict', '_inc_dict'):
        if hasattr(data, name):
            out[name] = dict(getattr(data, name))
    return out


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        if isinstance(a[key], dict):
            assert_same(a[key], b[key])
        elif isinstance(a[key], torch.Tensor):
            assert torch.equal(a[key], b[key]), key
        else:
            assert a[key] == b[key], key


# Graphs ######################################################################


@pytest.mark.parametrize('loop', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_data(loop, dtype):
    data = molecule(50, dtype=dtype)
    data.edge_index = torch.zeros(2, 7, dtype=torch.long)
    data.edge_attr = torch.rand(7, 2)
    data.edge_weight = torch.rand(7)
    before = snapshot(data)
    transform = RadiusGraph(5.0, loop=loop)
    assert isinstance(transform, BaseTransform)
    out = transform(data)
    assert_same(before, snapshot(data))
    assert type(out) is Data
    assert torch.equal(out.edge_index, brute(data.pos, 5.0, loop))
    assert set(out.keys()) == {
        'z',
        'pos',
        'bond_index',
        'bond_type',
        'edge_index',
    }
    assert out.bond_index is data.bond_index
    assert torch.equal(transform(out).edge_index, out.edge_index)


def test_no_cap_unless_asked():
    data = molecule(60, width=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert RadiusGraph(5.0)(data).num_edges == 60 * 59
        capped = RadiusGraph(5.0, max_num_neighbors=59)(data)
    assert capped.num_edges == 60 * 59
    with pytest.warns(UserWarning, match=r'=3 cut .* 60 .*the graph: 60'):
        capped = RadiusGraph(5.0, loop=True, max_num_neighbors=3)(data)
    assert capped.num_edges == 60 * 4
    distance = torch.cdist(data.pos, data.pos)
    expected = distance.topk(4, largest=False).indices
    for atom in range(60):
        source = capped.edge_index[0, capped.edge_index[1] == atom]
        assert set(source.tolist()) == set(expected[atom].tolist())


def test_batch_of_data():
    graphs = [molecule(size, size) for size in (12, 1, 30)]
    for graph in graphs:
        graph.edge_index = torch.zeros(2, 2, dtype=torch.long)
        graph.edge_attr = torch.rand(2, 1)
    batch = Batch.from_data_list(graphs, follow_batch=['edge_attr'])
    before = snapshot(batch)
    transform = RadiusGraph(4.0)
    out = transform(batch)
    assert_same(before, snapshot(batch))
    assert type(out) is type(batch)
    expected = brute(batch.pos, 4.0, batch=batch.batch)
    assert torch.equal(out.edge_index, expected)
    assert not [k for k in out.keys() if k.startswith('edge_attr')]
    for i, graph in enumerate(graphs):
        one = transform(graph)
        assert_same(snapshot(one), snapshot(out[i]))
    assert batch[2].edge_index.shape == (2, 2)
    again = Batch.from_data_list(out.to_data_list())
    assert torch.equal(again.edge_index, out.edge_index)
    with pytest.warns(UserWarning, match='graph 0: .*; graph 2: '):
        capped = RadiusGraph(4.0, max_num_neighbors=2)(batch)
    with pytest.warns(UserWarning):
        one = RadiusGraph(4.0, max_num_neighbors=2)(graphs[2])
    assert torch.equal(one.edge_index, capped[2].edge_index)


def test_batches_by_hand():
    graphs = [molecule(size, size) for size in (12, 1, 30)]
    batch = Batch.from_data_list(graphs)
    expected = RadiusGraph(4.0)(batch).edge_index
    data = Data(pos=batch.pos, batch=batch.batch)
    assert torch.equal(RadiusGraph(4.0)(data).edge_index, expected)
    by_hand = Batch(pos=batch.pos, batch=batch.batch)
    assert torch.equal(RadiusGraph(4.0)(by_hand).edge_index, expected)
    del batch.batch
    assert torch.equal(RadiusGraph(4.0)(batch).edge_index, expected)


# Pose sets ###################################################################


def pose_sets():
    generator = st.integers(0, 20)
    sizes = st.lists(st.integers(1, 8), min_size=1, max_size=4)
    return st.tuples(st.integers(0, 30), sizes, generator)


def assert_poses_as_graphs(out, transform):
    """Every composed pose has the edges that its own graph gets."""
    assert 'edge_index' in out
    for i in range(out.num_poses):
        pose = out.pose(i)
        bare = copy.copy(pose)
        del bare['edge_index']
        expected = transform(bare)
        assert edge_set(pose.edge_index) == edge_set(expected.edge_index)


@settings(max_examples=40, deadline=None)
@given(
    args=st.lists(pose_sets(), min_size=1, max_size=4),
    loop=st.booleans(),
    r=st.sampled_from([0.01, 2.5, 6.0, 100.0]),
)
def test_pose_sets_and_batches(args, loop, r):
    transform = RadiusGraph(r, loop)
    sets = [complex_set(*arg) for arg in args]
    single = [transform(pose_set) for pose_set in sets]
    for out in single:
        assert type(out) is PoseSet
        assert_poses_as_graphs(out, transform)
    batch = Batch.from_data_list(sets)
    out = transform(batch)
    assert isinstance(out, PoseSet)
    assert isinstance(out, Batch)
    expected = Batch.from_data_list(single)
    assert_same(snapshot(out), snapshot(expected))
    for i, one in enumerate(single):
        assert_same(snapshot(out[i]), snapshot(one))


def test_search_by_cells(monkeypatch):
    # What runs on other devices than the CPU.
    sets = [complex_set(seed=1), complex_set(0, seed=2), complex_set(seed=3)]
    batches = [Batch.from_data_list(sets), Batch.from_data_list([free_set()])]
    graphs = Batch.from_data_list([molecule(12), molecule(1), molecule(30)])
    for data in [*batches, graphs, graphs[0], sets[0]]:
        monkeypatch.undo()
        expected = RadiusGraph(4.0, loop=True)(data)
        monkeypatch.setattr(neighbors, 'TreeSearch', CellSearch)
        out = RadiusGraph(4.0, loop=True)(data)
        assert_same(snapshot(out), snapshot(expected))


def test_order_of_edges():
    pose_set = complex_set()
    out = RadiusGraph(4.0)(pose_set)
    source, target = out.edge_index
    first = pose_set.receptor_size.item()
    owner = torch.repeat_interleave(
        torch.cat([pose_set.receptor_size, pose_set.pose_size])
    )[torch.maximum(source, target)]
    size = pose_set.num_nodes
    key = (owner * size + target) * size + source
    assert (key.diff() > 0).all()
    within = (source < first) & (target < first)
    assert torch.equal(
        out.edge_index[:, within], brute(pose_set.pos[:first], 4.0)
    )
    # Receptor and ligand: both directions.
    edges = edge_set(out.edge_index)
    assert edges == {(t, s) for s, t in edges}
    assert any((s < first) != (t < first) for s, t in edges)


def test_both_forms_have_the_same_edges():
    shared = complex_set()
    whole = PoseSet.from_poses(shared.to_poses(), pose_attrs=['score'])
    transform = RadiusGraph(4.0)
    a, b = transform(shared), transform(whole)
    assert a.num_edges < b.num_edges
    for i in range(a.num_poses):
        first, second = a.pose(i).edge_index, b.pose(i).edge_index
        assert edge_set(first) == edge_set(second)


def test_equal_receptors_of_a_batch():
    receptor = molecule(40)
    other = molecule(40, 7)
    sets = [
        complex_set(seed=1, receptor=receptor),
        complex_set(seed=2, receptor=other),
        complex_set(seed=3, receptor=receptor, sizes=(3,)),
        complex_set(seed=4, receptor=molecule(0)),
        complex_set(seed=5, receptor=other, sizes=(3, 2)),
        complex_set(seed=6, receptor=molecule(0)),
    ]
    out = RadiusGraph(4.0)(Batch.from_data_list(sets))
    for i, pose_set in enumerate(sets):
        one = RadiusGraph(4.0)(pose_set)
        assert_same(snapshot(out[i]), snapshot(one))


@pytest.mark.parametrize('make', [complex_set, free_set])
def test_writes_nothing_in_place(make):
    pose_set = RadiusGraph(2.0)(make())
    pose_set = pose_set.put(
        'edge_attr', torch.rand(pose_set.num_edges, 2), 'edge'
    )
    pose_set.put('length', torch.rand(pose_set.num_edges), 'edge')
    batch = Batch.from_data_list(
        [pose_set, pose_set], follow_batch=['pose_size', 'edge_attr', 'length']
    )
    for data in (pose_set, batch):
        before = snapshot(data)
        out = RadiusGraph(4.0)(data)
        assert_same(before, snapshot(data))
        gone = set(data.keys()) - set(out.keys())
        assert {'edge_attr', 'length'} <= gone
        assert all(k.startswith(('edge_attr', 'length')) for k in gone)
        assert ('length_ptr' in gone) == ('length_ptr' in data)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            RadiusGraph(4.0, max_num_neighbors=2)(data)
        assert_same(before, snapshot(data))


def test_sets_batch_whether_or_not_they_had_edges():
    fresh = complex_set()
    transform = RadiusGraph(4.0)
    edges = torch.tensor([[0, 1], [1, 0]])
    receptor, ligand = molecule(40), molecule(6, 1, 2.0)
    for part in (receptor, ligand):
        part.edge_index, part.edge_attr = edges, torch.rand(2, 1)
    ligand.score = torch.zeros(1)
    old = PoseSet.from_complex(receptor, [ligand], 0.0, 'a', ['score'])
    batch = Batch.from_data_list([transform(fresh), transform(old)])
    assert_poses_as_graphs(batch[1], transform)
    assert batch.pose(3).num_edges == batch[1].pose(0).num_edges


def test_gradient_of_positions_is_kept():
    pose_set = complex_set()
    pose_set.pos.requires_grad_()
    out = RadiusGraph(4.0)(pose_set)
    assert out.pos is pose_set.pos
    assert not out.edge_index.requires_grad


@pytest.mark.parametrize('num_workers', [0, 1])
def test_loader(num_workers):
    class Sets(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return RadiusGraph(4.0)(complex_set(seed=index))

    loader = DataLoader(Sets(), batch_size=2, num_workers=num_workers)
    for batch in loader:
        again = RadiusGraph(4.0)(batch)
        assert torch.equal(batch.edge_index, again.edge_index)


def test_far_from_the_origin():
    # As a docked complex may come; float32 steps of 0.06 make ties.
    pose_set = complex_set()
    pose_set.pos = pose_set.pos + 1e6
    transform = RadiusGraph(4.0)
    assert_poses_as_graphs(transform(pose_set), transform)


# A cap on a pose set #########################################################


def test_cap_without_receptor():
    pose_set = free_set()
    transform = RadiusGraph(5.0, max_num_neighbors=3)
    expected = r"set 'f0', pose 0: \d+ atoms; set 'f0', pose 1"
    with pytest.warns(UserWarning, match=expected):
        out = transform(pose_set)
    batch = Batch.from_data_list([pose_set, free_set((2,), 1)])
    with pytest.warns(UserWarning, match=expected) as record:
        batched = transform(batch)
    assert "'f1'" not in str(record[0].message)
    assert_same(snapshot(batched[0]), snapshot(out))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        assert_poses_as_graphs(out, transform)
        assert_poses_as_graphs(batched[1], transform)


def counts(message):
    found = re.findall(r"set '(\w+)', pose (\d+): (\d+) atoms", message)
    return {(name, int(pose)): int(count) for name, pose, count in found}


def test_cap_on_a_complex_counts_in_every_pose():
    pose_set = complex_set()
    pose_set.put('assay', 'A', 'set')
    transform = RadiusGraph(4.0, max_num_neighbors=4)
    with pytest.warns(UserWarning, match="set 'c0' is stored pose") as record:
        out = transform(pose_set)
    assert len(record) == 1
    assert out.receptor is None
    assert torch.equal(out.y, pose_set.y)
    assert torch.equal(out.score, pose_set.score)
    assert (out.name, out.assay) == (pose_set.name, pose_set.assay)
    full = RadiusGraph(4.0)(pose_set)
    cut = {}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        assert_poses_as_graphs(out, transform)
    for i in range(3):
        degree = full.pose(i).edge_index[1].bincount()
        cut['c0', i] = int((degree > 4).sum())
        for key in ('pos', 'z', 'is_ligand', 'bond_index', 'score'):
            assert torch.equal(out.pose(i)[key], full.pose(i)[key])
    assert counts(str(record[0].message)) == cut


def test_cap_that_bites_in_one_pose_only():
    # Receptor atoms have one neighbour each; the second ligand adds two.
    receptor = Data(pos=torch.tensor([[0.0, 0, 0], [1.0, 0, 0]]))
    away = Data(pos=torch.tensor([[50.0, 0, 0], [51.0, 0, 0]]))
    close = Data(pos=torch.tensor([[0.0, 1, 0], [0.0, -1, 0]]))
    transform = RadiusGraph(1.1, max_num_neighbors=2)
    fine = PoseSet.from_complex(receptor, [away, away], name='fine')
    cut = PoseSet.from_complex(receptor, [away, close], name='cut')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        out = transform(fine)
    assert torch.equal(out.edge_index, RadiusGraph(1.1)(fine).edge_index)
    assert out.receptor is not None
    with pytest.warns(UserWarning) as record:
        out = transform(cut)
    assert counts(str(record[0].message)) == {('cut', 1): 1}
    assert out.receptor is None
    # In a batch only that set changes its form.
    batch = Batch.from_data_list([fine, cut, fine], follow_batch=['pose_size'])
    with pytest.warns(UserWarning) as record:
        out = transform(batch)
    assert counts(str(record[0].message)) == {('cut', 1): 1}
    assert out.receptor_size.tolist() == [2, 0, 2]
    assert out.pose_size_batch.tolist() == [0, 0, 1, 1, 2, 2]
    for i in (0, 2):
        assert torch.equal(out[i].pos, fine.pos)
        assert out[i].receptor is not None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for i in range(3):
            assert_poses_as_graphs(out[i], transform)
    batch.extra = torch.zeros(3)
    batch['levels'] = [f'{text} extra:set' for text in batch['levels']]
    with pytest.raises(ValueError, match=r"slice \['extra'\].*before batch"):
        transform(batch)


def test_cap_in_a_mixed_batch():
    sets = [complex_set(seed=1), complex_set(0, seed=2), complex_set(seed=3)]
    transform = RadiusGraph(4.0, loop=True, max_num_neighbors=3)
    with pytest.warns(UserWarning, match="set 'c1' and 1 more sets") as record:
        out = transform(Batch.from_data_list(sets))
    listed = counts(str(record[0].message))
    assert {name for name, _ in listed} == {'c1', 'c2', 'c3'}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for i, pose_set in enumerate(sets):
            one = transform(pose_set)
            assert_poses_as_graphs(one, transform)
            assert_same(snapshot(out[i]), snapshot(one))


def test_cap_in_a_batch_without_names():
    keys = ['name', 'receptor_name', 'is_ligand']
    sets = [complex_set(seed=1), complex_set(2, (1,), seed=2)]
    batch = Batch.from_data_list(sets, exclude_keys=keys)
    with pytest.warns(UserWarning, match='set 0, pose 0.*set 0 is stored'):
        out = RadiusGraph(4.0, max_num_neighbors=3)(batch)
    assert set(out.keys()) == {*batch.keys(), 'edge_index'}
    assert out.receptor_size.tolist() == [0, 2]


# Errors ######################################################################


def test_not_finite():
    data = molecule(5)
    data.pos[3, 0] = math.nan
    with pytest.raises(ValueError, match='Atom 3 .*nan'):
        RadiusGraph(4.0)(data)
    batch = Batch.from_data_list([molecule(4), data])
    with pytest.raises(ValueError, match='Graph 1, atom 3 '):
        RadiusGraph(4.0)(batch)
    for row, name in [
        (7, "set 'c0', receptor: atom 7"),
        (41, "set 'c0', pose 0: atom 1"),
        (46, "set 'c0', pose 1: atom 0"),
    ]:
        pose_set = complex_set()
        pose_set.pos = pose_set.pos.clone()
        pose_set.pos[row, 2] = math.inf
        with pytest.raises(ValueError, match=f'{name} is at .*inf'):
            RadiusGraph(4.0)(pose_set)
        batch = Batch.from_data_list([complex_set(seed=1), pose_set])
        with pytest.raises(ValueError, match=name):
            RadiusGraph(4.0)(batch)


def test_bad_arguments():
    for r in (0, -1.0, math.nan, math.inf, '4'):
        with pytest.raises(ValueError, match="'r' has to be"):
            RadiusGraph(r)
    for cap in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="'max_num_neighbors' has to be"):
            RadiusGraph(1.0, max_num_neighbors=cap)
    for data in (HeteroData(), [molecule(3)], None):
        with pytest.raises(ValueError, match='got'):
            RadiusGraph(1.0)(data)
    with pytest.raises(ValueError, match="'pos' has to be"):
        RadiusGraph(1.0)(Data(x=torch.rand(3, 2)))
    with pytest.raises(ValueError, match=r'got \[3, 2\]'):
        RadiusGraph(1.0)(Data(pos=torch.rand(3, 2)))


def test_repr_shows_every_argument():
    expected = 'RadiusGraph(r=5.0, loop=True, max_num_neighbors=7)'
    assert repr(RadiusGraph(5, True, 7)) == expected


def test_compose():
    transform = Compose([RadiusGraph(4.0), RadiusGraph(2.0)])
    pose_set = complex_set()
    expected = RadiusGraph(2.0)(pose_set)
    assert_same(snapshot(transform(pose_set)), snapshot(expected))


def test_a_receptor_is_searched_once_for_many_sets(monkeypatch):
    """As its coordinates tell, whatever the type; edges are the same."""
    from pyg_multipose.transforms import pose_edges
    from pyg_multipose.transforms.tree_search import TreeSearch

    searched = []
    graph = TreeSearch.graph

    def counted(self, loop=False):
        searched.append(loop)
        return graph(self, loop)

    monkeypatch.setattr(TreeSearch, 'graph', counted)

    def edges(pose_set, fresh=False, loop=False):
        if fresh:
            pose_edges._searched.cache_clear()
        del searched[:]
        out = RadiusGraph(4.5, loop=loop)(pose_set).edge_index
        return out, len(searched)

    one, two = (MproMoonshot('test')[number] for number in (0, 1))
    assert edges(one, fresh=True)[1] == 2  # ligands, and the receptor
    found, count = edges(two)
    assert count == 1
    assert torch.equal(found, edges(two, fresh=True)[0])
    assert edges(two, loop=True)[1] == 2
    moved = two.clone()
    moved.pos[0] += 0.5
    found, count = edges(moved)
    assert count == 2
    assert torch.equal(found, edges(moved, fresh=True)[0])
    found += 1  # what is known does not change with what was returned
    assert torch.equal(edges(moved)[0], found - 1)
