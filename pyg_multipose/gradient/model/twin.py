"""Copies of a model, to look at what it does without a trace."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import CellType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import get_device_states

from pyg_multipose.gradient.replay.structure import GLOBAL_HOOKS, OWN
from pyg_multipose.gradient.replay.surroundings import Surroundings

#: What perturbed parameters move by, in root mean squares of their own.
_NOISE = 0.1
#: What is as good as zero, as a gate that rounding has moved.
_ZERO = 1e-5
#: The most elements of what may be a gate: a number, or one for each channel.
GATE = 256
#: What a copy is the same of; most attributes of modules are.
_ATOMS = frozenset({type(None), bool, int, float, str})
#: How far open gates are.
_OPEN = 2.0


class NoTwinError(ValueError):
    r"""A model that cannot be copied."""


def twin(model: nn.Module) -> nn.Module:
    r"""A copy of a model without the user's hooks, that shares nothing.

    What is compiled runs as it was written.

    Args:
        model: The model.

    Raises:
        NoTwinError: If it cannot be copied, with the reason.
    """
    captured = Surroundings.of_classes(model.modules()).captured
    if captured:
        raise NoTwinError(
            f'a copy of it cannot be looked at: {captured}, which the copy '
            f'would run too'
        )
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in module.__dict__.values():
            # Such as the weight of a torch.nn.utils.weight_norm.
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
        for value in module._parameters.values():
            # As torch.func.functional_call puts it there.
            if value is not None and not value.is_leaf:
                memo[id(value)] = nn.Parameter(value.detach().clone())
    try:
        return _copied(model, memo)
    except Exception as error:  # of any kind: it runs code of the model
        raise NoTwinError(f'it cannot be copied ({error})') from error


def same_parameters(model: nn.Module) -> nn.Module:
    r"""A second copy of a twin, with its very parameters.

    Args:
        model: A twin.
    """
    return _copied(model, {id(p): p for p in model.parameters()})


def _copied(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """As deepcopy, which compiles the code of e3nn's modules again."""
    if id(module) in memo:
        return memo[id(module)]
    if isinstance(module, torch._dynamo.OptimizedModule):
        return _copied(module._orig_mod, memo)
    traced = isinstance(module, torch.fx.GraphModule)
    known = traced or parametrize.is_parametrized(module)
    if hasattr(module, '__deepcopy__') and not known:
        return copy.deepcopy(module, memo)
    out = memo[id(module)] = object.__new__(type(module))
    for key, value in module.__dict__.items():
        if type(value) in _ATOMS:
            pass
        elif key == '_modules':
            value = {
                name: None if child is None else _copied(child, memo)
                for name, child in value.items()
            }
        elif key.endswith('_hooks') and isinstance(value, dict):
            # torch.nn.utils.weight_norm and its like compute weights in one.
            value = type(value)(
                (name, copy.deepcopy(hook, memo))
                for name, hook in value.items()
                if type(hook).__module__.startswith('torch.nn.')
            )
        elif key == '_compiled_call_impl':
            value = None
        elif key in OWN and not value:  # most are empty, and nobody's else
            value = value.copy() if hasattr(value, 'copy') else value
        elif isinstance(value, FunctionType) and value.__closure__:
            value = _copied_function(value, memo)
        elif not traced or key in ('_parameters', '_buffers'):
            value = copy.deepcopy(value, memo)
        out.__dict__[key] = value
    return out


def _copied_function(function: FunctionType, memo: dict[int, Any]) -> Any:
    """A function, such as a forward of an object, that captured a module."""

    def copied(value: Any) -> Any:
        if isinstance(value, nn.Module):
            return _copied(value, memo)
        if isinstance(value, FunctionType) and value.__closure__:
            return _copied_function(value, memo)
        if isinstance(value, MethodType):
            return MethodType(value.__func__, copied(value.__self__))
        return value

    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(CellType(copied(cell.cell_contents)))
        except ValueError:  # empty yet
            cells.append(cell)
    out = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(cells),
    )
    out.__kwdefaults__ = function.__kwdefaults__
    out.__dict__.update(function.__dict__)
    return out


def perturb(
    model: nn.Module, generator: torch.Generator, where: str = 'near'
) -> None:
    r"""Moves all parameters of a twin, and buffers that are zero.

    What a model does with zeros and ones is a special case: a gate that is
    zero hides what lies behind it, and one of another shape may open far from
    zero only.

    Args:
        model: A twin.
        generator: Where random numbers come from, on the CPU.
        where: :obj:`"near"` where they are; :obj:`"turned"`, with the other
            sign; or :obj:`"open"`, where small ones are large.
            (default: :obj:`"near"`)
    """
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if not tensor.is_floating_point() or not tensor.numel():
                continue
            is_buffer = not isinstance(tensor, nn.Parameter)
            if is_buffer and bool(tensor.any()):
                continue
            size = tensor.square().mean().sqrt()
            size = torch.where(size > _ZERO, size, torch.ones_like(size))
            noise = torch.randn(
                tensor.shape, generator=generator, dtype=torch.float64
            ).to(tensor)
            tensor.add_(_NOISE * size * noise)
            if where == 'turned':
                tensor.neg_()
            elif where == 'open' and tensor.numel() <= GATE:
                tensor.abs_().add_(_OPEN)


@contextmanager
def aside(device: torch.device, model: nn.Module) -> Iterator[None]:
    r"""Around what must leave no trace.

    Random numbers go on as if nothing was drawn. Hooks of all modules see
    nothing. What the code of the model changes outside is put back.

    Args:
        device: Where the model runs.
        model: The model.
    """
    python, arrays = random.getstate(), np.random.get_state()
    # What torch.nn.utils.parametrize.cached() keeps goes by addresses.
    cached = parametrize._cache_enabled, parametrize._cache
    parametrize._cache_enabled, parametrize._cache = 0, {}
    devices = [] if device.type == 'cpu' else [device]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.random.fork_rng(devices))
        stack.enter_context(Surroundings(model.modules()).restored())
        for name in GLOBAL_HOOKS:
            hooks = getattr(torch.nn.modules.module, name)
            stack.callback(hooks.update, dict(hooks))
            hooks.clear()
        try:
            yield
        finally:
            parametrize._cache_enabled, parametrize._cache = cached
            random.setstate(python)
            np.random.set_state(arrays)


@contextmanager
def looking(device: torch.device, model: nn.Module) -> Iterator[None]:
    r"""As :func:`aside`, without autocast, and as the model was written.

    Args:
        device: Where the model runs.
        model: The model.
    """
    with ExitStack() as stack:
        stack.enter_context(aside(device, model))
        for kind in {'cpu', device.type}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        if hasattr(torch.compiler, 'set_stance'):
            stack.enter_context(torch.compiler.set_stance('force_eager'))
        yield


def seed(device: torch.device, number: int) -> None:
    r"""Seeds the generators that a look draws from.

    (:func:`torch.manual_seed` notes every call as long as no GPU is in use.)

    Args:
        device: Where the model runs.
        number: The seed.
    """
    torch.default_generator.manual_seed(number)
    if device.type == 'cuda':
        torch.cuda.manual_seed(number)


def random_states(device: torch.device) -> tuple[Any, ...]:
    r"""The states of all generators, to compare: torch's, Python's, numpy's.

    Args:
        device: Where the model runs.
    """
    arrays: Any = np.random.get_state()
    states = [torch.get_rng_state()]
    if device.type == 'cuda':
        states += get_device_states(torch.empty(0, device=device))[1]
    return (
        [state.cpu().numpy().tobytes() for state in states],
        random.getstate(),
        [str(arrays[0]), arrays[1].tobytes(), *arrays[2:]],
    )


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    r"""Another default dtype for a while.

    Args:
        dtype: The dtype.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def doubled(values: Mapping[str, Any]) -> dict[str, Any]:
    r"""Copies of values without their graphs, real tensors in float64.

    Args:
        values: Any values.
    """
    out = dict(values)
    for key, value in values.items():
        if isinstance(value, Tensor):
            tensor = value.detach().clone()
            real = tensor.is_floating_point()
            out[key] = tensor.double() if real else tensor
    return out
