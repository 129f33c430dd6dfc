"""This build beside an earlier one."""

import io
import json
import subprocess

import pytest

from benchmarks.cases import Case
from benchmarks.settings import Settings
from benchmarks.today import measure, server
from benchmarks.today.builds import Build, MissingBuildError, builds
from benchmarks.today.rows import EARLIER, THIS, Lane, Row, rows
from benchmarks.today.table import today_tables

QUICK = Settings(quick=True, repeats=2)
CASE = Case('ligand', 'schnet', 'mean', 2, 2)
ROW = Row('what', 0.5, CASE, Lane(THIS, 'auto'), (Lane(EARLIER, 'auto'),))
#: Answers a line with what it was asked, and ends if it is told to.
ECHO = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if request['do'] == 'end':
        sys.exit(3)
    print(json.dumps({**request, 'build': open('build').read()}), flush=True)
"""


class Local:
    """A build in this process."""

    def __init__(self):
        self.timer = server.Timer()

    def ask(self, do, **what):
        request = json.loads(json.dumps({'do': do, **what}))
        return json.loads(json.dumps(self.timer.answer(request)))


class Scripted:
    """A build whose steps take what they are said to."""

    def __init__(self, seconds, predictions=(1.0,), peak=None):
        self.seconds = iter(seconds)
        self.predictions, self.peak = predictions, peak
        self.asked = []

    def ask(self, do, **what):
        self.asked.append(do)
        if do == 'warm':
            return {'predictions': list(self.predictions), 'atoms': 10}
        if do == 'memory':
            return {'peak_bytes': self.peak}
        if do == 'step':
            seconds = next(self.seconds)
            return {'seconds': seconds, 'cpu_seconds': seconds, 'plan': 'full'}
        return {}


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        command = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b.c']
        subprocess.run([*command, *arguments], cwd=tmp_path, check=True)

    git('init', '-q')
    for name in ('earlier', 'this'):
        (tmp_path / 'build').write_text(name)
        git('add', '.')
        git('commit', '-q', '-m', name)
    (tmp_path / 'echo.py').write_text(ECHO)
    return tmp_path


def test_processes_of_two_builds(checkout):
    with builds('HEAD~1', checkout, checkout / 'echo.py') as ready:
        assert {'earlier', 'this'} <= ready.keys()
        folder = ready['earlier'].root
        assert ready['earlier'].ask('x', a=1) == {
            'do': 'x',
            'a': 1,
            'build': 'earlier',
        }
        assert ready['this'].ask('y')['build'] == 'this'
        gone = ready['this'].ask('end')
        assert gone == {'unavailable': 'the process ended with code 3'}
        assert ready['this'].ask('y') == gone
    assert not folder.exists()
    listed = subprocess.run(
        ['git', 'worktree', 'list'], cwd=checkout, capture_output=True
    )
    assert listed.stdout.count(b'\n') == 1


def test_an_error_leaves_nothing_behind(checkout):
    with pytest.raises(KeyboardInterrupt):
        with builds('HEAD~1', checkout, checkout / 'echo.py') as ready:
            process = ready['earlier']._process
            folder = ready['earlier'].root
            raise KeyboardInterrupt
    assert process.returncode is not None and not folder.exists()


def test_a_clone_without_the_earlier_commit(checkout):
    with pytest.raises(MissingBuildError, match='fetch --unshallow'):
        with builds('0123456', checkout):
            pass


def test_no_checkout_and_no_git(tmp_path, monkeypatch):
    with pytest.raises(MissingBuildError, match='nothing to compare with'):
        with builds('HEAD', tmp_path):
            pass
    monkeypatch.setenv('PATH', '')
    with pytest.raises(MissingBuildError):
        with builds('HEAD', tmp_path):
            pass


def test_without_the_earlier_build_the_table_says_so(checkout, monkeypatch):
    monkeypatch.setattr(
        measure, 'builds', lambda commit: builds('0123456', checkout)
    )
    figures = [*measure.today(QUICK)]
    report = {'figures': figures, 'settings': {'quick': True}}
    ((_, text),) = today_tables(report)
    assert 'not in the history' in text


def test_real_steps_of_two_builds_in_this_process():
    out = measure.figure(ROW, {EARLIER: Local(), THIS: Local()}, QUICK)
    ratio = out['ratios'][THIS]
    assert 0 < ratio['min'] <= ratio['median'] <= ratio['max']
    assert ratio['cpu'] > 0 and ratio['plans'] == ['full']
    assert out['case']['poses'] == 2 and out['bound'] == 0.5


def test_steps_of_new_readouts_and_foreign_models():
    lanes = Lane(THIS, 'auto', fresh=1, steps=0), Lane(THIS, 'x', 'stream')
    row = Row('what', 0.5, CASE, lanes[0], lanes[1:], renew=False)
    out = measure.figure(row, {THIS: Local()}, QUICK)
    assert 'unavailable' not in out, out


def test_ratios_are_taken_round_by_round():
    ready = {
        EARLIER: Scripted([4.0, 8.0]),
        THIS: Scripted([2.0, 5.0]),
        'fast': Scripted([1.0, 2.0]),
    }
    out = measure.figure(ROW, ready, QUICK)
    assert out['ratios'][THIS]['min'] == 0.5
    assert out['ratios'][THIS]['max'] == 0.625
    assert not out['ratios'][THIS]['met'] and out['ratios']['fast']['met']
    assert all(build.asked[-1] == 'drop' for build in ready.values())
    report = {'figures': [out], 'settings': {'quick': False}}
    ((title, text),) = today_tables(report)
    assert '1 met, 1 missed' in title
    assert '0.56 [0.50, 0.62] (0.56), bar 0.50: **MISSED**' in text
    assert '0.25 (0.25), bar 0.50: met' in text


def test_memory():
    row = Row('peak', 0.6, CASE, ROW.mine, ROW.bases, key='peak_bytes')
    ready = {EARLIER: Scripted([], peak=100), THIS: Scripted([], peak=50)}
    out = measure.figure(row, ready, QUICK)
    assert out['ratios'][THIS]['median'] == 0.5
    assert out['ratios'][THIS]['base_peak_bytes'] == 100


def test_builds_that_predict_something_else():
    ready = {EARLIER: Scripted([1.0, 1.0]), THIS: Scripted([1.0], [1.1])}
    out = measure.figure(ROW, ready, QUICK)
    assert 'builds predict' in out['unavailable']
    ((_, text),) = today_tables(
        {'figures': [out], 'settings': {'quick': False}}
    )
    assert 'bar 0.50: builds predict' in text


def test_the_process_answers_in_lines(capsys):
    answers = io.StringIO()
    server.main(io.StringIO('{"do": "drop"}\n{"do": "step"}\n'), answers)
    one, two = answers.getvalue().splitlines()
    assert json.loads(one) == {}
    assert 'TypeError' in json.loads(two)['unavailable']


def test_every_row_of_the_issue_has_its_bar():
    found = {
        (row.what.partition(':')[0], row.bound) for row in rows(Settings())
    }
    assert len(rows(Settings())) == 2 * len(found)
    assert ('receptor shared, inference, N = 64, pocket', 0.5) in found
    assert all(isinstance(row.bound, float) for row in rows(QUICK))


def test_a_build_is_a_process_of_its_own(checkout):
    build = Build(checkout, True, checkout / 'echo.py')
    try:
        assert build.ask('x')['build'] == 'this'
    finally:
        build.close()
    assert build._process.returncode == 0
