"""What a second pass must find, by content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pyg_multipose.gradient.model.requirements import modules_of
from pyg_multipose.gradient.replay.checksum import checksums
from pyg_multipose.gradient.replay.structure import Structure

if TYPE_CHECKING:
    from pyg_multipose.gradient.evaluation import Evaluation


class Seal:
    r"""A model and its tensors, as they were in the first pass.

    It finds changes that bypass autograd's version counters, and those of
    modules, hooks and attributes.
    What the model itself changes in the first pass, as a counter of calls, is
    left out: it may change again.

    Args:
        evaluation: The call, before its first pass.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._structure = evaluation.structure or Structure(evaluation.modules)
        self._content: Tensor | None = None

    def close(self) -> None:
        r"""Notes the content of everything, at the end of the first pass."""
        now = Structure(self._evaluation.modules, self._structure)
        known = self._evaluation.own_changes
        self._structure = self._structure.without(now, known)
        self._content = checksums(self._outer(self._evaluation.tensors))

    def change(self, tensors: Sequence[Tensor]) -> str:
        r"""What is not as it was when closed; empty if everything is.

        Args:
            tensors: What :attr:`Evaluation.tensors` was then, saved by
                autograd.
        """
        assert self._content is not None
        modules = modules_of(self._evaluation.model.modules())
        now = Structure(modules, self._structure)
        change = self._structure.change(now, flags=False)
        if change:
            return change
        content = checksums(self._outer(tensors))
        if torch.equal(content, self._content):
            return ''
        return self._names()[int((content != self._content).nonzero()[0])]

    def _outer(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """All but the states, which nobody outside can reach; buffers."""
        first = len(self._evaluation.parameters.tensors)
        last = first + self._evaluation.num_states
        buffers = [buffer for _, buffer in self._evaluation.replay.constant()]
        return [*tensors[:first], *tensors[last:], *buffers]

    def _names(self) -> list[str]:
        evaluation = self._evaluation
        return [
            *(f'the parameter {n}' for n in evaluation.parameters.names()),
            *(f"the input '{key}'" for key in evaluation.keys),
            *(f'the buffer {n}' for n, _ in evaluation.replay.constant()),
        ]
