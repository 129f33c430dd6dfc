"""What a model does with the poses of a chunk, as far as it has been seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pyg_multipose.data import Layout
from pyg_multipose.data.layout import Poses
from pyg_multipose.gradient.model.inventory import Inventory
from pyg_multipose.gradient.model.predictions import checked
from pyg_multipose.gradient.model.twin import (
    NoTwinError,
    default_dtype,
    doubled,
    looking,
    perturb,
    random_states,
    same_parameters,
    seed,
    twin,
)

#: From a model and poses as graphs to what it returns.
Call = Callable[[nn.Module, Any], Any]
#: How much rarer a look becomes each time, in calls.
_RARER = 10
#: Relative difference of predictions that is not rounding, in float64.
_LIMIT = 1e-9


class Traits:
    r"""Whether a model draws, changes buffers, mixes poses or needs a graph.

    Two real poses that are not alike go through a copy of the model together
    and one by one, in float64 and at perturbed parameters: when the model is
    first used, when its modules or their training flags change, and again
    after 10, 100, ... calls.
    Copies and pickles know nothing.
    """

    def __init__(self) -> None:
        self._inventory: Inventory | None = None
        self._modules: list[nn.Module] = []
        self._training: list[bool] = []
        self._calls = 0
        self._next = 0
        #: Attributes that it changes when it is called (:class:`Structure`).
        self.own_changes: set[tuple[int, str]] = set()
        self._clear()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()

    def _clear(self) -> None:
        #: Whether it draws random numbers.
        self.draws = False
        #: Whether it changes its buffers.
        self.changes = False
        #: Whether it works with a graph only, as where it takes forces.
        self.needs_graph = False
        #: The module that mixes poses, and by how much; empty if none does.
        self.mixes = ''

    def of(self, model: nn.Module) -> Inventory:
        r"""The modules and parameters of a model, as they are now.

        Args:
            model: The single-pose model.
        """
        if self._inventory is None or not self._inventory.holds(model):
            self._inventory = Inventory(model)
        return self._inventory

    def look(
        self,
        model: nn.Module,
        modules: Sequence[nn.Module],
        layout: Layout,
        tables: Mapping[str, Any],
        call: Call,
    ) -> None:
        r"""Looks at two poses of a batch, if it is time to.

        Args:
            model: The single-pose model.
            modules: All of its modules.
            layout: The layout of the batch.
            tables: Its values by key.
            call: Calls a model.
        """
        training = [module.training for module in modules]
        if self._modules != modules or self._training != training:
            self._modules, self._training = list(modules), training
            self._calls = self._next = 0
            self.own_changes = set()
            self._clear()
        if self._calls >= self._next and layout.num_poses > 1:
            pairs = _pairs(layout.num_poses, self._calls == 0)
            with looking(layout.device, model):
                seen = self._look(model, layout, tables, pairs, call)
            # Poses that are all alike say nothing of others.
            again = _RARER * max(self._next, 1)
            self._next = again if seen else 2 * self._calls + 1
        self._calls += 1

    def _look(
        self,
        model: nn.Module,
        layout: Layout,
        tables: Mapping[str, Any],
        pairs: list[list[int]],
        call: Call,
    ) -> bool:
        """Whether two poses were found that are not alike."""
        try:
            copied = twin(model).double()
        except NoTwinError:
            return True  # then only the passes themselves can tell
        perturb(copied, torch.Generator().manual_seed(1 + self._calls))
        values = doubled(tables)

        def run(model: nn.Module, poses: Poses) -> Tensor:
            seed(layout.device, 0)
            out = call(model, layout.compose(values, poses))
            return checked(out, layout, poses).detach()

        for dtype in (torch.get_default_dtype(), torch.float64):
            for graph in (False, True):
                try:
                    with default_dtype(dtype), torch.set_grad_enabled(graph):
                        seen = any(
                            self._compare(copied, run, pair, layout.device)
                            for pair in pairs
                        )
                        self.needs_graph |= graph
                        return seen
                except torch.OutOfMemoryError:
                    return True
                except Exception:  # of any kind: a call will raise it again
                    continue
        return True

    def _compare(
        self,
        model: nn.Module,
        run: Callable[..., Tensor],
        pair: list[int],
        device: torch.device,
    ) -> bool:
        """Whether the two are not alike, so that mixing them would show."""
        copied = same_parameters(model)
        seed(device, 0)
        states = random_states(device)
        together = run(copied, pair)
        self.draws |= states != random_states(device)
        self.changes |= _changed(model, copied)
        if self.draws:
            return True
        alone = torch.cat([run(same_parameters(model), [p]) for p in pair])
        size = max(float(together.abs().max()), 1e-300)
        off = float((together - alone).abs().max()) / size
        if off > _LIMIT:  # not a number is no difference
            name = _first_different(model, run, pair)
            self.mixes = f'{name} mixes the poses of a chunk (by {off:.1e})'
            return True
        return float((alone[0] - alone[1]).abs().max()) > _LIMIT * size


def _pairs(number: int, first: bool) -> list[list[int]]:
    """Pairs of poses to look at, until two are not alike."""
    last = number - 1
    pairs = [[0, last], [last // 2, last], [0, last // 2], [0, 1]]
    pairs = pairs if first else pairs[1:]
    return [pair for pair in pairs if pair[0] < pair[1]]


def _changed(model: nn.Module, after: nn.Module) -> bool:
    before, now = dict(model.named_buffers()), dict(after.named_buffers())
    return before.keys() != now.keys() or any(
        not torch.equal(torch.nan_to_num(b), torch.nan_to_num(now[key]))
        for key, b in before.items()
    )


def _first_different(
    model: nn.Module,
    run: Callable[..., Tensor],
    pair: list[int],
) -> str:
    """The first module whose rows of a pose depend on what is beside it."""
    found = [_outputs(model, partial(run, poses=p)) for p in (pair, pair[:1])]
    for (name, module, many), (other, _, one) in zip(*found, strict=False):
        if name != other:
            break
        if not (isinstance(many, Tensor) and isinstance(one, Tensor)):
            continue
        if many.shape[1:] == one.shape[1:] and len(many) >= len(one):
            rows = many[: len(one)]
            if not torch.allclose(rows, one, rtol=1e-7, atol=1e-10):
                kind = type(module).__name__
                return f"'{name}' ({kind})" if name else f'the model ({kind})'
    return f'the model ({type(model).__name__})'


def _outputs(
    model: nn.Module, run: Callable[[nn.Module], Tensor]
) -> list[tuple[str, nn.Module, Any]]:
    """What every module of a copy returns, in their order."""
    outputs: list[tuple[str, nn.Module, Any]] = []
    copied = same_parameters(model)
    for name, module in copied.named_modules():
        module.register_forward_hook(
            lambda module, _, out, name=name: outputs.append(
                (name, module, out)
            )
        )
    run(copied)
    return outputs
