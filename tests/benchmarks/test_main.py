"""The whole command, on a few poses and narrow models."""

import json
from types import SimpleNamespace

import pytest

from benchmarks.__main__ import main
from benchmarks.bars import bars
from benchmarks.cases import Case
from benchmarks.memory import measure, memory_figure
from benchmarks.settings import Settings
from benchmarks.tasks import tasks
from tests.trusting import Trusting

NUMBER = (int, float)
#: What a clone without history has of the table of two builds.
TODAY = {'kind': 'today', 'case': {}, 'way': '', 'missing': 'no history'}


class FewProcesses:
    """Memory of the first way is that of a process, as of all otherwise.

    Each of them would import and make its models anew.
    """

    def __init__(self):
        self.measure = memory_figure

    def __call__(self, case, way, settings):
        found = self.measure(case, way, settings)
        self.measure = self.here
        return found

    def here(self, case, way, settings):
        figure = {'kind': 'memory', 'case': vars(case).copy(), 'way': way}
        return figure | measure(case, way, settings)


@pytest.fixture(scope='module')
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp('benchmarks')
    path = folder / 'out.json'
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'builtins.print', lambda *texts, **_: lines.extend(texts)
        )
        # Other tests compare all ways; here that would be half of the time.
        patch.setattr('pyg_multipose.nn.multi_pose_readout.Verdict', Trusting)
        patch.setattr('benchmarks.__main__.memory_figure', FewProcesses())
        patch.setattr('benchmarks.__main__.today', lambda settings: [TODAY])
        main(['--quick', '--out', str(path)])
        main(
            [
                '--write-docs',
                '--out',
                str(path),
                '--docs',
                str(folder / 'docs'),
            ]
        )
    return SimpleNamespace(
        folder=folder,
        report=json.loads(path.read_text()),
        output='\n'.join(map(str, lines)),
    )


def test_header(quick):
    report = quick.report
    assert report['schema'] == 1
    assert {'processor', 'cores', 'torch', 'e3nn'} <= set(report['machine'])
    assert report['settings']['threads'] == 1
    assert report['settings']['quick'] is True
    assert report['settings']['e3nn']['num_layers'] == 2


def test_every_task_has_its_figures(quick):
    settings = Settings(quick=True, repeats=1)
    planned = {
        (task.kind, task.case, way.name)
        for task in tasks(settings)
        for way in task.ways
    }
    found = [
        (figure['kind'], Case(**figure['case']), figure['way'])
        for figure in quick.report['figures']
        if figure['kind'] not in ('sharing', 'strategies', 'today')
    ]
    assert len(found) == len(set(found)) and set(found) == planned


def test_schema_of_figures(quick):
    for figure in quick.report['figures']:
        if figure['kind'] == 'today':
            assert figure == TODAY and 'no history' in quick.output
        elif 'unavailable' in figure:
            assert 'encode_receptor' in figure['unavailable']
        elif figure['kind'] == 'sharing':
            assert figure['time']['median'] > 0
            assert ('messages' in figure) == (figure['case']['poses'] > 1)
        elif figure['kind'] == 'strategies':
            assert figure['seconds'].keys() == figure['faster'].keys()
            assert figure['faster']['all three, pose by pose']['median'] == 1
        elif figure['kind'] == 'memory':
            assert isinstance(figure['peak_bytes'], int)
            assert isinstance(figure['held_bytes'], int)
        else:
            assert len(figure['seconds']) == 1
            assert 0 <= figure['prepare_seconds'][0] < figure['seconds'][0]
            assert figure['median'] == figure['seconds'][0]
            assert isinstance(figure['atoms'], int)
            for value in figure.get('to_plain', {}).values():
                assert isinstance(value, NUMBER)


def test_schema_of_bars(quick):
    settings = Settings(quick=True, repeats=1)
    expected = [(bar.what, bar.model, bar.bound) for bar in bars(settings)]
    rows = quick.report['bars']
    assert [(r['what'], r['model'], r['bound']) for r in rows] == expected
    for row in rows:
        if row['met'] is None:
            assert 'encode_receptor' in row['reason']
        else:
            assert row['min'] <= row['measured'] <= row['max']
            assert row['met'] == (row['measured'] <= row['bound'])


def test_output_has_every_bar_and_what_mattered(quick):
    for bar in quick.report['bars']:
        assert f'| {bar["what"]} ' in quick.output
    assert 'poses mattered' in quick.output
    assert 'Its ratios mean nothing' in quick.output
    assert '| 4.5 A: messages |' in quick.output
    assert '| auto, our model shares ' in quick.output
    assert 'not judged' in quick.output and ': met' not in quick.output


def test_documents_say_that_it_was_a_quick_run(quick):
    table = (quick.folder / 'docs' / 'benchmarks-table.md').read_text()
    assert table.startswith('---\norphan: true\n---\n\n<!-- table -->\n')
    assert 'quick run' in table and '| plain, pose by pose ' in table
    assert table.count('| 4.5 A: messages |') == 2
    for name in ('bench-time', 'bench-memory'):
        path = quick.folder / 'docs' / 'images' / f'{name}.svg'
        picture = path.read_text()
        assert '<svg' in picture and 'not a measurement' in picture
        assert 'checkpoint per pose' in picture or name == 'bench-memory'


def test_an_interrupted_run_says_where_its_figures_are(monkeypatch, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('benchmarks.__main__.time_case', interrupted)
    with pytest.raises(SystemExit, match='is in .*x.json'):
        main(['--quick', '--out', str(tmp_path / 'x.json')])


def test_a_gpu_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    with pytest.raises(SystemExit, match='finds no GPU'):
        main(['--device', 'cuda', '--out', str(tmp_path / 'x.json')])


def test_documents_without_a_report(tmp_path):
    with pytest.raises(SystemExit, match='does not exist'):
        main(['--write-docs', '--out', str(tmp_path / 'x.json')])


@pytest.mark.parametrize(
    'arguments', [['--repeats', '0'], ['--only', 'x'], ['--device', 'tpu']]
)
def test_bad_arguments(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err
