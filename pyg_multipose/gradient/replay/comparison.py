"""Whether the second pass finds what the first one found."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.gradient.evaluation import Evaluation


class Mismatch(RuntimeError):
    r"""The second pass found another prediction than the first."""


class Comparison:
    r"""Compares the predictions of the second pass, chunk by chunk.

    Args:
        evaluation: The call.
        first: The predictions of the first pass.
    """

    def __init__(self, evaluation: Evaluation, first: Tensor) -> None:
        self._evaluation = evaluation
        finite = first.isfinite()
        largest = first.abs().masked_fill(~finite, 0.0).max()
        half = first.dtype in (torch.float16, torch.bfloat16)
        self._limit = (
            (4 if half else 256) * torch.finfo(first.dtype).eps * largest
        )
        # An offset common to all predictions must not hide that a pose
        # depends on its chunk; if in doubt, chunks stay as they were.
        low = first.masked_fill(~finite, math.inf).min()
        high = first.masked_fill(~finite, -math.inf).max()
        self._narrow = torch.minimum(self._limit, (high - low) * 1e-3)
        self._looked = False
        self._off: list[Tensor] = []
        self._first: list[Tensor] = []
        self._again: list[Tensor] = []
        self._poses: list[np.ndarray] = []

    def add(
        self, again: Tensor, first: Tensor, poses: np.ndarray, regrouped: bool
    ) -> None:
        r"""Takes up a chunk.

        On a CPU it is looked at immediately; elsewhere, where that means to
        wait, the first one is.

        Args:
            again: Predictions of the second pass.
            first: Those of the first pass.
            poses: The numbers of the poses.
            regrouped: Whether the chunk is another one than in the first
                pass.
        """
        again = again.detach().clone()
        limit = self._narrow if regrouped else self._limit
        off = (again - first).abs() > limit
        off |= again.isfinite() != first.isfinite()
        self._off.append(off.reshape(len(off), -1).any(dim=1))
        self._first.append(first)
        self._again.append(again)
        self._poses.append(poses)
        if off.is_cpu or not self._looked:
            self._looked = True
            self.check()

    def check(self) -> None:
        r"""Raises :class:`Mismatch` if a pose is not what it was.

        It asks once for all chunks that were not looked at yet.
        """
        if not self._off:
            return
        off = torch.cat(self._off).cpu().numpy()
        if not off.any():
            for noted in (self._off, self._first, self._again, self._poses):
                noted.clear()
            return
        row = int(off.argmax())
        pose = int(np.concatenate(self._poses)[row])
        was, now = (
            torch.cat(found)[row].tolist()
            for found in (self._first, self._again)
        )
        raise Mismatch(
            f'The second pass does not reproduce the first: '
            f'{self._evaluation.layout.pose_name(pose)} was {was} and is now '
            f'{now}. Either the model or the batch changed between forward '
            f'and backward; or the model draws from a random generator that '
            f"is not torch's; or it keeps a state that is no buffer. Call "
            f"backward before any change, or use gradient='full'"
        )
