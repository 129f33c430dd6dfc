"""Encoded receptors that outlive a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import get_device_states
from torch_geometric.data import Data

from pyg_multipose.gradient.replay.snapshot import Snapshot

#: The most receptors that are kept; a campaign seldom has more than one.
MOST = 4
#: What may be part of a state without being looked at again.
_CONSTANTS = (int, float, complex, str, bytes, torch.dtype, torch.device)


class ReceptorCache:
    r"""What a model made of the receptors of the last call without gradient.

    It is taken again while the model, the receptor and the settings of torch
    are as they were, which is checked by value (:class:`Snapshot`).
    Nothing is kept of a model that draws random numbers or changes itself
    when it encodes, that has forward hooks, or that cannot be pickled.
    Copies and pickles of a cache are empty.
    """

    def __init__(self) -> None:
        self.clear()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()

    def clear(self) -> None:
        r"""Lets go of everything."""
        self._model: Snapshot | None = None
        self._kept: list[_Encoded] = []

    def encode(
        self,
        model: nn.Module,
        receptors: Sequence[Data],
        device: torch.device,
    ) -> tuple[list[Any], int]:
        r"""What :obj:`model.encode_receptor` gives for receptors.

        Args:
            model: The single-pose model.
            receptors: Graphs of distinct receptors.
            device: Where they are.

        Returns:
            The states, and how many of them were not known.
        """

        def encode(receptor: Data, copied: Any = _copied) -> Any:
            state = model.encode_receptor(receptor)  # type: ignore[operator]
            return pytree.tree_map(copied, state)

        if torch.is_grad_enabled():
            self.clear()
            entries = [
                _Encoded(None, encode(receptor, _copied_unless_fresh))
                for receptor in receptors
            ]
            if not all(entry.unwritten for entry in entries):
                return [encode(one) for one in receptors], len(receptors)
            return [entry.state for entry in entries], len(receptors)
        now = Snapshot.of(model, _torch_settings(device))
        if now is None or now != self._model:
            self.clear()
            self._model = now
        looks = [Snapshot.of(receptor.to_dict()) for receptor in receptors]
        found = [self._find(look) for look in looks]
        # What this call does not need makes room before it takes any.
        self._kept = [entry for entry in found if entry is not None]
        states: list[Any] = [None if e is None else e.state for e in found]
        new = [number for number, e in enumerate(found) if e is None]
        random = _random_state(device)
        for number in new:
            # A model may hold on to what it is given.
            states[number] = encode(receptors[number].clone())
            look = looks[number]
            if self._model and look and len(self._kept) < MOST:
                entry = _Encoded(look, states[number])
                states[number] = entry.state
                self._kept.append(entry)
        if new and self._model is not None:
            after = Snapshot.of(model, _torch_settings(device))
            drew = not all(map(torch.equal, random, _random_state(device)))
            if drew or self._model != after:
                self.clear()
        return states, len(new)

    def _find(self, look: Snapshot | None) -> _Encoded | None:
        for entry in self._kept:
            if entry.receptor == look and entry.untouched:
                return entry
        return None


class _Encoded:
    """A receptor and its state."""

    def __init__(self, receptor: Snapshot | None, state: Any) -> None:
        self.receptor = receptor
        self.state = state
        leaves = pytree.tree_leaves(state)
        self._tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self._versions = [tensor._version for tensor in self._tensors]
        self._known = all(
            leaf is None or isinstance(leaf, (Tensor, *_CONSTANTS))
            for leaf in leaves
        )

    @property
    def untouched(self) -> bool:
        """Whether the model only read it."""
        return self._known and self.unwritten

    @property
    def unwritten(self) -> bool:
        """Whether nothing was written to its tensors."""
        return self._versions == [tensor._version for tensor in self._tensors]


def _copied(leaf: Any) -> Any:
    """A copy of a tensor: a model may write again to what it returned.

    Those of inference mode cannot tell whether they were changed.
    """
    if not isinstance(leaf, Tensor):
        return leaf
    if leaf.is_inference():
        with torch.inference_mode(False), torch.no_grad():
            return leaf.clone()
    return leaf.clone()


def _copied_unless_fresh(leaf: Any) -> Any:
    """As above, but for results of autograd, whose writes are counted."""
    if isinstance(leaf, Tensor) and leaf.grad_fn and leaf._base is None:
        return leaf
    return _copied(leaf)


def _torch_settings(device: torch.device) -> list[Any]:
    """What else results depend on."""
    out: list[Any] = [torch.get_default_dtype()]
    for kind in ('cpu', device.type):
        on = torch.is_autocast_enabled(kind)
        out += [on, torch.get_autocast_dtype(kind)]
    try:
        return [*out, torch.get_float32_matmul_precision()]
    except RuntimeError:  # if it was set for one backend
        backends = torch.backends.cuda, torch.backends.mkldnn
        return [*out, *(b.matmul.fp32_precision for b in backends)]


def _random_state(device: torch.device) -> list[Tensor]:
    states = get_device_states(torch.empty(0, device=device))[1]
    return [torch.get_rng_state(), *states]
