"""One call of a single-pose model over the poses of a batch, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.composer import Composer
from pyg_multipose.gradient.model.inventory import Inventory
from pyg_multipose.gradient.model.predictions import checked
from pyg_multipose.gradient.model.requirements import (
    attribute,
    device_of,
    input_names,
)
from pyg_multipose.gradient.model.traits import Traits
from pyg_multipose.gradient.plan.chunks import split
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.receptors.cache import ReceptorCache
from pyg_multipose.gradient.receptors.sharing import shared_receptors
from pyg_multipose.gradient.receptors.verdict import Verdict
from pyg_multipose.gradient.replay.foreign_leaf import (
    check_leaves,
    made_leaves,
)
from pyg_multipose.gradient.replay.parameters import aliases
from pyg_multipose.gradient.replay.replay import Replay


class Evaluation:
    r"""The frozen record of one call: what runs, on what, in which chunks.

    It is the only place that calls the model, and owns the checks on what
    it returns. It holds references to the batch's tensors, no copies.

    Args:
        model: The single-pose model, called as :obj:`model(batch)` or with
            the attributes that :obj:`inputs` names.
        pose_set: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.
        inputs: Names of attributes of the batch of poses, comma-separated.
            (default: :obj:`None`)
        max_nodes: The most atoms of a chunk, receptor included; a pose with
            more goes alone. (default: :obj:`None`, planned for the device)
        within_sets: Whether chunks end where sets end.
            (default: :obj:`False`)
        nonfinite: :obj:`"raise"` on predictions that are not finite, or
            :obj:`"mask"` them. (default: :obj:`"raise"`)
        share_receptor: Whether each distinct receptor is encoded once by
            :obj:`model.encode_receptor`, and poses are evaluated by
            :obj:`model.forward_poses`; their atoms are then those of the
            ligand. (default: :obj:`False`)
        receptor_cache: Receptors encoded by earlier calls without gradient.
            (default: :obj:`None`, none)
        verdict: What was seen of sharing in earlier calls.
            (default: :obj:`None`, nothing)
        traits: What was seen of the model in earlier calls.
            (default: :obj:`None`, nothing, and nothing is looked at)
        sharers: What may encode receptors, what saves most first: the model,
            or modules that hold it as :obj:`sharer.model`.
            (default: :obj:`()`, the model)

    Raises:
        ValueError: If the model cannot be evaluated in chunks.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.gradient import Evaluation
        >>> poses = [Data(x=torch.full((2, 1), x)) for x in (1.0, 3.0, 2.0)]
        >>> pose_set = PoseSet.from_poses(poses)
        >>> evaluation = Evaluation(
        ...     SumAggregation(), pose_set, 'x, batch', max_nodes=4
        ... )
        >>> evaluation.chunks
        [array([0, 1]), array([2])]
        >>> evaluation.predict([0, 2])
        tensor([2., 4.])
    """

    def __init__(
        self,
        model: nn.Module,
        pose_set: Data,
        inputs: str | None = None,
        max_nodes: int | None = None,
        within_sets: bool = False,
        nonfinite: str = 'raise',
        share_receptor: bool | str = False,
        receptor_cache: ReceptorCache | None = None,
        verdict: Verdict | None = None,
        traits: Traits | None = None,
        sharers: Sequence[nn.Module] = (),
    ) -> None:
        # Once: walking through a model takes time.
        known = Inventory(model) if traits is None else traits.of(model)
        self.modules, self.parameters = known.modules, known.parameters
        self.model = model
        self.inputs = input_names(inputs)
        self.layout = Layout(
            pose_set, device_of(pose_set, self.parameters.tensors)
        )
        values = pose_set.stores[0]
        self.tables: dict[str, Any] = {
            key: values[key]
            for key, level in self.layout.levels.items()
            if level != 'set'
        }
        #: How dense the graphs are; zero if the model finds the edges.
        self.edges_per_node = 0.0
        edges = self.tables.get('edge_index')
        if edges is not None and 'edge_index' in (self.inputs or self.tables):
            self.edges_per_node = edges.size(1) / max(self.layout.num_nodes, 1)
        #: Keys of the tensors among the tables, in a fixed order.
        self.keys = [
            key for key, value in self.tables.items() if torch.is_tensor(value)
        ]
        #: The tables of the batch that ask for a gradient.
        self.differentiable_keys = [
            key for key in self.keys if self.tables[key].requires_grad
        ]
        self.replay = Replay(self.modules, self.layout.device)
        sharing = shared_receptors(
            sharers or [model],
            self.modules,
            share_receptor,
            self.layout,
            self.tables,
            pose_set,
            verdict or Verdict(),
            self.inputs,
        )
        #: The receptors that are encoded once, or :obj:`None`; and why.
        self.receptors, self.receptor_plan = sharing[:2]
        #: What encodes them, the model or what holds it; what was seen of it.
        self.sharer, self.verdict = sharing[2:]
        self.whole_poses = sharing.whole_poses
        #: What the model is made of, if it was looked at for sharing.
        self.structure = self.verdict.structure if self.receptors else None
        self.composer = Composer(self.layout, self.receptors)
        if traits is not None and self.receptors is None:
            traits.look(
                model, self.modules, self.layout, self.tables, self.run
            )
            self.replay.know(traits)
        #: What the model was seen to change of itself, in all calls.
        self.own_changes = set() if traits is None else traits.own_changes
        self.receptor_cache = receptor_cache or ReceptorCache()
        #: Atoms that a pose counts for, :obj:`[num_poses]`.
        counted = None if self.whole_poses else self.receptors
        self.pose_nodes = (counted or self.layout).nodes_per_pose
        self.cut(max_nodes, within_sets)
        self.counts = Counts(self.layout.num_poses)
        self.nonfinite = nonfinite
        #: Numbers of poses that the combination asks for, by key.
        self.pose_values: dict[str, Tensor] = {}
        #: Which poses have a finite prediction, once all are known.
        self.finite = np.ones(self.layout.num_poses, dtype=bool)
        #: Whether a prediction was seen to depend on what requires grad.
        self.differentiable = False
        #: The predictions of the first pass, once all are known.
        self.predictions: Tensor | None = None
        #: Inputs of the last model call that the model itself made leaves.
        self.made_leaves: list[Tensor] = []

    @property
    def tensors(self) -> list[Tensor]:
        r"""Parameters, tensors of encoded receptors, then tables."""
        tables = (self.tables[key] for key in self.keys)
        return [*self.parameters.tensors, *self.states, *tables]

    @property
    def states(self) -> list[Tensor]:
        r"""The tensors of encoded receptors."""
        return self.receptors.tensors if self.receptors else []

    @property
    def num_states(self) -> int:
        r"""How many these are, or were before :meth:`release`."""
        return self.receptors.num_tensors if self.receptors else 0

    @property
    def requires_grad(self) -> bool:
        r"""Whether anything asks for a gradient."""
        return any(tensor.requires_grad for tensor in self.tensors)

    @property
    def unsteady(self) -> str:
        r"""What made this pass unlike another one; empty if nothing did."""
        if self.receptors is not None and self.receptors.written:
            return 'forward_poses writes to the state that it is given'
        return self.replay.unsteady

    def cut(self, max_nodes: int | None, *args: Any) -> None:
        r"""Cuts the poses into chunks, before anything runs.

        Args:
            max_nodes: As above.
            args: As of :meth:`split`.
        """
        self.chunks = self.split(max_nodes, *args)

    def split(
        self,
        max_nodes: int | None,
        within_sets: bool = False,
        poses: Poses | None = None,
    ) -> list[np.ndarray]:
        r"""Cuts poses into chunks.

        Args:
            max_nodes: As above.
            within_sets: As above. (default: :obj:`False`)
            poses: Numbers of the poses. (default: :obj:`None`, all)
        """
        groups = None
        if self.receptors is not None:
            groups = self.receptors.of_pose
            on_cpu = self.layout.device.type == 'cpu'
            if max_nodes is None and on_cpu and not self.whole_poses:
                max_nodes = self.receptors.nodes_on_cpu
        return split(
            self.layout,
            max_nodes,
            self.layout.device,
            within_sets,
            poses,
            self.pose_nodes,
            groups,
        )

    def nodes_of(self, chunks: Sequence[Poses]) -> list[int]:
        r"""Atoms of each chunk.

        Args:
            chunks: The poses of each chunk.
        """
        return [int(self.pose_nodes[poses].sum()) for poses in chunks]

    def encode(self) -> None:
        r"""Encodes each distinct receptor once, by plain autograd."""
        if self.receptors is None or self.receptors.encoded:
            return
        with self.replay.before_chunks():
            count = self.receptors.encode(self.sharer, self.receptor_cache)
        self.counts.encoded += count

    # Model calls #############################################################

    def parts(
        self, tensors: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], dict[str, Any]]:
        r"""What stands for parameters, states and tables.

        Args:
            tensors: One for each of :attr:`tensors`.
        """
        first = len(self.parameters.tensors)
        last = first + self.num_states
        tables = dict(zip(self.keys, tensors[last:], strict=True))
        return (
            list(tensors[:first]),
            list(tensors[first:last]),
            {**self.tables, **tables},
        )

    def predict(
        self,
        poses: Poses,
        states: Sequence[Tensor] | None = None,
        tables: dict[str, Any] | None = None,
    ) -> Tensor:
        r"""Predictions of some poses, differentiable by plain autograd.

        Args:
            poses: Numbers of the poses.
            states: What to use for :attr:`states`. (default: :obj:`None`)
            tables: What to use for :attr:`tables`. (default: :obj:`None`)

        Returns:
            Predictions of shape :obj:`[len(poses)]` or
            :obj:`[len(poses), F]`.
        """
        graphs = self.composer.compose(tables or self.tables, poses)
        return self.call(graphs, poses, states)

    def call(
        self,
        graphs: Data,
        poses: Poses,
        states: Sequence[Tensor] | None = None,
    ) -> Tensor:
        r"""Calls the model and checks what it returns.

        Args:
            graphs: The poses as graphs, or as a set that shares a receptor.
            poses: Their numbers.
            states: What to use for :attr:`states`. (default: :obj:`None`)
        """
        self.counts.forward += len(poses)
        index = self.composer.receptor(poses)
        if self.receptors is not None and index is not None:
            out = self.sharer.forward_poses(
                graphs,
                self.receptors.state(
                    index, self.states if states is None else states
                ),
            )
        else:
            out = self.run(self.model, graphs)
        self.made_leaves = made_leaves(graphs)
        return checked(out, self.layout, poses)

    def run(self, model: nn.Module, graphs: Data) -> Any:
        r"""Calls a model with graphs, or with attributes of them.

        Args:
            model: The single-pose model, or a copy of it.
            graphs: Poses as graphs.
        """
        if self.inputs is None:
            return model(graphs)
        return model(*[attribute(graphs, key) for key in self.inputs])

    def recorded(self, number: int, *args: Any) -> Tensor:
        r"""Predictions of a chunk of the first pass, which a replay can find.

        Args:
            number: Number of the chunk.
            args: As of :meth:`predict`.
        """
        with self.replay.recorded(number):
            return self.predict(self.chunks[number], *args)

    def first(self, number: int, graph: bool = True) -> Tensor:
        r"""As :meth:`recorded`, but nothing is held of the graph.

        Until a prediction was seen to require grad, chunks are evaluated with
        their graph: that tells whether the predictions of the call depend on
        what requires grad, and shows leaves that would be lost, which only
        plain autograd sees.

        Args:
            number: Number of the chunk.
            graph: Whether gradients are switched on outside.
                (default: :obj:`True`)
        """
        if not graph or self.differentiable:
            needs = graph and self.replay.needs_graph
            try:
                with torch.set_grad_enabled(needs):
                    return self.recorded(number).detach()
            except RuntimeError as error:
                if needs or 'does not require grad' not in str(error):
                    raise
                raise RuntimeError(
                    f'The single-pose model asks autograd for a gradient '
                    f'inside, for some poses only, and the first pass has no '
                    f"graph. Use gradient='full' ({error})"
                ) from error
        tensors = self.parameters.tensors
        leaves = aliases(tensors, [t.requires_grad for t in tensors])
        states = aliases(self.states, [t.requires_grad for t in self.states])
        poses = self.chunks[number]
        with self.replay.recorded(number), self.on(leaves):
            graphs, inputs = self.composer.leaves(
                poses, self.tables, self.differentiable_keys
            )
            out = self.call(graphs, poses, states)
        self.check_leaves(out, [*leaves, *states, *inputs.values()])
        self.differentiable = out.requires_grad
        return out.detach()

    def check_leaves(self, out: Tensor, leaves: Sequence[Tensor]) -> None:
        r"""Refuses predictions that depend on leaves that would be lost.

        Args:
            out: Predictions of the last model call.
            leaves: What they may depend on.
        """
        check_leaves(self.model, out, [*leaves, *self.made_leaves])

    def release(self) -> None:
        r"""Lets go of all tensors, which autograd has saved as far as needed.

        A prediction that somebody keeps would else hold them after backward.
        """
        self.tables = {
            key: value
            for key, value in self.tables.items()
            if not torch.is_tensor(value)
        }
        if self.receptors is not None:
            self.receptors.release()

    @contextmanager
    def on(self, parameters: Sequence[Tensor]) -> Iterator[None]:
        r"""Runs the model on other parameters, with gradient.

        Args:
            parameters: One for each distinct parameter.
        """
        with self.parameters.filled(parameters), torch.enable_grad():
            yield
