"""Where a model goes one way or another by the values of its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.nn.sharing.watcher import Watcher

#: What turns tensors into a truth value.
_TRUTHS = {
    torch.Tensor.__bool__,
    torch.Tensor.is_nonzero,
    torch.Tensor.equal,
    torch.Tensor.allclose,
    torch.is_nonzero,
    torch.equal,
    torch.allclose,
}


class Decisions(Watcher):
    r"""Within, every truth value of tensors is seen.

    A model may ask whether *any* of its atoms is a metal. Atoms that are left
    out are not asked, so the answer has to be that of the receptor alone: then
    it is that of the whole complex, too.

    Args:
        expected: The answers in the receptor alone.
            (default: :obj:`None`, this is the receptor alone)
    """

    def __init__(self, expected: Sequence[bool] | None = None) -> None:
        super().__init__()
        self._expected = expected
        #: The answers, in turn.
        self.seen: list[bool] = []

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in _TRUTHS and not self._off:
            number = len(self.seen)
            self.seen.append(out)
            known = self._expected
            if known is not None and list(known[number : number + 1]) != [out]:
                raise UnsuitedError(
                    'the model goes another way for these poses than for '
                    'their receptor alone'
                )
        return out
