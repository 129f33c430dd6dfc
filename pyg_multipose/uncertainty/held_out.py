"""Predictions and labels of compounds that nothing was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor


@dataclass(frozen=True, eq=False)
class HeldOut:
    r"""Checked arrays in float64, without compounds that have no label.

    Args:
        predicted: Predictions, shape :math:`(n)`.
        measured: Labels, shape :math:`(n)`.
        std: Predicted standard deviations, shape :math:`(n)`; ones if there
            are none.
        num_missing: How many compounds were left out, since they have no
            label.
    """

    predicted: np.ndarray
    measured: np.ndarray
    std: np.ndarray
    num_missing: int

    @classmethod
    def of(cls, predicted: Any, measured: Any, std: Any = None) -> HeldOut:
        r"""Checks predictions and labels.

        Args:
            predicted: Predictions, a tensor or array of one dimension.
            measured: Labels in the same unit and order; NaN where there is
                none.
            std: Predicted standard deviations. (default: :obj:`None`)

        Raises:
            ValueError: If they do not fit each other, if predictions or
                labels are infinite, or if no label is left.
        """
        predicted = vector('predicted', predicted)
        measured = vector('measured', measured, may_be_nan=True)
        if measured.shape != predicted.shape:
            raise ValueError(
                f"'measured' has {measured.size} entries and 'predicted' "
                f'{predicted.size}; expected one label for each prediction'
            )
        widths = widths_of(std, predicted.size)
        known = ~np.isnan(measured)
        if not known.any():
            raise ValueError(
                f'None of the {known.size} compounds has a label, expected '
                f'some to calibrate with'
            )
        return cls(
            predicted[known],
            measured[known],
            widths[known],
            int((~known).sum()),
        )

    @property
    def scores(self) -> np.ndarray:
        r"""How far off predictions are, in standard deviations."""
        return np.abs(self.measured - self.predicted) / self.std


def vector(name: str, values: Any, may_be_nan: bool = False) -> np.ndarray:
    r"""Numbers of compounds as an array in float64.

    Args:
        name: How messages call them.
        values: A tensor or array.
        may_be_nan: Whether NaN is allowed. (default: :obj:`False`)

    Raises:
        ValueError: If they have other than one dimension, or are not finite.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    out = np.asarray(values, dtype=np.float64)
    if out.ndim != 1:
        raise ValueError(
            f"Expected '{name}' to have one dimension, a number for each "
            f'compound (got shape {list(out.shape)})'
        )
    bad = np.isinf(out) if may_be_nan else ~np.isfinite(out)
    if bad.any():
        raise ValueError(
            f"'{name}' is {out[bad][0]} for {bad.sum()} compounds, the first "
            f'of them number {int(bad.argmax())}; expected finite numbers'
        )
    return out


def widths_of(std: Any, count: int) -> np.ndarray:
    r"""Predicted standard deviations, or ones if there are none.

    Args:
        std: A tensor or array, or :obj:`None`.
        count: The number of compounds.

    Raises:
        ValueError: If there are not as many, or if one is not positive.
    """
    if std is None:
        return np.ones(count)
    out = vector('std', std)
    if out.size != count:
        raise ValueError(
            f"'std' has {out.size} entries, expected one for each of "
            f'{count} predictions'
        )
    if (out <= 0).any():
        raise ValueError(
            f"'std' is {out[out <= 0][0]:g} for compound "
            f'{int((out <= 0).argmax())}, expected positive numbers: a '
            f'prediction without any spread has no scale. Leave std out, or '
            f'add what you know of the noise of labels'
        )
    return out
