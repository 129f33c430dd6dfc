"""Whether a model gives the same with a shared receptor as without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.model.predictions import checked
from pyg_multipose.gradient.model.requirements import modules_of
from pyg_multipose.gradient.model.twin import (
    NoTwinError,
    default_dtype,
    doubled,
    looking,
    perturb,
    random_states,
    seed,
    twin,
)
from pyg_multipose.gradient.replay.structure import Structure

#: Relative to a tensor's largest entry, and to the largest of all; in float64
#: what is left of rounding is a thousand times smaller.
_OWN, _ALL = 1e-8, 1e-10
_DRAWS = 'the model draws random numbers, as dropout does in training'


def disagreement(
    model: nn.Module,
    values: dict[str, Any],
    number: int,
    places: Sequence[str] = ('near',),
    first: int = 1,
) -> str:
    r"""How whole complexes and a shared receptor differ; empty if equal.

    On a copy of the model, in float64 and at perturbed parameters, the first
    poses are evaluated one by one and with a shared receptor: predictions and
    the gradients of all parameters and of all real inputs are compared. Then
    the predictions of all are, in one batch and, if shared, pose by pose too;
    far from the model's parameters, only in one batch, of the first poses.
    A model that draws random numbers, or changes its buffers or attributes
    when it is called, is none that may share.

    Args:
        model: The single-pose model, with :obj:`encode_receptor` and
            :obj:`forward_poses`.
        values: A pose set with a receptor, by key, where the model is.
        number: Of the perturbation.
        places: Where to look, each as of :func:`perturb`.
            (default: :obj:`("near",)`)
        first: How many poses are the first. (default: :obj:`1`)
    """
    with looking(values['pose_size'].device, model), torch.enable_grad():
        try:
            copied = twin(model).double()
        except NoTwinError as error:
            return str(error)
        tensors = [*copied.parameters(), *copied.buffers()]
        before = [tensor.detach().clone() for tensor in tensors]
        for where in places:
            generator = torch.Generator().manual_seed(number)
            perturb(copied, generator, where)
            try:
                if where == 'near':
                    _everything(copied, values, number, first)
                else:
                    _predictions(copied, _some(values, first), number)
            except _Differs as difference:
                return str(difference)
            except _NotFinite:
                if where == 'near':  # it may be finite nowhere but here
                    _put_back(tensors, before)
                    reason = _unmoved(copied, values, number, first)
                    if reason:
                        return reason
            _put_back(tensors, before)
    return ''


def _unmoved(
    model: nn.Module, values: dict[str, Any], number: int, first: int
) -> str:
    """As above, at the parameters as they are."""
    try:
        _everything(model, values, number, first)
    except (_Differs, _NotFinite) as difference:
        return str(difference)
    return ''


def _put_back(tensors: list[Tensor], before: list[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, before, strict=True):
            if not torch.equal(tensor, value):
                tensor.copy_(value)


class _Differs(Exception):
    """What differs, and by how much."""


class _NotFinite(Exception):
    """Predictions are not finite."""


def _everything(
    model: nn.Module, values: dict[str, Any], number: int, first: int
) -> None:
    """Values, gradients and traces."""
    some = _some(values, first)
    alone = _Outcome.of(model, some, _single, number, True)
    if alone.drew:
        raise _Differs(_DRAWS)
    # What a first call made for good does not count, what another one does.
    shared = _Outcome.of(model, some, _shared, number, True, True)
    alone.compare(shared)
    together = _predictions(model, values, number, True)
    rows = len(alone.predictions)
    off = _off(alone.predictions, together.predictions[:rows], 0.0)
    if off:
        raise _Differs(f'the model mixes the poses of a chunk (by {off:.1e})')
    # Together they may hide what only one of them lacks.
    each = _Outcome.of(model, values, _shared_each, number, False)
    together.compare(each)
    for outcome in (shared, together):
        if outcome.change:
            raise _Differs(f'the model changes {outcome.change}')


def _predictions(
    model: nn.Module, values: dict[str, Any], number: int, trace: bool = False
) -> _Outcome:
    """Values only, of poses in one batch."""
    together = _Outcome.of(model, values, _batch, number, False, trace)
    shared = _Outcome.of(model, values, _shared, number, False)
    together.compare(shared)
    return together


def _some(values: dict[str, Any], first: int) -> dict[str, Any]:
    """The first poses of a set, for what takes long."""
    layout = Layout(PoseSet(**values))
    out = layout.select(values, list(range(min(first, layout.num_poses))))
    out['levels'] = values['levels']
    return out


class _Outcome:
    """What one of the two ways gives."""

    def __init__(
        self,
        model: nn.Module,
        values: dict[str, Any],
        way: Any,
        gradients: bool,
        trace: bool = False,
    ) -> None:
        state = _State(model) if trace else None
        device = values['pose_size'].device
        random = random_states(device)
        layout = Layout(PoseSet(**values))
        tables = {k: v for k, v in values.items() if k in layout.levels}
        tables = doubled(tables)
        leaves = {
            key: value.requires_grad_()
            for key, value in tables.items()
            if isinstance(value, Tensor) and value.is_floating_point()
        }
        wanted = dict(model.named_parameters())
        wanted = {k: p for k, p in wanted.items() if p.requires_grad}
        tensors = [*leaves.values(), *wanted.values()]
        names = [f"input '{key}'" for key in leaves]
        names += [f"parameter '{key}'" for key in wanted]
        self.gradients: dict[str, Tensor | None] = dict.fromkeys(names)
        pieces = []
        for out, weight in way(model, layout, {**values, **tables}):
            pieces.append(out.detach())
            if not (gradients and out.requires_grad):
                continue
            grads = torch.autograd.grad(
                out, tensors, weight, allow_unused=True
            )
            for name, grad in zip(names, grads, strict=True):
                before = self.gradients[name]
                if grad is not None:
                    grad = grad.to_dense() if grad.is_sparse else grad
                    total = grad if before is None else before + grad
                    self.gradients[name] = total
        self.predictions = torch.cat(pieces)
        #: Whether random numbers were drawn, by whatever generator.
        self.drew = random != random_states(device)
        #: What the model changed of itself, if that was asked for.
        self.change = state.change() if state else ''

    @classmethod
    def of(
        cls,
        model: nn.Module,
        values: dict[str, Any],
        way: Any,
        number: int,
        gradients: bool,
        trace: bool = False,
    ) -> _Outcome:
        """What a way gives; raises if it gives nothing."""
        error = ''
        for dtype, graph in (
            (torch.get_default_dtype(), gradients),
            # What is made inside may have the default dtype, and a model
            # that takes forces needs a graph.
            (torch.float64, gradients),
            (torch.float64, True),
        ):
            seed(values['pose_size'].device, number)
            try:
                with default_dtype(dtype), torch.set_grad_enabled(graph):
                    return cls(model, values, way, gradients, trace)
            except torch.OutOfMemoryError:
                raise
            except Exception as caught:  # of any kind: it is the model's
                error = f'{type(caught).__name__}: {caught}'
        ways = (_shared, _shared_each)
        what = 'sharing' if way in ways else 'whole complexes'
        raise _Differs(f'in float64, {what} raised {error}')

    def compare(self, other: _Outcome) -> None:
        """Raises if the other one is not the same."""
        if not self.predictions.isfinite().all():
            raise _NotFinite(
                'predictions are not finite, so the two ways cannot be '
                'compared'
            )
        if self.drew or other.drew:
            raise _Differs(_DRAWS)
        difference = self._difference(other)
        if difference:
            raise _Differs(difference)

    def _difference(self, other: _Outcome) -> str:
        """Where the other one is not the same, and by how much."""
        if self.predictions.shape != other.predictions.shape:
            shapes = [list(o.predictions.shape) for o in (self, other)]
            return f'predictions have shapes {shapes[0]} and {shapes[1]}'
        off = _off(self.predictions, other.predictions, 0.0)
        if off:
            return f'predictions differ by {off:.1e}, relative to the largest'
        largest = max(
            (_largest(g) for g in self.gradients.values() if g is not None),
            default=0.0,
        )
        for name, grad in self.gradients.items():
            off = _off(grad, other.gradients[name], largest)
            if off:
                return (
                    f'the gradient of {name} differs by {off:.1e}, relative '
                    f'to the largest'
                )
        return ''


class _State:
    """What a model is made of before it is called."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._structure = Structure(modules_of(model.modules()))
        self._buffers = {k: b.clone() for k, b in model.named_buffers()}

    def change(self) -> str:
        """What was changed since; empty if nothing."""
        for name, buffer in self._model.named_buffers():
            was = self._buffers.get(name)
            if was is None or _off(was, buffer, 0.0):
                return f"its buffer '{name}'"
        now = Structure(modules_of(self._model.modules()), self._structure)
        return self._structure.change(now)


def _single(model: nn.Module, layout: Layout, tables: dict[str, Any]) -> Any:
    """Whole complexes, one graph at a time."""
    for pose in range(layout.num_poses):
        out = model(layout.compose(_on_rows(layout, tables), [pose]))
        out = checked(out, layout, [pose])
        yield out, _weights(layout, out)[pose : pose + 1]


def _batch(model: nn.Module, layout: Layout, tables: dict[str, Any]) -> Any:
    """Whole complexes, all in one batch."""
    poses = list(range(layout.num_poses))
    out = model(layout.compose(_on_rows(layout, tables), poses))
    yield checked(out, layout, poses), None


def _shared(model: Any, layout: Layout, tables: dict[str, Any]) -> Any:
    receptor = layout.compose_receptor(_on_rows(layout, tables), 0)
    state = model.encode_receptor(receptor)
    out = model.forward_poses(PoseSet(**tables), state)
    out = checked(out, layout, list(range(layout.num_poses)))
    yield out, _weights(layout, out)


def _shared_each(model: Any, layout: Layout, tables: dict[str, Any]) -> Any:
    receptor = layout.compose_receptor(_on_rows(layout, tables), 0)
    state = model.encode_receptor(receptor)
    for pose in range(layout.num_poses):
        one = layout.select(tables, [pose])
        one['levels'] = tables['levels']
        out = model.forward_poses(PoseSet(**one), state)
        yield checked(out, layout, [pose]), None


def _on_rows(layout: Layout, values: dict[str, Any]) -> dict[str, Any]:
    """What poses are composed of, as in a call of the readout."""
    levels = layout.levels
    return {k: v for k, v in values.items() if levels.get(k, 'set') != 'set'}


def _weights(layout: Layout, out: Tensor) -> Tensor:
    """Different for each pose and feature, so that no two errors cancel."""
    number, width = layout.num_poses, out[0].numel()
    weights = torch.arange(1.0, 1.0 + number * width, dtype=out.dtype)
    weights = weights.sqrt().view(number, *out.shape[1:])
    return weights.to(out.device)


def _largest(tensor: Tensor) -> float:
    """The largest entry that is finite."""
    finite = tensor.abs().masked_fill(~tensor.isfinite(), 0.0)
    return float(finite.max()) if tensor.numel() else 0.0


def _off(one: Tensor | None, two: Tensor | None, largest: float) -> float:
    """The relative difference of two tensors; zero if it is rounding."""
    if one is None or two is None:
        if one is None and two is None:
            return 0.0
        one = torch.zeros_like(two) if one is None else one  # type: ignore[arg-type]
        two = torch.zeros_like(one) if two is None else two
    if one.shape != two.shape:
        return 1.0
    if not one.is_floating_point():
        return float(not torch.equal(one, two))
    same = (one == two) | (one.isnan() & two.isnan())
    size = max(_largest(one), _largest(two))
    gap = (one - two).abs().masked_fill(same, 0.0)
    worst = float(gap.nan_to_num(torch.inf).max()) if gap.numel() else 0.0
    if worst <= _OWN * size + _ALL * largest:
        return 0.0
    return worst / size if size else 1.0
