from types import SimpleNamespace

import numpy as np
import pytest

from pyg_multipose.demo.baselines import baselines


def part(pic50, heavy_atoms, vina_best):
    arrays = {
        'pic50': pic50,
        'heavy_atoms': heavy_atoms,
        'vina_best': vina_best,
    }
    return SimpleNamespace(**{k: np.array(v) for k, v in arrays.items()})


def test_constants_and_lines_are_fitted_on_train_alone():
    train = part([4.0, 5.0, 6.0], [10.0, 20.0, 30.0], [-6.0, -8.0, -7.0])
    test = part([9.0, 9.0], [40.0, 10.0], [-7.0, -7.0])
    out = baselines(train, {'train': train, 'test': test})
    mean, size, score = out.values()
    assert mean['test'] == pytest.approx([5.0, 5.0])
    assert size['test'] == pytest.approx([7.0, 4.0])
    assert score['test'] == pytest.approx([5.0, 5.0])  # the mean score
    slope = np.polyfit(train.vina_best, train.pic50, 1)[0]
    expected = 5 + slope * (train.vina_best + 7)
    assert score['train'] == pytest.approx(expected)
