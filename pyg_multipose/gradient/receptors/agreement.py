"""Whether a model gives the same with a shared receptor as without."""

from __future__ import annotations

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
    same_parameters,
    seed,
    twin,
)
from pyg_multipose.gradient.replay.structure import Structure

#: Relative to a tensor's largest entry, and to the largest of all; in float64
#: what is left of rounding is a thousand times smaller.
_OWN, _ALL = 1e-8, 1e-10


def disagreement(
    model: nn.Module, values: dict[str, Any], number: int, where: str = 'near'
) -> str:
    r"""How whole complexes and a shared receptor differ; empty if equal.

    Predictions and the gradients of all parameters and of all real inputs are
    compared, in float64 and at perturbed parameters, on a copy of the model;
    far from its parameters, predictions only.
    A model that draws random numbers, or changes its buffers or attributes
    when it is called, is none that may share.

    Args:
        model: The single-pose model, with :obj:`encode_receptor` and
            :obj:`forward_poses`.
        values: A pose set with a receptor, by key, where the model is.
        number: Of the perturbation.
        where: As of :func:`perturb`. (default: :obj:`"near"`)
    """
    device = values['pose_size'].device
    with looking(device, model), torch.enable_grad():
        for moved in (True, False):
            try:
                first = twin(model).double()
            except NoTwinError as error:
                return str(error)
            if moved:
                generator = torch.Generator().manual_seed(number)
                perturb(first, generator, where)
            reason = _compared(first, values, number, where == 'near')
            if reason != _NOT_FINITE:
                return reason
            if where != 'near':
                return ''  # it may be finite nowhere but here
    return reason


_DRAWS = 'the model draws random numbers, as dropout does in training'
_NOT_FINITE = 'predictions are not finite, so the two ways cannot be compared'


def _compared(
    model: nn.Module, values: dict[str, Any], number: int, gradients: bool
) -> str:
    found = _Outcome.of(model, values, _whole, number, gradients)
    if isinstance(found, str):
        return f'whole complexes in float64 end in {found}'
    if not found.predictions.isfinite().all():
        return _NOT_FINITE
    if found.drew:
        return _DRAWS
    mixed = _mixed(found, values) if gradients else ''
    if mixed:
        return mixed
    other = _Outcome.of(found.model, values, _shared, number, gradients)
    if isinstance(other, str):
        return f'sharing in float64 ends in {other}'
    if other.drew:
        return _DRAWS
    return found.difference(other) or other.change


def _mixed(found: _Outcome, values: dict[str, Any]) -> str:
    """Whether poses in one batch get something else than alone, or change it.

    On the very copy: what a first call made for good does not count.
    """
    trace = _Trace(found.model, values['pose_size'].device)
    with torch.no_grad(), default_dtype(found.dtype):
        layout = Layout(PoseSet(**values))
        tables = _on_rows(layout, doubled(values))
        poses = list(range(layout.num_poses))
        try:
            out = found.model(layout.compose(tables, poses))
        except torch.OutOfMemoryError:
            raise
        except Exception:  # of any kind: such as one that takes forces
            return ''
        out = checked(out, layout, poses)
    off = _off(found.predictions, out, 0.0)
    if off:
        return f'the model mixes the poses of a chunk (by {off:.1e})'
    return trace.change


class _Outcome:
    """What one of the two ways gives."""

    def __init__(
        self,
        model: nn.Module,
        values: dict[str, Any],
        way: Any,
        gradients: bool,
    ) -> None:
        self.model, self.dtype = model, torch.get_default_dtype()
        trace = _Trace(model, values['pose_size'].device)
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
        self.drew, self.change = trace.drew, trace.change

    @classmethod
    def of(
        cls,
        model: nn.Module,
        values: dict[str, Any],
        way: Any,
        number: int,
        gradients: bool,
    ) -> _Outcome | str:
        """What a way gives, or what it raises."""
        error = ''
        for dtype in (torch.get_default_dtype(), torch.float64):
            seed(values['pose_size'].device, number)
            try:
                # What is made inside may have the default dtype.
                with default_dtype(dtype):
                    copied = (
                        model if way is _shared else same_parameters(model)
                    )
                    return cls(copied, values, way, gradients)
            except torch.OutOfMemoryError:
                raise
            except Exception as caught:  # of any kind: it is the model's
                error = f'{type(caught).__name__}: {caught}'
        return error

    def difference(self, other: _Outcome) -> str:
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


class _Trace:
    """What a model draws and changes while it is called."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._model, self._device = model, device
        self._structure = Structure(modules_of(model.modules()))
        self._buffers = {k: b.clone() for k, b in model.named_buffers()}
        self._random = random_states(device)

    @property
    def drew(self) -> bool:
        """Whether random numbers were drawn, by whatever generator."""
        return self._random != random_states(self._device)

    @property
    def change(self) -> str:
        """What was changed; empty if nothing."""
        for name, buffer in self._model.named_buffers():
            was = self._buffers.get(name)
            if was is None or _off(was, buffer, 0.0):
                return f"the model changes its buffer '{name}'"
        now = Structure(modules_of(self._model.modules()), self._structure)
        change = self._structure.change(now)
        return f'the model changes {change}' if change else ''


def _whole(model: nn.Module, layout: Layout, tables: dict[str, Any]) -> Any:
    """Pose by pose: one graph at a time."""
    for pose in range(layout.num_poses):
        out = model(layout.compose(_on_rows(layout, tables), [pose]))
        out = checked(out, layout, [pose])
        yield out, _weights(layout, out)[pose : pose + 1]


def _shared(model: Any, layout: Layout, tables: dict[str, Any]) -> Any:
    receptor = layout.compose_receptor(_on_rows(layout, tables), 0)
    state = model.encode_receptor(receptor)
    out = model.forward_poses(PoseSet(**tables), state)
    out = checked(out, layout, list(range(layout.num_poses)))
    yield out, _weights(layout, out)


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
    return float(tensor.abs().max()) if tensor.numel() else 0.0


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
    worst = _largest(gap)
    if worst <= _OWN * size + _ALL * largest:
        return 0.0
    return worst / size if size else 1.0
