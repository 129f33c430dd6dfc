import pytest

from benchmarks.bars import Bar, Cell, bars, judge
from benchmarks.settings import Settings


def figure(case, way, **values):
    return {'kind': 'time', 'case': vars(case).copy(), 'way': way, **values}


def times(case, way, seconds, prepare=0.0):
    return figure(
        case,
        way,
        seconds=seconds,
        prepare_seconds=[prepare] * len(seconds),
        median=sorted(seconds)[len(seconds) // 2],
    )


@pytest.fixture
def case(kit):
    return kit.Case('pocket', 'schnet', 'mean', 8, 8)


def a_bar(case, bases=('plain',), **values):
    cells = tuple(Cell(case, base) for base in bases)
    return Bar(
        'what', 'schnet', 0.5, values.pop('kind', 'time'),
        Cell(case, 'auto'), cells, **values,
    )  # fmt: skip


def test_the_ratio_is_taken_round_by_round(case):
    # The machine became three times slower in the third round.
    figures = [
        times(case, 'plain', [1.0, 1.0, 3.0]),
        times(case, 'auto', [0.4, 0.5, 1.2]),
    ]
    row = judge(a_bar(case), figures)
    assert row['measured'] == pytest.approx(0.4)
    assert (row['min'], row['max']) == pytest.approx((0.4, 0.5))
    assert row['met'] is True
    figures[1] = times(case, 'auto', [0.6, 0.6, 1.8])
    assert judge(a_bar(case), figures)['met'] is False


def test_the_fastest_base_counts_and_missing_ones_do_not(case):
    figures = [
        times(case, 'slow', [4.0]),
        times(case, 'fast', [2.0]),
        figure(case, 'absent', unavailable='why'),
        times(case, 'auto', [1.0]),
    ]
    row = judge(a_bar(case, ('slow', 'absent', 'fast')), figures)
    assert row['base'] == 'fast' and row['measured'] == 0.5


def test_the_search_may_be_left_out(case):
    figures = [
        times(case, 'plain', [2.0], prepare=1.0),
        times(case, 'auto', [0.5], prepare=0.1),
    ]
    row = judge(a_bar(case), figures)
    assert row['measured'] == pytest.approx(0.25)
    assert row['without_search'] == pytest.approx(0.4)
    row = judge(a_bar(case, search=False), figures)
    assert row['measured'] == pytest.approx(0.4)


def test_no_figure_is_no_verdict(case):
    row = judge(a_bar(case), [])
    assert row['met'] is None and row['reason'] == 'not run'
    figures = [
        times(case, 'plain', [1.0]),
        figure(case, 'auto', unavailable='no such method'),
    ]
    row = judge(a_bar(case), figures)
    assert row['met'] is None and row['reason'] == 'no such method'


@pytest.mark.parametrize(
    'kind, measured', [('held', (1000 - 96) / (2000 - 96)), ('peak', 0.25)]
)
def test_bytes(case, kind, measured):
    figures = [
        {**figure(case, way), 'kind': 'memory', 'held_bytes': held} | peak
        for way, held, peak in (
            ('auto', 1000, {'peak_bytes': 5000}),
            ('plain', 2000, {'peak_bytes': 20000}),
        )
    ]
    row = judge(a_bar(case, kind=kind), figures)
    assert row['measured'] == pytest.approx(measured)


def test_predictions_alone_are_nothing_held(case):
    figures = [
        {**figure(case, way), 'kind': 'memory', 'held_bytes': held}
        for way, held in (('auto', 96), ('plain', 90))
    ]
    assert judge(a_bar(case, kind='held'), figures)['measured'] == 0.0
    figures[0]['held_bytes'] = 200
    row = judge(a_bar(case, kind='held'), figures)
    assert row['met'] is None and '104 bytes against none' in row['reason']


def test_bounds_of_a_gpu_differ():
    def seed(device):
        return {
            bar.bound
            for bar in bars(Settings(device))
            if '`auto` / the seed' in bar.what
        }

    assert seed('cpu') == {0.50} and seed('cuda') == {0.10}
