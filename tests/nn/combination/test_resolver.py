import pytest
import torch_geometric.nn.aggr as aggr

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    GatedAttentionCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TopKMeanCombination,
    TwoLevelCombination,
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
        ('boltzmann_mean', BoltzmannMeanCombination),
        ('log_mean_exp', LogMeanExpCombination),
        ('log-mean-exp', LogMeanExpCombination),
        ('hard_max', HardMaxCombination),
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
    assert combination_resolver('PowerMean', p=1.0).p == 1.0
    assert combination_resolver('top_k_mean', 3).k == 3
    pool = combination_resolver('gated-attention', 4, out_channels=1)
    assert isinstance(pool, GatedAttentionCombination)
    two = combination_resolver('two_level', 'free_energy', 'mean')
    assert isinstance(two, TwoLevelCombination)
    assert isinstance(two.across, MeanCombination)
    assert combination_resolver(two) is two
    assert type(combination_resolver('top_k_mean', k=1)) is TopKMeanCombination
    # An error of the constructor is not mistaken for an unknown name.
    with pytest.raises(ValueError, match='positive, finite'):
        combination_resolver('max', scale=-1.0)


def test_instances():
    for instance in (MeanCombination(), aggr.MinAggregation()):
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
