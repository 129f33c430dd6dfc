"""What two and four processes do is what one does."""

import json

import pytest
import torch

from . import cases

pytestmark = [
    pytest.mark.filterwarnings('ignore:None of these predictions'),
    pytest.mark.filterwarnings('ignore:.*does not have many workers'),
    pytest.mark.filterwarnings('ignore:.*LeafSpec'),
]


def close(found, expected):
    """To 1e-11 of the largest entry of any gradient."""
    assert found.keys() == expected.keys()
    scale = max(float(one.abs().max()) for one in expected.values())
    for name, one in expected.items():
        error = float((found[name] - one).abs().max())
        assert error <= 1e-11 * max(scale, 1e-3), (name, error, scale)


# Sets over ranks #############################################################


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


def test_some_ranks_had_no_set(several):
    """Else the cases would not show what happens then."""
    names = [r['sets'][-1]['names'] for r in several]
    assert any(not one for of_rank in names for one in of_rank)


# Poses over ranks ############################################################


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


def test_memory_falls_with_ranks(alone, several):
    """Graphs are of own poses only: counted, in the mode that holds all."""
    number = cases.OVER_POSES.index(('SchNet', 'max', 'full', False, None))
    ranks = len(several)
    for place, batch in enumerate(cases.batches()):
        own = [r['poses'][number][2 * place]['poses'] for r in several]
        assert sum(own) == batch.num_poses
        assert max(own) <= -(-batch.num_poses // ranks) + 1
        held = [r['poses'][number][2 * place]['held'] for r in several]
        whole = alone['poses'][number][2 * place]['held']
        # Beside the graphs there are the predictions of all poses.
        most = max(own) / batch.num_poses
        assert max(held) <= whole * most * 1.3 + 2000


# Trainings ###################################################################


@pytest.mark.parametrize('number', range(len(cases.BY_LIGHTNING)))
def test_a_training_is_that_of_one_process(alone, several, number):
    expected = alone['lightning'][number]
    for of_rank in several:
        found = of_rank['lightning'][number]
        assert found['epochs'] == expected['epochs']
        assert found['weights'].keys() == expected['weights'].keys()
        for name, one in expected['weights'].items():
            torch.testing.assert_close(
                found['weights'][name], one, rtol=1e-9, atol=1e-10
            )
        assert found['logged'].keys() == expected['logged'].keys()
        for name, one in expected['logged'].items():
            torch.testing.assert_close(
                found['logged'][name], one,
                rtol=1e-5, atol=1e-6, equal_nan=True,
            )  # fmt: skip


def test_sets_on_disk_are_seen_once_an_epoch(several):
    if len(several) == 4:
        pytest.skip('two ranks tell')
    for epoch, first in several[0]['disk'].items():
        names = sorted(first + several[1]['disk'][epoch])
        assert names == sorted(f'CPD-{n}' for n in range(13)), epoch
    orders = [several[0]['disk'][f'sets True {epoch}'] for epoch in range(2)]
    assert orders[0] != orders[1]


# What is refused #############################################################


def test_what_does_not_go_is_said_by_every_rank(several):
    for rank, of_rank in enumerate(several):
        said = of_rank['refused']
        assert 'DifferentBatchesError: Ranks 0 and 1' in said['other']
        assert "['pos'] of the batch require grad" in said['asking']
        assert "nonfinite='mask' does not go" in said['masked']
        assert "gradient='stream' with poses over ranks" in said['prior']
        assert 'do not support double backward' in said['twice']
        assert 'MSELoss does not say over how many' in said['loss']
        assert "have different data: ['settings'] differ" in said['data']
        assert said['after'] == 'nothing', rank


def test_a_rank_that_fails_stops_the_others(several):
    said = [r['refused']['spoiled'] for r in several]
    own = [one for one in said if one.startswith('ValueError')]
    assert len(own) == 1 and 'pose 4 is nan' in own[0], json.dumps(said)
    rank = said.index(own[0])
    for one in said:
        if one != own[0]:
            assert f'Rank {rank} of {len(said)} failed' in one
