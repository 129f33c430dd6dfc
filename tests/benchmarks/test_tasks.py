import pytest

from benchmarks.bars import bars
from benchmarks.losses import LOSSES
from benchmarks.settings import Settings
from benchmarks.tasks import PARTS, tasks


@pytest.mark.parametrize('quick', [False, True])
def test_bars_find_all_that_they_compare(quick):
    settings = Settings(quick=quick)
    todo = tasks(settings, 'bars')
    planned = {
        (task.kind, task.case, way.name) for task in todo for way in task.ways
    }
    for bar in bars(settings):
        kind = 'time' if bar.kind == 'time' else 'memory'
        for cell in (bar.cell, *bar.bases):
            assert (kind, cell.case, cell.way) in planned


def test_everything_is_measured_once():
    todo = tasks(Settings())
    times = [task.case for task in todo if task.kind == 'time']
    assert len(times) == len(set(times))
    memory = [(t.case, t.ways) for t in todo if t.kind == 'memory']
    assert len(memory) == len(set(memory))
    parts = [set(tasks(Settings(), part)) for part in PARTS]
    assert all(parts)
    cases = {(t.kind, t.case) for part in parts for t in part}
    assert cases == {(t.kind, t.case) for t in todo}


def test_the_grid_covers_what_it_should():
    todo = [t for t in tasks(Settings()) if t.kind == 'time']
    small = [t.case for t in todo if t.case.data == 'generated-50']
    assert {case.poses for case in small} == {1, 8, 64, 512}
    assert {case.loss for case in small} == set(LOSSES)
    assert {t.case.data for t in todo} == {
            'pocket', 'chain', 'ligand', 'pocket-flexible', 'chain-flexible',
            'generated-50', 'generated-300', 'generated-3000',
        }  # fmt: skip


def test_nothing_holds_more_than_a_small_machine_has():
    for task in tasks(Settings()):
        if task.case.data == 'pocket' and task.case.poses == 512:
            names = {way.name for way in task.ways}
            assert names <= {'stream', 'recompute', 'auto', 'auto, shared'}


def test_it_takes_less_than_an_hour():
    settings = Settings()
    assert sum(t.seconds(settings) for t in tasks(settings)) < 60 * 60


def test_large_steps_are_repeated_seldom():
    settings = Settings()
    assert settings.repeats_of(64 * 515) == 3
    assert settings.repeats_of(9 * 28) == 15
    assert settings.repeats_of(28) == 25


def test_a_part_leaves_no_way_out():
    """Its figures of a case replace those of a run of everything."""
    every = {t.case: t.ways for t in tasks(Settings()) if t.kind == 'time'}
    parts = {'bars': 0, 'grid': 0, 'memory': 0}
    for only in parts:
        for task in tasks(Settings(), only):
            if task.kind == 'time':
                parts[only] += 1
                assert task.ways == every[task.case]
    assert parts['bars'] and parts['grid'] and not parts['memory']
