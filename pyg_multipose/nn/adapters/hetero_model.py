r"""Models of ligand and pocket as two types of nodes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch_geometric.data import Batch, HeteroData

from pyg_multipose.gradient.model.requirements import input_names

#: The types of nodes.
TYPES = ('pocket', 'ligand')


class HeteroModel(nn.Module):
    r"""A model of :class:`~torch_geometric.data.HeteroData`.

    A pose has the types of nodes :obj:`"pocket"` and :obj:`"ligand"`, and the
    types of edges :obj:`("pocket", "to", "ligand")` and so on, all four of
    them, also where there is no such edge. Attributes of atoms, and those of
    edges, whose names begin with :obj:`edge`, go to their types; those of a
    pose stay as they are, and bonds are left out.

    Args:
        model: The model; it stays as it is, as :attr:`model`.
        inputs: What it is called with, such as
            :obj:`"z_dict, edge_index_dict, batch_dict"`.
            (default: :obj:`None`, the
            :class:`~torch_geometric.data.HeteroData`, as a batch)

    Shapes:
        - **input:** a batch whose graphs are poses
        - **output:** what the model returns

    Raises:
        ValueError: If poses have no :obj:`is_ligand`, or lack an attribute.

    Example:
        >>> from pyg_multipose.nn.adapters import HeteroModel
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> class Share(torch.nn.Module):
        ...     def forward(self, pose):
        ...         ligand, pocket = pose['ligand'], pose['pocket']
        ...         return ligand.batch.bincount() / pocket.batch.bincount()
        >>> pose = Data(
        ...     pos=torch.eye(3),
        ...     is_ligand=torch.tensor([False, False, True]),
        ...     edge_index=torch.tensor([[0, 1, 2], [1, 2, 1]]),
        ... )
        >>> HeteroModel(Share())(Batch.from_data_list([pose] * 2))
        tensor([0.5000, 0.5000])
    """

    def __init__(self, model: nn.Module, inputs: str | None = None) -> None:
        super().__init__()
        self.model, self.names = model, input_names(inputs)

    def forward(self, batch: Batch) -> Any:
        r"""Predicts every pose.

        Args:
            batch: Poses as graphs.
        """
        data = hetero(batch)
        if self.names is None:
            return self.model(data)
        return self.model(*[_attribute(data, name) for name in self.names])


def hetero(batch: Batch) -> HeteroData:
    r"""Poses with ligand and pocket as types of nodes, as a batch.

    Args:
        batch: Poses as graphs.
    """
    is_ligand = batch.get('is_ligand')
    if is_ligand is None:
        raise ValueError(
            "Poses have no 'is_ligand', which tells the atoms of ligand and "
            'pocket apart. Build sets by PoseSet.from_complex, or give every '
            'pose a boolean is_ligand'
        )
    is_ligand = is_ligand.bool()  # zeros and ones of some
    out = Batch(_base_cls=HeteroData)
    out._num_graphs = batch.num_graphs
    place = torch.empty_like(batch.batch)
    rows = {}
    for name, mask in zip(TYPES, (~is_ligand, is_ligand), strict=True):
        rows[name] = mask.nonzero().squeeze(1)
        place[rows[name]] = torch.arange(
            rows[name].numel(), device=place.device
        )
    edges = {}
    if batch.get('edge_index') is not None:
        source, target = is_ligand[batch.edge_index]
        for a in TYPES:
            for b in TYPES:
                of = (source == (a == 'ligand')) & (target == (b == 'ligand'))
                edges[a, 'to', b] = of.nonzero().squeeze(1)
    for key, value in batch.to_dict().items():
        if key == 'edge_index':
            for relation, chosen in edges.items():
                out[relation].edge_index = place[value[:, chosen]]
        elif key.startswith('bond') or key == 'ptr':
            continue
        elif key.startswith('edge'):
            for relation, chosen in edges.items():
                out[relation][key] = value[chosen]
        elif batch.is_node_attr(key):
            for name, chosen in rows.items():
                out[name][key] = value[chosen]
        else:
            out[key] = value
    return out


def _attribute(data: HeteroData, name: str) -> Any:
    try:
        return getattr(data, name)
    except (AttributeError, KeyError):
        raise ValueError(
            f"inputs names '{name}', which the poses do not have; their "
            f'atoms have {sorted(data["ligand"].keys())}, called z_dict and '
            f'so on'
        ) from None
