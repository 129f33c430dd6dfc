"""What :func:`read_cofolded` returns: pose sets, and the report on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Dataset

from pyg_multipose.data import PoseSet
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import Report


class CofoldedPoses(Dataset):
    r"""Pose sets of co-folding samples, one for each id.

    It works as :class:`~pyg_multipose.io.DockedPoses` does: with a loader,
    slices, labels and :obj:`transform`.

    Args:
        sets: The pose sets.
        smiles: The SMILES of each.
        records: The file of each pose of each set, and the number 1.
        rmsd: The RMSD of each pose of each set.
        scores: The confidences that poses have, as keys of their own.
        report: What was read, dropped and flagged.
        transform: A function that takes a
            :class:`~pyg_multipose.data.PoseSet` and returns another; applied
            at every access. (default: :obj:`None`)

    Example:
        >>> from torch_geometric.data import Data
        >>> import torch
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.io import CofoldedPoses, Report
        >>> whole = Data(
        ...     z=torch.tensor([7, 6]),
        ...     pos=torch.eye(2, 3),
        ...     is_ligand=torch.tensor([False, True]),
        ... )
        >>> pose_set = PoseSet.from_complexes([whole], name='CPD-1')
        >>> file = 'predictions/CPD-1/CPD-1_model_0.cif'
        >>> poses = CofoldedPoses(
        ...     [pose_set], ['C'], [[(file, 1)]], [[0.0]], [], Report()
        ... )
        >>> poses
        CofoldedPoses(1 sets, 1 poses, scores=[])
        >>> poses.names, poses.records[0], poses.rmsd
        (['CPD-1'], [('predictions/CPD-1/CPD-1_model_0.cif', 1)], ...)
        >>> poses[0].num_poses
        1
    """

    def __init__(
        self,
        sets: Sequence[PoseSet],
        smiles: Sequence[str],
        records: Sequence[Sequence[tuple[str, int]]],
        rmsd: Sequence[Sequence[float]],
        scores: Sequence[Score],
        report: Report,
        transform: Callable[[PoseSet], Any] | None = None,
    ) -> None:
        super().__init__(transform=transform)
        #: What was read, dropped and flagged; print it.
        self.report = report
        #: The confidences of every pose by their key in a set: name, unit
        #: and which way is good.
        self.scores: dict[str, Score] = {s.key: s for s in scores}
        self._sets, self._smiles = list(sets), list(smiles)
        self._records = [list(of_set) for of_set in records]
        self._rmsd = [torch.tensor(of_set) for of_set in rmsd]

    def len(self) -> int:
        r"""The number of pose sets."""
        return len(self._sets)

    def get(self, idx: int) -> PoseSet:
        r"""A pose set, without the transform.

        Args:
            idx: The place of its id in :attr:`names`.

        Returns:
            A copy; it shares no memory with others.
        """
        return self._sets[idx].clone()

    # Aligned with the items ##################################################

    @property
    def names(self) -> list[str]:
        r"""The id of each set."""
        return [self._sets[index]['name'] for index in self.indices()]

    @property
    def smiles(self) -> list[str]:
        r"""The SMILES of each set, stereochemistry as in its coordinates."""
        return [self._smiles[index] for index in self.indices()]

    @property
    def num_poses(self) -> Tensor:
        r"""The number of poses of each set."""
        sizes = [len(self._records[index]) for index in self.indices()]
        return torch.tensor(sizes, dtype=torch.long)

    @property
    def records(self) -> list[list[tuple[str, int]]]:
        r"""The file of each pose of each set; every record is the first."""
        return [list(self._records[index]) for index in self.indices()]

    @property
    def rmsd(self) -> list[Tensor]:
        r"""The RMSD of the pocket of each pose of each set, in Angstrom.

        It is that of the backbone atoms that were superposed; 0 for the
        reference itself.
        """
        return [self._rmsd[index].clone() for index in self.indices()]

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({len(self)} sets, '
            f'{int(self.num_poses.sum())} poses, scores={list(self.scores)})'
        )
