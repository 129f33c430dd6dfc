"""A tally of parts reads as the report of the whole."""

import json
import random

import pytest

from pyg_multipose.io import Report
from pyg_multipose.io.tally import Tally


def fill(report, places, rng):
    for place in places:
        report.at = (place,)
        file = f'{place % 3}.sdf'
        report.seen[file] += 1
        reason = f'reason {(place * 7) % 5}'
        if place % 2:
            report.drop(file, place, 'A', reason, 'x' * (place % 4))
        else:
            report.kept[file] += 1
        if place % 5 == 0:
            report.flag(file, None, 'B', reason)


@pytest.mark.parametrize('seed', range(3))
def test_parts_make_the_whole(seed):
    rng = random.Random(seed)
    whole = Report()
    fill(whole, range(200), rng)
    places = list(range(200))
    cuts = sorted(rng.sample(places, 4))
    ends = zip([0, *cuts], [*cuts, 200], strict=True)
    parts = [places[start:end] for start, end in ends]
    rng.shuffle(parts)
    tally = Tally()
    for part in parts:
        one = Tally()
        fill(one, part, rng)
        one.check()
        tally.add(json.loads(json.dumps(one.to_part())), with_seen=False)
    tally.seen['all'] = 200
    tally.num_files = 3
    tally.summary = whole.summary = 'all of it'
    tally.check()
    assert str(tally) == str(whole)
    assert tally.reasons() == whole.reasons()
    assert repr(tally.num_dropped) == repr(whole.num_dropped)
    lost = sum(n for of in tally.lost.values() for n, _ in of.values())
    assert lost == whole.num_dropped
    tally.seen['all'] += 1
    with pytest.raises(RuntimeError, match='201 records seen'):
        tally.check()


def test_rows_that_nobody_sees():
    tally = Tally()
    tally.flag('a.sdf', 1, '', 'missing')
    tally.count_flags('missing', 41)
    assert tally.reasons('flagged') == {'missing': 42}
    assert '... and 41 more' in str(tally)
