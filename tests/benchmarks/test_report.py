import json

import pytest

from benchmarks.report import Report, read
from benchmarks.settings import Settings


def figure(way, kind='time', **values):
    case = dict(data='pocket', model='e3nn', loss='mean', poses=4, per_set=2)
    return {'kind': kind, 'case': case, 'way': way, **values}


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'deep' / 'cpu.json'


def ways(path):
    return [f['way'] for f in json.loads(path.read_text())['figures']]


def test_every_figure_is_written_at_once(path, kit):
    report = Report(path, kit.QUICK)
    assert not path.exists()
    report.add([figure('a', unavailable='x')])
    assert ways(path) == ['a']
    report.add([figure('m', 'memory', unavailable='x')])
    report.add([figure('n', 'memory', unavailable='x')])
    assert ways(path) == ['a', 'm', 'n']
    assert [p.name for p in path.parent.iterdir()] == ['cpu.json']
    data = read(path)
    assert len(data['bars']) > 50
    assert all(bar['met'] is None for bar in data['bars'])


def test_a_second_run_goes_on(path, kit):
    Report(path, kit.QUICK).add([figure('a'), figure('b')])
    report = Report(path, kit.QUICK)
    assert report.moved is None
    report.add([figure('m', 'memory')])
    assert ways(path) == ['a', 'b', 'm']
    report.add([figure('c')])  # the same case again, with other ways
    assert ways(path) == ['m', 'c']


def test_other_settings_do_not_mix(path, kit):
    Report(path, kit.QUICK).add([figure('a')])
    report = Report(path, Settings(quick=True, repeats=2))
    assert report.moved == path.with_suffix('.before.json')
    assert ways(report.moved) == ['a']
    report.add([figure('b')])
    assert ways(path) == ['b']


def test_a_report_of_another_version(path):
    path.parent.mkdir()
    path.write_text('{"schema": 0}')
    with pytest.raises(ValueError, match='schema 0, expected 1'):
        read(path)
