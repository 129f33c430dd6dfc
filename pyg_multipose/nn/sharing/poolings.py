"""Sums and other reductions over the atoms of each graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.nn.sharing.watcher import Watcher

#: Reductions into rows by index, with their arguments; in-place ones too.
_SUMS = {
    torch.Tensor.scatter_add_: 'into dim index src',
    torch.Tensor.scatter_add: 'into dim index src',
    torch.scatter_add: 'input dim index src',
    torch.Tensor.index_add_: 'into dim index source',
    torch.Tensor.index_add: 'into dim index source',
    torch.index_add: 'input dim index source',
}
_OTHERS = {
    torch.Tensor.scatter_reduce_: 'into dim index src reduce',
    torch.Tensor.scatter_reduce: 'into dim index src reduce',
    torch.scatter_reduce: 'input dim index src reduce',
    torch.Tensor.index_reduce_: 'into dim index source reduce',
    torch.Tensor.index_reduce: 'into dim index source reduce',
    torch.index_reduce: 'input dim index source reduce',
}
#: What takes rows by index, with its arguments: from graphs back to atoms.
_TAKES = {
    torch.Tensor.__getitem__: 'input index',
    torch.Tensor.index_select: 'input dim index',
    torch.index_select: 'input dim index',
    torch.Tensor.gather: 'input dim index',
    torch.gather: 'input dim index',
    torch.Tensor.take_along_dim: 'input index dim',
    torch.take_along_dim: 'input index dim',
    torch.nn.functional.embedding: 'index weight',
}


class Poolings(Watcher):
    r"""Within, reductions over the atoms of each graph are seen.

    What belongs to a graph must not come back to its atoms, as it does in a
    norm over the graph or in attention: atoms that are left out would miss it.

    Args:
        batch: The graph of every atom.
        change: From the rows that are reduced, whether they are summed, and
            their graphs to those that are reduced instead.

    Raises:
        UnsuitedError: If atoms take what belongs to their graph.
    """

    def __init__(
        self,
        batch: Tensor,
        change: Callable[[Tensor, bool], tuple[Tensor, Tensor] | None],
    ) -> None:
        super().__init__()
        self._batch, self._change = batch, change
        self._one = not batch.any()

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _TAKES and not self._off:
            self._check(_TAKES[func], args, kwargs)
        names = None if self._off else _SUMS.get(func) or _OTHERS.get(func)
        if names is None:
            return func(*args, **kwargs)
        given = dict(zip(names.split(), args, strict=False)) | kwargs
        rows = given.get('src', given.get('source'))
        index: Any = given.get('index')
        if not isinstance(rows, Tensor) or not self._of_atoms(
            index, given.get('dim')
        ):
            return func(*args, **kwargs)
        added = self._change(rows, func in _SUMS)
        if added is None:
            return func(*args, **kwargs)
        more, graphs = added
        shape = index.shape[1:]
        index = torch.cat([_column(index), graphs])
        index = index.view(-1, *[1] * len(shape)).expand(-1, *shape)
        changed = {
            'src': torch.cat([rows, more]),
            'source': torch.cat([rows, more]),
            'index': index,
        }
        args = tuple(
            changed.get(name, value)
            for name, value in zip(names.split(), args, strict=False)
        )
        kwargs = {k: changed.get(k, value) for k, value in kwargs.items()}
        return func(*args, **kwargs)

    def _check(
        self, names: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        given = dict(zip(names.split(), args, strict=False)) | kwargs
        index: Any = given.get('index', given.get('indices'))
        if isinstance(index, tuple) and index:
            index = index[0]
        if not isinstance(index, Tensor) or index.dtype != torch.long:
            return
        # In one graph alone, an index of zeros may be anything.
        if self._is_batch(index) if self._one else self._of_atoms(index, 0):
            raise UnsuitedError(
                'the model hands to atoms what belongs to their graph (it '
                'indexes by the batch vector)'
            )

    def _of_atoms(self, index: Any, dim: Any) -> bool:
        if not isinstance(index, Tensor) or dim not in (0, -index.dim()):
            return False
        if index.size(0) != self._batch.numel() or not index.numel():
            return False
        others = zip(index.shape[1:], index.stride()[1:], strict=True)
        if any(size > 1 and stride for size, stride in others):
            return False  # not the same for all features
        return self._is_batch(index) or torch.equal(
            _column(index), self._batch
        )

    def _is_batch(self, index: Tensor) -> bool:
        """Whether this is the batch vector itself, or a view of it."""
        column = _column(index)
        return (
            column.numel() == self._batch.numel()
            and column.data_ptr() == self._batch.data_ptr()
            and column.stride() == self._batch.stride()
        )


def _column(index: Tensor) -> Tensor:
    """The graph of each row, from an index that was expanded."""
    while index.dim() > 1:
        index = index.select(1, 0)
    return index
