import pytest
import torch

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TopKMeanCombination,
)

COMBINATIONS = [
    MeanCombination(),
    MaxCombination(),
    MaxCombination(scale=1.0),
    MaxCombination(scale=10.0, negate=False),
    MaxCombination(scale=10.0, normalize=True),
    MaxCombination(scale=1000.0, negate=False, normalize=True),
    FreeEnergyCombination(),
    LogMeanExpCombination(),
    BoltzmannMeanCombination(),
    BoltzmannMeanCombination(scale=10.0, negate=False),
    HardMaxCombination(),
    HardMaxCombination(negate=False),
    TopKMeanCombination(1),
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(12)


@pytest.fixture(params=COMBINATIONS, ids=repr)
def combination(request):
    return request.param


@pytest.fixture(
    params=[one for one in COMBINATIONS if one.has_running_form], ids=repr
)
def streamed(request):
    """A combination with a running form."""
    return request.param


@pytest.fixture(params=['index', 'ptr'])
def grouping(request):
    """Six rows in groups of three, one and two, as keyword arguments."""
    if request.param == 'index':
        return {'index': torch.tensor([2, 0, 1, 0, 2, 0]), 'dim_size': 3}
    return {'ptr': torch.tensor([0, 3, 4, 6])}


@pytest.fixture(scope='session')
def members():
    """The rows of each group, whichever way groups are given."""

    def call(num_rows, index=None, ptr=None, dim_size=None):
        if ptr is not None:
            ends = ptr.tolist()
            return [
                list(range(a, b))
                for a, b in zip(ends[:-1], ends[1:], strict=True)
            ]
        return [
            [row for row in range(num_rows) if int(index[row]) == group]
            for group in range(dim_size)
        ]

    return call


@pytest.fixture(scope='session')
def reference():
    """One group in float64, as its definition reads."""

    def call(combination, x):
        x = x.double()
        if isinstance(combination, MeanCombination):
            return sum(x) / len(x)
        n = -1 if combination.negate else 1
        if isinstance(combination, (HardMaxCombination, TopKMeanCombination)):
            return n * (n * x).max(dim=0).values
        t = combination.scale
        if isinstance(combination, BoltzmannMeanCombination):
            return (torch.softmax(n * t * x, dim=0) * x).sum(0)
        out = n / t * torch.logsumexp(n * t * x, dim=0)
        if combination.normalize:
            out = out - n / t * torch.tensor(float(len(x))).double().log()
        return out

    return call
