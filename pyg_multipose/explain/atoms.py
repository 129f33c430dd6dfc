"""How a combined prediction depends on each atom."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from pyg_multipose.data import Layout, PoseSet


@dataclass(frozen=True, eq=False)
class AtomContributions:
    r"""What one backward pass tells of each atom of the sets.

    With :math:`\mathbf{g}_a = \partial y / \partial \mathbf{x}_a` for the
    combined prediction :math:`y` of its set, an atom has

    .. math::
        c_a = \lVert \mathbf{g}_a \rVert \;\; (\mathbf{x}_a \text{ its
        position}), \qquad c_a = \mathbf{x}_a \cdot \mathbf{g}_a \;\;
        (\mathbf{x}_a \text{ its features}).

    The first is a sensitivity, in the unit of the prediction per Angstrom:
    how much :math:`y` changes, to first order, if the atom moves. The second
    (gradient times input) is in the unit of the prediction and has a sign.
    An atom of pose :math:`i` has the gradient of its pose times the weight
    of the pose; the gradient of an atom of the receptor is a sum over poses.

    Args:
        key: What was differentiated by.
        gradient: :math:`\mathbf{g}_a`, shape :math:`(n, D)`.
        contribution: :math:`c_a`, shape :math:`(n)`.
        pose: The pose of each atom, as poses are counted in the
            attribution; -1 for atoms of a receptor, but for those that have
            moved in a pose. Shape :math:`(n)`.
        set_index: The set of each atom, shape :math:`(n)`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.explain import explain
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> class Height(torch.nn.Module):
        ...     def forward(self, batch):
        ...         return batch.pos[:, 2]
        >>> poses = [Data(pos=torch.full((1, 3), x)) for x in (1.0, 2.0)]
        >>> pose_set = PoseSet.from_poses(poses)
        >>> readout = MultiPoseReadout(Height(), 'mean')
        >>> atoms = explain(readout, pose_set, atoms='pos').atoms
        >>> atoms.contribution, atoms.pose
        (tensor([0.5000, 0.5000]), tensor([0, 1]))
    """

    key: str
    gradient: Tensor
    contribution: Tensor
    pose: Tensor
    set_index: Tensor

    def rows_of(self, set_index: int, first_pose: int) -> AtomContributions:
        r"""The atoms of one set, counted from 0.

        Args:
            set_index: The number of the set.
            first_pose: The number of its first pose.
        """
        rows = self.set_index == set_index
        pose = self.pose[rows]
        return AtomContributions(
            self.key,
            self.gradient[rows],
            self.contribution[rows],
            torch.where(pose < 0, pose, pose - first_pose),
            torch.zeros_like(pose),
        )

    @staticmethod
    def joined(
        parts: list[tuple[AtomContributions, int, int]],
    ) -> AtomContributions:
        r"""Several of them as one.

        Args:
            parts: Each with the numbers of its first set and pose.
        """
        first = parts[0][0]
        return AtomContributions(
            first.key,
            torch.cat([part.gradient for part, _, _ in parts]),
            torch.cat([part.contribution for part, _, _ in parts]),
            torch.cat(
                [
                    torch.where(part.pose < 0, part.pose, part.pose + pose)
                    for part, _, pose in parts
                ]
            ),
            torch.cat([part.set_index + number for part, number, _ in parts]),
        )


def with_leaf(batch: PoseSet, key: str) -> tuple[PoseSet, Tensor]:
    r"""A shallow copy of a batch in which a key is a leaf with gradient.

    Args:
        batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.
        key: A key of its atoms that holds real numbers.

    Raises:
        ValueError: If there is no such key.
    """
    levels = Layout(batch).levels
    value = batch[key] if key in batch else None
    if (
        levels.get(key) != 'node'
        or not isinstance(value, Tensor)
        or not value.is_floating_point()
    ):
        usable = [
            name
            for name, level in levels.items()
            if level == 'node' and torch.is_floating_point(batch[name])
        ]
        raise ValueError(
            f"Expected 'atoms' to be a key of atoms with real numbers (got "
            f'{key!r}). Those of this batch are {usable}'
        )
    batch = copy.copy(batch)
    leaf = value.detach().clone().requires_grad_()
    batch[key] = leaf
    return batch, leaf


def contributions(
    prediction: Tensor, leaf: Tensor, key: str
) -> tuple[Tensor, Tensor]:
    r"""One backward pass: gradients and contributions.

    Args:
        prediction: The combined predictions, shape :math:`(S)`.
        leaf: The values of the atoms that they were computed from.
        key: The key of these.

    Raises:
        ValueError: If predictions do not depend on them.
    """
    gradient = None
    if prediction.requires_grad:
        (gradient,) = torch.autograd.grad(
            prediction.sum(), leaf, allow_unused=True
        )
    if gradient is None:
        raise ValueError(
            f"The predictions do not depend on '{key}' in a way that can be "
            f'differentiated, so atoms have no contributions. Does the model '
            f'read it? Is it called through inputs that have it?'
        )
    flat = gradient.reshape(gradient.size(0), -1)
    if key == 'pos':
        return flat, flat.norm(dim=1)
    return flat, (flat * leaf.detach().reshape(flat.shape)).sum(dim=1)
