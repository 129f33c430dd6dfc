"""Compounds with what was predicted, measured and known of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: What a relation of a label is written as.
RELATIONS = {-1: '<', 0: '', 1: '>'}


@dataclass
class Compounds:
    r"""What was predicted for compounds, and what is known of them.

    Args:
        names: The id of each; any text.
        predicted: Predictions.
        measured: Labels, NaN where there is none.
            (default: there are none)
        relation: 0 where a label is exact, -1 and 1 where the value is
            below or above it. (default: :obj:`None`, all are exact)
        low: Lower ends of prediction intervals. (default: :obj:`None`)
        high: Upper ends. (default: :obj:`None`)
        num_poses: How many poses each has. (default: :obj:`None`)
        groups: Texts of each by what they are: :obj:`"target"`,
            :obj:`"scaffold"`, :obj:`"date"`. (default: no groups)
        features: Numbers of each that need no model, by the name of the
            baseline that they make. (default: no features)
        of: How many there are, if these are a sample of them.
            (default: :obj:`None`, these are all)

    Example:
        >>> import numpy as np
        >>> from pyg_multipose.report import Compounds
        >>> some = Compounds(['a', 'b'], [6.5, 7.0], [6.0, np.nan])
        >>> some.exact
        array([ True, False])
    """

    names: list[str]
    predicted: np.ndarray
    measured: np.ndarray = field(default_factory=lambda: np.empty(0))
    relation: np.ndarray = field(default_factory=lambda: np.empty(0))
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    num_poses: np.ndarray | None = None
    groups: dict[str, list[str]] = field(default_factory=dict)
    features: dict[str, np.ndarray] = field(default_factory=dict)
    of: int | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        self.predicted = np.asarray(self.predicted, dtype=np.float64)
        self.measured = np.asarray(self.measured, dtype=np.float64)
        self.relation = np.asarray(self.relation, dtype=np.int64)
        if not self.measured.size:
            self.measured = np.full(count, np.nan)
        if not self.relation.size:
            self.relation = np.zeros(count, dtype=np.int64)
        for name in ('predicted', 'measured', 'relation', 'low', 'high'):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise ValueError(
                    f"'{name}' has {len(values)} entries, expected one for "
                    f'each of {count} names'
                )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def exact(self) -> np.ndarray:
        r"""Which ones have an exact label and a finite prediction."""
        known = np.isfinite(self.measured) & np.isfinite(self.predicted)
        return known & (self.relation == 0)

    def label(self, number: int) -> str:
        r"""What was measured, as a text.

        Args:
            number: The number of the compound.
        """
        value = self.measured[number]
        if np.isnan(value):
            return '?'
        return f'{RELATIONS[int(self.relation[number])]}{value:.2f}'

    def prediction(self, number: int) -> str:
        r"""What was predicted, with its interval, as a text.

        Args:
            number: The number of the compound.
        """
        text = f'{self.predicted[number]:.2f}'
        if self.low is None or self.high is None:
            return text
        return f'{text} [{self.low[number]:.2f}, {self.high[number]:.2f}]'

    def tip(self, number: int) -> str:
        r"""What is shown over a point.

        Args:
            number: The number of the compound.
        """
        lines = [self.names[number], f'predicted {self.prediction(number)}']
        if self.label(number) != '?':
            lines.insert(1, f'measured {self.label(number)}')
        if self.num_poses is not None:
            lines.append(f'{int(self.num_poses[number])} poses')
        return '\n'.join(lines)
