"""Heads: from the features of a graph to a prediction."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import LayerNorm, Linear, Module, Sequential


def check_module(name: str, given: Any) -> None:
    r"""Refuses what is no module.

    Args:
        name: Name of the argument.
        given: Its value.
    """
    if not isinstance(given, Module):
        raise ValueError(
            f"'{name}' is a {type(given).__name__}, expected a torch.nn.Module"
        )


def width_of(head: Module) -> int | None:
    r"""How many features a head takes, where its first layer tells.

    Args:
        head: The head.
    """
    if isinstance(head, Sequential) and len(head):
        head = head[0]
    if isinstance(head, Linear):
        return head.in_features or None  # 0: not initialised yet
    if isinstance(head, LayerNorm):
        return head.normalized_shape[-1]
    return None


def through(head: Module | None, x: Tensor, part: str) -> Tensor:
    r"""What a head makes of features.

    Args:
        head: The head; :obj:`None`: none.
        x: Features :math:`(P, F)`.
        part: What they are of, for messages.

    Raises:
        ValueError: If the head takes another number of features, or returns
            something else than one row for each graph.
    """
    if head is None:
        return x
    takes = width_of(head)
    if takes not in (None, x.size(1)):
        raise ValueError(
            f'The head of the {part} takes {takes} features, but the model '
            f'returns {x.size(1)} for a graph'
        )
    return rows_of(head(x), x.size(0), head, part)


def rows_of(out: Any, number: int, module: Module, part: str) -> Tensor:
    r"""What a module returned as one row for each graph.

    Args:
        out: It, or a tuple that begins with it.
        number: How many graphs there are.
        module: The module, for messages.
        part: The part that it was called with.

    Returns:
        Shape :math:`(P, F)`.

    Raises:
        ValueError: If it has another shape.
    """
    if isinstance(out, (tuple, list)) and out:
        out = out[0]
    shape = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
    if not isinstance(out, Tensor) or not (
        out.dim() in (1, 2) and out.size(0) == number
    ):
        raise ValueError(
            f'{type(module).__name__} returned {shape} for the {part} of '
            f'{number} poses, expected [{number}] or [{number}, F]. Does it '
            f'pool with batch.batch and batch.num_graphs?'
        )
    return out.unsqueeze(1) if out.dim() == 1 else out
