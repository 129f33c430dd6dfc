r"""Models that take a dictionary and return one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Batch

from pyg_multipose.gradient.model.requirements import attribute


class DictModel(nn.Module):
    r"""A model that takes a dictionary of tensors and returns one.

    It is called as :obj:`model(dictionary, **arguments)[output]`. The
    predictions have the unit and the sign of the model's.

    Args:
        model: The model; it stays as it is, as :attr:`model`.
        names: What the model calls the attributes of a batch, such as
            :obj:`{"positions": "pos"}`.
        output: The key of the predictions in what it returns.
            (default: :obj:`"energy"`)
        **arguments: What else it is called with, by name.

    Shapes:
        - **input:** a batch whose graphs are poses
        - **output:** predictions, :math:`(P)`, :math:`(P, 1)` or
          :math:`(P, F)`

    Raises:
        ValueError: If the poses lack an attribute, or the result lacks
            :obj:`output`.

    Example:
        >>> from pyg_multipose.nn.adapters import DictModel
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> class Count(torch.nn.Module):
        ...     def forward(self, data):
        ...         return {'energy': data['group'].bincount().double()}
        >>> poses = Batch.from_data_list([Data(pos=torch.ones(3, 3))] * 2)
        >>> model = DictModel(Count(), {'group': 'batch'})
        >>> model(poses)
        tensor([3., 3.], dtype=torch.float64)
        >>> model.inputs(poses)
        {'group': tensor([0, 0, 0, 1, 1, 1])}
    """

    def __init__(
        self,
        model: nn.Module,
        names: Mapping[str, str],
        output: str = 'energy',
        **arguments: Any,
    ) -> None:
        super().__init__()
        if not isinstance(names, Mapping):
            raise ValueError(
                f'names={names!r} is a {type(names).__name__}, expected a '
                f"dictionary such as {{'positions': 'pos'}}, from the model's "
                f'name to the attribute of a batch'
            )
        self.model = model
        self.names = dict(names)
        self.output = output
        self.arguments = arguments

    def inputs(self, batch: Batch) -> dict[str, Any]:
        r"""The dictionary that the model is called with.

        Args:
            batch: Poses as graphs.
        """
        out = {}
        for name, key in self.names.items():
            value = attribute(batch, key)
            # Models mark what they derive by, which is not the batch's.
            out[name] = value.view_as(value) if _real(value) else value
        return out

    def forward(self, batch: Batch) -> Tensor:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        out = self.model(self.inputs(batch), **self.arguments)
        if not isinstance(out, Mapping) or out.get(self.output) is None:
            got = (
                f'the keys {sorted(out)}'
                if isinstance(out, Mapping)
                else f'a {type(out).__name__}'
            )
            raise ValueError(
                f'{type(self.model).__name__} returned {got}, expected a '
                f"dictionary with predictions as '{self.output}'; name their "
                f"key as 'output'"
            )
        return out[self.output]

    def extra_repr(self) -> str:
        r"""The arguments."""
        return f'names={self.names}, output={self.output!r}'


def _real(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
