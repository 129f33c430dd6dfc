"""The page: nothing from elsewhere, nothing that a name can break."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from pyg_multipose.report import Compounds, LeftOut, PoseView, RunPage
from pyg_multipose.uncertainty import Bootstrap, SplitConformal

from .conftest import HOSTILE, Page, compounds

METRICS = [
    {'epoch': '0', 'step': '9', 'lr-AdamW': '0.1', 'train_loss': '0.5',
     'valid_loss': '0.6', 'valid_mae': '0.9', 'test_mae': ''},
    {'epoch': '1', 'step': '19', 'lr-AdamW': '0.05', 'train_loss': '0.4',
     'valid_loss': '', 'valid_mae': '0.8', 'test_mae': '0.7'},
]  # fmt: skip


def training(**more):
    size = {'ligand size alone': np.linspace(10, 30, 60)}
    parts = {
        'train': compounds(60, 1, features=size),
        'valid': compounds(30, 2),
        'test': compounds(
            60, 3, features=size,
            groups={
                'target': ['one', 'two'] * 30,
                'scaffold': [f'c{k // 3}' for k in range(60)],
                'date': [f'2024-{1 + k % 12:02d}-01' for k in range(60)],
            },
        ),
    }  # fmt: skip
    report = RunPage('Training: a', 'pIC50', {'data': 'campaign'}, parts)
    return replace(report, **more)


def test_everything_has_a_section(view):
    report = training(
        metrics=METRICS, poses=[view], score='vina_score',
        left_out=[LeftOut('Poses', 'dropped', 3, 'no coordinates')],
        left_out_text='all of it', settings={'lr': 0.1, 'args': {'a': 1}},
    )  # fmt: skip
    page = Page(report.html())
    keys = [one.key for one in report.sections()]
    assert keys == [
        'scores', 'agreement', 'poses', 'residuals', 'learning', 'left-out',
        'settings',
    ]  # fmt: skip
    assert [one['id'] for one in page.all('section')] == keys
    links = [one['href'] for one in page.all('a')]
    assert links == [f'#{key}' for key in keys]
    for text in (
        'no coordinates', 'all of it', '{"a": 1}', 'torch-geometric',
        'By target', 'By scaffold', 'By date', 'Learning rate', 'R\u00b2',
        'Calibration', 'vina_score', 'predicted (pIC50)',
    ):  # fmt: skip
        assert text in page.text or text == 'R\u00b2', text


def test_nothing_comes_from_elsewhere(view):
    html = training(metrics=METRICS, poses=[view]).html()
    page = Page(html)
    assert not re.search(r'https?:|//[a-z]+\.|url\(|@import|import ', html)
    loading = {'src', 'srcset', 'action', 'data', 'poster'}
    assert not any(loading & given.keys() for _, given in page.elements)
    assert not page.all('link') + page.all('img') + page.all('iframe')
    (policy,) = page.all('meta', **{'http-equiv': 'Content-Security-Policy'})
    assert policy['content'].startswith("default-src 'none'")


def test_texts_are_texts(view):
    """Whatever ids, settings and reports hold."""
    test = compounds(30, groups={'target': [HOSTILE, 'b', 'b'] * 10})
    test.names[:2] = HOSTILE, 'b' * 500
    views = [replace(view, name=HOSTILE, about=HOSTILE)]
    page = Page(
        RunPage(
            HOSTILE, 'pIC50', {HOSTILE: HOSTILE}, {'test': test}, rank=True,
            poses=views, score=HOSTILE, left_out_text=HOSTILE,
            left_out=[LeftOut(HOSTILE, 'dropped', 1, HOSTILE)],
            notes=(HOSTILE,), settings={HOSTILE: HOSTILE},
        ).html()
    )  # fmt: skip
    plain = Page(training(poses=[view]).html())
    assert len(page.all('script')) == len(plain.all('script')) == 2
    assert page.scripts[1] == plain.scripts[1]
    shown = HOSTILE.replace('\ud800', '\ufffd').replace('\x00', '\ufffd')
    assert page.text.count(shown) >= 10
    tips = [given.get('data-tip', '') for _, given in page.elements]
    assert any(tip.startswith(shown) for tip in tips)
    assert not any(
        key.startswith('on') for _, given in page.elements for key in given
    )


def test_scenes_are_data(view):
    odd = replace(view, scene={'poses': [], 'pocket': '</script><b>&'})
    page = Page(RunPage('a', 'kT', poses=[view, odd]).html())
    assert page.scenes[0] == view.scene
    assert page.scenes[1]['pocket'] == '</script><b>&'
    boxes = page.all('input', type='checkbox')
    assert [one.get('data-pose') for one in boxes] == [None, '0', '1']
    assert [one['value'] for one in page.all('option')] == ['0', '1']


@pytest.mark.skipif(shutil.which('node') is None, reason='needs node')
def test_the_script_is_one(view, tmp_path):
    file = tmp_path / 'page.js'
    file.write_text(Page(RunPage('a', 'kT', poses=[view]).html()).scripts[1])
    subprocess.run(['node', '--check', file], check=True)


# Scores ######################################################################


def test_scores_stand_beside_those_of_baselines():
    report = training()
    test = report.parts['test']
    page = Page(report.html())
    found = Bootstrap(test.measured)(test.predicted)
    assert str(found['MAE']) in page.text
    mean = np.full(60, report.parts['train'].measured.mean())
    assert str(Bootstrap(test.measured)(mean)['RMSE']) in page.text
    assert 'better than mean of training labels' in page.text
    assert '60 test compounds' in page.text
    assert '(200 resamples' in page.text


@pytest.mark.parametrize(
    'error, text',
    [(3.0, 'worse than'), (0.95, 'not to be told from'), (0.2, 'better than')],
)
def test_the_page_says_who_is_better(error, text):
    report = training()
    report.parts['test'] = compounds(60, 3, error)
    report.parts['train'].features = {}
    assert f'By MAE the model is {text} mean of' in Page(report.html()).text


def test_bounds_and_missing_labels_are_not_counted():
    relation = np.array([0] * 50 + [1] * 10)
    test = compounds(60, relation=relation)
    test.measured[:5] = np.nan
    page = Page(training(parts={'test': test}).html())
    assert '45 test compounds' in page.text
    assert 'Not counted: 5 compounds without a label and 10 compounds' in (
        page.text
    )
    assert 'label is a bound' in page.text
    assert 'No baselines' in page.text
    expected = Bootstrap(test.measured[5:50])(test.predicted[5:50])
    assert str(expected['MAE']) in page.text


def test_a_feature_that_is_not_known_is_no_baseline():
    report = training()
    report.parts['test'].features['ligand size alone'][3] = np.nan
    assert 'No baseline of ligand size alone' in Page(report.html()).text


# Intervals ###################################################################


@pytest.mark.parametrize('count, level', [(9, 0.9), (4, 0.8), (1, 0.5)])
def test_intervals_are_those_of_the_errors_on_valid(count, level):
    report = training()
    valid = report.parts['valid'] = compounds(count, 5)
    page = Page(report.html())
    assert f'{level:.0%} prediction interval'.replace('%', ' %') in page.text
    half = SplitConformal(valid.predicted, valid.measured).quantile(
        round(1 - level, 12)
    )
    test = report.parts['test']
    assert np.allclose(test.high - test.predicted, half)
    assert f'[{test.low[0]:.2f}, {test.high[0]:.2f}]' in test.tip(0)


def test_intervals_of_a_table_are_kept():
    report = training()
    test = report.parts['test']
    test.low, test.high = test.predicted - 9, test.predicted + 9
    page = Page(report.html())
    assert '60 of 60 exact labels lie within the interval' in page.text
    assert np.allclose(test.high, test.predicted + 9)


def test_without_valid_there_is_none():
    report = training()
    del report.parts['valid']
    assert 'There are no intervals' in Page(report.html()).text


# Predictions, and little #####################################################


def test_a_page_of_predictions():
    test = Compounds(['a', 'b', 'c'], [5.0, 7.0, np.nan], num_poses=[1, 2, 3])
    report = RunPage('p', 'pIC50', parts={'test': test}, rank=True)
    page = Page(report.html())
    assert [one.key for one in report.sections()] == ['ranking', 'settings']
    assert page.text.index('7.00') < page.text.index('5.00')
    assert '1 prediction not finite' in page.text
    low = Page(replace(report, unit='kT', strong=False).html()).text
    assert low.index('5.00') < low.index('7.00')


@pytest.mark.parametrize('count', [0, 1, 2])
def test_hardly_any_compounds(count):
    parts = {part: compounds(count) for part in ('train', 'valid', 'test')}
    groups = {name: ['a'] * count for name in ('target', 'date')}
    parts['test'].groups = groups
    assert Page(training(parts=parts, rank=True, metrics=[{}]).html())


def test_all_are_alike():
    """Axes without a length."""
    test = Compounds(['a'] * 9, np.full(9, 6.0), np.full(9, 6.0))
    test.groups = {'date': ['2024-01-01'] * 8 + ['x'], 'target': ['t'] * 9}
    parts = {'train': test, 'valid': test, 'test': test}
    page = Page(training(parts=parts, rank=True).html())
    assert 'n/a' in page.text and 'not defined' in page.text


def test_a_large_run_has_a_page_of_bounded_size():
    count = 30_000
    test = compounds(count)
    few = compounds(3000)
    few.of = 1_000_000
    views = [PoseView('a', '', [1 / 500] * 500, [6.0] * 500, list(range(500)))]
    text = 'left out\n' * 100_000
    large = RunPage('p', 'pIC50', parts={'test': few}, rank=True, poses=views,
                   left_out_text=text)  # fmt: skip
    html = large.html()
    assert len(html) < 1_500_000
    page = Page(html)
    assert 'evenly taken from 3\u202f000 compounds' in page.text
    assert 'evenly taken from 1\u202f000\u202f000 compounds' in page.text
    assert '400 more poses' in page.text and 'more letters' in page.text
    assert 'The strongest 200 of 3\u202f000' in page.text
    test.measured[:] = np.nan
    only = RunPage('p', 'pIC50', parts={'test': test}, rank=True)
    assert len(only.html()) < 200_000


def test_writing_replaces(tmp_path):
    file = tmp_path / 'page.html'
    file.write_text('old')
    assert RunPage('new', 'kT').write(file) == file
    assert file.read_text().startswith('<!doctype html>')
    assert [one.name for one in tmp_path.iterdir()] == ['page.html']


def test_columns_have_to_fit():
    with pytest.raises(ValueError, match="'measured' has 1 entries, expected"):
        Compounds(['a', 'b'], [1.0, 2.0], [1.0])
