"""What two and four processes do is what one does."""

import pytest
import torch

from . import cases

pytestmark = [
    pytest.mark.processes,
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


def pick(what, of_all, case, alone, several):
    """What one process, and several, have of a case."""
    number = of_all.index(case)
    few = len(several[0][what])
    mine = number
    if few < len(of_all):  # by four processes, the last sets, the first poses
        mine = number - len(of_all) + few if what == 'sets' else number
    if not 0 <= mine < few:
        pytest.skip('by two processes')
    return alone[what][number], [r[what][mine] for r in several]


@pytest.fixture
def pair(several):
    if len(several) != 2:
        pytest.skip('by two processes')
    return several


# Sets over ranks #############################################################


@pytest.mark.parametrize('case', cases.OVER_SETS, ids=str)
def test_sets_over_ranks(alone, several, case):
    expected, found = pick('sets', cases.OVER_SETS, case, alone, several)
    for of_rank in found:
        for one, other in zip(
            of_rank['gradients'], expected['gradients'], strict=True
        ):
            close(one, other)
    # Each set once, by whichever rank.
    for place, names in enumerate(expected['names']):
        dealt = [one for of_rank in found for one in of_rank['names'][place]]
        assert sorted(dealt) == sorted(names)
    # DDP averages what ranks have.
    mean = torch.stack([torch.stack(r['values']) for r in found]).mean(0)
    torch.testing.assert_close(mean, torch.stack(expected['values']))


def test_some_ranks_had_no_set(several):
    """Else the cases would not show what happens then."""
    names = [r['sets'][-1]['names'] for r in several]
    assert any(not one for of_rank in names for one in of_rank)


# Poses over ranks ############################################################


@pytest.mark.parametrize('case', cases.OVER_POSES, ids=str)
def test_poses_over_ranks(alone, several, case):
    expected, found = pick('poses', cases.OVER_POSES, case, alone, several)
    for place, one in enumerate(expected):
        for of_rank in found:
            torch.testing.assert_close(
                of_rank[place]['out'], one['out'], rtol=1e-12, atol=1e-12
            )
            close(of_rank[place]['gradients'], one['gradients'])


def test_memory_falls_with_ranks(alone, several):
    """Graphs are of own poses only: counted, in the mode that holds all."""
    full = cases.OVER_POSES[0]
    expected, found = pick('poses', cases.OVER_POSES, full, alone, several)
    for place, batch in enumerate(cases.batches()):
        own = [of_rank[place]['poses'] for of_rank in found]
        assert sum(own) == batch.num_poses
        most = max(own)
        assert most <= -(-batch.num_poses // len(several)) + 1
        # Beside the graphs there are the predictions of all poses.
        held = max(of_rank[place]['held'] for of_rank in found)
        whole = expected[place]['held']
        assert held <= 1.3 * whole * most / batch.num_poses + 2000


# Trainings ###################################################################


@pytest.mark.parametrize('number', range(len(cases.BY_LIGHTNING)))
def test_a_training_is_that_of_one_process(alone, pair, number):
    expected = alone['lightning'][number]
    for of_rank in pair:
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


def test_sets_on_disk_are_seen_once_an_epoch(pair):
    for epoch, first in pair[0]['disk'].items():
        names = sorted(first + pair[1]['disk'][epoch])
        assert names == sorted(f'CPD-{n}' for n in range(13)), epoch
    orders = [pair[0]['disk'][f'sets True {epoch}'] for epoch in range(2)]
    assert orders[0] != orders[1]


# What is refused #############################################################


def test_what_does_not_go_is_said_by_every_rank(pair):
    for rank, of_rank in enumerate(pair):
        said = of_rank['refused']
        assert 'DifferentBatchesError: Ranks 0 and 1' in said['other']
        assert "['pos'] of the batch require grad" in said['asking']
        assert "nonfinite='mask' does not go" in said['masked']
        assert "gradient='stream' with poses over ranks" in said['prior']
        assert 'do not support double backward' in said['twice']
        assert 'MSELoss does not say over how many' in said['loss']
        weigh = 'labels that weigh 3, and the loss some that weigh 2'
        assert weigh in said['labels']
        assert "have different data: ['settings'] differ" in said['data']
        assert said['after'] == 'nothing', rank


def test_a_rank_that_fails_stops_the_others(pair):
    said = [r['refused']['spoiled'] for r in pair]
    own = [one for one in said if one.startswith('ValueError')]
    assert len(own) == 1, said
    assert "'CPD-0 (of its poses 0, 2, 4)', pose 2 is nan" in own[0]
    rank = said.index(own[0])
    for one in said:
        if one != own[0]:
            assert f'Rank {rank} of {len(said)} failed' in one
