"""Poses in the order of a score."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.plan.best_first import in_order

NAN = float('nan')


def order(scores, key='score'):
    sets = []
    for of_set in scores:
        poses = [Data(x=torch.zeros(1, 2), q=torch.zeros(1)) for _ in of_set]
        sets.append(PoseSet.from_poses(poses))
        sets[-1].put('score', torch.tensor(of_set), 'pose')
        sets[-1].put('wide', torch.zeros(len(of_set), 2), 'pose')
    batch = Batch.from_data_list(sets)
    return in_order(Layout(batch), batch.stores[0], key).tolist()


def test_set_by_set():
    scores = [[3.0, 1.0, NAN, 2.0], [0.0, -1.0]]
    assert order(scores) == [1, 3, 0, 2, 5, 4]
    assert order(scores, '-score') == [0, 3, 1, 2, 4, 5]


@pytest.mark.parametrize('key', ['other', 'q', '-q', 'x', 'wide', 'set_size'])
def test_keys_that_are_no_scores(key):
    words = f"best_first='{key}' needs one number for each pose"
    with pytest.raises(ValueError, match=words):
        order([[1.0, 2.0]], key)
