import copy
import pickle

import pytest
import torch
from torch_geometric.nn import SimpleConv
from torch_geometric.nn.aggr import Aggregation

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    Combination,
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TopKMeanCombination,
)


def test_repr():
    assert repr(MeanCombination()) == 'MeanCombination()'
    assert repr(FreeEnergyCombination()) == 'FreeEnergyCombination()'
    assert repr(MaxCombination(scale=2)) == (
        'MaxCombination(scale=2.0, negate=True, normalize=False)'
    )
    assert repr(MaxCombination(2, prior='w')) == (
        "MaxCombination(scale=2.0, negate=True, normalize=False, prior='w')"
    )
    assert repr(BoltzmannMeanCombination(learn=True)) == (
        'BoltzmannMeanCombination(scale=1.0, negate=True, learn=True)'
    )
    assert repr(LogMeanExpCombination(2, negate=False)) == (
        'LogMeanExpCombination(scale=2.0, negate=False)'
    )
    assert repr(HardMaxCombination()) == 'HardMaxCombination(negate=True)'
    assert repr(TopKMeanCombination(3)) == (
        'TopKMeanCombination(k=3, negate=True)'
    )


def test_defaults():
    out = MaxCombination()
    assert (out.scale, out.negate, out.normalize) == (1000.0, True, False)
    out = FreeEnergyCombination()
    assert (out.scale, out.negate, out.normalize) == (1.0, True, False)


def test_round_trips(combination):
    x = torch.randn(4, 2)
    for again in (
        pickle.loads(pickle.dumps(combination)),
        copy.deepcopy(combination),
    ):
        assert repr(again) == repr(combination)
        assert torch.equal(again(x), combination(x))


def test_has_no_state(combination):
    assert isinstance(combination, Combination)
    assert isinstance(combination, Aggregation)
    assert combination.state_dict() == {}
    assert list(combination.parameters()) == []
    combination.load_state_dict({})
    combination.reset_parameters()


def test_running_form_round_trip(streamed):
    running = streamed.running()
    running.update(torch.randn(3))
    again = pickle.loads(pickle.dumps(running))
    assert torch.equal(again.value(), running.value())


def test_inside_a_layer(combination):
    x = torch.randn(4, 3, requires_grad=True)
    edge_index = torch.tensor([[0, 1, 2, 3, 0, 2], [1, 0, 3, 2, 2, 0]])
    conv = SimpleConv(aggr=combination)
    out = conv(x, edge_index)
    expected = combination(x[edge_index[0]], edge_index[1], dim_size=4)
    assert torch.equal(out, expected)
    out.sum().backward()
    torch.testing.assert_close(x.grad.sum(), torch.tensor(12.0))
    with pytest.raises(ValueError, match='1 of 5 groups'):
        conv(torch.randn(5, 3), edge_index)


def test_compile():
    mean, smooth = MeanCombination(), MaxCombination()

    def both(x, index):
        return mean(x, index, dim_size=3), smooth(x, index, dim_size=3)

    compiled = torch.compile(both, backend='eager', fullgraph=True)
    for index in ([0, 2, 1, 0, 1], [1, 0, 0, 2, 1, 2, 2]):
        index = torch.tensor(index)
        x = torch.randn(len(index), 2, requires_grad=True)
        out, expected = compiled(x, index), both(x, index)
        torch.testing.assert_close(out, expected)
        grads = [
            torch.autograd.grad(sum(pair).pow(2).sum(), x)
            for pair in (out, expected)
        ]
        torch.testing.assert_close(*grads)
    # Compiled code cannot raise.
    for out in compiled(torch.randn(5, 2), torch.tensor([0, 2, 2, 0, 0])):
        assert out.isnan().all(dim=1).tolist() == [False, True, False]
    torch._dynamo.reset()


def test_func_transforms(combination):
    x = torch.randn(4, 1)

    def call(x):
        return combination(x).sum()

    leaf = x.clone().requires_grad_()
    call(leaf).backward()
    torch.testing.assert_close(torch.func.grad(call)(x), leaf.grad)


@pytest.mark.parametrize('dim', [0, 1, 2, -1, -2, -3])
def test_other_dimensions_stay_where_they_are(combination, dim):
    rows = torch.randn(5, 2, 3)
    index = torch.tensor([0, 1, 1, 0, 1])
    expected = combination(rows.flatten(1), index=index, dim=0)
    out = combination(rows.movedim(0, dim), index=index, dim=dim)
    assert out.shape == rows[:2].movedim(0, dim).shape
    found = out.movedim(dim, 0).flatten(1)
    assert torch.allclose(found, expected, rtol=1e-6)
