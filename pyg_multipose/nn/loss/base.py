r"""What the losses of labels have in common."""

from __future__ import annotations

from torch import Tensor, nn

from pyg_multipose.nn.loss._checks import check_reduction
from pyg_multipose.nn.loss.labeled_predictions import (
    LabeledPredictions,
    Relation,
)
from pyg_multipose.nn.loss.reduction import reduced


class LabelLoss(nn.Module):
    r"""A loss of predictions beside labels, some missing, some bounds.

    * **A label that is NaN is missing.** It counts nothing, and neither a
      value nor a gradient comes from there, whatever the prediction.
    * **A label may be a bound**: :obj:`relation` says where the truth is, and
      a prediction there costs nothing, by :eq:`eq-one-sided`.
    * **Only what has a label is reduced over**, by :eq:`eq-masked-mean`. A
      batch without any label gives 0 with a gradient of 0, and a warning.
    * **Nothing is broadcast.** Labels have the shape of the predictions.

    Computed and returned in float32 or wider, in the precision of the
    predictions. A subclass implements :meth:`each`.

    Args:
        reduction: :obj:`"mean"` over labels, weighted, :obj:`"sum"`, or
            :obj:`"none"` for the loss of each label.
            (default: :obj:`"mean"`)

    Shapes:
        - **input:** predictions and labels :math:`(S)` or :math:`(S, F)`,
          relations in the same shape, weights :math:`(S)`
        - **output:** a number, or for :obj:`"none"` the shape of the
          predictions

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.loss import LabelLoss
        >>> class AbsoluteLoss(LabelLoss):
        ...     def each(self, labels):
        ...         return labels.residual.abs()
        >>> y = torch.tensor([6.0, float('nan'), 5.0])
        >>> AbsoluteLoss()(torch.tensor([7.0, 1.0, 5.5]), y)
        tensor(0.7500)
    """

    def __init__(self, reduction: str = 'mean') -> None:
        super().__init__()
        self.reduction = check_reduction(reduction)

    def forward(
        self,
        pred: Tensor,
        y: Tensor,
        relation: Relation | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        r"""Computes the loss.

        Args:
            pred: The predictions of sets (or of poses).
            y: The labels, NaN where there is none, in the unit of the
                predictions. They take the dtype of the predictions.
            relation: Where the truth is, on the scale of :obj:`y`: a tensor
                of integers, -1 below the label, 0 there, 1 above it, such as
                :obj:`batch.y_relation`; or a list of texts, see
                :func:`relation_codes`. (default: :obj:`None`, all labels are
                exact)
            weight: The weight of each set, 0 or more; 0 is as if it had no
                label. (default: :obj:`None`, all weigh the same)

        Returns:
            The loss.

        Raises:
            ValueError: If shapes, dtypes or devices do not fit, if a label is
                infinite, or if a relation or weight is none.
        """
        labels = LabeledPredictions.of(pred, y, relation, weight)
        each = self.each(labels)
        return reduced(each, labels.known, labels.weight, self.reduction)

    def each(self, labels: LabeledPredictions) -> Tensor:
        r"""The loss of each label.

        Args:
            labels: Predictions and labels, checked; what is missing is 0.

        Returns:
            The losses in the shape of the predictions, anything where there
            is no label.
        """
        raise NotImplementedError

    def extra_repr(self) -> str:
        r"""Shows the reduction if it is not the default."""
        return '' if self.reduction == 'mean' else repr(self.reduction)
