r"""Models that take a list with an item for every pose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch_geometric.data import Batch, Data


class ListModel(nn.Module):
    r"""A model that takes a list, with an item for every pose.

    Such as those of metatomic, which take a list of :obj:`System`:

    .. code-block:: python

        def system(pose):
            return System(
                types=pose.z.int(),
                positions=pose.pos,
                cell=pose.pos.new_zeros(3, 3),
                pbc=torch.zeros(3, dtype=torch.bool),
            )


        def energy(model, systems):
            out = model(systems, options, check_consistency=False)
            return out['energy'].block().values


        ListModel(model, system, energy)

    Args:
        model: The model; it stays as it is, as :attr:`model`.
        item: Makes an item of a pose, a :class:`~torch_geometric.data.Data`.
        call: From the model and the list to the predictions.
            (default: :obj:`None`, what :obj:`model(items)` returns)

    Shapes:
        - **input:** a batch whose graphs are poses
        - **output:** what :obj:`call` returns: :math:`(P)`, :math:`(P, 1)`
          or :math:`(P, F)`

    Example:
        >>> from pyg_multipose.nn.adapters import ListModel
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> class Sizes(torch.nn.Module):
        ...     def forward(self, positions):
        ...         return torch.stack([pos.norm() for pos in positions])
        >>> poses = Batch.from_data_list([Data(pos=torch.ones(3, 3))] * 2)
        >>> ListModel(Sizes(), lambda pose: pose.pos)(poses)
        tensor([3., 3.])
    """

    def __init__(
        self,
        model: nn.Module,
        item: Callable[[Data], Any],
        call: Callable[[nn.Module, list[Any]], Any] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.item, self.call = model, item, call

    def forward(self, batch: Batch) -> Any:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        items = [self.item(pose) for pose in batch.to_data_list()]
        if self.call is None:
            return self.model(items)
        return self.call(self.model, items)
