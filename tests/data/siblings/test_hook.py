"""Where transforms are called."""

import copy
import pickle

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Data, HeteroData
from torch_geometric.transforms import BaseTransform

from pyg_multipose.data.siblings.hook import watch_transforms


def test_watching_twice_is_watching_once():
    before = BaseTransform.__call__
    watch_transforms()
    assert BaseTransform.__call__ is before
    assert not hasattr(before._of_pyg, '_of_pyg')
    assert before.__name__ == '__call__' and before.__module__ == (
        'torch_geometric.transforms.base_transform'
    )


def test_all_ways_to_call_are_watched():
    """Also where a class of PyG has its own."""
    for name in T.__all__:
        cls = getattr(T, name)
        if issubclass(cls, BaseTransform):
            assert hasattr(cls.__call__, '_of_pyg'), name


@pytest.mark.parametrize(
    'data',
    [
        Data(pos=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 2]])),
        HeteroData(a={'pos': torch.eye(3)}),
    ],
    ids=['Data', 'HeteroData'],
)
def test_other_data_is_as_before(data):
    random = torch.get_rng_state()
    transform = pickle.loads(pickle.dumps(copy.deepcopy(T.Center())))
    out = transform(data)
    assert type(out) is type(data) and out is not data
    for store in out.node_stores:
        assert store.pos.mean(dim=0).abs().max() < 1e-6
    for store in data.node_stores:
        assert torch.equal(store.pos, torch.eye(3))
    assert torch.equal(torch.get_rng_state(), random)


def test_a_list_of_graphs_is_handed_on():
    graphs = [Data(pos=torch.eye(3) + shift) for shift in range(2)]
    out = T.Compose([T.Center()])(graphs)
    assert [len(graph.pos) for graph in out] == [3, 3]
