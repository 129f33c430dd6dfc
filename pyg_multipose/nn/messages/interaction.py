r"""The pieces that a model of interacting atoms is made of."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import Module

from pyg_multipose.nn.messages.senders import senders

#: Tensors whose rows belong to edges.
EdgeTensors = tuple[Tensor, ...]


class InteractionLayer(Module):
    r"""One round of messages, in pieces that may be called on their own.

    A message is linear in what its source sends, and messages are summed:

    .. math::
        \mathbf{x}^{\prime}_i = \mathrm{update} \Bigl( \mathbf{x}_i,
        \sum_{e = (j, i)} \mathbf{m} \bigl( \mathrm{source}(\mathbf{x}_j);
        \mathrm{filters}_e \bigr) \Bigr)

    Whoever composes the pieces otherwise than :meth:`forward` (some edges
    only, other sources, filters from before) thus gets parts of the same
    sums.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.messages.interaction import InteractionLayer
        >>> class Distances(InteractionLayer):
        ...     def edge_filters(self, geometry):
        ...         return geometry
        ...
        ...     def source(self, x):
        ...         return x
        ...
        ...     def aggregate(
        ...         self, source, edge_index, filters, dim_size, rows=None
        ...     ):
        ...         weight = filters[0] if rows is None else filters[0][rows]
        ...         out = source.new_zeros(dim_size, source.size(1))
        ...         sent = weight * source[edge_index[0]]
        ...         return out.index_add(0, edge_index[1], sent)
        ...
        ...     def update(self, x, aggregated):
        ...         return x + aggregated
        >>> x, edge_index = torch.eye(2), torch.tensor([[0, 1], [1, 0]])
        >>> Distances()(x, edge_index, (torch.full((2, 1), 0.5),))
        tensor([[1.0000, 0.5000],
                [0.5000, 1.0000]])
    """

    def edge_filters(self, geometry: EdgeTensors) -> EdgeTensors:
        r"""Returns what the layer multiplies messages by.

        Args:
            geometry: Rows of :meth:`InteractionModel.edge_geometry`.

        Returns:
            Tensors with a row for each row of :obj:`geometry`: a function of
            that row and of parameters only.
        """
        raise NotImplementedError

    def source(self, x: Tensor) -> Tensor:
        r"""Returns what an atom sends, before any edge is known.

        Args:
            x: Features of atoms :math:`(n, F)`.

        Returns:
            Source features :math:`(n, S)`, atom by atom.
        """
        raise NotImplementedError

    def aggregate(
        self,
        source: Tensor,
        edge_index: Tensor,
        filters: EdgeTensors,
        dim_size: int,
        rows: Tensor | None = None,
    ) -> Tensor:
        r"""Sums the messages of edges at their targets.

        Linear in :obj:`source`; the sum over two sets of edges is the sum of
        the two results.

        Args:
            source: Output of :meth:`source`.
            edge_index: Rows of :obj:`source` and targets :math:`(2, E)`.
            filters: Output of :meth:`edge_filters`.
            dim_size: The number of targets :math:`n`.
            rows: The row of :obj:`filters` that every edge uses :math:`(E)`;
                :obj:`None`: one row for each edge, in their order.
                (default: :obj:`None`)

        Returns:
            Sums :math:`(n, A)`.
        """
        raise NotImplementedError

    def add_messages(
        self,
        onto: Tensor,
        source: Tensor,
        alone: Tensor,
        edge_index: Tensor,
        filters: EdgeTensors,
        rows: Tensor | None = None,
        atoms: Tensor | None = None,
    ) -> Tensor:
        r"""Adds messages of poses that share a receptor to other sums.

        A layer may do so in place: whoever calls this needs :obj:`onto` no
        more.

        Args:
            onto: Sums :math:`(n, A)`.
            source: What atoms of poses send :math:`(m, S)`.
            alone: What the atoms of the receptor send alone :math:`(R, S)`.
            edge_index: Sources and targets :math:`(2, E)`. Sources are rows
                of :obj:`source`, or, beyond these, of :obj:`alone`.
            filters: As of :meth:`aggregate`.
            rows: As of :meth:`aggregate`. (default: :obj:`None`)
            atoms: The receptor atom of every row of :obj:`source`
                :math:`(m)`: then what is sent is the difference to what that
                atom sends alone. (default: :obj:`None`)

        Returns:
            Sums :math:`(n, A)`.
        """
        sent = senders(source, alone, atoms)
        size = onto.size(0)
        return onto + self.aggregate(sent, edge_index, filters, size, rows)

    def update(self, x: Tensor, aggregated: Tensor) -> Tensor:
        r"""Returns the new features of atoms.

        Args:
            x: Features :math:`(n, F)`.
            aggregated: Output of :meth:`aggregate` for the same atoms.

        Returns:
            Features :math:`(n, F^{\prime})`, atom by atom.
        """
        raise NotImplementedError

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        geometry: EdgeTensors,
        rows: Tensor | None = None,
    ) -> Tensor:
        r"""Returns :meth:`update` of the :meth:`aggregate` of all edges."""
        aggregated = self.aggregate(
            self.source(x),
            edge_index,
            self.edge_filters(geometry),
            dim_size=x.size(0),
            rows=rows,
        )
        return self.update(x, aggregated)


class InteractionModel(Module):
    r"""A model of atoms in layers, in pieces that may be called on their own.

    Atoms know each other through the sums of messages of its layers only, and
    its prediction is pooled over atoms.
    :meth:`interact` composes the first pieces, and a prediction is
    :obj:`pool_atoms(readout(interact(z, pos, edge_index), z), index, P)`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.utils import scatter
        >>> from pyg_multipose.nn.messages.interaction import InteractionModel
        >>> class Elements(InteractionModel):
        ...     layers = ()  # else those of your own
        ...
        ...     def embed(self, z):
        ...         return z.view(-1, 1).float()
        ...
        ...     def edge_geometry(self, pos, edge_index):
        ...         source, target = pos[edge_index]
        ...         return ((source - target).norm(dim=1),)
        ...
        ...     def readout(self, x, z=None):
        ...         return -0.5 * x
        ...
        ...     def pool_atoms(
        ...         self, contribution, index, dim_size, is_ligand=None
        ...     ):
        ...         return scatter(contribution, index, 0, dim_size)
        >>> model, z, pos = Elements(), torch.tensor([6, 8]), torch.eye(2, 3)
        >>> edge_index = torch.tensor([[0, 1], [1, 0]])
        >>> x = model.interact(z, pos, edge_index)
        >>> model.pool_atoms(model.readout(x, z), torch.tensor([0, 0]), 1)
        tensor([[-7.]])
        >>> model.predict(Data(z=z, pos=pos, edge_index=edge_index), 1)
        tensor([[-7.]])
        >>> model.filter_tables(pos, edge_index)  # there are none
        >>> told = model.layer_geometries(pos, edge_index)
        >>> len(told) == len(model.layers)
        True
        >>> edges, rows = model.distinct_edges(edge_index, num_nodes=2)
        >>> geometry = model.edge_geometry(pos, edges)  # once, for many calls
        >>> torch.equal(model.propagate(z, edge_index, geometry, rows), x)
        True
    """

    #: The atoms that contribute, :obj:`"all"` or :obj:`"ligand"`.
    atoms: str = 'all'

    @property
    def layers(self) -> Sequence[InteractionLayer]:
        r"""The layers, the first one first."""
        raise NotImplementedError

    def embed(self, z: Tensor) -> Tensor:
        r"""Returns the initial features of atoms.

        Args:
            z: Atomic numbers :math:`(n)`.

        Returns:
            Features :math:`(n, F)`, atom by atom.
        """
        raise NotImplementedError

    def distinct_edges(
        self, edge_index: Tensor, num_nodes: int
    ) -> tuple[Tensor, Tensor | None]:
        r"""Finds the edges that may differ in their geometry.

        Args:
            edge_index: Sources and targets :math:`(2, E)`.
            num_nodes: The number of atoms.

        Returns:
            Edges :math:`(2, R)` for :meth:`edge_geometry`, and the one of
            them that has the geometry of every edge :math:`(E)`:
            :obj:`rows` of :meth:`InteractionLayer.aggregate`. Here all edges
            as they are and :obj:`None`.
        """
        return edge_index, None

    def edge_geometry(self, pos: Tensor, edge_index: Tensor) -> EdgeTensors:
        r"""Returns everything that the layers know about edges.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)`.

        Returns:
            Tensors with a row for each edge.
        """
        raise NotImplementedError

    def filter_tables(
        self, pos: Tensor, edge_index: Tensor
    ) -> list[Tensor] | None:
        r"""Returns tables from which the filters of edges can be found.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)` of the edges that
                are to pay for them.

        Returns:
            A table for each layer, for :meth:`layer_geometries` of these or
            other edges; :obj:`None`, as here, where there are none, or
            filters of so few edges cost less than a table.
        """
        return None

    def layer_geometries(
        self,
        pos: Tensor,
        edge_index: Tensor,
        tables: list[Tensor] | None = None,
    ) -> list[EdgeTensors]:
        r"""Returns what each layer is told about edges.

        Args:
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, R)`.
            tables: Output of :meth:`filter_tables`. (default: :obj:`None`)

        Returns:
            Arguments of :meth:`InteractionLayer.edge_filters`. Here
            :meth:`edge_geometry`, for all layers.
        """
        geometry = self.edge_geometry(pos, edge_index)
        return [geometry for _ in self.layers]

    def readout(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        r"""Returns the contribution of every atom to the prediction.

        Args:
            x: Features after the last layer :math:`(n, F)`.
            z: Atomic numbers of the same atoms :math:`(n)`, for models whose
                contributions know the element. (default: :obj:`None`)

        Returns:
            Contributions :math:`(n, \mathrm{out\_channels})`, atom by atom.
        """
        raise NotImplementedError

    def pool_atoms(
        self,
        contribution: Tensor,
        index: Tensor,
        dim_size: int,
        is_ligand: Tensor | None = None,
    ) -> Tensor:
        r"""Pools the contributions of atoms.

        Args:
            contribution: Output of :meth:`readout`.
            index: The graph of every atom :math:`(n)`.
            dim_size: The number of graphs :math:`P`.
            is_ligand: The atoms that contribute :math:`(n)`; :obj:`None`:
                all. (default: :obj:`None`)

        Returns:
            Predictions :math:`(P, \mathrm{out\_channels})`.
        """
        raise NotImplementedError

    def predict(self, batch: Any, num_graphs: int) -> Tensor:
        r"""Returns the prediction of every graph.

        Args:
            batch: Graphs with :obj:`z`, :obj:`pos` and :obj:`edge_index`.
            num_graphs: How many these are.

        Returns:
            Predictions :math:`(P, \mathrm{out\_channels})`.
        """
        x = self.interact(batch.z, batch.pos, batch.edge_index)
        index = getattr(batch, 'batch', None)
        if index is None:
            index = batch.edge_index.new_zeros(batch.z.size(0))
        return self.pool_atoms(
            self.readout(x, batch.z),
            index,
            num_graphs,
            batch.is_ligand if self.atoms == 'ligand' else None,
        )

    def interact(
        self,
        z: Tensor,
        pos: Tensor,
        edge_index: Tensor,
        num_layers: int | None = None,
    ) -> Tensor:
        r"""Returns the features of atoms after some layers.

        Args:
            z: Atomic numbers :math:`(n)`.
            pos: Positions in Angstrom :math:`(n, 3)`.
            edge_index: Sources and targets :math:`(2, E)`.
            num_layers: How many layers; :obj:`None`: all.
                (default: :obj:`None`)
        """
        edges, rows = self.distinct_edges(edge_index, z.size(0))
        geometry: EdgeTensors | list[EdgeTensors]
        tables = self.filter_tables(pos, edges)
        if tables is None:  # one for all, as subclasses may expect it
            geometry = self.edge_geometry(pos, edges)
        else:
            geometry = self.layer_geometries(pos, edges, tables)
        return self.propagate(z, edge_index, geometry, rows, num_layers)

    def propagate(
        self,
        z: Tensor,
        edge_index: Tensor,
        geometry: EdgeTensors | list[EdgeTensors],
        rows: Tensor | None = None,
        num_layers: int | None = None,
    ) -> Tensor:
        r"""As :meth:`interact`, where the geometry is known already.

        Args:
            z: Atomic numbers :math:`(n)`.
            edge_index: Sources and targets :math:`(2, E)`.
            geometry: Output of :meth:`edge_geometry`, or a list of what each
                layer is told.
            rows: The row of :obj:`geometry` of every edge :math:`(E)`.
                (default: :obj:`None`)
            num_layers: How many layers; :obj:`None`: all.
                (default: :obj:`None`)
        """
        x = self.embed(z)
        layers = list(self.layers)
        if not isinstance(geometry, list):
            geometry = len(layers) * [geometry]
        for layer, told in list(zip(layers, geometry, strict=True))[
            :num_layers
        ]:
            x = layer(x, edge_index, told, rows)
        return x
