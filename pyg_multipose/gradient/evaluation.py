"""One call of a single-pose model over the poses of a batch, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.model.predictions import checked
from pyg_multipose.gradient.model.requirements import check_model, input_names
from pyg_multipose.gradient.plan.chunks import LIGAND_NODES_ON_CPU, split
from pyg_multipose.gradient.plan.counts import Counts
from pyg_multipose.gradient.receptors.cache import ReceptorCache
from pyg_multipose.gradient.receptors.sharing import shared_receptors
from pyg_multipose.gradient.replay.foreign_leaf import check_closure
from pyg_multipose.gradient.replay.parameters import Slots, aliases
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

    Raises:
        ValueError: If the model cannot be evaluated in chunks, with the
            reason.
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
    ) -> None:
        # Once: walking through a model takes time.
        modules = list(model.modules())
        check_model(model, modules)
        self.model = model
        self.inputs = input_names(inputs)
        self.slots = Slots(modules)
        self.layout = Layout(pose_set, self._device(pose_set))
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
        self.replay = Replay(modules, self.layout.device)
        #: The receptors that are encoded once, or :obj:`None`; and why.
        self.receptors, self.receptor_plan = shared_receptors(
            model,
            share_receptor,
            self.layout,
            self.tables,
            pose_set,
            self.inputs,
        )
        self.receptor_cache = receptor_cache or ReceptorCache()
        #: Atoms that a pose counts for, :obj:`[num_poses]`.
        self.pose_nodes = (self.receptors or self.layout).nodes_per_pose
        self.cut(max_nodes, within_sets)
        self.counts = Counts(self.layout.num_poses)
        self.nonfinite = nonfinite
        #: Which poses have a finite prediction, once all are known.
        self.finite = np.ones(self.layout.num_poses, dtype=bool)
        #: Whether a prediction depends on anything that requires grad.
        self.differentiable = True
        self._fingerprint: Tensor | None = None

    @property
    def tensors(self) -> list[Tensor]:
        r"""Parameters, tensors of encoded receptors, then tables."""
        tables = (self.tables[key] for key in self.keys)
        return [*self.slots.tensors, *self.states, *tables]

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
            if max_nodes is None and self.layout.device.type == 'cpu':
                max_nodes = LIGAND_NODES_ON_CPU
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
            count = self.receptors.encode(self.model, self.receptor_cache)
        self.counts.encoded += count

    # Model calls #############################################################

    def predict(
        self, poses: Poses, states: Sequence[Tensor] | None = None
    ) -> Tensor:
        r"""Predictions of some poses, differentiable by plain autograd.

        Args:
            poses: Numbers of the poses.
            states: What to use for :attr:`states`. (default: :obj:`None`)

        Returns:
            Predictions of shape :obj:`[len(poses)]` or
            :obj:`[len(poses), F]`.
        """
        return self.call(self._compose(self.tables, poses), poses, states)

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
        index = self._receptor(poses)
        if self.receptors is not None and index is not None:
            out = self.model.forward_poses(  # type: ignore[operator]
                graphs,
                self.receptors.state(
                    index, self.states if states is None else states
                ),
            )
        elif self.inputs is None:
            out = self.model(graphs)
        else:
            out = self.model(*[_attribute(graphs, k) for k in self.inputs])
        return checked(out, self.layout, poses)

    def recorded(self, number: int) -> Tensor:
        r"""Predictions of a chunk of the first pass, which a replay can find.

        Args:
            number: Number of the chunk.
        """
        with self.replay.recorded(number):
            return self.predict(self.chunks[number])

    def probed(self, number: int) -> Tensor:
        r"""As :meth:`recorded`, and looks for leaves that would be lost.

        Only plain autograd sees a leaf that is neither a parameter nor part
        of the batch.

        Args:
            number: Number of the chunk.
        """
        tensors = self.slots.tensors
        leaves = aliases(tensors, [t.requires_grad for t in tensors])
        states = aliases(self.states, [t.requires_grad for t in self.states])
        poses = self.chunks[number]
        with self.replay.recorded(number), self.on(leaves):
            graphs, inputs = self.graphs(
                poses, self.tables, self.differentiable_keys
            )
            out = self.call(graphs, poses, states)
        check_closure(self.model, out, [*leaves, *states, *inputs.values()])
        self.differentiable = out.requires_grad
        return out.detach()

    def seal(self) -> None:
        r"""Takes a fingerprint of everything, at the end of the first pass."""
        self._fingerprint = self._norms(self._outer(self.tensors))

    def unchanged(self, tensors: Sequence[Tensor]) -> bool:
        r"""Whether everything is as it was when sealed.

        It also finds changes that bypass autograd's version counters.

        Args:
            tensors: What :attr:`tensors` was then, saved by autograd.
        """
        assert self._fingerprint is not None
        now = torch.nan_to_num(self._norms(self._outer(tensors)))
        return torch.equal(now, torch.nan_to_num(self._fingerprint))

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

    def _outer(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """All but the states, which nobody outside can reach."""
        first = len(self.slots.tensors)
        return [*tensors[:first], *tensors[first + self.num_states :]]

    def _norms(self, tensors: Sequence[Tensor]) -> Tensor:
        floats: dict[torch.device, list[Tensor]] = {}
        for tensor in [*tensors, *self.replay.fingerprint()]:
            if tensor.is_floating_point() and tensor.numel():
                floats.setdefault(tensor.device, []).append(tensor.detach())
        norms = [
            torch.stack([norm.double() for norm in torch._foreach_norm(there)])
            for there in floats.values()
        ]
        if len(norms) == 1:
            return norms[0]
        return torch.cat([n.cpu() for n in norms]) if norms else torch.zeros(1)

    def _device(self, pose_set: Data) -> torch.device | None:
        """Where the model runs; a batch may stay on the host."""
        sizes = pose_set.stores[0].get('pose_size')
        if sizes is None:
            return None  # the layout tells what is wrong
        home = sizes.device
        devices = (tensor.device for tensor in self.slots.tensors)
        first = next(devices, home)
        if first == home or home in devices:
            return home
        if home.type == 'cpu':
            return first
        if first.type == 'cpu':
            raise ValueError(
                f'The batch is on {home} and the single-pose model on '
                f'{first}. Put both on one device, or leave the batch on the '
                f'CPU, from where chunks of poses go to the model'
            )
        return home

    @contextmanager
    def on(self, parameters: Sequence[Tensor]) -> Iterator[None]:
        r"""Runs the model on other parameters, with gradient.

        Args:
            parameters: One for each distinct parameter.
        """
        with self.slots.filled(parameters), torch.enable_grad():
            yield

    def graphs(
        self, poses: Poses, tables: dict[str, Any], keys: Sequence[str]
    ) -> tuple[Data, dict[str, Tensor]]:
        r"""Composes poses cut off from the batch, with leaves of their own.

        A leaf of the whole batch would cost its size for every chunk.

        Args:
            poses: Numbers of the poses.
            tables: The values of the batch.
            keys: Those that need a gradient.
        """
        with torch.no_grad():
            graphs = self._compose(tables, poses)
        leaves = {key: graphs[key].requires_grad_() for key in keys}
        for key, leaf in leaves.items():
            graphs[key] = leaf.clone()  # which a model may change in place
        return graphs, leaves

    def rows(self, key: str, poses: Poses) -> Tensor:
        r"""The rows of a table that :meth:`graphs` of poses are made of.

        Args:
            key: The key of the table.
            poses: Numbers of the poses.
        """
        return self.layout.rows(key, poses, self._receptor(poses))

    def _receptor(self, poses: Poses) -> int | None:
        """The set whose encoded receptor a chunk shares."""
        if self.receptors is None:
            return None
        index = int(self.receptors.of_pose[poses[0]])
        return None if index < 0 else index

    def _compose(self, tables: dict[str, Any], poses: Poses) -> Data:
        index = self._receptor(poses)
        if index is None:
            return self.layout.compose(tables, poses)
        out = PoseSet()
        for key, value in self.layout.select(tables, poses, index).items():
            out[key] = value
        out['levels'] = str(self.layout.levels)
        return out


def _attribute(graphs: Data, name: str) -> Any:
    value = getattr(graphs, name, None)
    if value is None:
        raise ValueError(
            f"inputs names '{name}', which the poses do not have; they have "
            f'{sorted(graphs.keys())}'
        )
    return value
