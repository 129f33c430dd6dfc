r"""Any model of message-passing layers, with a receptor computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch_geometric.data import Data

from pyg_multipose.nn.sharing.changed_atoms import ChangedAtoms
from pyg_multipose.nn.sharing.layer_calls import layers_of, reads_degrees
from pyg_multipose.nn.sharing.recording import Recording, record
from pyg_multipose.nn.sharing.replay import replay
from pyg_multipose.nn.sharing.shared_receptor import receptor_and_reach


class SharedModel(Module):
    r"""A model of :pyg:`PyG` layers as it is, with a receptor computed once.

    In the receptor alone, what every message-passing layer takes and returns
    is recorded. Poses differ from that after :math:`l` layers at ligand atoms
    and at receptor atoms that are at most :math:`l` edges away from the
    ligand. The unchanged model is called with these atoms; a layer runs where
    its rows differ, with all edges that arrive there, and the rows of all
    other atoms are those of the recording. What is done atom by atom then
    agrees by itself, and sums, means and extrema over the atoms of a pose get
    the part of the atoms that are left out.

    That holds for layers that send one round of messages and for poolings
    that sum, average, or take an extremum. Whether it holds for a model is for
    the comparison with whole complexes to see, which
    :class:`~pyg_multipose.nn.MultiPoseReadout` makes before it shares: norms
    over a graph, attention over all atoms, and layers of several rounds do
    not agree, and run on whole complexes.
    The readout does all of this by itself with :obj:`share_receptor="auto"`.

    Args:
        model: The single-pose model.
        inputs: Names of the attributes of a batch that it is called with.
            (default: :obj:`None`, it is called with the batch)

    Example:
        >>> import torch
        >>> import torch_geometric.nn as pyg_nn
        >>> from torch_geometric.data import Batch
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.nn.sharing import SharedModel
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> model = pyg_nn.Sequential(
        ...     'z, edge_index, batch',
        ...     [
        ...         (torch.nn.Embedding(100, 8), 'z -> x'),
        ...         (pyg_nn.GraphConv(8, 1), 'x, edge_index -> x'),
        ...         (pyg_nn.MeanAggregation(), 'x, batch -> x'),
        ...     ],
        ... )
        >>> shared = SharedModel(model, ['z', 'edge_index', 'batch'])
        >>> receptor = Batch.from_data_list([pose_set.receptor])
        >>> state = shared.encode_receptor(receptor)
        >>> out = shared.forward_poses(pose_set, state)
        >>> whole = shared(Batch.from_data_list(pose_set.to_poses()))
        >>> torch.allclose(out, whole, atol=1e-4)
        True
        >>> shared.sharing_cost(pose_set) < 0.5  # of whole complexes
        True
        >>> shared.predict_receptor(state).shape  # alone
        torch.Size([1, 1])
    """

    #: Whether layers run on all atoms that differ.
    runs_layers = True

    def __init__(
        self, model: Module, inputs: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs
        #: How much further atoms matter than messages go.
        self.margin = int(reads_degrees(layers_of(model).values()))

    def forward(self, batch: Any) -> Any:
        r"""Calls the model as it is.

        Args:
            batch: Graphs.
        """
        if self.inputs is None:
            return self.model(batch)
        return self.model(*[getattr(batch, key) for key in self.inputs])

    def sharing_cost(self, poses: Data) -> float:
        r"""Returns what a pose costs, as a share of its whole complex.

        Args:
            poses: A pose set.
        """
        number = max(len(layers_of(self.model)), 1)
        receptor, reach = receptor_and_reach(
            poses, number + self.margin, False
        )
        edges = sum(
            reach.incoming(layer + self.margin).edge_index.size(1)
            for layer in range(number)
        )
        whole = poses.edge_index.size(1) + (reach.number - 1) * receptor
        return edges / max(whole * number, 1)

    def encode_receptor(self, receptor: Data) -> Recording:
        r"""Evaluates the receptor alone, and records what its layers return.

        Args:
            receptor: It, as a graph.

        Returns:
            Tensors for :meth:`forward_poses`, differentiable.

        Raises:
            UnsuitedError: If a layer does what cannot be followed.
        """
        return record(self, self.model, receptor, bool(self.margin))

    def predict_receptor(self, state: Recording) -> Tensor | None:
        r"""Returns the prediction of the receptor alone, if it is known.

        Args:
            state: What :meth:`encode_receptor` returned for it.
        """
        return state.prediction

    def forward_poses(self, poses: Any, state: Recording) -> Tensor:
        r"""Evaluates poses by what they change.

        Args:
            poses: A pose set: the receptor, then the ligand of every pose.
            state: What :meth:`encode_receptor` returned for the receptor.

        Returns:
            Predictions, one row for each pose.

        Raises:
            UnsuitedError: If the model does not go the same way as in the
                receptor alone.
        """
        atoms = ChangedAtoms(poses, state, self.margin)
        out = replay(self, self.model, atoms, state)
        out = out[0] if isinstance(out, (tuple, list)) else out
        return out[: atoms.number]
