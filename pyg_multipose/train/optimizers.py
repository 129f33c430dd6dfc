r"""Optimizers and schedules of learning rates, by name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer, lr_scheduler

#: The schedules that have a name.
SCHEDULES = ('constant', 'one_cycle', 'cosine', 'plateau')


def check_optimizer(
    optimizer: str, lr: float, weight_decay: float, schedule: str
) -> None:
    r"""Refuses what is no optimizer or schedule.

    Args:
        optimizer: The name of a class of :mod:`torch.optim`.
        lr: The learning rate.
        weight_decay: The decay of weights.
        schedule: One of :data:`SCHEDULES`.
    """
    names = [
        name
        for name, found in vars(torch.optim).items()
        if isinstance(found, type)
        and issubclass(found, Optimizer)
        and found is not Optimizer
    ]
    if optimizer not in names:
        near = get_close_matches(optimizer, names, 1, 0.4)
        hint = f"; did you mean '{near[0]}'?" if near else ''
        raise ValueError(
            f'optimizer={optimizer!r} is no class of torch.optim{hint} '
            f'Expected one of {sorted(names)}'
        )
    if not lr > 0:
        raise ValueError(f"'lr' has to be positive, got {lr!r}")
    if not weight_decay >= 0:
        raise ValueError(
            f"'weight_decay' has to be 0 or more, got {weight_decay!r}"
        )
    if schedule not in SCHEDULES:
        raise ValueError(
            f'schedule={schedule!r}, expected one of {list(SCHEDULES)}'
        )


def optimizer_of(
    name: str,
    parameters: Iterable[Parameter],
    lr: float,
    weight_decay: float,
) -> Optimizer:
    r"""An optimizer.

    Args:
        name: The name of its class.
        parameters: What it changes.
        lr: The learning rate.
        weight_decay: The decay of weights; 0 leaves the choice of a class
            that knows none.
    """
    kwargs: dict[str, Any] = {'lr': lr, 'weight_decay': weight_decay}
    if name in ('LBFGS', 'SparseAdam', 'Rprop'):
        kwargs.pop('weight_decay')
    return getattr(torch.optim, name)(parameters, **kwargs)


def schedule_of(name: str, optimizer: Optimizer, steps: int) -> dict[str, Any]:
    r"""A schedule, as Lightning takes it.

    Args:
        name: One of :data:`SCHEDULES`, but not :obj:`"constant"`.
        optimizer: Whose learning rate it is.
        steps: The steps of the training.
    """
    if name == 'plateau':
        plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
        return {'scheduler': plateau, 'monitor': 'valid_loss'}
    schedule: lr_scheduler.LRScheduler
    if name == 'one_cycle':
        highest = [group['lr'] for group in optimizer.param_groups]
        schedule = lr_scheduler.OneCycleLR(
            optimizer, highest, total_steps=steps, pct_start=0.1
        )
    else:
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return {'scheduler': schedule, 'interval': 'step'}
