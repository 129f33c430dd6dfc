"""The best poses by a score."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import TopPoses

scores = st.lists(
    st.sampled_from([math.nan, math.inf, -math.inf, -7.5, -7.0, 0.0, 1e30]),
    min_size=1,
    max_size=12,
)


def scored(values, **kwargs):
    """The number of each pose, and its score."""
    poses = [
        Data(
            z=torch.tensor([number]),
            score=torch.tensor([value], dtype=torch.float64),
        )
        for number, value in enumerate(values)
    ]
    return PoseSet.from_poses(poses, pose_attrs=['score'], **kwargs)


@settings(max_examples=60, deadline=None)
@given(scores, st.integers(1, 13), st.booleans())
def test_best_first_and_missing_last(values, k, high):
    kept = TopPoses(k, 'score', high)(scored(values)).z.tolist()
    sign = -1 if high else 1
    order = sorted(
        range(len(values)),
        key=lambda i: (
            math.isnan(values[i]),
            0 if math.isnan(values[i]) else sign * values[i],
        ),
    )
    assert kept == order[:k]


def test_the_set_is_left_as_it_is(make):
    pose_set = make.docked([make.positions(i) for i in range(3)], [1, 0, 2])
    top = TopPoses(2, 'score', higher_is_better=False)(pose_set)
    assert pose_set.num_poses == 3
    assert top.score.tolist() == [0, 1]
    assert torch.equal(top.pose(0).pos, pose_set.pose(1).pos)
    assert torch.equal(top.receptor.pos, pose_set.receptor.pos)


def test_what_has_no_such_score(make):
    top = TopPoses(2, 'vina', False)
    with pytest.raises(ValueError, match="'A' has no number 'vina'.*score"):
        top(make.docked([make.positions()]))
    with pytest.raises(ValueError, match="number 'z' for each pose"):
        TopPoses(2, 'z', False)(scored([1.0]))
    texts = [Data(z=torch.tensor([6]), score='good')]
    with pytest.raises(ValueError, match="no number 'score'"):
        TopPoses(2, 'score', False)(
            PoseSet.from_poses(texts, pose_attrs=['score'])
        )
    batch = Batch.from_data_list([scored([1.0])])
    with pytest.raises(ValueError, match='before sets are batched'):
        TopPoses(2, 'score', False)(batch)
    with pytest.raises(ValueError, match='PoseSet, got Data'):
        TopPoses(2, 'score', False)(Data())


@pytest.mark.parametrize('k', [0, -1, 1.5, True, None])
def test_k_is_a_positive_integer(k):
    with pytest.raises(ValueError, match="'k' has to be a positive integer"):
        TopPoses(k, 'score', False)
