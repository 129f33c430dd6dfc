"""Gradients of two and four processes are those of one."""

import pytest
import torch

from pyg_multipose.distributed import launch

from . import cases

pytestmark = pytest.mark.filterwarnings('ignore:None of these predictions')


@pytest.fixture(scope='module')
def alone():
    return cases.everything()


@pytest.fixture(scope='module', params=[2, 4])
def several(request):
    return launch(cases.on_ranks, (), request.param)


def close(found, expected):
    """To 1e-11 of the largest entry of any gradient."""
    assert found.keys() == expected.keys()
    scale = max(float(one.abs().max()) for one in expected.values())
    for name, one in expected.items():
        error = float((found[name] - one).abs().max())
        assert error <= 1e-11 * max(scale, 1e-3), (name, error, scale)


@pytest.mark.parametrize('number', range(len(cases.OVER_SETS)))
def test_sets_over_ranks(alone, several, number):
    expected = alone['sets'][number]
    for of_rank in several:
        found = of_rank['sets'][number]
        for one, other in zip(
            found['gradients'], expected['gradients'], strict=True
        ):
            close(one, other)
    # Each set once, by whichever rank.
    for place, names in enumerate(expected['names']):
        dealt = [
            one for r in several for one in r['sets'][number]['names'][place]
        ]
        assert sorted(dealt) == sorted(names)
    # DDP averages what ranks have.
    mean = torch.stack(
        [torch.stack(r['sets'][number]['values']) for r in several]
    ).mean(0)
    torch.testing.assert_close(mean, torch.stack(expected['values']))


@pytest.mark.parametrize('number', range(len(cases.OVER_POSES)))
def test_poses_over_ranks(alone, several, number):
    expected = alone['poses'][number]
    for place, one in enumerate(expected):
        for of_rank in several:
            found = of_rank['poses'][number][place]
            torch.testing.assert_close(
                found['out'], one['out'], rtol=1e-12, atol=1e-12
            )
            close(found['gradients'], one['gradients'])


def test_each_rank_evaluates_its_part(alone, several):
    """So memory falls with ranks: graphs are of own poses only."""
    for place, batch in enumerate(cases.batches()):
        own = [r['poses'][1][2 * place]['forward'] for r in several]
        if batch.num_poses >= len(several):
            assert sum(own) == batch.num_poses
            assert max(own) <= batch.num_poses // len(several) + 2
