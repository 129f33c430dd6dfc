import json

import pytest

from pyg_multipose.io import Report
from pyg_multipose.io.report import SHOWN


@pytest.fixture
def report():
    out = Report()
    out.seen['a.sdf'] = 3
    out.kept['a.sdf'] = 2
    out.drop('a.sdf', 2, 'CPD-1', 'valence', 'N has 4')
    out.drop('b.pdb', None, '', 'not a pose')
    out.flag('a.sdf', 1, 'CPD-1', 'missing score', 'CNNscore')
    return out


def test_counts(report):
    report.check()
    assert (report.num_seen, report.num_kept, report.num_dropped) == (3, 2, 1)
    assert report.reasons() == {'valence': 1, 'not a pose': 1}
    assert [row.record for row in report.dropped] == [2, None]
    assert str(report.flagged[0]) == (
        "a.sdf, record 1 'CPD-1': missing score (CNNscore)"
    )
    assert repr(report) == 'Report(seen=3, kept=2, dropped=1, flagged=1)'


@pytest.mark.parametrize(
    'spoil',
    [
        lambda r: r.drop('a.sdf', 3, '', 'again'),
        lambda r: r.kept.update(['a.sdf']),
        lambda r: r.seen.update(['c.sdf']),
        lambda r: r.drop('c.sdf', 1, '', 'never seen'),
    ],
)
def test_a_record_that_is_lost_or_counted_twice_is_found(report, spoil):
    spoil(report)
    with pytest.raises(RuntimeError, match='seen, but'):
        report.check()


def test_a_record_that_is_dropped_twice_is_found(report):
    report.seen['a.sdf'] += 1
    report.drop('a.sdf', 2, '', 'once more')
    with pytest.raises(RuntimeError, match='seen, but'):
        report.check()


def test_table(report):
    report.summary = '1 sets of 2 poses'
    text = str(report)
    assert text.startswith('1 sets of 2 poses\n3 records in 1 files: 2 kept')
    for word in ('valence: N has 4', 'b.pdb', 'missing score: CNNscore'):
        assert word in text
    for number in range(100):
        report.flag('a.sdf', number, '', 'odd')
    assert f'and {101 - SHOWN} more' in str(report)
    assert len(str(report).splitlines()) < SHOWN + 20


def test_json(report):
    got = json.loads(report.to_json())
    assert got['seen'] == 3 and got['files'] == {
        'a.sdf': {'seen': 3, 'kept': 2}
    }
    assert got['rows'][0] == {
        'kind': 'dropped',
        'file': 'a.sdf',
        'record': 2,
        'title': 'CPD-1',
        'reason': 'valence',
        'detail': 'N has 4',
    }


def test_raw_text_is_made_printable_and_short(report):
    report.drop('a.sdf', 9, 'x\x00\x1b[31m' * 100, 'binary', 'y\n' * 9999)
    row = report.rows[-1]
    assert row.title.isprintable() and len(row.title) < 100
    assert row.detail.isprintable() and len(row.detail) < 600
