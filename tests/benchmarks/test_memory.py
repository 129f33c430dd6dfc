import os

import pytest

from benchmarks import memory


def figure(kit, way, poses=4, model='schnet'):
    case = kit.Case('generated-20', model, 'max1000', poses, poses)
    return memory.memory_figure(case, way, kit.QUICK)


def test_of_a_process(kit):
    plain = figure(kit, 'plain, pose by pose')
    assert plain['kind'] == 'memory' and plain['way'] == 'plain, pose by pose'
    assert plain['case']['poses'] == 4
    assert plain['peak_bytes'] >= 0
    flat = figure(kit, 'recompute')
    assert 0 < flat['held_bytes'] < 0.01 * plain['held_bytes']
    again = figure(kit, 'recompute')
    assert again['held_bytes'] == flat['held_bytes']


def test_a_way_that_cannot_run(kit):
    case = kit.Case('generated-20', 'schnet', 'attention', 2, 2)
    found = memory.memory_figure(case, 'stream', kit.QUICK)
    assert found['unavailable'] == 'stream does not serve this loss'


def test_a_process_that_dies(kit, monkeypatch):
    monkeypatch.setattr(memory, '_child', _die)
    found = figure(kit, 'recompute')
    assert found['unavailable'] == 'the process ended with code 7'


def _die(*_):
    os._exit(7)


def test_peak_sees_what_is_gone():
    before = memory._start('cpu')
    block = b'x' * 50_000_000
    del block
    grown = memory._peak('cpu') - before
    assert grown > 40_000_000
    try:
        open('/proc/self/clear_refs', 'w').close()
    except OSError:
        pytest.skip('peaks cannot be reset here')
    assert memory._start('cpu') - before < 25_000_000
