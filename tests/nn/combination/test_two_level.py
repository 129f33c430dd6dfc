import math

import pytest
import torch
from torch_geometric.nn import aggr

from pyg_multipose.nn.combination import (
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TwoLevelCombination,
    combination_resolver,
)

INDEX = torch.tensor([0, 1, 0, 0, 1, 0])
CONFORMER = torch.tensor([7, 0, -2, 7, 7, -2])
#: By hand: the rows of each conformer of each set.
ROWS = [[[0, 3], [2, 5]], [[1], [4]]]
WITHIN = [
    FreeEnergyCombination(),
    MeanCombination(),
    HardMaxCombination(),
    'boltzmann_mean',
]


def _call(combination, x, index=INDEX, conformer=CONFORMER, **more):
    values = {'conformer': conformer, **more}
    return combination(x, index, dim_size=2, pose_values=values)


@pytest.mark.parametrize('within', WITHIN, ids=repr)
@pytest.mark.parametrize('across', WITHIN, ids=repr)
def test_by_hand(within, across):
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    both = TwoLevelCombination(within, across)
    first, second = map(combination_resolver, (within, across))
    expected = torch.cat(
        [
            second(torch.cat([first(x[rows]) for rows in of_set]))
            for of_set in ROWS
        ]
    )
    out = _call(both, x)
    torch.testing.assert_close(out, expected)
    grads = [
        torch.autograd.grad(one.square().sum(), x) for one in (out, expected)
    ]
    torch.testing.assert_close(*grads)


def test_second_derivatives_and_permutations():
    both = TwoLevelCombination('free_energy', 'mean')
    x = torch.randn(6, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: _call(both, x), x)
    assert torch.autograd.gradgradcheck(lambda x: _call(both, x), x)
    perm = torch.tensor([3, 0, 5, 1, 4, 2])
    again = _call(both, x[perm], INDEX[perm], CONFORMER[perm])
    torch.testing.assert_close(again, _call(both, x))


def test_two_free_energies_are_one():
    x = torch.randn(6, 1, dtype=torch.float64)
    both = TwoLevelCombination('free_energy', 'free_energy')
    one = FreeEnergyCombination()(x, INDEX, dim_size=2)
    torch.testing.assert_close(_call(both, x), one)


def test_bias_of_equal_poses():
    x = torch.full((6, 1), -7.0, dtype=torch.float64)
    index, conformer = torch.zeros(6, dtype=torch.long), INDEX * 0
    conformer[:3] = 1  # three poses in each of two
    for first, second, bias in (
        (MaxCombination(2.0), MaxCombination(5.0), math.log(3) / 2 + 0.2 * L2),
        (LogMeanExpCombination(), FreeEnergyCombination(), L2),
        (FreeEnergyCombination(), MeanCombination(), math.log(3)),
    ):
        both = TwoLevelCombination(first, second)
        out = both(x, index, pose_values={'conformer': conformer})
        assert out.item() == pytest.approx(-7.0 - bias)


L2 = math.log(2)


def test_one_pose_and_empty_sets():
    both = TwoLevelCombination('max', 'mean')
    x = torch.tensor([[-3.7]])
    assert both(x, pose_values={'conformer': torch.tensor([5])}) == x
    with pytest.raises(ValueError, match='1 of 3 groups'):
        both(
            torch.randn(6, 1),
            INDEX,
            dim_size=3,
            pose_values={'conformer': CONFORMER},
        )


def test_prior_within():
    both = TwoLevelCombination(FreeEnergyCombination(prior='w'), 'mean')
    assert both.pose_keys == ('conformer', 'w')
    x = torch.randn(6, 1, dtype=torch.float64)
    w = torch.randn(6, dtype=torch.float64)
    out = _call(both, x, w=w)
    # A weight is an energy here.
    expected = _call(
        TwoLevelCombination('free_energy', 'mean'), x - w.unsqueeze(1)
    )
    torch.testing.assert_close(out, expected)
    w[:] = torch.tensor([0.0, 0.0, -math.inf, 0.0, 0.0, -math.inf])
    with pytest.raises(ValueError, match='poses of group 0, conformer -2'):
        _call(both, x, w=w)


def test_aggregation_that_needs_sorted_rows():
    torch.manual_seed(0)
    inner = aggr.SetTransformerAggregation(2)
    out = _call(TwoLevelCombination(inner, 'mean'), torch.randn(6, 2))
    assert out.shape == (2, 2)


def test_errors():
    both = TwoLevelCombination('mean', 'mean')
    with pytest.raises(ValueError, match="'conformer' holds torch.float32"):
        _call(both, torch.randn(6, 1), conformer=CONFORMER.float())
    with pytest.raises(ValueError, match="under the key 'conformer'"):
        both(torch.randn(6, 1), INDEX)
    with pytest.raises(ValueError, match="'across' is .* needs .*'w'"):
        TwoLevelCombination('mean', MaxCombination(prior='w'))
    with pytest.raises(ValueError, match='Unknown combination'):
        TwoLevelCombination('mean', 'nothing')
    with pytest.raises(NotImplementedError, match='may come at any time'):
        both.running()


def test_module():
    both = TwoLevelCombination(
        FreeEnergyCombination(learn=True), 'hard_max', key='receptor_number'
    )
    assert repr(both) == (
        'TwoLevelCombination(FreeEnergyCombination(learn=True), '
        "HardMaxCombination(negate=True), key='receptor_number')"
    )
    assert list(both.state_dict()) == ['within.log_scale']
    both.within.log_scale.data.fill_(1.0)
    both.reset_parameters()
    assert both.within.scale == 1.0
