import pytest

from benchmarks.table import bar_table, header, markdown, summary


@pytest.fixture
def report(kit):
    def bar(model, **values):
        return {'what': 'Max', 'model': model, 'bound': 0.5, **values}

    return {
        'settings': kit.QUICK.as_dict() | {'quick': False},
        'bars': [
            bar('schnet', measured=0.4, min=0.3, max=0.45, met=True),
            bar('e3nn', measured=0.6, min=0.6, max=0.6, met=False),
            bar('e3nn', measured=None, met=None, reason='no such method')
            | {'what': 'Mean'},
        ],
    }


def test_bars(report):
    lines = bar_table(report).split('\n')
    assert [cell.strip() for cell in lines[2].split('|')[1:-1]] == [
        'Max',
        '0.400 [0.300, 0.450], bar 0.50: met',
        '0.600, bar 0.50: **missed**',
    ]
    assert [cell.strip() for cell in lines[3].split('|')[1:-1]] == [
        'Mean',
        '',
        'bar 0.50: not available: no such method',
    ]
    assert summary(report) == (
        '1 met, 1 missed, 1 without a figure (no such method)'
    )


def test_a_quick_run_judges_nothing(report):
    report['settings']['quick'] = True
    table = bar_table(report)
    assert 'met' not in table.replace('method', '')
    assert '0.400 [0.300, 0.450], bar 0.50: not judged' in table
    assert 'none' in summary(report)


def test_header_names_the_card(report):
    report['load_average'] = None
    report['machine'] = dict.fromkeys(
        ('processor', 'system', 'python', 'torch', 'torch_geometric'), 'x'
    ) | {'e3nn': '0.6', 'pyg_multipose': '0.1', 'card': 'A card'}
    report['machine']['numba'] = None
    text = header(report)
    assert text.startswith('A card; ') and 'load average' not in text
    del report['machine']['card']
    assert header(report).startswith('x, one thread; ')
    assert 'no numba' in header(report)
    report['machine']['numba'] = '0.61'
    assert 'pyg_multipose 0.1, numba 0.61; ' in header(report)


def test_columns_are_as_wide_as_their_cells():
    assert markdown([['', 'a'], ['bbb', 'c']]) == (
        '|     | a |\n| --- | - |\n| bbb | c |'
    )
