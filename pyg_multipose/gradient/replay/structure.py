"""What a model is made of, apart from the content of its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from pyg_multipose.gradient.replay.snapshot import (
    FIXED,
    KNOWN,
    Snapshot,
    library,
)
from pyg_multipose.gradient.replay.surroundings import (
    Surroundings,
    is_installed,
    is_large,
)

#: What compares by value and never changes.
_PLAIN = {
    *(int, float, complex, str, bytes, bool, type(None)),
    *(torch.dtype, torch.device, torch.Size, slice, range),
}
#: How many values may be remembered as those that never change.
_MOST_FIXED = 2**14
#: Of their classes, all is code.
_LIBRARIES = FIXED | KNOWN
#: What every module has; the rest are settings.
OWN = set(nn.Module().__dict__)
_HOOKS = [name for name in OWN if name.endswith('_hooks')]
#: Those that see a forward or backward pass.
_OF_PASSES = [name for name in _HOOKS if 'state_dict' not in name]
#: Of all modules.
GLOBAL_HOOKS = (
    '_global_forward_hooks',
    '_global_forward_pre_hooks',
    '_global_backward_hooks',
    '_global_backward_pre_hooks',
)


class Structure:
    r"""The modules of a model with their code, hooks and attributes.

    Two are compared part by part, so that what changed has a name.
    Modules, hooks and code have to be the same objects, attributes and
    :class:`Surroundings` equal by value. What cannot be compared by value has
    to be the same object.

    Args:
        modules: All modules of the model, in their order.
        before: An earlier one, so that less has to be looked at again.
            (default: :obj:`None`)
    """

    def __init__(
        self, modules: Sequence[nn.Module], before: Structure | None = None
    ) -> None:
        self.modules = list(modules)
        self._ids = {id(module) for module in self.modules}
        #: Values that can never change, with what is compared of them.
        self._fixed: dict[int, tuple[Any, Any]] = {}
        if before is not None and len(before._fixed) < _MOST_FIXED:
            self._fixed = before._fixed
        self._settings = [self._of(module) for module in self.modules]
        around = Surroundings(self.modules).values()
        self._settings.append(
            {
                key: _Same(value) if is_large(value) else self._by(value)
                for key, value in around.items()
            }
        )
        self._settings[-1].update(
            (f'{name[1:]} of torch', [_Same(hook) for hook in hooks])
            for name in GLOBAL_HOOKS
            if (hooks := _users(getattr(torch.nn.modules.module, name)))
        )
        #: Settings that are not compared: the model itself changes them.
        self._own_changes: set[tuple[int, str]] = set()
        self._code = {
            kind: _code(kind) for kind in dict.fromkeys(map(type, modules))
        }
        self._flags = [
            (
                module.training,
                [
                    (key, p.requires_grad, p.shape, p.dtype, p.device)
                    for key, p in module._parameters.items()
                    if p is not None
                ],
            )
            for module in self.modules
        ]

    def change(self, now: Structure, flags: bool = True) -> str:
        r"""What differs; empty if nothing does.

        Args:
            now: The other one.
            flags: Whether to compare what a second pass puts back too:
                training flags, and what parameters are like.
                (default: :obj:`True`)
        """
        if len(self.modules) != len(now.modules):
            return 'modules were added or removed'
        for place, (one, two) in enumerate(
            zip(self.modules, now.modules, strict=True)
        ):
            if one is not two:
                return f'{now.name(place)} is another module'
        if self._settings != now._settings:
            for place, name in self._different(now):
                if (place, name) not in self._own_changes:
                    return self._setting(place, name)
        if self._code != now._code:
            codes = self._code, now._code
            kinds = dict.fromkeys([*self._code, *now._code])
            kind = next(k for k in kinds if codes[0].get(k) != codes[1].get(k))
            return f'the code of {kind.__name__}'
        if flags and self._flags != now._flags:
            flagged = zip(self._flags, now._flags, strict=True)
            place = [one != two for one, two in flagged].index(True)
            return f'training flags or parameters of {self.name(place)}'
        return ''

    def name(self, place: int) -> str:
        r"""How messages call a module.

        Args:
            place: Its number among :attr:`modules`.
        """
        module = self.modules[place]
        names = {id(m): n for n, m in self.modules[0].named_modules()}
        name = names.get(id(module), '')
        kind = type(module).__name__
        return f"'{name}' ({kind})" if name else f'the model ({kind})'

    def without(
        self, now: Structure, known: set[tuple[int, str]]
    ) -> Structure:
        r"""A later one that does not compare what differs by now.

        Args:
            now: The later one: what the model itself has changed until then.
            known: What it was seen to change in earlier calls; taken along,
                and added to.
        """
        if len(self.modules) == len(now.modules):
            known.update(
                (place, name)
                for place, name in self._different(now)
                if name not in _HOOKS
            )
        now._own_changes = known
        return now

    @property
    def hooked(self) -> str:
        r"""The first module with hooks, or :obj:`forward` of its own."""
        for name in GLOBAL_HOOKS:
            if _users(getattr(torch.nn.modules.module, name)):
                return 'hooks are registered for all modules'
        for place, module in enumerate(self.modules):
            values = module.__dict__
            if any(values.get(name) for name in _OF_PASSES):
                return f'{self.name(place)} has hooks'
            if 'forward' in module.__dict__ and not _is_compiled(module):
                return f"'forward' of {self.name(place)} was replaced"
        return ''

    def _setting(self, place: int, name: str) -> str:
        if place == len(self.modules):
            return name
        what = 'hooks' if name in _HOOKS else f"attribute '{name}'"
        return f'{what} of {self.name(place)}'

    def _different(self, now: Structure) -> Iterator[tuple[int, str]]:
        settings = zip(self._settings, now._settings, strict=True)
        for place, (mine, its) in enumerate(settings):
            for name in dict.fromkeys([*mine, *its]):
                if mine.get(name, _MISSING) != its.get(name, _MISSING):
                    yield place, name

    def _of(self, module: nn.Module) -> dict[str, Any]:
        values = module.__dict__
        names = [tuple(values[kind]) for kind in ('_parameters', '_buffers')]
        hooks = {name: values[name] for name in _HOOKS if values.get(name)}
        out: dict[str, Any] = {
            name: [_Same(hook) for hook in hooks[name].values()]
            for name in hooks
        }
        out.update(zip(('_parameters', '_buffers'), names, strict=True))
        out['__class__'] = _Same(type(module))
        if isinstance(module, torch.fx.GraphModule):
            out['forward'] = type(module).forward.__code__
            return out
        for key, value in values.items():
            if key not in OWN:
                plain = type(value) in _PLAIN
                out[key] = (type(value), value if plain else self._by(value))
        return out

    def _by(self, value: Any) -> Any:
        """What is compared of a value."""
        try:
            return self._frozen(value)[0]
        except TypeError:
            pass
        if isinstance(value, FunctionType) and is_installed(value):
            if not value.__closure__:
                return _Same(value), value.__code__
        if isinstance(value, MethodType) and id(value.__self__) in self._ids:
            # A module of the model is compared where it is, without weights.
            function = value.__func__
            code = getattr(function, '__code__', None)
            return _Same(function), code, _Same(value.__self__)
        return Snapshot.of(value) or _Same(value)

    def _frozen(self, value: Any) -> tuple[Any, bool]:
        """What plain containers hold, and whether it can never change."""
        kind = type(value)
        if kind in _PLAIN:
            return value, True
        known = self._fixed.get(id(value))
        if known is not None and known[0] is value:
            return known[1], True
        if isinstance(value, (tuple, list)):
            parts = [self._frozen(part) for part in value]
            frozen = kind, [part[0] for part in parts]
            fixed = isinstance(value, tuple) and all(p[1] for p in parts)
            if fixed and not getattr(value, '__dict__', None):
                self._fixed[id(value)] = value, frozen
                return frozen, True
            return frozen, False
        if kind is dict:
            items = {key: self._frozen(part)[0] for key, part in value.items()}
            return (dict, items), False
        if kind in (set, frozenset):
            if all(type(part) in _PLAIN for part in value):
                return (set, set(value)), False
        raise TypeError


class _Same:
    """Equal to itself only."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._value is other._value

    __hash__ = None  # type: ignore[assignment]


_MISSING = _Same(object())


def _code(kind: type) -> list[Any]:
    """The code of a class, and of those it is made from."""
    out: list[Any] = []
    for one in kind.__mro__:
        module = one.__module__
        if one is object or module.startswith('torch.'):
            continue
        # Other attributes of users' classes are compared by value.
        every = library(module) in _LIBRARIES
        for value in vars(one).values():
            if type(value) is FunctionType:
                out.append(value.__code__)
            elif every or _is_code(value):
                out.append(value if type(value) in _PLAIN else _Same(value))
    return out


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(
        value, (property, staticmethod, classmethod)
    )


def _users(hooks: dict[int, Any]) -> list[Any]:
    """Hooks that are not torch's: those of a FlopCounterMode only look on."""
    return [
        hook
        for hook in hooks.values()
        if not (getattr(hook, '__module__', None) or '').startswith('torch.')
    ]


def _is_compiled(module: nn.Module) -> bool:
    return isinstance(module, torch._dynamo.OptimizedModule)
