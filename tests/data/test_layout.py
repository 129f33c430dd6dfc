import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet

SIZES = st.lists(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


def tables(pose_set, layout):
    return {key: pose_set[key] for key in layout.levels}


def in_both_forms(make, receptors, sizes, seed=0):
    """A batch of sets in either form, and all the poses it stands for."""
    made = [
        make.complex(receptor, of_set, seed + index, name=f'cpd-{index}')
        for index, (receptor, of_set) in enumerate(
            zip(receptors, sizes, strict=True)
        )
    ]
    complexes = Batch.from_data_list([pose_set for pose_set, _, _ in made])
    whole = Batch.from_data_list(
        [
            PoseSet.from_poses(poses, name='p', pose_attrs=make.attrs)
            for _, _, poses in made
        ]
    )
    return complexes, whole, [pose for _, _, poses in made for pose in poses]


# Composing ###################################################################


@settings(max_examples=30, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 1000), data=st.data())
def test_composed_poses_are_what_pyg_batches(make, sizes, seed, data):
    """For chunks and subsets in any order, in every detail."""
    receptors = data.draw(
        st.lists(st.integers(0, 5), min_size=len(sizes), max_size=len(sizes))
    )
    complexes, whole, poses = in_both_forms(make, receptors, sizes, seed)
    chosen = data.draw(
        st.lists(st.integers(0, len(poses) - 1), min_size=1, max_size=6)
    )
    expected = Batch.from_data_list([poses[index] for index in chosen])
    for batch in (complexes, whole):
        layout = Layout(batch)
        got = layout.compose(tables(batch, layout), chosen)
        make.same(got, expected)
        assert torch.equal(got.ptr, expected.ptr)
        assert torch.equal(got.batch, expected.batch)
        assert got._slice_dict.keys() == expected._slice_dict.keys()
        for key, slices in expected._slice_dict.items():
            assert torch.equal(got._slice_dict[key], slices), key
        for one, index in zip(got.to_data_list(), chosen, strict=True):
            make.same(one, poses[index])


def test_every_chunking_composes_the_same_poses(make):
    complexes, whole, poses = in_both_forms(make, (4, 3), ((2, 3, 1), (4, 2)))
    for batch in (complexes, whole):
        layout = Layout(batch)
        for size in (1, 2, 3, 5):
            got = [
                pose
                for start in range(0, 5, size)
                for pose in layout.compose(
                    tables(batch, layout),
                    np.arange(start, min(start + size, 5)),
                ).to_data_list()
            ]
            for one, two in zip(got, poses, strict=True):
                make.same(one, two)


def test_composed_batches_are_ordinary_batches(make):
    batch, _, _ = in_both_forms(make, (4, 3), ((2, 3), (4,)))
    layout = Layout(batch)
    graphs = layout.compose(tables(batch, layout), [2, 0])
    assert type(graphs) is type(Batch.from_data_list([Data()]))
    assert graphs.num_graphs == len(graphs) == 2
    assert [graph.num_nodes for graph in graphs[[1, 0]]] == [6, 7]
    make.same(copy.deepcopy(graphs), graphs)
    again = layout.compose(tables(batch, layout), [1])
    assert again.num_graphs == 1 and graphs.num_graphs == 2


def test_edges_behind_one_atom():
    """Rows of a pose that follows a pose of a single atom."""
    first = Data(x=torch.zeros(1, 1), edge_index=torch.zeros(2, 0).long())
    edges = torch.tensor([[0, 1], [1, 0]])
    second = Data(x=torch.zeros(2, 1), edge_index=edges)
    pose_set = PoseSet.from_poses([first, second])
    layout = Layout(pose_set)
    graphs = layout.compose(tables(pose_set, layout), [1])
    assert torch.equal(graphs.edge_index, edges)


def test_composed_tensors_are_copies(make):
    for receptor in (0, 3):
        pose_set, _, _ = make.complex(receptor, (4,))
        layout = Layout(pose_set)
        before = pose_set.clone()
        graphs = layout.compose(tables(pose_set, layout), [0])
        for value in graphs.to_dict().values():
            if torch.is_tensor(value) and value.is_floating_point():
                value.add_(1.0)
        graphs.edge_index.add_(7)
        make.same(pose_set, before)


def test_composing_some_keys_only(make):
    """As the engine does, which leaves out what the model does not read."""
    pose_set, _, complexes = make.complex(4, (2, 3))
    layout = Layout(pose_set)
    some = {key: pose_set[key] for key in ('z', 'edge_index')}
    graphs = layout.compose(some, [1, 0])
    assert torch.equal(graphs[0].edge_index, complexes[1].edge_index)
    assert [graph.num_nodes for graph in graphs.to_data_list()] == [7, 6]
    assert graphs.num_nodes == 13


def test_strings_of_poses(make):
    batch, _, _ = in_both_forms(make, (0, 2), ((1, 1, 1), (1, 1)))
    layout = Layout(batch)
    graphs = layout.compose(tables(batch, layout), [4, 1, 0])
    assert graphs.smiles == ['C', 'C', '']
    single = Layout(batch[0])
    assert single.compose(tables(batch[0], single), [2]).smiles == ['CC']


@pytest.mark.parametrize('key', ['pos', 'edge_attr', 'bond_type', 'score'])
def test_rows_say_where_composed_values_come_from(make, key):
    batch, _, _ = in_both_forms(make, (4, 3), ((2, 3, 1), (4, 2)))
    layout = Layout(batch)
    graphs = layout.compose(tables(batch, layout), [3, 1])
    assert torch.equal(batch[key][layout.rows(key, [3, 1])], graphs[key])


@pytest.mark.parametrize('key', ['pos', 'x', 'edge_attr', 'score'])
def test_gradients_are_those_of_a_batch_of_pyg(make, key):
    """One leaf for all poses: each adds to the receptor's gradient."""
    batch, _, poses = in_both_forms(make, (4, 3), ((2, 3, 1), (4, 2)))
    chosen = [3, 1, 1, 0]
    leaf = batch[key].requires_grad_()
    layout = Layout(batch)
    got = layout.compose(tables(batch, layout), chosen)[key]
    weight = torch.randn_like(got)
    (got**2 * weight).sum().backward()

    for pose in poses:
        pose[key].requires_grad_()
    expected = Batch.from_data_list([poses[index] for index in chosen])[key]
    (expected**2 * weight).sum().backward()
    total = torch.zeros_like(leaf)
    for index, pose in enumerate(poses):
        if pose[key].grad is not None:
            total.index_add_(0, layout.rows(key, [index]), pose[key].grad)
    torch.testing.assert_close(leaf.grad, total)
    assert leaf.grad.abs().sum() > 0


def test_composing_without_gradient_needs_none(make):
    pose_set, _, complexes = make.complex(4, (2, 3))
    pose_set.pos.requires_grad_()
    with torch.no_grad():
        pose = pose_set.pose(1)
    assert not pose.pos.requires_grad
    make.same(pose, complexes[1])


# Where things are ############################################################


def test_counts(make):
    batch, whole, _ = in_both_forms(make, (4, 0), ((2, 3, 1), (4, 2)))
    layout = Layout(batch)
    assert layout.num_sets == 2 and layout.num_poses == 5
    assert layout.num_nodes == batch.num_nodes == 16
    assert layout.nodes_per_pose.tolist() == [6, 7, 5, 4, 2]
    assert layout.pose_to_set.tolist() == [0, 0, 0, 1, 1]
    assert layout.set_ptr.tolist() == [0, 3, 5]
    assert layout.receptor_rows(0) == slice(0, 4)
    assert layout.receptor_rows(1) == slice(10, 10)
    assert layout.receptor_rows(0, 'edge') == slice(0, 8)
    assert Layout(whole).receptor_rows(1, 'edge') == slice(42, 42)
    assert layout.pose_rows(0) == slice(4, 6)
    own = [layout.pose_rows(pose, 'edge') for pose in range(3)]
    ends = [8, *(rows.stop for rows in own)]
    assert [rows.start for rows in own] == ends[:-1]
    assert layout.receptor_rows(1, 'edge').start == ends[-1]


def test_receptor_rows_and_edges_are_the_receptor(make):
    batch, _, _ = in_both_forms(make, (4, 3), ((2, 3), (1,)))
    layout = Layout(batch)
    for index in range(2):
        receptor = batch[index].receptor
        atoms = layout.receptor_rows(index)
        edges = layout.receptor_rows(index, 'edge')
        assert torch.equal(batch.pos[atoms], receptor.pos)
        got = batch.edge_index[:, edges] - atoms.start
        assert torch.equal(got, receptor.edge_index)
        graph = layout.compose_receptor(tables(batch, layout), index)
        assert torch.equal(graph.edge_attr, receptor.edge_attr)
        assert graph.num_graphs == 1 and 'score' not in graph


def test_names_in_messages(make):
    named = make.set('poses', (2, 2), name='cpd-7')
    layout = Layout(Batch.from_data_list([make.set('poses', (1,)), named]))
    assert layout.set_name(0) == 'set 0'
    assert layout.pose_name(0) == 'set 0, pose 0'
    assert layout.pose_name(2) == "set 'cpd-7', pose 1"


def test_names_may_be_left_out_of_a_batch(make):
    names = ['name', 'receptor_name']
    sets = [make.set('complex', (2,), name='a')] * 2
    batch = Batch.from_data_list(sets, exclude_keys=names)
    assert Layout(batch).pose_name(1) == 'set 1, pose 0'
    assert batch.receptor_groups().tolist() == [0, 0]


def test_a_layout_outlives_changes_of_the_set(make):
    pose_set = make.set('complex', (2, 3))
    layout = Layout(pose_set)
    for key in ('receptor_size', 'pose_size', 'set_size'):
        pose_set[key].zero_()
    assert layout.nodes_per_pose.tolist() == [7, 8]
    assert layout.set_size.tolist() == [2]


# What is refused #############################################################


def broken(make, form='complex'):
    sets = [make.set(form, (2, 3), name=name) for name in ('a', 'b')]
    return Batch.from_data_list(sets)


def test_a_set_without_poses(make):
    batch = broken(make)
    batch.set_size = torch.tensor([4, 0])
    with pytest.raises(ValueError, match="set 'b' has no poses"):
        Layout(batch)


@pytest.mark.parametrize('key', ['pose_size', 'receptor_size'])
def test_counts_that_do_not_fit(make, key):
    batch = broken(make)
    batch[key] = batch[key][:-1]
    with pytest.raises(ValueError, match=f"'{key}' has . entries"):
        Layout(batch)


def test_an_edge_between_two_poses(make):
    batch = broken(make)
    edge = 8 + 2  # an edge of pose 0 of set a, whose first atom is row 5
    batch.edge_index[:, edge] = torch.tensor([5, 8])
    with pytest.raises(
        ValueError,
        match=r"joins atom 5 \(set 'a', pose 0\) and atom 8 \(set 'a', "
        r'pose 1\) in edge 10; an edge lies within one pose',
    ):
        Layout(batch)


def test_an_edge_between_two_sets(make):
    batch = broken(make)
    batch.edge_index[:, 20] = torch.tensor([10, 0])  # receptors of b and a
    with pytest.raises(
        ValueError, match=r"\(set 'b', receptor\) and atom 0 \(set 'a', rec"
    ):
        Layout(batch)
    batch = broken(make)
    batch.edge_index[:, 28] = torch.tensor([0, 16])
    with pytest.raises(ValueError, match="set 'a', receptor.*'b', pose 0"):
        Layout(batch)


@pytest.mark.parametrize('form', ['complex', 'poses'])
def test_reordered_edges(make, form):
    batch = broken(make, form)
    order = torch.arange(batch.num_edges).flip(0)
    batch.edge_index = batch.edge_index[:, order]
    with pytest.raises(ValueError, match="of 'edge_index' were reordered"):
        Layout(batch)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_any_order_within_a_run_does(make, seed):
    """Sorting all edges is noticed, sorting those of a pose is allowed."""
    pose_set, _, _ = make.complex(3, (3, 2, 2), seed)
    layout = Layout(pose_set)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(pose_set.num_edges, generator=generator)
    owner = torch.repeat_interleave(
        torch.arange(4), torch.tensor([8, 6, 6, 6])
    )
    within = order[owner[order].argsort(stable=True)]
    moved = pose_set.clone()
    moved.edge_index = pose_set.edge_index[:, within]
    moved.edge_attr = pose_set.edge_attr[within]
    assert Layout(moved).num_nodes == layout.num_nodes
    for index in range(3):
        one, two = moved.pose(index), pose_set.pose(index)
        edges = [
            sorted(
                zip(
                    pose.edge_index.t().tolist(),
                    pose.edge_attr.tolist(),
                    strict=True,
                )
            )
            for pose in (one, two)
        ]
        assert edges[0] == edges[1]


def test_edges_out_of_range(make):
    batch = broken(make)
    batch.edge_index[0, 3] = 99
    with pytest.raises(
        ValueError, match='holds rows 0 to 99, but .* 20 atoms'
    ):
        Layout(batch)
    batch.edge_index[0, 3] = 20  # the one after the last
    with pytest.raises(ValueError, match='holds rows 0 to 20, but'):
        Layout(batch)
    batch.edge_index[0, 3] = -1
    with pytest.raises(ValueError, match='holds rows -1 to'):
        Layout(batch)


@pytest.mark.parametrize(
    'index',
    [torch.zeros(2, 4), torch.zeros(4, 2).long(), torch.zeros(2, 4).int()],
)
def test_edges_of_another_kind(make, index):
    pose_set = PoseSet.from_poses([Data(pos=torch.zeros(2, 3))])
    pose_set.edge_index = index
    with pytest.raises(
        ValueError, match=r'expected \[2, num_rows\] and torch'
    ):
        Layout(pose_set)


@pytest.mark.parametrize('key', ['x', 'edge_attr', 'bond_type', 'score', 'y'])
def test_tables_with_other_rows(make, key):
    batch = broken(make)
    batch[key] = batch[key][:-1]
    with pytest.raises(
        ValueError, match=rf"'{key}' \(level .* rows, expected"
    ):
        Layout(batch)


def test_features_of_no_edges(make):
    batch = broken(make)
    del batch.bond_index
    with pytest.raises(
        ValueError, match="'bond_type' describes .*'bond_index'"
    ):
        Layout(batch)


def test_a_label_of_no_dimension(make):
    pose_set = make.set('poses', (2,))
    pose_set.y = pose_set.y.squeeze()
    with pytest.raises(ValueError, match="'y' .* has 0 rows, expected 1"):
        Layout(pose_set)
