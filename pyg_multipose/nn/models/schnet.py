r"""SchNet, with the weights of PyG's, at the cost of its pairs of atoms."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleList
from torch_geometric.nn.models.schnet import GaussianSmearing

from pyg_multipose.nn.messages._checks import (
    check_atoms,
    check_batch,
    check_choice,
)
from pyg_multipose.nn.messages.pooling import pool_atoms
from pyg_multipose.nn.models._checks import (
    check_int,
    check_positive,
    parse_atomref,
    parse_scale,
)
from pyg_multipose.nn.models.schnet_filters import SchNetFilters
from pyg_multipose.nn.models.schnet_layer import SchNetLayer
from pyg_multipose.nn.models.shifted_softplus import ShiftedSoftplus
from pyg_multipose.nn.models.softplus_mlp import softplus_mlp
from pyg_multipose.nn.radius_interaction_graph import RadiusInteractionGraph

#: Atomic numbers are smaller than this, as in PyG.
_NUM_ELEMENTS = 100


class SchNet(SchNetFilters):
    r"""The continuous-filter convolutional network SchNet.

    It follows the `"SchNet: A Continuous-filter Convolutional Neural Network
    for Modeling Quantum Interactions" <https://arxiv.org/abs/1706.08566>`_
    paper, and is :class:`torch_geometric.nn.models.SchNet` with the same
    arguments, parameters and predictions: the :obj:`state_dict` of one loads
    into the other.
    A filter depends on a distance only, so it is computed once for both
    directions of an edge, and no message is kept for backward. It differs
    from PyG's in that

    * no neighbors are cut unless :obj:`max_num_neighbors` asks for it (PyG
      cuts at 32 without a word), and where it cuts any, a warning tells;
    * edges longer than :obj:`cutoff`, if it is given any, contribute exactly
      nothing (in PyG their cosine rises again);
    * no extension is needed to find neighbors, and coincident atoms have
      finite second derivatives;
    * it can be called on a batch, and :obj:`atoms` can be those of the
      ligand.

    The model is called as

    * :obj:`model(batch)`, which reads :obj:`z`, :obj:`pos`,
      :obj:`edge_index`, :obj:`batch` and, if :obj:`atoms="ligand"`,
      :obj:`is_ligand` of a :class:`~torch_geometric.data.Data` or
      :class:`~torch_geometric.data.Batch`, as
      :class:`~pyg_multipose.nn.models.EquivariantGNN` does;
    * :obj:`model(z, pos, batch)`, as PyG's, which finds the edges by
      :obj:`interaction_graph`. There are as many graphs as the largest
      number in :obj:`batch` tells.

    Args:
        hidden_channels: The number of features of atoms.
            (default: :obj:`128`)
        num_filters: The number of channels of messages.
            (default: :obj:`128`)
        num_interactions: The number of layers. (default: :obj:`6`)
        num_gaussians: The number of radial basis functions.
            (default: :obj:`50`)
        cutoff: Distance in Angstrom at which messages have fallen to zero,
            with zero first derivative. (default: :obj:`10.0`)
        interaction_graph: A function of :obj:`(pos, batch)` that returns
            :obj:`(edge_index, edge_weight)`, the latter being distances in
            Angstrom.
            (default: :obj:`None`,
            :class:`~pyg_multipose.nn.RadiusInteractionGraph` of
            :obj:`cutoff` and :obj:`max_num_neighbors`)
        max_num_neighbors: How many neighbors an atom may have at most; the
            nearest are kept. A model with such a cap, or with an
            :obj:`interaction_graph` of another kind or a smaller radius,
            refuses :obj:`model(batch)`, where neither would have a say.
            (default: :obj:`None`, all neighbors)
        readout: Whether the contributions of atoms are summed (:obj:`"add"`
            or :obj:`"sum"`) or averaged (:obj:`"mean"`).
            (default: :obj:`"add"`)
        dipole: Predictions from dipole moments are left to PyG's model.
            (default: :obj:`False`)
        mean: The mean of the contribution of an atom, in the unit of the
            target. (default: :obj:`None`)
        std: The standard deviation of the contribution of an atom, in the
            same unit. As in PyG, both or none are given, and they are applied
            atom by atom and do not belong to the state dict.
            (default: :obj:`None`)
        atomref: The contribution of a single atom of each element, in the
            same unit :math:`(100)` or :math:`(100, 1)`, which training
            changes. (default: :obj:`None`)
        atoms: The atoms that contribute (:obj:`"all"` or :obj:`"ligand"`).
            Messages are exchanged by all. (default: :obj:`"all"`)

    Shapes:
        - **input:** a batch of :math:`P` graphs, or atomic numbers
          :math:`(n)`, positions in Angstrom :math:`(n, 3)` and the graph of
          every atom :math:`(n)`
        - **output:** :math:`(P, 1)`; sums and means over atoms are taken in
          float32 or wider

    Raises:
        ValueError: If an argument is invalid; in a call, if a key is missing
            or has a wrong type or shape, if an atomic number is not in
            :math:`[0, 100)`, or if a graph has no atoms to average.
        TypeError: If the model is called with a pose set instead of a batch
            whose graphs are poses.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.nn.models import SchNet
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> model = SchNet(8, 8, num_interactions=2, cutoff=4.5)
        >>> batch = Batch.from_data_list(pose_set.to_poses())
        >>> out = model(batch)
        >>> out.shape
        torch.Size([8, 1])
        >>> same = model(batch.z, batch.pos, batch.batch)  # finds the edges
        >>> torch.allclose(out, same, atol=1e-3)
        True
    """

    initial_atomref: Tensor | None

    #: Measured; the rest are messages and updates.
    filter_share = 0.5

    def __init__(
        self,
        hidden_channels: int = 128,
        num_filters: int = 128,
        num_interactions: int = 6,
        num_gaussians: int = 50,
        cutoff: float = 10.0,
        interaction_graph: Callable | None = None,
        max_num_neighbors: int | None = None,
        readout: str = 'add',
        dipole: bool = False,
        mean: float | None = None,
        std: float | None = None,
        atomref: Tensor | None = None,
        atoms: str = 'all',
    ):
        super().__init__()
        check_int('hidden_channels', hidden_channels, 2)
        check_int('num_filters', num_filters, 1)
        check_int('num_interactions', num_interactions, 1)
        check_int('num_gaussians', num_gaussians, 2)
        check_positive('cutoff', cutoff)
        check_choice('readout', readout, ['add', 'sum', 'mean'])
        check_choice('atoms', atoms, ['all', 'ligand'])
        if dipole:
            raise ValueError(
                "'dipole=True' is not supported, since a dipole moment is no "
                'sum over atoms; use '
                "'torch_geometric.nn.models.SchNet(dipole=True)'"
            )
        if interaction_graph is not None and max_num_neighbors is not None:
            raise ValueError(
                f"'max_num_neighbors' has no say beside an "
                f"'interaction_graph' (got {max_num_neighbors!r}); give it to "
                f'that graph'
            )

        self.hidden_channels = hidden_channels
        self.num_filters = num_filters
        self.num_interactions = num_interactions
        self.num_gaussians = num_gaussians
        self.cutoff = float(cutoff)
        self.pool = 'mean' if readout == 'mean' else 'sum'
        self.mean, self.std = parse_scale(mean, std)
        self.atoms = atoms
        self._radius = cutoff  # that a graph has to have at least
        self.interaction_graph = interaction_graph or RadiusInteractionGraph(
            self.cutoff, max_num_neighbors
        )

        self.embedding = Embedding(
            _NUM_ELEMENTS, hidden_channels, padding_idx=0
        )
        self.distance_expansion = GaussianSmearing(
            0.0, self.cutoff, num_gaussians
        )
        self.interactions = ModuleList(
            SchNetLayer(hidden_channels, num_gaussians, num_filters)
            for _ in range(num_interactions)
        )
        self.lin1 = Linear(hidden_channels, hidden_channels // 2)
        self.act = ShiftedSoftplus()
        self.lin2 = Linear(hidden_channels // 2, 1)
        self.register_buffer(
            'initial_atomref', parse_atomref(atomref, _NUM_ELEMENTS)
        )
        self.atomref = None
        if atomref is not None:
            self.atomref = Embedding(_NUM_ELEMENTS, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.embedding.reset_parameters()
        for layer in self.layers:
            layer.reset_parameters()
        for lin in [self.lin1, self.lin2]:
            torch.nn.init.xavier_uniform_(lin.weight)
            torch.nn.init.zeros_(lin.bias)
        if self.atomref is not None and self.initial_atomref is not None:
            with torch.no_grad():
                self.atomref.weight.copy_(self.initial_atomref)

    @property
    def layers(self) -> Sequence[SchNetLayer]:
        r"""The interactions."""
        return list(self.interactions)  # type: ignore[arg-type]

    def embed(self, z: Tensor) -> Tensor:
        r"""Returns the initial features of atoms.

        Args:
            z: Atomic numbers :math:`(n)`.

        Returns:
            Features :math:`(n, \mathrm{hidden\_channels})`, atom by atom.
        """
        return self.embedding(z)

    def readout(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        r"""Returns the contribution of every atom to the prediction.

        Args:
            x: Features after the last layer
                :math:`(n, \mathrm{hidden\_channels})`.
            z: Atomic numbers of the same atoms :math:`(n)`, needed with
                :obj:`atomref`. (default: :obj:`None`)

        Returns:
            Contributions :math:`(n, 1)`, atom by atom.
        """
        out = softplus_mlp(x, self.lin1, self.act, self.lin2)
        if self.mean is not None and self.std is not None:
            out = out * self.std + self.mean
        if self.atomref is not None:
            if z is None:
                raise ValueError(
                    "A model with 'atomref' needs the atomic numbers in its "
                    "readout (got z=None); call 'readout(x, z)'"
                )
            out = out + self.atomref(z)
        return out

    def pool_atoms(
        self,
        contribution: Tensor,
        index: Tensor,
        dim_size: int,
        is_ligand: Tensor | None = None,
    ) -> Tensor:
        r"""Sums or averages the contributions of atoms.

        Args:
            contribution: Output of :meth:`readout`.
            index: The graph of every atom :math:`(n)`.
            dim_size: The number of graphs :math:`P`.
            is_ligand: The atoms that contribute :math:`(n)`; :obj:`None`:
                all. (default: :obj:`None`)

        Returns:
            Predictions :math:`(P, 1)`.
        """
        return pool_atoms(contribution, index, dim_size, self.pool, is_ligand)

    def forward(
        self, z: Any, pos: Tensor | None = None, batch: Tensor | None = None
    ) -> Tensor:
        r"""Returns the prediction of every graph.

        Args:
            z: A batch, or the atomic numbers of atoms.
            pos: The positions of atoms in Angstrom, unless in a batch.
                (default: :obj:`None`)
            batch: The graph of every atom; :obj:`None`: one graph, unless in
                a batch. (default: :obj:`None`)
        """
        if pos is None:
            return self._predict_batch(z)
        return self._predict_atoms(z, pos, batch)

    def _predict_batch(self, batch: Any) -> Tensor:
        graph = self.interaction_graph
        if not isinstance(graph, RadiusInteractionGraph) or (
            graph.max_num_neighbors is not None or graph.cutoff < self._radius
        ):
            raise ValueError(
                f"'model(batch)' takes the edges of the batch and would "
                f"ignore 'interaction_graph' and 'max_num_neighbors' (got "
                f"{graph}); call 'model(z, pos, batch)', or build the model "
                f"without them and cut by 'pyg_multipose.transforms."
                f"RadiusGraph'"
            )
        num_graphs = check_batch(
            batch,
            self.__class__.__name__,
            _NUM_ELEMENTS,
            self.cutoff,
            is_ligand=self.atoms == 'ligand',
        )
        return self.predict(batch, num_graphs)

    def _predict_atoms(
        self, z: Tensor, pos: Tensor, batch: Tensor | None
    ) -> Tensor:
        if self.atoms == 'ligand':
            raise ValueError(
                "'model(z, pos, batch)' does not tell which atoms are those "
                'of the ligand, as \'atoms="ligand"\' needs; call '
                "'model(batch)'"
            )
        check_atoms(z, pos, _NUM_ELEMENTS)
        num_graphs = 1
        if batch is None:
            batch = torch.zeros_like(z, dtype=torch.int64)
        elif batch.size() != z.size():
            raise ValueError(
                f"'batch' must hold the graph of each of the {z.size(0)} "
                f'atoms (got shape {list(batch.size())})'
            )
        elif batch.numel() > 0:
            num_graphs = int(batch.max()) + 1
        edge_index, length = self.interaction_graph(pos, batch)
        if isinstance(self.interaction_graph, RadiusInteractionGraph):
            x = self.interact(z, pos, edge_index)
        else:  # lengths of others may differ by direction
            x = self.propagate(z, edge_index, self._expand(length))
        return self.pool_atoms(self.readout(x, z), batch, num_graphs)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}('
            f'hidden_channels={self.hidden_channels}, '
            f'num_filters={self.num_filters}, '
            f'num_interactions={self.num_interactions}, '
            f'num_gaussians={self.num_gaussians}, '
            f'cutoff={self.cutoff}, '
            f"readout='{self.pool}', "
            f"atoms='{self.atoms}')"
        )
