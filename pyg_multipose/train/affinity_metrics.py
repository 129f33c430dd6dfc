r"""How far predictions are from labels, and whether their order is right."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.train.lightning import torchmetrics

#: What :class:`AffinityMetrics` computes.
METRICS = ('mae', 'rmse', 'spearman', 'kendall', 'r2')
#: Bytes of the name of a target.
_WIDTH = 64


class AffinityMetrics(torchmetrics.Metric):
    r"""MAE, RMSE, Spearman, Kendall and :math:`R^2` of whole sets.

    Over all predictions of an epoch with an exact label: a label that is NaN
    is missing, and a bound has no distance. Correlations are NaN for fewer
    than two labels, or if all labels or all predictions are equal;
    Kendall's is :math:`\tau_b`, ties have the mean of their ranks.

    If sets are of several targets, there are also :obj:`target_mae` and so
    on: the mean over targets of what each of them has by itself. A model that
    only knows which target binds well has a high correlation overall, and
    none here.

    Args:
        kwargs: As of :class:`torchmetrics.Metric`.

    Shapes:
        - **input:** predictions, labels and relations :math:`(S)`

    Example:
        >>> import torch
        >>> from pyg_multipose.train import AffinityMetrics
        >>> metrics = AffinityMetrics()
        >>> pred = torch.tensor([5.0, 6.5, 7.0, 4.0])
        >>> y = torch.tensor([5.5, 6.0, 7.0, float('nan')])
        >>> metrics.update(pred, y)
        >>> values = metrics.compute()
        >>> {name: round(float(value), 2) for name, value in values.items()}
        {'mae': 0.33, 'rmse': 0.41, 'spearman': 1.0, 'kendall': 1.0, ...}
        >>> metrics.count
        3
        >>> metrics.reset()
        >>> metrics.update(pred, y, targets=['a', 'b', 'a', 'b'])
        >>> [name for name in metrics.compute() if 'rmse' in name]
        ['rmse', 'target_rmse']
        >>> round(float(metrics.by_target()['a']['mae']), 2)
        0.25
    """

    full_state_update = False
    pred: Any
    target: Any
    name: Any
    higher_is_better = None
    is_differentiable = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state('pred', default=[], dist_reduce_fx='cat')
        self.add_state('target', default=[], dist_reduce_fx='cat')
        self.add_state('name', default=[], dist_reduce_fx='cat')

    def update(
        self,
        pred: Tensor,
        y: Tensor,
        relation: Tensor | None = None,
        targets: Sequence[str] | None = None,
    ) -> None:
        r"""Adds predictions.

        Args:
            pred: The predictions of sets.
            y: Their labels.
            relation: 0 where a label is exact, as :obj:`batch.y_relation`.
                (default: :obj:`None`, all are)
            targets: The name of the target of each set, as
                :obj:`batch.receptor_name`. (default: :obj:`None`, all are of
                one)
        """
        if pred.dim() != 1 or pred.shape != y.shape:
            raise ValueError(
                f'Metrics compare one prediction of a set with one label, got '
                f'shapes {list(pred.shape)} and {list(y.shape)}'
            )
        known = ~y.isnan()
        if relation is not None:
            known &= relation == 0
        names = [''] * len(pred) if targets is None else targets
        codes = torch.stack([_code(name) for name in names]).to(pred.device)
        self.pred.append(pred.detach()[known].double())
        self.target.append(y.detach()[known].double())
        self.name.append(codes[known])

    def compute(self) -> dict[str, Tensor]:
        r"""The metrics by name, NaN where there is none."""
        out = _metrics(_joined(self.pred), _joined(self.target))
        by_target = self.by_target()
        if len(by_target) > 1:
            for name in METRICS:
                each = torch.stack([one[name] for one in by_target.values()])
                out[f'target_{name}'] = each.nanmean()
        return out

    def by_target(self) -> dict[str, dict[str, Tensor]]:
        r"""The metrics of each target by name, of this rank."""
        pred, target = _joined(self.pred), _joined(self.target)
        if not len(pred):
            return {}
        codes, index = _joined(self.name).unique(dim=0, return_inverse=True)
        return {
            _text(code): _metrics(
                pred[index == number], target[index == number]
            )
            for number, code in enumerate(codes)
        }

    @property
    def count(self) -> int:
        r"""Predictions with an exact label, up to now, on this rank."""
        return len(_joined(self.pred))


def _metrics(pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    nan = pred.new_full((), math.nan)
    out = dict.fromkeys(METRICS, nan)
    if not len(pred):
        return out
    functional = torchmetrics.functional
    out['mae'] = functional.mean_absolute_error(pred, target)
    out['rmse'] = functional.mean_squared_error(pred, target, squared=False)
    if len(pred) < 2 or not (_varies(target) and pred.isfinite().all()):
        return out
    out['r2'] = functional.r2_score(pred, target)
    if _varies(pred):
        with warnings.catch_warnings():
            # It is said of every call that these keep all predictions.
            warnings.simplefilter('ignore', UserWarning)
            out['spearman'] = functional.spearman_corrcoef(pred, target)
            tau: Any = functional.kendall_rank_corrcoef(pred, target)
            out['kendall'] = tau
    return out


def _code(name: str) -> Tensor:
    """A name as numbers, which ranks can gather."""
    text = name.encode()
    if len(text) > _WIDTH:  # told apart by the end
        end = blake2b(text, digest_size=4).hexdigest().encode()
        text = text[: _WIDTH - len(end)] + end
    return torch.tensor(list(text.ljust(_WIDTH, b'\0')), dtype=torch.uint8)


def _text(code: Tensor) -> str:
    return bytes(code.tolist()).rstrip(b'\0').decode(errors='replace')


def _joined(parts: Any) -> Tensor:
    if isinstance(parts, Tensor):  # torchmetrics has joined those of ranks
        return parts
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.float64)


def _varies(values: Tensor) -> bool:
    return bool((values != values[0]).any())
