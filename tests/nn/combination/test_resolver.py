import pytest
import torch_geometric.nn.aggr as aggr

from pyg_multipose.nn.combination import (
    FreeEnergyCombination,
    MaxCombination,
    MeanCombination,
    combination_resolver,
)


@pytest.mark.parametrize(
    ('query', 'cls'),
    [
        ('max', MaxCombination),
        ('Max', MaxCombination),
        ('MaxCombination', MaxCombination),
        ('max_combination', MaxCombination),
        ('mean', MeanCombination),
        ('MeanCombination', MeanCombination),
        ('free_energy', FreeEnergyCombination),
        ('free-energy', FreeEnergyCombination),
        ('FreeEnergy', FreeEnergyCombination),
        ('FreeEnergyCombination', FreeEnergyCombination),
        ('MaxAggregation', aggr.MaxAggregation),
        ('mean_aggregation', aggr.MeanAggregation),
        ('softmax', aggr.SoftmaxAggregation),
        ('SoftmaxAggregation', aggr.SoftmaxAggregation),
        ('min', aggr.MinAggregation),
        ('sum', aggr.SumAggregation),
    ],
)
def test_names(query, cls):
    assert type(combination_resolver(query)) is cls


def test_arguments():
    out = combination_resolver('max', 10.0, negate=False)
    assert (out.scale, out.negate) == (10.0, False)
    assert combination_resolver('softmax', t=2.0).t == 2.0
    # An error of the constructor is not mistaken for an unknown name.
    with pytest.raises(ValueError, match='positive, finite'):
        combination_resolver('max', scale=-1.0)


def test_instances():
    for instance in (MeanCombination(), aggr.MedianAggregation()):
        assert combination_resolver(instance) is instance
    with pytest.raises(TypeError, match='Got an instance'):
        combination_resolver(MeanCombination(), scale=1.0)


@pytest.mark.parametrize('query', ['foo', '', 'aggregation', 'combination'])
def test_unknown_name(query):
    with pytest.raises(ValueError, match='Unknown combination') as error:
        combination_resolver(query)
    for name in ('FreeEnergyCombination', 'max', 'MedianAggregation'):
        assert f"'{name}'" in str(error.value)


@pytest.mark.parametrize('query', [None, 3, MaxCombination, max])
def test_not_a_name(query):
    with pytest.raises(TypeError, match='Expected a name') as error:
        combination_resolver(query)
    for name in ('FreeEnergyCombination', 'max', 'MedianAggregation'):
        assert f"'{name}'" in str(error.value)
