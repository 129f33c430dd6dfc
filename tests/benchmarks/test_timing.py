"""Times of all ways of a case, in turn."""

import pytest
import torch

from benchmarks.problem import Runner
from benchmarks.settings import Settings
from benchmarks.timing import time_case
from benchmarks.ways import PLAIN, WAYS

TIMED = [WAYS[name] for name in (PLAIN, 'plain, batched', 'recompute')]


@pytest.mark.parametrize('after', [0, 1, 2])  # steps; the first warms up
def test_a_way_without_room_does_not_stop_the_others(kit, monkeypatch, after):
    case = kit.Case('generated-20', 'schnet', 'mean', 4, 2)
    settings = Settings(quick=True, repeats=3)
    run, steps = Runner.run, []

    def limited(runner, batch):
        if runner.way.name == 'plain, batched':
            if len(steps) == after:
                raise torch.OutOfMemoryError('no room for 4 poses')
            steps.append(batch)
        return run(runner, batch)

    monkeypatch.setattr(Runner, 'run', limited)
    done = []
    figures = time_case(case, TIMED, settings, progress=done.append)
    assert sorted(way.name for way in done) == sorted(w.name for w in TIMED)
    by_way = {figure['way']: figure for figure in figures}
    left_out = by_way.pop('plain, batched')
    assert left_out['unavailable'] == 'no room for 4 poses'
    assert not left_out.keys() & {'seconds', 'median', 'to_plain'}
    for figure in by_way.values():
        assert len(figure['seconds']) == settings.repeats_of(80)
        assert figure['to_plain']['median'] > 0
