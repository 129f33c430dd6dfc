"""Leaves that a model reaches past its parameters and inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def check_closure(
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


def foreign_leaf(output: Tensor, leaves: Sequence[Tensor]) -> Tensor | None:
    r"""A leaf that an output depends on, but which is none of those given.

    Args:
        output: What the model returned, with its graph.
        leaves: The leaves it may depend on.
    """
    known = {id(leaf) for leaf in leaves}
    seen = set()
    stack = [output.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, 'variable', None)
        if isinstance(variable, torch.Tensor) and id(variable) not in known:
            return variable
        stack.extend(child for child, _ in node.next_functions)
    return None
