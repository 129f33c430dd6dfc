r"""How far off predictions may be, from sets that nothing was fitted on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pyg_multipose.data import PoseSet
from pyg_multipose.uncertainty import SplitConformal

if TYPE_CHECKING:
    from pyg_multipose.train.multi_pose_module import MultiPoseModule

#: The share of labels that is to lie within an interval.
LEVEL = 0.9


@dataclass(frozen=True)
class ConformalInterval:
    r"""The interval of a prediction, by split-conformal calibration.

    Half its width is a quantile of the absolute errors on held-out sets
    (:class:`~pyg_multipose.uncertainty.SplitConformal`). It holds its level
    on average over sets that are drawn like those. Later compounds, other
    scaffolds or another target are not: a split by date or group
    breaks it, and so does a chosen epoch, where the held-out sets chose it.

    Args:
        level: The share of labels that is to lie within.
        half_width: Half the width, in the unit of the predictions.
        num_labels: The number of labels that it was made of.
        part: The part of the data that these are of.
            (default: :obj:`"valid"`)

    Example:
        >>> import torch
        >>> from pyg_multipose.train import ConformalInterval
        >>> measured = torch.arange(1.0, 20.0)  # errors of 1 to 19
        >>> found = ConformalInterval.of(torch.zeros(19), measured)
        >>> found.level, found.half_width
        (0.9, 18.0)
        >>> low, high = found.interval(torch.tensor([5.0]))
        >>> low, high
        (tensor([-13.]), tensor([23.]))
        >>> ConformalInterval.from_dict(found.to_dict()) == found
        True
    """

    level: float
    half_width: float
    num_labels: int
    part: str = 'valid'

    @classmethod
    def of(
        cls, predicted: Tensor, measured: Tensor, level: float = LEVEL
    ) -> ConformalInterval | None:
        r"""The interval that errors give, or :obj:`None` for too few labels.

        Args:
            predicted: Predictions of held-out sets.
            measured: Their labels, in the same unit; NaN where there is none.
            level: The share of labels that is to lie within.
                (default: :obj:`0.9`)

        Raises:
            ValueError: If these do not fit each other, or the level is not
                between 0 and 1.
        """
        if measured.isnan().all():
            return None
        conformal = SplitConformal(predicted, measured)
        half = conformal.quantile(round(1 - level, 12))
        if not math.isfinite(half):
            return None
        return cls(level, half, conformal.num_labels)

    def interval(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        r"""The lower and upper ends.

        Args:
            prediction: Predictions of sets, in the unit of the module.
        """
        return prediction - self.half_width, prediction + self.half_width

    def to_dict(self) -> dict[str, Any]:
        r"""The interval as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ConformalInterval:
        r"""The interval of plain data.

        Args:
            values: What :meth:`to_dict` gave.
        """
        return cls(**values)


def calibrate(
    module: MultiPoseModule,
    batches: Iterable[PoseSet],
    level: float = LEVEL,
) -> ConformalInterval | None:
    r"""Gives a module the interval of its predictions.

    Only exact labels count. Where they are too few for the level, the module
    has no interval, which is warned of.

    Args:
        module: A trained module, whose :obj:`calibration` is set.
        batches: Pose sets that were not trained on, or batches of them.
        level: The share of labels that is to lie within.
            (default: :obj:`0.9`)

    Returns:
        The interval, if there is one.

    Raises:
        ValueError: If sets are not like those of the training.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import MultiPoseModule, calibrate
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> sets = MproMoonshot('valid', transform=RadiusGraph(4.5))[:9]
        >>> module = MultiPoseModule('SchNet', affinity='PIC50')
        >>> interval = calibrate(module, sets)
        >>> interval.num_labels, module.calibration is interval
        (9, True)
    """
    training = module.training
    module.eval()
    predicted, measured = [torch.empty(0)], [torch.empty(0)]
    try:
        with torch.no_grad():
            for batch in batches:
                predicted.append(module(batch.to(module.device)).cpu())
                y = batch.y.float().cpu()
                relation = batch.get('y_relation')
                if relation is not None:
                    y = y.masked_fill(relation.cpu() != 0, torch.nan)
                measured.append(y)
    finally:
        module.train(training)
    labels = torch.cat(measured)
    found = ConformalInterval.of(torch.cat(predicted), labels, level)
    if found is None:
        warnings.warn(
            f'{int((~labels.isnan()).sum())} exact labels are too few for an '
            f'interval that holds {level:.0%} of them; predictions have none',
            UserWarning,
            stacklevel=2,
        )
    module.calibration = found
    return found
