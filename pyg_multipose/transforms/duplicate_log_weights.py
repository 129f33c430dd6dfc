r"""Weights of poses that are nearly the same."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms.arguments import check_length, check_set
from pyg_multipose.transforms.search import check_shape
from pyg_multipose.transforms.symmetry import symmetric_rmsd
from pyg_multipose.transforms.unique_poses import molecule_in_poses


def duplicate_log_weights(
    pose_set: PoseSet, rmsd: float, symmetric: bool = True
) -> Tensor:
    r"""Log weights by which near duplicates count as one pose together.

    .. math::
        \ln p_i = -\ln \left| \{ j : d_{ij} < d \} \right|

    A pose counts one over the number of poses nearer than :math:`d` to it,
    itself among them.
    For a combination with prior weights, such as
    :class:`~pyg_multipose.nn.FreeEnergyCombination`, that would else count a
    state as often as docking found it.
    Distances are those of :class:`~pyg_multipose.transforms.UniquePoses`,
    which drops such poses instead.

    Args:
        pose_set: A set whose poses are those of one molecule.
        rmsd: The distance :math:`d` in Angstrom.
        symmetric: Whether equivalent atoms may change places; needs
            :obj:`z` and :obj:`bond_index`. (default: :obj:`True`)

    Returns:
        The log weights, shape :obj:`[num_poses]`.

    Raises:
        ValueError: If the poses differ in their atoms or bonds, or if
            there are no bonds.

    Example:
        >>> import torch
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.transforms import duplicate_log_weights
        >>> from torch_geometric.data import Data
        >>> where = [0.0, 0.1, 5.0]
        >>> poses = [Data(pos=torch.full((4, 3), x)) for x in where]
        >>> pose_set = PoseSet.from_poses(poses)
        >>> weights = duplicate_log_weights(pose_set, 1.0, symmetric=False)
        >>> weights.exp().tolist()
        [0.5, 0.5, 1.0]
        >>> _ = pose_set.put('log_weight', weights, 'pose')
    """
    pose_set = check_set(pose_set, 'duplicate_log_weights')
    rmsd = check_length(rmsd, 'rmsd')
    check_shape(pose_set.get('pos'), 'pos')
    pos, orders = molecule_in_poses(pose_set, symmetric)
    near = [(symmetric_rmsd(one, pos, orders) < rmsd).sum() for one in pos]
    # A pose is near itself, wherever it is.
    return -torch.stack(near).clamp(min=1).float().log()
