"""Bytes that a forward pass leaves behind for the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    r"""Counts bytes of tensors made inside it that are still alive.

    Each storage counts once; tensors that existed before (parameters,
    inputs) do not count.
    The count is deterministic, and the same on every machine.
    (Summing what saved-tensor hooks see would count what is long gone.)

    Example:
        >>> import torch
        >>> from pyg_multipose.gradient import LiveBytes
        >>> x = torch.ones(1000, requires_grad=True)
        >>> with LiveBytes() as live:
        ...     loss = x.exp().square().sum()
        >>> live.held()  # the exponentials, for backward, and the loss
        4004
        >>> loss.backward()
        >>> live.held()
        4
    """

    def __init__(self) -> None:
        super().__init__()
        self._foreign: dict[int, StorageWeakRef] = {}
        self._made: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Notes the storages that an operation reads and makes."""
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            ref = StorageWeakRef(tensor.untyped_storage())
            if ref.cdata not in self._made:
                self._foreign[ref.cdata] = ref
        out = func(*args, **kwargs)
        for tensor in _tensors(out):
            storage = tensor.untyped_storage()
            ref = StorageWeakRef(storage)
            if ref.cdata not in self._foreign:
                self._made[ref.cdata] = ref, storage.nbytes()
        return out

    def held(self) -> int:
        r"""Bytes made inside the block that are alive now."""
        return sum(
            size for ref, size in self._made.values() if not ref.expired()
        )


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if torch.is_tensor(leaf)]
