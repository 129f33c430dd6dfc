"""Several processes of fit, and how many of them there are."""

import os
from types import SimpleNamespace

import pytest
import torch

from pyg_multipose.cli import main, processes
from pyg_multipose.cli.fit import parser

from .conftest import EMA, FIT
from .test_commands import rows

pytestmark = [
    pytest.mark.processes,
    pytest.mark.filterwarnings('ignore:.*LeafSpec'),
]


class Sizes(list):
    """Sets of which sizes are known."""

    def __init__(self, sizes):
        super().__init__(sizes)
        self.rows = torch.tensor(sizes)

    def set_sizes(self):
        return self.rows

    def set_costs(self):
        return self.rows[:, 0] - 400


def options(*more):
    return parser().read(['--data', 'a', '--out', 'b', *more])


def data(number, poses=9):
    sizes = [(400 + 30 * poses, 0, poses)] * number
    return SimpleNamespace(sets=Sizes(sizes), path='a')


@pytest.fixture
def idle(monkeypatch):
    """Four cores without other work."""
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processes, 'idle_cores', lambda: (4, 3.9))


# How many ####################################################################


def test_small_trainings_stay_in_one_process(idle):
    count, why = processes.choose(options('--device', 'cpu'), data(20))
    assert count == 1 and why.startswith('about 3 s of work')


def test_large_ones_take_the_cores_that_are_idle(idle, monkeypatch):
    more = ('--device', 'cpu', '--epochs', '200')
    asked = options(*more, '--max-poses', '256')
    assert processes.choose(asked, data(2000))[0] == 4
    monkeypatch.setattr(processes, 'idle_cores', lambda: (4, 1.8))
    assert processes.choose(asked, data(2000))[0] == 2
    monkeypatch.setattr(processes, 'idle_cores', lambda: (4, 1.2))
    count, why = processes.choose(asked, data(2000))
    assert count == 1 and why == 'of 4 cores, 1.2 are idle'


def test_sets_that_cannot_be_shared_are_not(idle):
    """A batch is one set: more ranks would only wait."""
    more = ('--device', 'cpu', '--epochs', '200')
    asked, sets = options(*more, '--max-poses', '400'), data(200, 400)
    assert processes.choose(asked, sets)[0] == 1
    asked.deal = 'poses'
    assert processes.choose(asked, sets)[0] == 4


def test_what_is_not_dealt_is_done_by_all(idle, monkeypatch):
    """The receptor of a few poses, unless complexes are whole."""
    monkeypatch.setattr(processes, 'idle_cores', lambda: (2, 2.0))
    asked = options('--device', 'cpu', '--epochs', '200')
    assert processes.choose(asked, data(2000))[0] == 1
    asked.readout = {'share_receptor': False}
    assert processes.choose(asked, data(2000))[0] == 2


def test_what_is_asked_for(idle, monkeypatch):
    assert processes.choose(options('--processes', '3'), data(2)) == (
        3, 'asked for'
    )  # fmt: skip
    with pytest.raises(ValueError, match='--processes 0 has to be'):
        processes.choose(options('--processes', '0'), data(2))
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '2')
    assert processes.choose(options(), data(2))[0] == 2
    with pytest.raises(ValueError, match='--processes 3, but 2 were started'):
        processes.choose(options('--processes', '3'), data(2))


@pytest.mark.parametrize('number', ['0', '-3'])
def test_bench_wants_at_least_one(number, capsys):
    argv = ['bench', '--data', 'MproMoonshot', f'--processes={number}']
    assert main(argv) != 0
    assert f'--processes {number} has to be' in capsys.readouterr().err


def test_cores_that_are_busy(monkeypatch, tmp_path):
    """As Linux counts them, in ticks: user, nice, system, idle, ..."""
    mine = sorted(os.sched_getaffinity(0))[:1]
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(mine))
    stat = tmp_path / 'stat'
    monkeypatch.setattr(processes, '_STAT', stat)
    stat.write_text(f'cpu 9 9\ncpu{mine[0]} 10 0 0 50 0 0 0 0 0 0\nintr 5\n')

    def later(seconds):
        stat.write_text(f'cpu{mine[0]} 20 0 5 85 0 0 0 0 0 0\n')

    monkeypatch.setattr(processes.time, 'sleep', later)
    assert processes.idle_cores() == (1, 0.7)
    stat.unlink()
    assert processes.idle_cores() == (1, 1.0)


def test_one_thread_for_a_while(monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with processes.one_thread(options('--device', 'cpu')):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# Trainings ###################################################################


@pytest.fixture(scope='module')
def by_two(campaign, tmp_path_factory):
    """As the run of one process, that of conftest."""
    out = tmp_path_factory.mktemp('two') / 'run'
    argv = ['fit', '--data', str(campaign), '--out', str(out), *FIT]
    argv += [*EMA, '--accumulate', '2', '--processes', '2']
    assert main(argv) == 0
    return out


def test_two_processes_train_as_one(fitted, by_two):
    for name in ('test_predictions.csv', 'test_predictions_poses.csv'):
        for one, two in zip(
            rows(fitted / name), rows(by_two / name), strict=True
        ):
            for key in ('prediction', 'weight'):
                if key in one:
                    assert float(two[key]) == pytest.approx(
                        float(one[key]), rel=1e-4, abs=1e-5
                    )
    for one, two in zip(
        rows(fitted / 'metrics.csv'), rows(by_two / 'metrics.csv'), strict=True
    ):
        assert one.keys() == two.keys()
        for key, value in one.items():
            assert bool(value) == bool(two[key])
            if value:
                assert float(two[key]) == pytest.approx(
                    float(value), rel=1e-3, abs=1e-4, nan_ok=True
                )
    assert 'processes: 2' in (by_two / 'config.yaml').read_text()
    assert (fitted / 'split.csv').read_text() == (
        by_two / 'split.csv'
    ).read_text()


def test_two_processes_repeat_a_run_to_the_bit(by_two, tmp_path):
    out = tmp_path / 'again'
    argv = ['fit', '--config', str(by_two / 'config.yaml'), '--out', str(out)]
    assert main(argv) == 0
    for name in ('metrics.csv', 'test_predictions_poses.csv'):
        assert (out / name).read_text() == (by_two / name).read_text()
    one = torch.load(by_two / 'last.ckpt', weights_only=True)['state_dict']
    two = torch.load(out / 'last.ckpt', weights_only=True)['state_dict']
    for name, value in one.items():
        assert torch.equal(value, two[name]), name


def test_a_fault_of_the_input_is_said_once(campaign, tmp_path, capfd):
    argv = ['fit', '--data', str(campaign), '--out', str(tmp_path / 'a')]
    assert main([*argv, *FIT, '--processes', '2', '--loss', 'Hubber']) == 1
    text = capfd.readouterr().err
    assert text.count("did you mean 'HuberLoss'") == 1
    assert 'Traceback' not in text


# bench #######################################################################

BENCH = [
    '--device', 'cpu', '--model', 'SchNet', '--model_args',
    '{"hidden_channels": 4, "num_filters": 4, "num_interactions": 1}',
    '--lengths', '[0.6, 0.2, 0.2]', '--seconds', '0.1',
]  # fmt: skip


def test_bench_compares_and_measures(campaign, capsys):
    argv = ['bench', '--data', str(campaign), *BENCH, '--processes', '2']
    assert main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:15].strip() for line in lines[1:4]] == [
        'plain autograd', 'as fit does', 'as fit does'
    ]  # fmt: skip
    assert lines[3].split()[3] == '2'
    for line in lines[2:4]:
        assert float(line.split()[4]) < 1e-9


def test_bench_stops_at_a_wrong_gradient(campaign, capsys):
    argv = ['bench', '--data', str(campaign), *BENCH, '--processes', '1']
    argv += ['--readout', '{"gradient": "recompute", "tolerance": 0.9}']
    assert main(argv) == 1
    out = capsys.readouterr()
    assert 'differs from that of plain autograd by' in out.err
    assert 'nothing was measured' in out.err
    assert 'as fit does' not in out.out
