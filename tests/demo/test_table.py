import numpy as np

from pyg_multipose.demo.table import findings, make_row, markdown
from pyg_multipose.uncertainty import Bootstrap

MEASURED = {
    'train': np.array([4.0, 5.0, 6.0, 7.0]),
    'test': np.array([5.0, 6.0, 7.0, 8.0, 5.5]),
}
BOOTSTRAP = Bootstrap(MEASURED['test'], 200)


def row(name, train, test):
    predictions = {
        'train': np.broadcast_to(np.array(train, dtype=float), 4),
        'test': np.broadcast_to(np.array(test, dtype=float), 5),
    }
    return make_row(name, predictions, MEASURED['train'], BOOTSTRAP)


def constant():
    return row('constant', 5.5, 5.5)


def good(name='good'):
    return row(name, MEASURED['train'] + 0.1, MEASURED['test'] + 0.1)


def test_table_has_all_cells():
    text = markdown([constant(), good()])
    head, _, first, second = text.split('\n')
    cells = [cell.strip() for cell in head.split('|')[2:-1]]
    assert cells == ['MAE', 'RMSE', 'Spearman', 'Kendall', 'train MAE']
    assert first.count('n/a') == 2
    assert '0.10 [0.10, 0.10]' in second
    assert second.split('|')[-2].strip() == '0.10'
    assert len({len(line) for line in text.split('\n')}) == 1


def test_a_baseline_that_wins_is_named():
    bad = row('bad', [5, 5, 6, 6], [7, 7, 5, 5, 9])
    text = findings([constant(), good()], [bad], BOOTSTRAP)
    (mae,) = [line for line in text if line.startswith('MAE: ')]
    assert "best is 'good'" in mae
    summary = 'A baseline is best by MAE, RMSE, Spearman, Kendall; '
    assert summary + 'a network is best by no metric' in text
    assert "apart from that of 'constant', 'bad'" in mae


def test_overlap_with_every_row_is_said():
    text = findings([constant(), good()], [good('g')], BOOTSTRAP)
    (spearman,) = [line for line in text if line.startswith('Spearman: ')]
    assert 'overlaps with that of every other row' in spearman


def test_a_model_that_has_not_trained_is_called_out():
    lazy = row('lazy', 5.5, 5.6)
    text = findings([constant()], [lazy, good()], BOOTSTRAP)
    assert "'lazy' HAS NOT TRAINED" in text[0]
    assert not any("'good' HAS NOT" in line for line in text)


def test_models_are_compared_on_the_same_resamples():
    text = findings([constant()], [good('one'), good('all')], BOOTSTRAP)
    (line,) = [line for line in text if "minus that of 'one'" in line]
    assert 'all +0.00 [+0.00, +0.00]' in line
