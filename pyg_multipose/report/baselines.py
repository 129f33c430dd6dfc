"""Predictions that need no model."""

from __future__ import annotations

import numpy as np

from pyg_multipose.report.compounds import Compounds

#: What everything is compared with first.
CONSTANT = 'mean of training labels'


def baselines(
    train: Compounds, others: dict[str, Compounds]
) -> dict[str, dict[str, np.ndarray]]:
    r"""Predictions by the name of the baseline and that of the part.

    The mean of the labels, and a line through each of the
    :attr:`~Compounds.features`; compounds without an exact label, or without
    the feature, count nothing in them.

    Args:
        train: What constants and lines are fitted on.
        others: The parts to predict, by name.

    Raises:
        ValueError: If there is no exact label to fit on.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.report import Compounds, baselines
        >>> size = {'ligand size alone': np.array([10.0, 20.0])}
        >>> train = Compounds(['a', 'b'], [0, 0], [5.0, 6.0], features=size)
        >>> found = baselines(train, {'train': train})
        >>> found['mean of training labels']['train']
        array([5.5, 5.5])
        >>> found['ligand size alone']['train'].round(2)
        array([5., 6.])
    """
    known = train.measured[_labelled(train)]
    if not known.size:
        raise ValueError('No compound of the training has an exact label')
    mean = float(known.mean())
    out = {
        CONSTANT: {
            name: np.full(len(part), mean) for name, part in others.items()
        }
    }
    for name, values in train.features.items():
        use = _labelled(train) & np.isfinite(values)
        if use.sum() < 2 or np.ptp(values[use]) == 0:
            continue
        slope, start = np.polyfit(values[use], train.measured[use], 1)
        out[name] = {
            key: slope * part.features[name] + start
            for key, part in others.items()
        }
    return out


def _labelled(part: Compounds) -> np.ndarray:
    return np.isfinite(part.measured) & (part.relation == 0)
