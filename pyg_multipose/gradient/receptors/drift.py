"""How far the tensors of a model are from where it was looked at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyg_multipose.gradient.model.twin import GATE

#: A parameter has moved if it changed by this share of its size, or by this
#: much if it was zero.
_SHARE = 0.5
_LEAST = 0.1


class Drift:
    r"""The small parameters and the buffers of a model at the last look.

    A gate may open by training, by a jump as of :obj:`load_state_dict`, or,
    if it is a buffer, by whoever sets it. Large parameters are no gates.

    Args:
        modules: All modules of the model.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._parameters = _small(modules)
        self._buffers = _buffers(modules)
        self._versions = [buffer._version for buffer in self._buffers]
        self._values = [p.detach().clone() for p in self._parameters]
        with torch.no_grad():
            sizes = torch._foreach_norm(self._values) if self._values else ()
        self._limits = [
            (_SHARE * size).clamp(min=_LEAST * value.numel() ** 0.5)
            for size, value in zip(sizes, self._values, strict=True)
        ]

    def moved(self, modules: Sequence[nn.Module]) -> bool:
        r"""Whether a parameter has moved, or is another one.

        Args:
            modules: All modules of the model.
        """
        now = [p.detach() for p in _small(modules)]
        if [p.shape for p in now] != [p.shape for p in self._values]:
            return True
        if not now:
            return False
        try:
            with torch.no_grad():
                gaps = torch._foreach_norm(
                    torch._foreach_sub(now, self._values)
                )
                off = torch.stack(list(gaps)) > torch.stack(self._limits)
        except RuntimeError:  # another device or dtype
            return True
        return bool(off.any())

    def switched(self, modules: Sequence[nn.Module]) -> list[Tensor]:
        r"""The buffers that were written to, or are others.

        Args:
            modules: All modules of the model.
        """
        now = _buffers(modules)
        if len(now) != len(self._buffers):
            return now
        out = [
            buffer
            for buffer, before, version in zip(
                now, self._buffers, self._versions, strict=True
            )
            if buffer is not before or buffer._version != version
        ]
        self._buffers = now
        self._versions = [buffer._version for buffer in now]
        return out


def _small(modules: Sequence[nn.Module]) -> list[Tensor]:
    return [
        parameter
        for module in modules
        for parameter in module._parameters.values()
        if parameter is not None
        and 0 < parameter.numel() <= GATE
        and parameter.is_floating_point()
    ]


def _buffers(modules: Sequence[nn.Module]) -> list[Tensor]:
    return [
        buffer
        for module in modules
        for buffer in module._buffers.values()
        if buffer is not None and not buffer.is_inference()
    ]
