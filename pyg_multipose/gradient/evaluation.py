"""One call of a single-pose model over the poses of a batch, in chunks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.checks import check_model, input_names
from pyg_multipose.gradient.chunks import split
from pyg_multipose.gradient.counts import Counts
from pyg_multipose.gradient.replay import Replay
from pyg_multipose.gradient.slots import Slots, aliases, foreign_leaf


class Evaluation:
    r"""The frozen record of one call: what runs, on what, in which chunks.

    It is the only place that calls the model, and owns the checks on what
    the model returns.
    It holds references to the batch's tensors, no copies.

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
    ) -> None:
        check_model(model)
        self.model = model
        self.inputs = input_names(inputs)
        self.layout = Layout(pose_set)
        self.tables: dict[str, Any] = {
            key: pose_set[key]
            for key, level in self.layout.levels.items()
            if level != 'set'
        }
        #: Keys of the tensors among the tables, in a fixed order.
        self.keys = [
            key for key, value in self.tables.items() if torch.is_tensor(value)
        ]
        self.slots = Slots(model)
        self.replay = Replay(model, self.layout.device)
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
        r"""All that the prediction may depend on: parameters, then tables."""
        return [*self.slots.tensors, *(self.tables[key] for key in self.keys)]

    @property
    def differentiable_keys(self) -> list[str]:
        r"""The tables of the batch that ask for a gradient."""
        return [key for key in self.keys if self.tables[key].requires_grad]

    @property
    def edges_per_node(self) -> float:
        r"""How dense the graphs are; zero if the model finds the edges."""
        edges = self.tables.get('edge_index')
        if edges is None or self.inputs and 'edge_index' not in self.inputs:
            return 0.0
        return edges.size(1) / max(self.layout.num_nodes, 1)

    @property
    def requires_grad(self) -> bool:
        r"""Whether anything asks for a gradient."""
        return any(tensor.requires_grad for tensor in self.tensors)

    def cut(self, max_nodes: int | None, within_sets: bool = False) -> None:
        r"""Cuts the poses into chunks, before anything runs.

        Args:
            max_nodes: As above.
            within_sets: As above. (default: :obj:`False`)
        """
        self.chunks = split(
            self.layout, max_nodes, self.layout.device, within_sets
        )

    # Model calls #############################################################

    def predict(
        self, poses: Poses, tables: dict[str, Any] | None = None
    ) -> Tensor:
        r"""Predictions of some poses, differentiable by plain autograd.

        Args:
            poses: Numbers of the poses.
            tables: Other values of the batch. (default: :obj:`None`)

        Returns:
            Predictions of shape :obj:`[len(poses)]` or
            :obj:`[len(poses), F]`.
        """
        graphs = self.layout.compose(
            self.tables if tables is None else tables, poses
        )
        return self.call(graphs, poses)

    def call(self, graphs: Batch, poses: Poses) -> Tensor:
        r"""Calls the model and checks what it returns.

        Args:
            graphs: The poses as graphs.
            poses: Their numbers, for messages.
        """
        self.counts.forward += len(poses)
        if self.inputs is None:
            out = self.model(graphs)
        else:
            out = self.model(*[_attribute(graphs, k) for k in self.inputs])
        if isinstance(out, (tuple, list)) and len(out):
            out = out[0]
        if not isinstance(out, Tensor) or not out.is_floating_point():
            got = out.dtype if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(
                f'The single-pose model returned {got}, expected a floating '
                f'point tensor (or a tuple that begins with one) with one '
                f'row per pose'
            )
        if out.dim() == 2 and out.size(1) == 1:
            out = out.squeeze(1)
        if out.dim() not in (1, 2) or out.size(0) != len(poses):
            first = self.layout.pose_name(int(poses[0]))
            raise ValueError(
                f'The single-pose model returned shape {list(out.shape)} for '
                f'{len(poses)} poses (from {first} on), expected '
                f'[{len(poses)}], [{len(poses)}, 1] or [{len(poses)}, F]. '
                f'Does it pool with batch.batch and batch.num_graphs?'
            )
        return out

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
        poses = self.chunks[number]
        with self.replay.recorded(number), self.on(leaves):
            graphs, inputs = self.graphs(
                poses, self.tables, self.differentiable_keys
            )
            out = self.call(graphs, poses)
        self.check_closure(out, [*leaves, *inputs.values()])
        self.differentiable = out.requires_grad
        return out.detach()

    def screen(self, predictions: Tensor) -> None:
        r"""Finds predictions that are not finite: raises, or masks them.

        Args:
            predictions: Those of all poses, in order.
        """
        self.finite = finite_rows(predictions)
        if self.finite.all():
            return
        bad = (~self.finite).nonzero()[0]
        name = self.layout.pose_name
        if self.nonfinite == 'raise':
            self.refuse(predictions, np.arange(self.layout.num_poses))
        left = np.bincount(
            self.layout.set_of_pose[self.finite],
            minlength=self.layout.num_sets,
        )
        if (left == 0).any():
            self.refuse_empty(int((left == 0).nonzero()[0][0]))
        for poses in self.chunks:
            mixed = self.finite[poses].any() and not self.finite[poses].all()
            if mixed and self.replay.whole_chunks:
                raise ValueError(
                    f'{name(bad[0])} cannot be left out: the model draws '
                    f'random numbers or couples the poses of a chunk. Use '
                    f'max_nodes_per_chunk=1 for one pose at a time'
                )
        warnings.warn(
            f'Left out {len(bad)} poses whose prediction is not finite: '
            f'{", ".join(name(pose) for pose in bad[:5])}'
            f'{", ..." if len(bad) > 5 else ""}',
            stacklevel=2,
        )

    def refuse(self, predictions: Tensor, poses: Poses) -> None:
        r"""Raises if a prediction is not finite.

        Args:
            predictions: Some predictions.
            poses: The numbers of their poses.
        """
        bad = (~finite_rows(predictions)).nonzero()[0]
        if len(bad):
            raise ValueError(
                f'The prediction of {self.layout.pose_name(poses[bad[0]])} is '
                f'{predictions[int(bad[0])].tolist()}, expected a finite '
                f'number ({len(bad)} of {len(poses)} poses looked at are '
                f'not). Look at the pose, or leave such poses out by '
                f"nonfinite='mask'"
            )

    def refuse_empty(self, index: int) -> NoReturn:
        r"""Raises, since a set has nothing to combine.

        Args:
            index: Number of the set.
        """
        raise ValueError(
            f'No pose of {self.layout.set_name(index)} has a finite '
            f'prediction, so there is nothing to combine'
        )

    def count_backward(self, gradient: Tensor | None) -> None:
        r"""Counts a backward pass of some poses, as a hook of autograd.

        Args:
            gradient: That of their predictions, or :obj:`None` if autograd
                skips them.
        """
        if gradient is not None:
            self.counts.backward += len(gradient)

    def seal(self) -> None:
        r"""Takes a fingerprint of everything, at the end of the first pass."""
        self._fingerprint = self._norms(self.tensors)

    def unchanged(self, tensors: Sequence[Tensor]) -> bool:
        r"""Whether everything is as it was when sealed.

        It also finds changes that bypass autograd's version counters.

        Args:
            tensors: What :attr:`tensors` was then, saved by autograd.
        """
        assert self._fingerprint is not None
        now = torch.nan_to_num(self._norms(tensors))
        return torch.equal(now, torch.nan_to_num(self._fingerprint))

    def _norms(self, tensors: Sequence[Tensor]) -> Tensor:
        floats = [
            tensor.detach()
            for tensor in [*tensors, *self.replay.fingerprint()]
            if tensor.is_floating_point() and tensor.numel()
        ]
        if not floats:
            return torch.zeros(1)
        norms = torch._foreach_norm(floats)
        return torch.stack([norm.double() for norm in norms])

    def check_closure(self, output: Tensor, leaves: Sequence[Tensor]) -> None:
        r"""Refuses gradients that would be lost.

        Args:
            output: A prediction with its graph.
            leaves: What it may depend on.
        """
        leaf = foreign_leaf(output, leaves)
        if leaf is None:
            return
        for name, parameter in self.model.named_parameters():
            if leaf.data_ptr() == parameter.data_ptr():
                raise ValueError(
                    f"The single-pose model reaches its parameter '{name}' "
                    f'by a reference or a cache that it keeps, past the '
                    f'module that holds it, so a second pass would lose its '
                    f"gradient; only gradient='full' sees it. Read it from "
                    f'the module in every call'
                )
        raise ValueError(
            f'The single-pose model uses a tensor of shape '
            f'{list(leaf.shape)} that requires grad and is neither one of '
            f"its parameters nor part of the batch; only gradient='full' "
            f'sees it. Register it as a parameter or put it into the pose set'
        )

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
    ) -> tuple[Batch, dict[str, Tensor]]:
        r"""Composes poses cut off from the batch, with leaves of their own.

        A leaf of the whole batch would cost its size for every chunk.

        Args:
            poses: Numbers of the poses.
            tables: The values of the batch.
            keys: Those that need a gradient.
        """
        with torch.no_grad():
            graphs = self.layout.compose(tables, poses)
        leaves = {key: graphs[key].requires_grad_() for key in keys}
        for key, leaf in leaves.items():
            graphs[key] = leaf.clone()  # which a model may change in place
        return graphs, leaves


def finite_rows(predictions: Tensor) -> np.ndarray:
    r"""Which poses have a finite prediction.

    Args:
        predictions: One row per pose.
    """
    finite = predictions.detach().isfinite()
    if finite.dim() > 1:
        finite = finite.all(dim=1)
    return finite.cpu().numpy()


def joined(predictions: list[Tensor]) -> Tensor:
    r"""Predictions of all chunks in one tensor.

    Args:
        predictions: One tensor per chunk.
    """
    widths = {tuple(p.shape[1:]) for p in predictions}
    if len(widths) > 1:
        raise ValueError(
            f'The single-pose model returned different widths from chunk to '
            f'chunk: {sorted(widths)}; expected one width for all poses'
        )
    return predictions[0] if len(predictions) == 1 else torch.cat(predictions)


def _attribute(graphs: Batch, name: str) -> Any:
    value = getattr(graphs, name, None)
    if value is None:
        raise ValueError(
            f"inputs names '{name}', which the poses do not have; they have "
            f'{sorted(graphs.keys())}'
        )
    return value
