from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.plan.chunks import NODES_ON_CPU, split

CPU = torch.device('cpu')


def layout(sets):
    return Layout(
        Batch.from_data_list(
            [
                PoseSet.from_poses([Data(x=torch.zeros(n, 1)) for n in of_set])
                for of_set in sets
            ]
        )
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(1, 9), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 20),
    st.booleans(),
)
def test_every_pose_once_in_order_within_the_limit(sets, limit, within):
    where = layout(sets)
    chunks = split(where, limit, CPU, within)
    assert np.concatenate(chunks).tolist() == list(range(where.num_poses))
    for chunk in chunks:
        size = where.nodes_per_pose[chunk].sum()
        assert len(chunk) == 1 or size <= limit
        if within:
            assert len(set(where.set_of_pose[chunk])) == 1
    for first, second in pairwise(chunks):
        one_set = where.set_of_pose[first[-1]] == where.set_of_pose[second[0]]
        room = (
            where.nodes_per_pose[first].sum() + where.nodes_per_pose[second[0]]
        )
        assert room > limit or (within and not one_set)


def test_some_poses_only():
    chunks = split(layout([[2, 2, 2, 2]]), 4, CPU, poses=[0, 2, 3])
    assert [chunk.tolist() for chunk in chunks] == [[0, 2], [3]]
    assert split(layout([[2]]), 4, CPU, poses=[]) == []


def test_planned_size_on_a_cpu():
    big = layout([[NODES_ON_CPU // 2 + 1] * 3])
    assert len(split(big, None, CPU)) == 3
    assert len(split(layout([[20] * 10]), None, CPU)) == 1


def test_some_poses_have_their_own_sizes_and_groups():
    where, poses = layout([[1, 1, 3, 3], [1, 1]]), [2, 3, 4, 5]
    cut = split(where, 4, CPU, poses=poses)
    assert [chunk.tolist() for chunk in cut] == [[2], [3, 4], [5]]
    cut = split(where, 4, CPU, True, poses)
    assert [chunk.tolist() for chunk in cut] == [[2], [3], [4, 5]]
    size, groups = np.array([9, 9, 2, 2, 2, 1]), np.array([0, 0, 0, 1, 1, 1])
    cut = split(where, 4, CPU, poses=poses, size=size, groups=groups)
    assert [chunk.tolist() for chunk in cut] == [[2], [3, 4], [5]]
