import math

import numpy as np
import pytest

from pyg_multipose.report.chart import Axis, Chart, spread_out

from .conftest import Page


@pytest.mark.parametrize(
    'low, high, whole, expected',
    [
        (0, 1, False, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']),
        (-1.2, 1.1, False, ['−1.0', '−0.5', '0.0', '0.5', '1.0']),
        (0.9, 3.1, True, ['1', '2', '3']),
        (0, 1234, False, ['0', '500', '1000']),
        (0, 0.0123, False, ['0.000', '0.005', '0.010']),
    ],
)
def test_ticks_are_round(low, high, whole, expected):
    marks = Axis('', low, high, whole=whole).marks()
    assert [text for _, text in marks] == expected
    assert all(low <= place <= high for place, _ in marks)


def test_an_axis_holds_its_values():
    axis = Axis.around('', [1.0, math.nan, 3.0], np.array([math.inf, -1.0]))
    assert axis.low < -1 and axis.high > 3
    for values in ([], [5.0], [0.0, 0.0]):
        axis = Axis.around('', values)
        assert axis.low < axis.high and axis.marks()


def test_parts_are_where_their_values_are():
    chart = Chart(Axis('x', 0, 10), Axis('y', 0, 10), 'about')
    chart.points([0, 5, 10, math.nan], [0, 5, 10, 1], 'one', ['a'] * 4, 'all')
    page = Page(chart.figure('title', 'note'))
    points = [one for one in page.all('circle') if 'data-tip' in one]
    x, y = ([float(one[key]) for one in points] for key in ('cx', 'cy'))
    assert len(points) == 3
    assert x[1] == pytest.approx((x[0] + x[2]) / 2, abs=0.1)
    assert y[0] > y[1] > y[2]
    for text in ('title', 'note', 'all', 'x', 'y'):
        assert text in page.text


def test_a_line_is_broken_where_a_value_is_missing():
    chart = Chart(Axis('x', 0, 3), Axis('y', 0, 1), 'about')
    chart.line([0, 1, 2, 3], [0, 1, math.nan, 1], 'one')
    assert chart.parts[0].count('M') == 2
    chart.line([0], [math.nan], 'one')
    chart.spans([1], [0], [math.inf], 'one')
    assert len(chart.parts) == 1


def test_what_lies_outside_is_drawn_at_the_edge():
    chart = Chart(Axis('x', 0, 1), Axis('y', 0, 1), 'about')
    chart.points([5, -5], [0.5, 0.5], 'one')
    places = [float(one['cx']) for one in Page(chart.svg()).all('circle')]
    assert places == [348.0, 60.0]


def test_some_of_many():
    assert spread_out(3, 5).tolist() == [0, 1, 2]
    assert spread_out(100, 3).tolist() == [0, 50, 99]
