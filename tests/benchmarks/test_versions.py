"""The command that runs the tests over a matrix of versions."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks.versions import environment, suite
from benchmarks.versions.__main__ import TABLE, main
from benchmarks.versions.rows import FLOORS, ROWS, Row

A, B = Row('a', '2.10.0', '2.7.0', '2.5.0'), Row('b', '9.9', '2.8.1', '2.6.6')
FACTS = {
    'python': '3.11.7',
    'torch': '2.10.0+cpu',
    'cuda': None,
    'versions': dict.fromkeys(environment.TOLD, '1.0'),
}
GOOD = {'passed': 3, 'failed': [], 'skipped': {'no GPU': 2}}
BAD = {**GOOD, 'failed': [['tests.a::test_b', ['assert 1 == 2']]]}


def minor(version):
    return [*map(int, re.findall(r'\d+', version))][:2]


def test_the_matrix_begins_where_pip_is_told_to():
    text = (environment.ROOT / 'pyproject.toml').read_text()
    lowest = dict(re.findall(r'"([\w-]+)>=([\d.]+)[",<]', text))
    oldest = {
        'torch': [row.torch for row in ROWS],
        'torch-geometric': [row.pyg for row in ROWS],
        'lightning': [row.lightning for row in ROWS],
    } | {one.partition('==')[0]: [one.partition('==')[2]] for one in FLOORS}
    for name, versions in oldest.items():
        least = min(map(minor, versions))
        assert least == (minor(lowest[name]) + [0])[:2], name
    python = min(minor(row.python) for row in ROWS if row.python)
    assert python == minor(re.search('requires-python.*', text)[0])


def test_names_are_those_of_files():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r'[\w.-]+', name) for name in names)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command, without an installation; what it ran, and the table."""
    ran = []

    def make(row, folder, source):
        ran.append((row.name, source))
        if row is B:
            raise environment.NotInstalled('could not install torch 9.9: no')
        folder.mkdir()
        return FACTS

    def run(*argv, rows=(A,), out=GOOD):
        monkeypatch.setattr(environment, 'make', make)
        monkeypatch.setattr(suite, 'run', lambda *_: out)
        ran.clear()
        places = ['--folder', tmp_path / 'work', '--docs', tmp_path / 'docs']
        code = main([*map(str, [*argv, *places])], rows)
        return code, [*ran], (tmp_path / 'docs' / TABLE).read_text()

    return run


def test_rows_are_run_once(run, tmp_path):
    code, ran, table = run('--source', '--index-url URL')
    assert (code, ran) == (0, [('a', '--index-url URL')])
    assert '2.10.0+cpu' in table and '- no GPU: a (2)' in table
    assert not (tmp_path / 'work' / 'env-a').exists()
    assert run() == (0, [], table)
    code, ran, table = run('a', '--most', '4', '--keep')
    assert ran and '4 a file' in table
    assert (tmp_path / 'work' / 'env-a').exists()
    other = Row('a', '2.11.0', '2.7.0', '2.5.0')
    (tmp_path / 'work' / 'env-a').rmdir()
    assert run(rows=[other])[1] == [('a', '')]


def test_what_fails_is_told(run):
    code, _, table = run(out=BAD)
    assert code == 1
    assert '- a: `tests.a::test_b`: assert 1 == 2' in table


def test_what_cannot_be_installed_is_told_and_tried_again(run, capsys):
    code, _, table = run(rows=[A, B])
    assert code == 1
    assert '- b: could not install torch 9.9: no' in table
    assert '1 of 2 rows' in capsys.readouterr().err
    assert run(rows=[A, B])[1] == [('b', '')]
    assert run('a', rows=[A, B])[0] == 0


@pytest.mark.parametrize(
    ('argv', 'message'),
    [(['c'], 'no row c'), (['--most', '-1'], '--most is -1')],
)
def test_bad_arguments(run, capsys, argv, message):
    with pytest.raises(SystemExit) as stop:
        run(*argv)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_no_python():
    assert environment.interpreter(None) == Path(sys.executable)
    with pytest.raises(environment.NotInstalled, match='no Python 9.9'):
        environment.interpreter('9.9')


TESTS = """
import pytest

@pytest.mark.parametrize('i', range(10))
def test_number(i):
    if i == 2:
        pytest.skip('two')
    assert i != 5

@pytest.fixture
def broken():
    raise ValueError('broken')

def test_broken(broken):
    pass
"""


def test_some_tests_of_each_file_are_run_and_counted(tmp_path, monkeypatch):
    # To import all that is installed takes a second each time.
    monkeypatch.setenv('PYTEST_DISABLE_PLUGIN_AUTOLOAD', '1')
    path = tmp_path / 'test_a.py'
    path.write_text(TESTS)
    log = tmp_path / 'a.log'
    python = Path(sys.executable)
    found = suite.run(python, [str(path)], 4, 1, log)
    assert found['passed'] == 2  # 0 and 8 of 0, 2, 5, 8
    assert found['skipped'] == {'two': 1}
    ((name, message),) = found['failed']
    assert name.endswith('::test_number[5]') and 'assert' in message[0]
    found = suite.run(python, [str(path)], 0, 1, log)
    assert (found['passed'], len(found['failed'])) == (8, 2)
    found = suite.run(python, [str(tmp_path / 'none.py')], 0, 1, log)
    assert 'ended with 4' in found['why']
