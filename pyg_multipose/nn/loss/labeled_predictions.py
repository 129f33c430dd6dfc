r"""Predictions beside labels: checked, and without what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.loss._checks import (
    check_floats,
    check_like,
    check_weight,
    refuse,
)
from pyg_multipose.nn.loss.relation import relation_codes

#: Relations as a loss takes them.
Relation = Tensor | Iterable[str]


@dataclass(frozen=True)
class LabeledPredictions:
    r"""Predictions and labels of one shape, all finite where it matters.

    Where there is no label, predictions and labels are 0 and no longer
    connected to what was given, so that neither a value nor a gradient comes
    from there.

    Args:
        pred: The predictions, float32 or wider.
        y: The labels, in the dtype of the predictions.
        known: Where there is a label, with a weight other than 0.
        codes: The codes of the relations, or :obj:`None` if all are exact.
        weight: The weights in the shape of the predictions, or :obj:`None`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.loss import LabeledPredictions
        >>> y = torch.tensor([6.0, float('nan')])
        >>> labels = LabeledPredictions.of(torch.tensor([7.0, 1.0]), y)
        >>> labels.known, labels.residual
        (tensor([ True, False]), tensor([1., 0.]))
    """

    pred: Tensor
    y: Tensor
    known: Tensor
    codes: Tensor | None
    weight: Tensor | None

    @classmethod
    def of(
        cls,
        pred: Any,
        y: Any,
        relation: Relation | None = None,
        weight: Tensor | None = None,
    ) -> LabeledPredictions:
        r"""Checks the arguments of a loss.

        Args:
            pred: As of :class:`LabelLoss`, like all.
            y: As above.
            relation: As above. (default: :obj:`None`)
            weight: As above. (default: :obj:`None`)

        Raises:
            ValueError: If they are not what they should be, or do not fit
                one another.
        """
        check_floats('pred', pred, (1, 2))
        check_floats('y', y)
        check_like('y', y, pred)
        refuse(
            y.isinf(),
            'y',
            y,
            'a finite label, or NaN where there is none. A bound is the '
            "limit itself, with a 'relation'",
        )
        dtype = torch.promote_types(pred.dtype, torch.float32)
        known = ~y.isnan()
        if weight is not None:
            weight = check_weight(weight, pred).to(dtype)
            weight = weight.view(-1, *[1] * (pred.dim() - 1)).expand_as(pred)
            bad = ~((weight >= 0) & weight.isfinite()) & known
            refuse(bad, 'weight', weight, 'a finite number of at least 0')
            known = known & (weight > 0)
        return cls(
            torch.where(known, pred.to(dtype), 0.0),
            torch.where(known, y.to(dtype), 0.0),
            known,
            None if relation is None else _codes(relation, y),
            weight,
        )

    @property
    def residual(self) -> Tensor:
        r"""How far predictions are from what labels allow.

        Equation :eq:`eq-one-sided`.
        """
        residual = self.pred - self.y
        if self.codes is None:
            return residual
        within = self.codes * residual > 0
        return torch.where(within, 0.0, residual)


def _codes(relation: Any, y: Tensor) -> Tensor:
    if not isinstance(relation, Tensor):
        relation = relation_codes(relation, y.device)
    if (
        relation.is_floating_point()
        or relation.is_complex()
        or relation.dtype == torch.bool
    ):
        raise ValueError(
            f"'relation' is a tensor of {relation.dtype}, expected integers: "
            f'-1 if the truth is below y, 0 if y is exact, 1 if it is above'
        )
    check_like('relation', relation, y)
    refuse(
        (relation < -1) | (relation > 1),
        'relation',
        relation,
        '-1 (the truth is below y), 0 (y is exact) or 1 (it is above)',
    )
    return relation
