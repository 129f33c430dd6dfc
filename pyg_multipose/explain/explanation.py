"""Attribution from one call of a readout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.explain.atoms import (
    AtomContributions,
    contributions,
    with_leaf,
)
from pyg_multipose.explain.attribution import Attribution
from pyg_multipose.explain.places import pose_of_row
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.evaluating import evaluating


def explain(
    readout: MultiPoseReadout,
    data: PoseSet | Iterable[PoseSet],
    feature: int | None = None,
    atoms: str | None = None,
) -> Attribution:
    r"""Predicts, and says which pose mattered.

    The readout is called once for each batch, in evaluation mode, whose flags
    are put back afterwards. Everything but the contributions of atoms follows
    from its outputs.

    Args:
        readout: The readout.
        data: A :class:`~pyg_multipose.data.PoseSet`, a batch of them, or
            several, such as a list or a loader.
        feature: Which of several predictions per pose; needed if there are
            several. (default: :obj:`None`)
        atoms: If given, one backward pass gives the contributions of atoms,
            by :obj:`"pos"` or another key of atoms that holds real numbers,
            see :class:`AtomContributions`. (default: :obj:`None`)

    Raises:
        ValueError: If there are no sets, if :obj:`atoms` or :obj:`feature`
            do not fit the model, or if atoms are asked for in inference
            mode.

    Example:
        >>> from pyg_multipose.explain import explain
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> poses = [Data(score=torch.tensor([s])) for s in (-9.0, -7.0)]
        >>> poses = [Data(x=torch.zeros(1, 1), **p.to_dict()) for p in poses]
        >>> pose_set = PoseSet.from_poses(poses, pose_attrs=['score'])
        >>> class Score(torch.nn.Module):
        ...     def forward(self, batch):
        ...         return batch.score
        >>> explained = explain(MultiPoseReadout(Score(), 'mean'), pose_set)
        >>> explained.weight, explained.change
        (tensor([0.5000, 0.5000]), tensor([ 1., -1.]))
        >>> explained.num_effective
        tensor([2.])
    """
    if not isinstance(readout, MultiPoseReadout):
        raise ValueError(
            f'Expected a MultiPoseReadout, which knows predictions and '
            f'weights of poses (got a {type(readout).__name__})'
        )
    if not isinstance(data, Iterable):
        raise ValueError(
            f'Expected a PoseSet, a batch, or several of them (got a '
            f'{type(data).__name__})'
        )
    if isinstance(data, PoseSet):
        return _explain(readout, data, feature, atoms)
    parts = [_explain(readout, batch, feature, atoms) for batch in data]
    if not parts:
        raise ValueError('Got no pose sets to explain, expected some')
    return Attribution.join(parts)


def _explain(
    readout: MultiPoseReadout,
    batch: PoseSet,
    feature: int | None,
    atoms: str | None,
) -> Attribution:
    leaf = None
    if atoms is not None:
        if readout.backward_poses is not None:
            raise ValueError(
                f"Contributions of atoms are exact, but 'backward_poses' is "
                f'{readout.backward_poses}, which makes gradients random. Set '
                f'readout.backward_poses = None'
            )
        if torch.is_inference_mode_enabled():
            raise ValueError(
                'Contributions of atoms need a gradient, and inference mode '
                'has none. Call explain outside of it, or in torch.no_grad()'
            )
        batch, leaf = with_leaf(batch, atoms)
    with evaluating(readout), torch.set_grad_enabled(leaf is not None):
        prediction, poses, weights = readout(
            batch, return_poses=True, return_weights=True
        )
        out = Attribution.from_outputs(
            readout.combination, batch, prediction, poses, weights, feature
        )
        if leaf is None:
            return out
        column = prediction if prediction.dim() == 1 else prediction.T[feature]
        return replace(out, atoms=_atoms(batch, column, leaf, str(atoms)))


def _atoms(
    batch: PoseSet, prediction: Tensor, leaf: Tensor, key: str
) -> AtomContributions:
    gradient, contribution = contributions(prediction, leaf, key)
    layout = Layout(batch)
    of_poses = np.add.reduceat(layout.pose_size, layout.set_ptr[:-1])
    size = layout.receptor_size + of_poses
    return AtomContributions(
        key,
        gradient.cpu(),
        contribution.cpu(),
        torch.from_numpy(pose_of_row(layout)),
        torch.from_numpy(np.repeat(np.arange(layout.num_sets), size)),
    )
