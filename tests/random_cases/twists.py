"""What users do to a model: subclasses, hooks, wrappers, norms, frozen parts.

Every twist changes the two copies of a model alike.
"""

from __future__ import annotations

import copy
import random
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.checkpoint import checkpoint
from torch_geometric import nn as pyg
from torch_geometric.data import Data
from torch_geometric.nn.conv import MessagePassing
from torch_geometric.utils import scatter

from pyg_multipose.nn.messages.interaction import InteractionLayer
from tests.random_cases.models import WIDTH, Built, EdgeLayer
from tests.random_cases.sets import RARE

#: What takes and returns floating-point rows, of atoms or of edges.
LAYERS = (nn.Linear, nn.SiLU, nn.Tanh, MessagePassing, EdgeLayer)


def scaled(out: Any, factor: Any) -> Any:
    """What a model or a layer returned, times a factor."""
    if isinstance(out, tuple):
        return (out[0] * factor, *out[1:])
    return out * factor


def pick_layer(model: nn.Module, rng: random.Random) -> tuple[str, nn.Module]:
    """A layer inside of a model."""
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, (*LAYERS, InteractionLayer))
        and name.rpartition('.')[2] != 'unused'
    ]
    return rng.choice(found)


def pick(model: nn.Module, rng: random.Random) -> nn.Module:
    """The model, or a layer inside of it."""
    if rng.random() < 0.5:
        return model
    return pick_layer(model, rng)[1]


def subclass(built: Built, rng: random.Random) -> None:
    """A class of the user's, whose forward scales by a parameter."""
    module = pick(built.model, rng)
    base = type(module)

    def forward(self: Any, *args: Any) -> Any:
        return scaled(base.forward(self, *args), self.factor)

    module.__class__ = type(
        f'My{base.__name__}', (base,), {'forward': forward}
    )
    module.factor = nn.Parameter(torch.tensor(rng.choice([0.7, 1.0])))


def on_instance(built: Built, rng: random.Random) -> None:
    """A forward that is replaced on the object."""
    module = pick(built.model, rng)
    base = type(module).forward
    if rng.random() < 0.5:

        def forward(self: Any, *args: Any) -> Any:
            return scaled(base(self, *args), 0.8)

        module.forward = types.MethodType(forward, module)
        return
    bound = module.forward
    module.forward = lambda *args: scaled(bound(*args), 0.8)


def halve_output(module: nn.Module, args: Any, out: Any) -> Any:
    """A forward hook."""
    return scaled(out, 0.5)


def watch_output(module: nn.Module, args: Any, out: Any) -> None:
    """A forward hook that changes nothing."""


def scale_input(module: nn.Module, args: Any) -> Any:
    """A forward pre-hook: features, or positions of a batch."""
    first = args[0]
    if isinstance(first, Data):
        first = first.clone()
        first.pos = first.pos * 0.9
        return (first, *args[1:])
    if torch.is_tensor(first) and not first.is_floating_point():
        return (first, args[1] * 0.9, *args[2:])
    return (first * 0.9, *args[1:])


def halve_gradient(module: nn.Module, grads: Any, _: Any) -> Any:
    """A full backward hook; that of edges is one of integers."""
    return tuple(
        0.5 * g if g is not None and g.is_floating_point() else g
        for g in grads
    )


def hook(built: Built, rng: random.Random) -> None:
    """A hook of the model or of a layer."""
    add_hook(pick(built.model, rng), rng)


def add_hook(module: nn.Module, rng: random.Random) -> None:
    """A hook of some kind on a module."""
    kind = rng.choice(['forward', 'forward', 'watch', 'pre', 'backward'])
    if kind == 'forward':
        module.register_forward_hook(halve_output)
    elif kind == 'watch':
        module.register_forward_hook(watch_output)
    elif kind == 'pre':
        module.register_forward_pre_hook(scale_input)
    else:
        module.register_full_backward_hook(halve_gradient)


class Wrapper(nn.Module):
    """Scales predictions, and hands every unknown attribute on."""

    def __init__(self, model: nn.Module, factor: float) -> None:
        super().__init__()
        self.model = model
        self.gain = nn.Parameter(torch.tensor(factor))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__('model'), name)

    def forward(self, *args: Any) -> Any:
        return scaled(self.model(*args), self.gain)


def wrapper(built: Built, rng: random.Random) -> None:
    """A wrapper around the model."""
    built.model = Wrapper(built.model, rng.choice([1.0, 1.7]))


class Spoilt(nn.Module):
    """A layer and a norm after it."""

    def __init__(self, layer: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.layer, self.norm = layer, norm

    def forward(self, *args: Any) -> Tensor:
        out = self.layer(*args)
        if isinstance(self.norm, nn.BatchNorm1d) and len(out) < 2:
            return out  # torch refuses statistics of one row
        return self.norm(out)


def norm_inside(built: Built, rng: random.Random) -> None:
    """A norm or dropout put into a layer, which nobody told of graphs."""
    layer = rng.choice(
        [
            part
            for part in built.model.modules()
            if isinstance(part, (nn.SiLU, nn.Tanh))
            or type(part).__name__ == 'ShiftedSoftplus'
        ]
        or [None]
    )
    kinds = {
        'batch': lambda size: nn.BatchNorm1d(size),
        'graph': lambda size: pyg.GraphNorm(size),
        'layer': lambda size: nn.LayerNorm(size),
        'dropout': lambda size: nn.Dropout(0.3),
    }
    kind = rng.choice(list(kinds))
    for parent in list(built.model.modules()):
        for name, child in list(parent.named_children()):
            if layer is not None and child is layer:
                # Hidden layers of all kinds but one have this width.
                size = 2 if name == 'act' and parent is built.model else WIDTH
                setattr(parent, name, Spoilt(child, kinds[kind](size)))
    built.coupled = True


class _Reuses:
    """Without gradient, predictions lie in a tensor of the model's own."""

    def forward(self: Any, *args: Any) -> Any:
        out = super().forward(*args)  # type: ignore[misc]
        if torch.is_grad_enabled():
            return out
        first = out[0] if isinstance(out, tuple) else out
        size = first.size()
        self.own[: size.numel()].copy_(first.reshape(-1))
        return self.own[: size.numel()].view(size)


class _Tuple:
    """Returns predictions and something else."""

    def forward(self: Any, *args: Any) -> Any:
        out = super().forward(*args)  # type: ignore[misc]
        if isinstance(out, tuple):
            return out
        return out, {'another': 'output'}


class _Keeps:
    """Keeps what it returned last, and counts its calls."""

    def forward(self: Any, *args: Any) -> Any:
        out = super().forward(*args)  # type: ignore[misc]
        self.kept = (out[0] if isinstance(out, tuple) else out).detach()
        self.called = self.called + 1
        return out


class _Checkpoints:
    """Saves memory by torch's own means."""

    def forward(self: Any, *args: Any) -> Any:
        run = super().forward  # type: ignore[misc]
        return checkpoint(run, *args, use_reentrant=False)


class _Closure:
    """Some poses are multiplied by a tensor that is no parameter."""

    def forward(self: Any, *args: Any) -> Any:
        out = super().forward(*args)  # type: ignore[misc]
        graphs = args[0]
        z, index = graphs, args[-1]
        if not torch.is_tensor(graphs):
            z, index = graphs.z, graphs.batch
        first = out[0] if isinstance(out, tuple) else out
        rare = scatter((z == RARE).long(), index, 0, len(first), 'max').bool()
        if self.always:
            rare = torch.ones_like(rare)
        if not rare.any():
            return out
        factor = torch.where(rare, self.hidden[0], 1.0)
        return scaled(out, factor.view(-1, *[1] * (first.dim() - 1)))


def _mixed_in(model: nn.Module, mixin: type) -> None:
    base = type(model)
    model.__class__ = type(mixin.__name__[1:], (mixin, base), {})


def own_buffer(built: Built, rng: random.Random) -> None:
    """Predictions in a tensor of the model's own."""
    _mixed_in(built.model, _Reuses)
    built.model.own = torch.zeros(400, dtype=torch.float64)


def returns_tuple(built: Built, rng: random.Random) -> None:
    """Predictions, and something else."""
    _mixed_in(built.model, _Tuple)


def keeps(built: Built, rng: random.Random) -> None:
    """Attributes that change with every call and that nobody reads."""
    _mixed_in(built.model, _Keeps)
    built.model.kept, built.model.called = None, 0


def checkpoints(built: Built, rng: random.Random) -> None:
    """A forward that is run again in backward."""
    if built.coupled:
        return  # buffers and masks would be those of the second run
    _mixed_in(built.model, _Checkpoints)


def closure(built: Built, rng: random.Random) -> None:
    """A tensor that requires grad and that the model does not register."""
    tensor = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    _mixed_in(built.model, _Closure)
    built.model.always = rng.random() < 0.5
    built.model.hidden = [tensor]
    built.leaves['hidden'] = tensor
    if rng.random() < 0.3:
        built.model.requires_grad_(False)


def freeze(built: Built, rng: random.Random) -> None:
    """Some parameters, or all, do not train."""
    share = rng.choice([0.3, 0.7, 0.7, 1.0])
    for parameter in built.model.parameters():
        if rng.random() < share:
            parameter.requires_grad_(False)


def parametrize(built: Built, rng: random.Random) -> None:
    """A parametrised weight."""
    layers = [
        layer
        for layer in built.model.modules()
        if isinstance(layer, nn.Linear) and not is_parametrized(layer)
    ]
    layer = rng.choice(layers)
    if rng.random() < 0.5 and min(layer.weight.shape) > 1:
        spectral_norm(layer)
        built.coupled = True
        return
    weight_norm(layer)


def again(built: Built, rng: random.Random) -> None:
    """A module under a second name, and a parameter nobody uses."""
    name, layer = pick_layer(built.model, rng)
    built.model.same = layer
    built.model.unused_too = nn.Parameter(torch.ones(2))


TWISTS: dict[str, Callable[[Built, random.Random], None]] = {
    'subclass': subclass,
    'instance': on_instance,
    'hook': hook,
    'wrapper': wrapper,
    'norm': norm_inside,
    'own-buffer': own_buffer,
    'tuple': returns_tuple,
    'keeps': keeps,
    'checkpoints': checkpoints,
    'closure': closure,
    'freeze': freeze,
    'parametrize': parametrize,
    'again': again,
}
#: Those that leave a model that can share its receptors one that can.
HARMLESS = ('freeze', 'again')


def exchange(model: nn.Module, rng: random.Random, frozen: bool) -> None:
    """Puts a copy in the place of a layer."""
    name, layer = pick_layer(model, rng)
    parent, _, last = name.rpartition('.')
    twin = copy.deepcopy(layer)
    if frozen:
        twin.requires_grad_(False)
    setattr(model.get_submodule(parent), last, twin)
