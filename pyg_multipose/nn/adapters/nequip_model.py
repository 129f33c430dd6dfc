r"""Models that are called as those of NequIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch_geometric.data import Batch

from pyg_multipose.nn.adapters.dict_model import DictModel
from pyg_multipose.nn.adapters.elements import one_hot_elements


class NequIPModel(DictModel):
    r"""A model that is called as those of NequIP and Allegro are.

    Poses need :obj:`z`, :obj:`pos` and the edges within the model's cutoff,
    by :class:`~pyg_multipose.transforms.RadiusGraph`. The dictionary has
    :obj:`pos`, :obj:`atom_types`, :obj:`batch`, :obj:`num_atoms` and
    :obj:`edge_index`, whose first row is the atom that collects messages.
    Energies have the model's unit, and low is good.

    Args:
        model: The model; it stays as it is, as :attr:`model`.
        elements: The atomic numbers of its types, in their order.
        output: As of :class:`DictModel`. (default: :obj:`"total_energy"`)
        **arguments: As of :class:`DictModel`.

    Raises:
        ValueError: If poses have other elements.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from pyg_multipose.nn.adapters import NequIPModel
        >>> class Model(torch.nn.Module):
        ...     def forward(self, data):
        ...         elements = data['atom_types']
        ...         energy = data['batch'].new_zeros(1).float()
        ...         return {'total_energy': energy - elements.size(0)}
        >>> pose = Data(z=torch.tensor([6, 8]), pos=torch.eye(2, 3))
        >>> pose.edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> NequIPModel(Model(), elements=[6, 8])(Batch.from_data_list([pose]))
        tensor([-2.])
    """

    def __init__(
        self,
        model: nn.Module,
        elements: Sequence[int],
        output: str = 'total_energy',
        **arguments: Any,
    ) -> None:
        names = {'pos': 'pos', 'edge_index': 'edge_index', 'batch': 'batch'}
        super().__init__(model, names, output, **arguments)
        #: The atomic numbers of the model's types, in their order.
        self.elements = list(elements)

    def inputs(self, batch: Batch) -> dict[str, Any]:
        r"""The dictionary that the model is called with.

        Args:
            batch: Poses as graphs.
        """
        out = super().inputs(batch)
        one_hot = one_hot_elements(batch.z, self.elements)
        out['atom_types'] = one_hot.int().argmax(dim=1)
        out['num_atoms'] = batch.ptr.diff()
        out['edge_index'] = out['edge_index'].flip(0)
        return out
