r"""Functions of autograd that are small, and called often."""

import inspect
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from pyg_multipose.nn.messages.kernel import is_plain_call


class ApartFunction(Function):
    r"""A function of autograd whose context is set up apart.

    In every call, :class:`torch.autograd.Function` looks up what the
    arguments of its forward pass are called, by taking its signature apart,
    which takes longer than small sums. Here it finds one that is made.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        signature = inspect.signature(cls.forward)
        cls.forward.__signature__ = signature  # type: ignore[attr-defined]


def apply(function: type[Function], *args: Any) -> Any:
    r"""Applies a function of autograd, or only its forward pass.

    The latter is for when gradients are switched off: :obj:`apply` looks up
    what the arguments are called, which takes longer than small sums.

    Args:
        function: The function, whose context is set up apart.
        *args: Its arguments.
    """
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    if torch.is_grad_enabled() or not is_plain_call(*tensors):
        return function.apply(*args)  # type: ignore[no-untyped-call]
    return function.forward(*args)
