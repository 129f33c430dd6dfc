"""Prediction intervals from errors on held-out compounds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.stats import norm

from pyg_multipose.uncertainty.held_out import HeldOut, vector, widths_of


class Intervals(ABC):
    r"""Prediction intervals :math:`\hat{y} \pm q_\alpha \, s`.

    :math:`s` is the predicted standard deviation where there is one, else 1.

    Args:
        predicted: Predictions :math:`\hat{y}` of held-out compounds, which
            neither weights nor hyperparameters were fitted on; one
            dimension.
        measured: Their labels in the same unit; NaN where there is none.
        std: Their predicted standard deviations, such as
            :attr:`Uncertainty.std`. (default: :obj:`None`)

    Raises:
        ValueError: If these do not fit each other, or have no label at all.

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.uncertainty import Intervals
        >>> class Widest(Intervals):
        ...     def quantile(self, alpha):
        ...         return float(self._scores.max())
        >>> intervals = Widest(np.zeros(3), np.array([0.5, -2.0, 1.0]))
        >>> intervals.quantile(0.1)
        2.0
    """

    def __init__(self, predicted: Any, measured: Any, std: Any = None) -> None:
        held_out = HeldOut.of(predicted, measured, std)
        self._scores = np.sort(held_out.scores)
        #: Whether it was fitted with predicted standard deviations.
        self.has_std = std is not None
        #: How many compounds it was fitted on.
        self.num_labels = held_out.scores.size
        #: How many were left out, since they have no label.
        self.num_missing = held_out.num_missing

    @abstractmethod
    def quantile(self, alpha: float) -> float:
        r"""The factor :math:`q_\alpha`, half the width where :math:`s` is 1.

        Args:
            alpha: The share of compounds that may lie outside.
        """

    def __call__(
        self, predicted: Any, alpha: float = 0.1, std: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""The lower and upper ends of the intervals, in float64.

        Args:
            predicted: Predictions of new compounds.
            alpha: The share of compounds that may lie outside.
                (default: :obj:`0.1`)
            std: Their predicted standard deviations, if it was fitted with
                some. (default: :obj:`None`)

        Raises:
            ValueError: If :obj:`std` is missing or superfluous, or if
                intervals would be infinite.
        """
        center = vector('predicted', predicted)
        if (std is not None) != self.has_std:
            raise ValueError(
                f"'std' was {'' if self.has_std else 'not '}given to fit "
                f'these intervals; give it in both places or in none'
            )
        factor = self.quantile(alpha)
        if not math.isfinite(factor):
            raise ValueError(
                f'{self.num_labels} held-out labels are too few for alpha = '
                f'{alpha:g}: the interval would be infinite. It takes at '
                f'least {math.ceil(1 / _exact(alpha)) - 1} labels, or a '
                f'larger alpha'
            )
        half = factor * widths_of(std, center.size)
        return center - half, center + half

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_labels} labels, '
            f'{self.num_missing} missing)'
        )


class SplitConformal(Intervals):
    r"""Intervals that cover what they promise, whatever the distribution.

    With the scores :math:`r_j = |y_j - \hat{y}_j| / s_j` of :math:`n`
    held-out compounds,

    .. math::
        q_\alpha = r_{(k)}, \qquad k = \lceil (n + 1)(1 - \alpha) \rceil,

    the :math:`k`-th smallest; infinite if :math:`k > n`. If the new compound
    and the held-out ones are exchangeable (drawn alike), its label lies
    within, ends included, with a probability of at least :math:`1 - \alpha`,
    and of at most :math:`1 - \alpha + 1 / (n + 1)` unless scores are tied.
    This is on average over held-out parts and compounds, not for each
    compound. See `"Distribution-Free Predictive Inference For Regression"
    <https://arxiv.org/abs/1604.04173>`_.

    See :class:`Intervals` for arguments and errors.

    Example:
        >>> from pyg_multipose.uncertainty import SplitConformal
        >>> import numpy as np
        >>> measured = np.arange(1.0, 10.0)  # errors of 1 to 9
        >>> conformal = SplitConformal(np.zeros(9), measured)
        >>> conformal.quantile(0.1), conformal.quantile(0.2)
        (9.0, 8.0)
        >>> conformal.quantile(0.05)
        inf
        >>> low, high = conformal([5.0], alpha=0.2)
        >>> low.tolist(), high.tolist()
        ([-3.0], [13.0])
    """

    def quantile(self, alpha: float) -> float:
        r"""The :math:`k`-th smallest score, infinite if there is none.

        Args:
            alpha: The share of compounds that may lie outside.

        Raises:
            ValueError: If :obj:`alpha` is not between 0 and 1.
        """
        k = math.ceil((self.num_labels + 1) * (1 - _exact(alpha)))
        return float(self._scores[k - 1]) if k <= self.num_labels else math.inf


class GaussianScaling(Intervals):
    r"""Intervals of normal distributions whose width fits held-out errors.

    Errors are taken as normal with standard deviation :math:`c \, s`, and
    :math:`c` as the one that makes the held-out labels most likely:

    .. math::
        c^2 = \frac{1}{n} \sum_{j=1}^{n} \frac{(y_j - \hat{y}_j)^2}{s_j^2},
        \qquad q_\alpha = c \, \Phi^{-1}(1 - \alpha / 2)

    It needs fewer labels than :class:`SplitConformal`, and promises nothing
    where errors are not normal. See :class:`Intervals` for arguments and
    errors.

    Example:
        >>> from pyg_multipose.uncertainty import GaussianScaling
        >>> scaling = GaussianScaling([0.0, 0.0], [1.0, -1.0], [0.5, 0.5])
        >>> scaling.scale
        2.0
        >>> round(scaling.quantile(0.05), 2)
        3.92
    """

    @property
    def scale(self) -> float:
        r"""The factor :math:`c`."""
        return float(np.sqrt(np.square(self._scores).mean()))

    def quantile(self, alpha: float) -> float:
        r""":math:`c` times the quantile of the normal distribution.

        Args:
            alpha: The share of compounds that may lie outside.

        Raises:
            ValueError: If :obj:`alpha` is not between 0 and 1.
        """
        return self.scale * float(norm.isf(float(_exact(alpha)) / 2))


def _exact(alpha: float) -> Fraction:
    """As the decimal that it is written as: 0.1 is no binary fraction."""
    if not 0 < alpha < 1:
        raise ValueError(
            f"Expected 'alpha' to be between 0 and 1, the share that may lie "
            f'outside (got {alpha!r})'
        )
    return Fraction(repr(float(alpha)))
