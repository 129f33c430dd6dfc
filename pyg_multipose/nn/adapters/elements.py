r"""Atoms as those elements that a model knows."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def one_hot_elements(z: Tensor, elements: Sequence[int]) -> Tensor:
    r"""Which of some elements every atom is.

    Args:
        z: Atomic numbers, shape :obj:`[num_atoms]`.
        elements: Those that a model knows, in its order.

    Returns:
        Booleans, shape :obj:`[num_atoms, num_elements]`.

    Raises:
        ValueError: If there are others.
    """
    one_hot = z.unsqueeze(1) == z.new_tensor(elements)
    known = one_hot.any(dim=1)
    if not known.all():
        raise ValueError(
            f'Poses have the elements {z[~known].unique().tolist()}, and the '
            f'model knows {list(elements)} only. Leave such atoms out, or '
            f'take a model that knows them'
        )
    return one_hot
