"""What the code of a model reaches past the model."""

from __future__ import annotations

import copy
import dis
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from pyg_multipose.gradient.replay.snapshot import FIXED, KNOWN, library

#: What can be emptied and filled again.
_CONTAINERS = (list, dict, set, deque, bytearray)
_DICTS = {dict, OrderedDict}
#: What every module has.
_OWN = set(vars(nn.Module()))
#: Where it keeps hooks. What backward hooks note changes in backward.
_HOOKS = [k for k in _OWN if k.endswith('_hooks') and 'backward' not in k]
#: What is no function.
_PLAIN = {*_DICTS, bool, int, float, str, type(None), list, tuple, set}
#: How deep containers and objects are followed.
_DEPTH = 4
#: What has more parts, or elements, is not compared by value.
_LARGE = 2**12, 2**22
#: What a class says of itself.
_DUNDER = ('__', '_abc_')


class Surroundings:
    r"""Global variables, captured values and class attributes of a model.

    They are those that the code of its own classes, of its hooks and of
    functions among its attributes names; installed packages are not followed.

    Args:
        modules: All modules of the model.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        #: How messages call each value, with where it is.
        self.places: dict[str, _Place] = {}
        self._followed: set[int] = set()
        modules = list(modules)
        self._follow_classes(modules)
        for module in modules:
            values = module.__dict__
            for name in _HOOKS:
                if values.get(name):
                    for hook in values[name].values():
                        self._follow(hook)
            for key, value in values.items():
                if type(value) not in _PLAIN and key not in _OWN:
                    self._follow(value)

    @classmethod
    def of_classes(cls, modules: Iterable[nn.Module]) -> Surroundings:
        r"""Those of the classes alone, which copies of the modules share.

        Args:
            modules: As above.
        """
        out = cls(())
        out._follow_classes(modules)
        return out

    def values(self) -> dict[str, Any]:
        r"""The values as they are now, by how messages call them."""
        return {name: place.get() for name, place in self.places.items()}

    @property
    def captured(self) -> str:
        r"""A module that code has captured; empty if there is none.

        A copy of the model would run the very same module.
        """
        for name, value in self.values().items():
            for inner in _inside(value):
                if isinstance(inner, nn.Module):
                    return f'{name} holds a module ({type(inner).__name__})'
        return ''

    @contextmanager
    def restored(self) -> Iterator[None]:
        r"""Around code that may change them: they are as before after it."""
        places = [(place, place.get()) for place in self.places.values()]
        contents: dict[int, tuple[Any, Any]] = {}
        for _, value in places:
            for inner in _inside(value):
                if isinstance(inner, _CONTAINERS):
                    contents[id(inner)] = inner, copy.copy(inner)
                elif isinstance(getattr(inner, '__dict__', None), dict):
                    own = vars(inner)
                    contents[id(own)] = own, dict(own)
        try:
            yield
        finally:
            for place, value in places:
                if place.get() is not value:
                    place.put(value)
            for now, before in contents.values():
                _refill(now, before)

    # Finding them ############################################################

    def _follow_classes(self, modules: Iterable[nn.Module]) -> None:
        for kind in dict.fromkeys(map(type, modules)):
            self._follow_class(kind)

    def _follow_class(self, kind: type) -> None:
        for one in kind.__mro__:
            if is_installed(one):
                continue
            for key, value in vars(one).items():
                if _functions(value):
                    self._follow(value)
                elif not key.startswith(_DUNDER):
                    self.places[f"'{key}' of class {one.__name__}"] = _Place(
                        partial(vars(one).get, key), partial(setattr, one, key)
                    )

    def _follow(self, value: Any) -> None:
        """What functions name, and functions that they name."""
        for function in _functions(value):
            if id(function) in self._followed:
                continue
            self._followed.add(id(function))
            if not is_installed(function):
                self._follow_captured(function)
                self._follow_globals(function)

    def _follow_captured(self, function: FunctionType) -> None:
        cells = function.__closure__ or ()
        names = function.__code__.co_freevars
        for name, cell in zip(names, cells, strict=True):
            if name != '__class__':
                what = f"'{name}', captured by {function.__qualname__}"
                while what in self.places:  # of a function made twice
                    what += ' (another)'
                self._add(
                    what,
                    _Place(partial(_content, cell), partial(_fill, cell)),
                )
        for number, default in enumerate(function.__defaults__ or ()):
            if isinstance(default, _CONTAINERS):
                self._add(
                    f'default {number} of {function.__qualname__}',
                    _Place(partial(_itself, default), _itself),
                )

    def _follow_globals(self, function: FunctionType) -> None:
        loaded, named = _names(function.__code__)
        found = function.__globals__
        spaces = [(function.__module__, found, loaded)]
        for name in sorted(loaded & found.keys()):
            value = found[name]
            if isinstance(value, ModuleType) and not is_installed(value):
                spaces.append((value.__name__, vars(value), named))
        for space, values, names in spaces:
            for name in sorted(names & values.keys()):
                if not isinstance(values[name], ModuleType):
                    self._add(
                        f"the global variable '{space}.{name}'",
                        _Place(
                            partial(values.get, name),
                            partial(values.__setitem__, name),
                        ),
                    )

    def _add(self, name: str, place: _Place) -> None:
        value = place.get()
        if isinstance(value, type):
            if id(value) not in self._followed:
                self._followed.add(id(value))
                self._follow_class(value)
            return
        functions = _functions(value)
        if functions and all(map(is_installed, functions)):
            return
        self.places[name] = place
        for inner in _inside(value):
            self._follow(inner)


def is_large(value: Any) -> bool:
    r"""Whether it would take long to look at all of a value.

    Args:
        value: The value.
    """
    parts = list(islice(_inside(value), _LARGE[0] + 1))
    sizes = (p.numel() for p in parts if isinstance(p, Tensor))
    return len(parts) > _LARGE[0] or sum(sizes) > _LARGE[1]


class _Place:
    """Where a value is."""

    def __init__(
        self, get: Callable[[], Any], put: Callable[[Any], Any]
    ) -> None:
        self.get, self.put = get, put


def _functions(value: Any) -> list[FunctionType]:
    """The functions behind a method, a property, or the like."""
    if isinstance(value, FunctionType):
        return [value]
    if isinstance(value, (MethodType, staticmethod, classmethod)):
        return _functions(value.__func__)
    if isinstance(value, partial):
        return _functions(value.func)
    if isinstance(value, property):
        found = (value.fget, value.fset)
        return [one for one in found if isinstance(one, FunctionType)]
    return []


def _inside(value: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """A value, and what containers and plain objects hold."""
    yield value
    if not depth or isinstance(value, (nn.Module, type, Tensor)):
        return
    inner: Iterable[Any] = ()
    if isinstance(value, MutableMapping):
        inner = list(value.values())
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        inner = list(value)
    elif isinstance(value, MethodType):
        inner = [value.__self__]
    elif isinstance(value, partial):
        inner = [*value.args, *value.keywords.values()]
    elif not is_installed(type(value)):
        inner = list(getattr(value, '__dict__', {}).values())
    for one in inner:
        yield from _inside(one, depth - 1)


def _refill(now: Any, before: Any) -> None:
    """Puts the content of a container back."""
    if _equal(now, before):
        return
    if isinstance(now, (list, bytearray)):
        now[:] = before
    else:
        now.clear()
        getattr(now, 'update', getattr(now, 'extend', None))(before)  # type: ignore[misc]


def _equal(now: Any, before: Any) -> bool:
    """Whether a container holds the very same objects."""
    if len(now) != len(before):
        return False
    if isinstance(now, dict):
        return all(
            one is two and now[one] is before[two]
            for one, two in zip(now, before, strict=True)
        )
    return all(one is two for one, two in zip(now, before, strict=True))


@lru_cache(maxsize=2**12)
def _names(code: CodeType) -> tuple[set[str], set[str]]:
    """The global variables that code uses, and all names in it."""
    loaded = {
        str(step.argval)
        for step in dis.get_instructions(code)
        if step.opname.endswith(('_GLOBAL', '_NAME'))
    }
    named = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _names(constant)
            loaded, named = loaded | inner[0], named | inner[1]
    return loaded, named


def is_installed(value: Any) -> bool:
    r"""Whether a function, class or module is no code of the user's.

    Args:
        value: The function, class or module.
    """
    name = getattr(value, '__module__', None) or value.__name__
    if library(name) in FIXED | KNOWN:
        return True
    file = getattr(sys.modules.get(name), '__file__', None) or ''
    return 'site-packages' in file or 'dist-packages' in file


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty yet
        return None


def _fill(cell: Any, value: Any) -> None:
    cell.cell_contents = value


def _itself(value: Any) -> Any:
    return value
