"""What computes the receptors of a model once."""

from __future__ import annotations

from collections.abc import Sequence

from torch.nn import Module

from pyg_multipose.nn.sharing.layer_calls import layers_of
from pyg_multipose.nn.sharing.shared_model import SharedModel

#: What a model has that does it by itself.
_OWN = ('encode_receptor', 'forward_poses')


def sharer_of(model: Module, inputs: Sequence[str] | None) -> Module:
    r"""The model if it does so by itself; else it in a :class:`SharedModel`.

    Args:
        model: The single-pose model.
        inputs: Names of the attributes of a batch that it is called with, or
            :obj:`None` if it is called with the batch.
    """
    if all(hasattr(model, name) for name in _OWN) or not layers_of(model):
        return model
    return SharedModel(model, inputs)


def sharers_of(model: Module, inputs: Sequence[str] | None) -> list[Module]:
    r"""What may compute receptors once, what saves most first.

    A model may have several ways (:obj:`model.sharers()`), as strategies do.

    Args:
        model: As above.
        inputs: As above.
    """
    ways = getattr(model, 'sharers', None)
    return [sharer_of(model, inputs)] if ways is None else ways()
