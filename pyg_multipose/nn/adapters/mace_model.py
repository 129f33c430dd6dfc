r"""Models that are called as those of MACE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch_geometric.data import Batch

from pyg_multipose.nn.adapters.dict_model import DictModel
from pyg_multipose.nn.adapters.elements import one_hot_elements


class MACEModel(DictModel):
    r"""A model that is called as those of MACE are.

    Poses need :obj:`z`, :obj:`pos` and the edges within the model's
    :obj:`r_max`, by :class:`~pyg_multipose.transforms.RadiusGraph`.
    The dictionary has :obj:`positions`, :obj:`node_attrs` (elements, one-hot),
    :obj:`edge_index`, :obj:`batch` and :obj:`ptr`, and the :obj:`shifts`,
    :obj:`unit_shifts` and :obj:`cell` of poses that are not periodic: zeros.
    Forces are not computed. Energies have the model's unit, as a rule eV, and
    low is good.

    Args:
        model: The model; it stays as it is, as :attr:`model`.
        elements: The atomic numbers that it knows, in its order.
            (default: :obj:`None`, those of :obj:`model.atomic_numbers`)
        output: As of :class:`DictModel`. (default: :obj:`"energy"`)
        **arguments: As of :class:`DictModel`.

    Raises:
        ValueError: If the elements are unknown, or poses have others.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from pyg_multipose.nn.adapters import MACEModel
        >>> class Model(torch.nn.Module):
        ...     def forward(self, data, compute_force):
        ...         elements = data['node_attrs']
        ...         energy = data['batch'].new_zeros(1).float()
        ...         return {'energy': energy - elements.size(0)}
        >>> pose = Data(z=torch.tensor([6, 8]), pos=torch.eye(2, 3))
        >>> pose.edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> MACEModel(Model(), elements=[6, 8])(Batch.from_data_list([pose]))
        tensor([-2.])
    """

    def __init__(
        self,
        model: nn.Module,
        elements: Sequence[int] | None = None,
        output: str = 'energy',
        **arguments: Any,
    ) -> None:
        names = {'positions': 'pos', 'edge_index': 'edge_index'}
        names |= {'batch': 'batch', 'ptr': 'ptr'}
        arguments = {'compute_force': False, **arguments}
        super().__init__(model, names, output, **arguments)
        if elements is None:
            numbers = getattr(model, 'atomic_numbers', None)
            if numbers is None:
                raise ValueError(
                    f'{type(model).__name__} has no atomic_numbers that say '
                    f"which elements it knows; give them as 'elements'"
                )
            elements = torch.as_tensor(numbers).tolist()
        #: The atomic numbers that the model knows, in its order.
        self.elements = list(elements)

    def inputs(self, batch: Batch) -> dict[str, Any]:
        r"""The dictionary that the model is called with.

        Args:
            batch: Poses as graphs.
        """
        out = super().inputs(batch)
        pos, edges = out['positions'], out['edge_index'].size(1)
        one_hot = one_hot_elements(batch.z, self.elements)
        out['node_attrs'] = one_hot.to(pos.dtype)
        out['shifts'] = pos.new_zeros(edges, 3)
        out['unit_shifts'] = pos.new_zeros(edges, 3)
        out['cell'] = pos.new_zeros(3 * (out['ptr'].numel() - 1), 3)
        return out
