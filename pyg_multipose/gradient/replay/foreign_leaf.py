"""Leaves that a model reaches past its parameters and inputs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data


def check_leaves(
    model: nn.Module, output: Tensor, leaves: Sequence[Tensor]
) -> None:
    r"""Refuses gradients that would be lost.

    Args:
        model: The single-pose model.
        output: A prediction with its graph.
        leaves: What it may depend on.
    """
    leaf = foreign_leaf(output, leaves)
    if leaf is None:
        return
    for name, parameter in model.named_parameters():
        if leaf.data_ptr() == parameter.data_ptr():
            raise ValueError(
                f"The single-pose model reaches its parameter '{name}' "
                f'by a reference or a cache that it keeps, past the '
                f'module that holds it, so a second pass would lose its '
                f"gradient; only gradient='full' sees it. Read it from "
                f'the module in every call'
            )
    raise ValueError(
        f'The single-pose model uses a tensor of shape '
        f'{list(leaf.shape)} that requires grad and is neither one of '
        f"its parameters nor part of the batch; only gradient='full' "
        f'sees it. Register it as a parameter or put it into the pose set'
    )


def made_leaves(graphs: Data) -> list[Tensor]:
    r"""Inputs that a model made leaves of its own, to take forces, say.

    Args:
        graphs: What the model was called with; cut off from the batch.
    """
    return [
        value
        for value in graphs.stores[0].values()
        if isinstance(value, Tensor) and value.requires_grad and value.is_leaf
    ]


def foreign_leaf(output: Tensor, leaves: Sequence[Tensor]) -> Tensor | None:
    r"""A leaf that an output depends on, but which is none of those given.

    Leaves that a model makes in a call and forgets are no loss.

    Args:
        output: What the model returned, with its graph.
        leaves: The leaves it may depend on.
    """
    known = {id(leaf) for leaf in leaves}
    # A cache may hold on to a leaf of an earlier pass by its graph alone.
    places = {leaf.data_ptr() for leaf in leaves if leaf.numel()}
    seen = set()
    stack = [output.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, 'variable'):
            leaf = node.variable
            if id(leaf) not in known:
                place = leaf.data_ptr()
                del leaf
                if place in places or _references(node) > _of_forgotten():
                    return node.variable
        stack.extend(child for child, _ in node.next_functions)
    return None


def _references(node: Any) -> int:
    return sys.getrefcount(node.variable)


@cache
def _of_forgotten() -> int:
    """References to a leaf that nothing but its graph holds."""

    def forget() -> Tensor:
        return torch.ones(1, requires_grad=True) * 2

    with torch.inference_mode(False), torch.enable_grad():
        out = forget()
    assert out.grad_fn is not None
    return _references(out.grad_fn.next_functions[0][0])
