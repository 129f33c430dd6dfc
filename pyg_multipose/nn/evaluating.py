"""A module as it predicts, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    r"""Puts a module into evaluation mode, and every flag back afterwards.

    Args:
        module: The module.

    Yields:
        Nothing; flags are put back after errors, too.
    """
    flags = [(child, child.training) for child in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for child, training in flags:
            child.training = training
