"""The places of a model that hold its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn


class Parameters:
    r"""Every place in a model that holds a parameter, each once.

    A second pass runs the model on detached aliases of its parameters: inner
    gradients then neither fire the hooks of the real parameters nor touch
    their :obj:`.grad`.
    (:func:`torch.func.functional_call` does not put the parameters back when
    a submodule has two names, as in PyG's SchNet.)

    Args:
        modules: All modules of the single-pose model.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules = list(modules)
        self._places: list[tuple[nn.Module, str, int]] = []
        self._rnns: list[nn.RNNBase] = []
        #: Each distinct parameter once, shared ones too.
        self.tensors: list[Tensor] = []
        number: dict[int, int] = {}
        for module in self._modules:
            if isinstance(module, nn.RNNBase):
                self._rnns.append(module)
            for name, tensor in module._parameters.items():
                if tensor is None:
                    continue
                if id(tensor) not in number:
                    number[id(tensor)] = len(self.tensors)
                    self.tensors.append(tensor)
                self._places.append((module, name, number[id(tensor)]))

    def names(self) -> list[str]:
        r"""How messages call each of :attr:`tensors`."""
        paths = {id(m): n for n, m in self._modules[0].named_modules()}
        out = [''] * len(self.tensors)
        for module, name, number in reversed(self._places):
            path = paths.get(id(module), '')
            out[number] = f"'{path}.{name}'" if path else f"'{name}'"
        return out

    @contextmanager
    def filled(self, tensors: Sequence[Tensor]) -> Iterator[None]:
        r"""Puts other tensors in the parameters' places for a while.

        Args:
            tensors: One for each of :attr:`tensors`.
        """
        before = [module._parameters[name] for module, name, _ in self._places]
        try:
            for module, name, number in self._places:
                module._parameters[name] = tensors[number]  # type: ignore[assignment]
            self._refresh()
            yield
        finally:
            for (module, name, _), tensor in zip(
                self._places, before, strict=True
            ):
                module._parameters[name] = tensor
            self._refresh()

    def _refresh(self) -> None:
        # RNNs keep a second list of their weights.
        for rnn in self._rnns:
            rnn._flat_weights = [
                getattr(rnn, name, None) for name in rnn._flat_weights_names
            ]


def aliases(tensors: Sequence[Tensor], needed: Sequence[bool]) -> list[Tensor]:
    r"""Leaves that share memory with tensors, one where a gradient is needed.

    Args:
        tensors: Any tensors.
        needed: Whether each needs a gradient.
    """
    return [
        tensor.detach().requires_grad_() if need else tensor.detach()
        for tensor, need in zip(tensors, needed, strict=True)
    ]
