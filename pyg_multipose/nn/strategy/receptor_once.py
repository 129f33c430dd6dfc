r"""A strategy of which the receptor alone is shared."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import Module
from torch_geometric.data import Data


class ReceptorOnce(Module):
    r"""Evaluates a receptor alone once, and complexes whole.

    It serves where the model of complexes cannot share a receptor.

    Args:
        model: The strategy.
    """

    #: Poses take as much as whole complexes.
    composes_poses = True
    #: The receptor alone has to be the same in all poses.
    rigid_only = True

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, batch: Data) -> Tensor:
        r"""Evaluates whole complexes.

        Args:
            batch: They.
        """
        return self.model(batch)

    def sharing_cost(self, poses: Data) -> float:
        r"""Returns what a pose costs, as a share of all of its parts.

        Args:
            poses: A pose set.
        """
        return self.model.sharing_cost(poses, share=False)

    def encode_receptor(self, receptor: Data) -> Any:
        r"""Evaluates the receptor alone.

        Args:
            receptor: It, as a graph.
        """
        return self.model.encode_receptor(receptor, share=False)

    def forward_poses(self, poses: Any, state: Any) -> Tensor:
        r"""Evaluates poses as whole complexes, but for their receptor.

        Args:
            poses: A pose set: the receptor, then the ligand of every pose.
            state: What :meth:`encode_receptor` returned for the receptor.
        """
        return self.model.forward_poses(poses, state)
