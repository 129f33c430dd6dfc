r"""The cross-entropy over the poses of a set."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from pyg_multipose.nn.loss._checks import (
    check_floats,
    check_positive,
    check_reduction,
    check_weight,
    refuse,
)
from pyg_multipose.nn.loss.pose_labels import (
    check_sizes,
    pose_probabilities,
    set_of_pose,
)
from pyg_multipose.nn.loss.reduction import reduced


class PoseCrossEntropyLoss(nn.Module):
    r"""The cross-entropy of which pose of a set is right.

    .. math::
        \ell = -\sum_{i=1}^{N} q_i \ln p_i, \qquad
        p_i = \frac{\exp(n t y_i)}{\sum_{j=1}^{N} \exp(n t y_j)}

    Equation :eq:`eq-pose-cross-entropy`, with the predictions :math:`y_i` of
    the poses of a set, and the probability :math:`q_i` that pose :math:`i`
    is right. :math:`p_i` is the weight of a pose in
    :class:`~pyg_multipose.nn.MaxCombination` with the same :math:`n` and
    :math:`t`; by default, for energies in :math:`kT`, that of Boltzmann. So
    **low is good by default**; for scores where high is good, pass
    :obj:`negate=False`.

    Sets may have any number of poses; with one, the loss is 0. A set without
    a label counts nothing: neither a value nor a gradient comes from there.
    An energy of :math:`+\infty` (with :obj:`negate=False`,
    :math:`-\infty`) takes a pose out of its set.

    Args:
        scale: The sharpness :math:`t`, in one over the unit of the
            predictions. (default: :obj:`1.0`)
        negate: If :obj:`True`, low is good (:math:`n = -1`), else high is
            (:math:`n = 1`). (default: :obj:`True`)
        reduction: As of :class:`LabelLoss`, over sets.
            (default: :obj:`"mean"`)

    Raises:
        ValueError: If :obj:`scale` is not positive and finite, or if the
            reduction is unknown.

    Shapes:
        - **input:** predictions of poses :math:`(P)`, set by set; the right
          pose of each set :math:`(S)`, or something for each pose
          :math:`(P)`; sizes of sets :math:`(S)`; weights :math:`(S)`
        - **output:** a number, or for :obj:`"none"` :math:`(S)`

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.loss import PoseCrossEntropyLoss
        >>> pred = torch.tensor([-9.0, -8.0, -7.0, -5.0, -6.0])
        >>> set_size = torch.tensor([3, 2])
        >>> loss = PoseCrossEntropyLoss(reduction='none')
        >>> loss(pred, torch.tensor([0, 0]), set_size)  # the first of each
        tensor([0.4076, 1.3133])
        >>> right = torch.tensor([True, False, False, False, False])
        >>> loss(pred, right, set_size)  # none of the second set
        tensor([0.4076, 0.0000])
    """

    def __init__(
        self,
        scale: float = 1.0,
        negate: bool = True,
        reduction: str = 'mean',
    ) -> None:
        super().__init__()
        self.scale = check_positive('scale', scale)
        self.negate = negate
        self.reduction = check_reduction(reduction)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        set_size: Tensor,
        weight: Tensor | None = None,
    ) -> Tensor:
        r"""Computes the loss.

        Args:
            pred: The predictions of the poses, set by set.
            target: Which poses are right. Integers, one for each set: the
                number of the right pose within its set, -1 if none is known.
                Booleans, one for each pose: whether it is right; a set with
                no such pose has no label. Floats, one for each pose: the
                probability that it is right, see :func:`soft_pose_labels`;
                NaN for all poses of a set without a label.
            set_size: The number of poses of each set, :obj:`batch.set_size`.
            weight: As of :class:`LabelLoss`. (default: :obj:`None`, all weigh
                the same)

        Returns:
            The loss.

        Raises:
            ValueError: If shapes, dtypes or devices do not fit, or if a
                target is none.
        """
        check_floats('pred', pred, (1,))
        size = check_sizes(set_size, 'pred', pred)
        index, sets = set_of_pose(size, pred), size.numel()
        pred = pred.to(torch.promote_types(pred.dtype, torch.float32))
        share, known = pose_probabilities(target, pred, index, size)
        if weight is not None:
            weight = check_weight(weight, size).to(pred.dtype)
            bad = ~((weight >= 0) & weight.isfinite()) & known
            refuse(bad, 'weight', weight, 'a finite number of at least 0')
            known = known & (weight > 0)
        pred = torch.where(known[index], pred, 0.0)
        cost = self._surprise(pred, index, sets)
        # A pose that cannot be right may cost infinity: 0 * inf is NaN.
        each = share * torch.where(share > 0, cost, 0.0)
        return reduced(
            scatter(each, index, 0, sets, reduce='sum'),
            known,
            weight,
            self.reduction,
        )

    def _surprise(self, pred: Tensor, index: Tensor, sets: int) -> Tensor:
        """What each pose would cost, were it the right one: -ln p."""
        signed = -pred if self.negate else pred
        best = scatter(signed.detach(), index, 0, sets, reduce='max')
        a = self.scale * (signed - best[index])
        total = scatter(a.exp(), index, 0, sets, reduce='sum')
        return total.log()[index] - a

    def extra_repr(self) -> str:
        r"""Shows the arguments."""
        shown = f'scale={self.scale}, negate={self.negate}'
        if self.reduction != 'mean':
            shown += f', reduction={self.reduction!r}'
        return shown
