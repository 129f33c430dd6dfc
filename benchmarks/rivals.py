"""Predictions of poses as other programs get them, from the plain models."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Batch

from benchmarks.gradcache import GradientCaching
from benchmarks.seed import StoredGradients

#: A model and chunks of poses to the predictions of all poses.
Predict = Callable[[nn.Module, Sequence[Batch]], Tensor]


def plain(model: nn.Module, chunks: Sequence[Batch]) -> Tensor:
    r"""Plain autograd: every graph is held until backward.

    Args:
        model: The single-pose model.
        chunks: Batches of poses.
    """
    return torch.cat([model(chunk) for chunk in chunks])


def checkpointed(model: nn.Module, chunks: Sequence[Batch]) -> Tensor:
    r"""A checkpoint for each chunk: its graph is made again in backward.

    Args:
        model: The single-pose model.
        chunks: Batches of poses.
    """
    return torch.cat(
        [checkpoint(model, chunk, use_reentrant=False) for chunk in chunks]
    )


def cached(model: nn.Module, chunks: Sequence[Batch]) -> Tensor:
    r"""Two passes, the second with what the loss says of every prediction.

    Args:
        model: The single-pose model.
        chunks: Batches of poses.
    """
    return GradientCaching.apply(model, chunks, *model.parameters())


def stored(model: nn.Module, chunks: Sequence[Batch]) -> Tensor:
    r"""A gradient of the parameters for each pose, kept until backward.

    Args:
        model: The single-pose model.
        chunks: Batches of one pose each.
    """
    return StoredGradients.apply(model, chunks, *model.parameters())


#: How much of what plain autograd saves a compiled model may save.
MEMORY_BUDGET = 0.5
_COMPILED: WeakKeyDictionary[nn.Module, Callable] = WeakKeyDictionary()


def compiled(model: nn.Module, chunks: Sequence[Batch]) -> Tensor:
    r"""By `torch.compile`, which computes again what exceeds a budget.

    Args:
        model: The single-pose model.
        chunks: Batches of poses.
    """
    import torch._functorch.config as config

    if model not in _COMPILED:
        _COMPILED[model] = torch.compile(model, dynamic=True)
    with config.patch(activation_memory_budget=MEMORY_BUDGET):
        return torch.cat([_COMPILED[model](chunk) for chunk in chunks])


def no_compiler() -> str:
    r"""Why :func:`compiled` cannot run; empty if it can."""
    if any(map(shutil.which, ('c++', 'g++', 'clang++'))):
        return ''
    return 'torch.compile needs a C++ compiler, and none is on the path'
