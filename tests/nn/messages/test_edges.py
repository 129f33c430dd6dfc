import pytest
import torch

from pyg_multipose.nn.messages.edges import distinct_pairs, edge_vectors


def test_edge_vectors():
    pos = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    edge_index = torch.tensor([[1, 0, 1], [0, 1, 1]])
    vec = edge_vectors(pos, edge_index, torch.float32)
    assert vec.tolist() == [[1, 2, 3], [-1, -2, -3], [0, 0, 0]]


@pytest.mark.parametrize(
    'pos, param, expected',
    [
        (torch.float64, torch.float32, torch.float64),
        (torch.float32, torch.float64, torch.float64),
        (torch.float32, torch.bfloat16, torch.float32),
        (torch.float16, torch.float16, torch.float32),
    ],
)
def test_edge_vectors_dtype(pos, param, expected):
    edge_index = torch.tensor([[0], [1]])
    vec = edge_vectors(torch.zeros(2, 3, dtype=pos), edge_index, param)
    assert vec.dtype == expected


def test_distinct_pairs():
    # Both directions, one direction, twice the same, a loop:
    edge_index = torch.tensor([[5, 2, 0, 1, 3, 1, 4], [2, 5, 1, 0, 1, 0, 4]])
    pairs, rows = distinct_pairs(edge_index, 6)
    assert pairs.tolist() == [[0, 1, 2, 4], [1, 3, 5, 4]]
    assert rows.tolist() == [2, 2, 0, 0, 1, 0, 3]


def test_distinct_pairs_of_random_edges():
    torch.manual_seed(12)
    edge_index = torch.randint(40, (2, 500))
    pairs, rows = distinct_pairs(edge_index, 40)
    assert torch.equal(pairs[:, rows], edge_index.sort(dim=0)[0])
    assert len(set(map(tuple, pairs.t().tolist()))) == pairs.size(1)
    assert pairs.size(1) < 450


@pytest.mark.parametrize('num_edges', [0, 3])
def test_no_pairs(num_edges):
    edge_index = torch.tensor([[1, 2, 3], [0, 3, 1]])[:, :num_edges]
    pairs, rows = distinct_pairs(edge_index, 4)
    assert torch.equal(pairs, edge_index)
    assert rows is None
