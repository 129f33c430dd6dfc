import numpy as np
import pytest

from pyg_multipose.report import Compounds, baselines


def part(measured, size, score):
    features = {'size': np.array(size), 'score': np.array(score)}
    names = [''] * len(size)
    return Compounds(names, np.zeros(len(size)), measured, features=features)


def test_constants_and_lines_are_fitted_on_train_alone():
    train = part([4.0, 5.0, 6.0], [10.0, 20.0, 30.0], [-6.0, -8.0, -7.0])
    test = part([9.0, 9.0], [40.0, 10.0], [-7.0, -7.0])
    out = baselines(train, {'train': train, 'test': test})
    mean, size, score = out.values()
    assert mean['test'] == pytest.approx([5.0, 5.0])
    assert size['test'] == pytest.approx([7.0, 4.0])
    assert score['test'] == pytest.approx([5.0, 5.0])  # the mean score
    slope = np.polyfit(train.features['score'], train.measured, 1)[0]
    expected = 5 + slope * (train.features['score'] + 7)
    assert score['train'] == pytest.approx(expected)


def test_only_exact_labels_and_known_features_count():
    train = part([4.0, 6.0, 9.0, np.nan], [1.0, 3.0, 3.0, 5.0], [np.nan] * 4)
    train.relation[2] = 1
    out = baselines(train, {'train': train})
    assert list(out) == ['mean of training labels', 'size']
    assert out['size']['train'] == pytest.approx([4.0, 6.0, 6.0, 8.0])
    train.measured[:] = np.nan
    with pytest.raises(ValueError, match='No compound of the training'):
        baselines(train, {})
