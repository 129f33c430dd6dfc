"""The receptors of a batch, each encoded once for all of its poses."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch_geometric.data import Data

from pyg_multipose.data import Layout, receptors
from pyg_multipose.gradient.plan.chunks import (
    LIGAND_NODES_ON_CPU,
    NODES_ON_CPU,
)
from pyg_multipose.gradient.receptors.cache import ReceptorCache


class Receptors:
    r"""The distinct receptors of a batch and what a model made of them.

    A state is any nesting of tensors. They are ordinary autograd tensors, and
    differentiable inputs of every chunk of poses.

    Args:
        layout: The layout of the batch.
        tables: Its values by key.
        pose_set: The batch, for the names of its receptors.
    """

    def __init__(
        self,
        layout: Layout,
        tables: Mapping[str, Any],
        pose_set: Data,
    ) -> None:
        # Equal receptors of two sets have gradients of their own.
        own = any(
            isinstance(table, Tensor)
            and table.requires_grad
            and layout.levels[key] != 'pose'
            for key, table in tables.items()
        )
        groups = receptors.named_groups(layout, tables, pose_set)
        if own:
            groups = [
                index if group >= 0 else -1
                for index, group in enumerate(groups)
            ]
        #: The set whose receptor a pose has; -1 without one.
        self.of_pose = np.asarray(groups)[layout.set_of_pose]
        #: The sets that stand for the distinct receptors.
        self.sets = sorted(set(groups) - {-1})
        #: Atoms that are evaluated with every pose that shares a receptor.
        self._sizes = layout.pose_size
        #: Atoms of a chunk on a CPU.
        self.nodes_on_cpu = LIGAND_NODES_ON_CPU
        #: The tensors of all states, once encoded.
        self.tensors: list[Tensor] = []
        #: How many these are.
        self.num_tensors = 0
        #: Whether :meth:`encode` ran.
        self.encoded = False
        self._versions: list[int] = []
        self._layout, self._tables = layout, tables
        self._states: dict[int, tuple[pytree.TreeSpec, list[Any]]] = {}

    @property
    def nodes_per_pose(self) -> np.ndarray:
        r"""Atoms that are evaluated with every pose, :obj:`[num_poses]`."""
        whole = self._layout.nodes_per_pose
        return np.where(self.of_pose < 0, whole, self._sizes)

    def poses_of(self, index: int) -> np.ndarray:
        r"""The poses that share a receptor.

        Args:
            index: The set that stands for it.
        """
        return (self.of_pose == index).nonzero()[0]

    def weigh(self, index: int, share: float) -> None:
        r"""Counts receptor atoms that are evaluated with every pose.

        Args:
            index: The set that stands for the receptor.
            share: What a pose costs, as a share of its whole complex.
        """
        whole = self._layout.nodes_per_pose
        nodes = np.ceil(whole * share).astype(whole.dtype)
        chosen = self.of_pose == index
        self._sizes = np.where(
            chosen, np.maximum(self._sizes, nodes), self._sizes
        )
        self.nodes_on_cpu = NODES_ON_CPU

    def drop(self, index: int) -> None:
        r"""Evaluates the poses of a receptor as whole complexes.

        Args:
            index: The set that stands for it.
        """
        self.sets.remove(index)
        self.of_pose[self.of_pose == index] = -1

    def fresh(self) -> Receptors:
        r"""The same receptors, not encoded."""
        out = copy.copy(self)
        out.tensors, out._versions, out._states = [], [], {}
        out.encoded = False
        return out

    @property
    def written(self) -> bool:
        r"""Whether the model wrote to a state."""
        return any(
            tensor._version != version
            for tensor, version in zip(
                self.tensors, self._versions, strict=False
            )
        )

    def encode(self, model: nn.Module, cache: ReceptorCache) -> int:
        r"""Calls :obj:`model.encode_receptor`, once for each receptor.

        Args:
            model: The single-pose model.
            cache: What is known from earlier calls.

        Returns:
            How often it was called.
        """
        graphs = [
            self._layout.compose_receptor(self._tables, index)
            for index in self.sets
        ]
        states, count = cache.encode(model, graphs, self._layout.device)
        for index, state in zip(self.sets, states, strict=True):
            leaves, spec = pytree.tree_flatten(state)
            # Tensors by their place among all, anything else as it is.
            kept: list[Any] = []
            for leaf in leaves:
                if isinstance(leaf, Tensor):
                    kept.append(_Place(len(self.tensors)))
                    self.tensors.append(leaf)
                    self._versions.append(leaf._version)
                else:
                    kept.append(leaf)
            self._states[index] = spec, kept
        self.encoded, self.num_tensors = True, len(self.tensors)
        return count

    def release(self) -> None:
        r"""Lets go of all tensors."""
        self.tensors, self._tables = [], {}

    def state(self, index: int, tensors: Sequence[Tensor]) -> Any:
        r"""The state of a receptor.

        Args:
            index: The set that stands for it.
            tensors: What to use for :attr:`tensors`.
        """
        spec, kept = self._states[index]
        leaves = [
            tensors[leaf.number] if isinstance(leaf, _Place) else leaf
            for leaf in kept
        ]
        return pytree.tree_unflatten(leaves, spec)


class _Place:
    """Where a tensor of a state is among all."""

    def __init__(self, number: int) -> None:
        self.number = number
