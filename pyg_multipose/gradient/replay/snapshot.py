"""Values as they are now, to tell by value whether they still are."""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any

import torch
from torch import Tensor, nn

from pyg_multipose.gradient.replay.checksum import checksums

#: Nobody changes the classes of these, nor their global variables.
FIXED = {'numpy', 'scipy', 'torch', *sys.stdlib_module_names} - {'__main__'}
#: Of these, code may be replaced, but the rest stays.
KNOWN = {'e3nn', 'pyg_multipose', 'torch_geometric'}
#: What an attribute of a class says of the class, and not of its objects.
_OF_CLASSES = {'__dict__', '__weakref__', '__doc__', '__module__'}
_OF_CLASSES |= {'__firstlineno__', '__static_attributes__', '__slotnames__'}


#: Where modules keep their hooks.
_HOOKS = {key for key in vars(nn.Module()) if '_hooks' in key}


class Snapshot:
    r"""All that some values are made of, to compare by value.

    Tensors are compared by the checksums of their content, functions by their
    code and by the values that they captured or name as global variables,
    classes by their attributes, and anything else by what pickle makes of it.
    So it does not matter how something was changed, nor whether autograd
    noticed.
    Nothing is held but numbers, bytes and code.

    Args:
        values: What to look at.

    Raises:
        Exception: Whatever pickle raises on a value that it cannot take.
    """

    def __init__(self, *values: Any) -> None:
        file = io.BytesIO()
        pickler = _Pickler(file)
        pickler.dump(values)
        self._attributes = file.getvalue()
        self._sums = checksums(pickler.tensors)
        self._objects = pickler.objects

    @classmethod
    def of(cls, *values: Any) -> Snapshot | None:
        r"""A snapshot, or :obj:`None` of what cannot be compared.

        Args:
            values: As above.
        """
        try:
            return cls(*values)
        except Exception:  # of any kind: pickle runs code of the values
            return None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Snapshot)
            and self._attributes == other._attributes
            and len(self._objects) == len(other._objects)
            and all(map(_same, self._objects, other._objects))
            and self._sums.device == other._sums.device
            and torch.equal(self._sums, other._sums)
        )

    __hash__ = None  # type: ignore[assignment]


class _Pickler(pickle.Pickler):
    """Sets tensors and code aside, which pickle would copy, or refuse."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        #: What is the same object, or changed.
        self.objects: list[Any] = []

    def reducer_override(self, value: Any) -> Any:
        """What pickle asks for any object that is not built in."""
        if value is _mark:
            return NotImplemented
        if isinstance(value, Tensor):
            # Its shape and type are written, its content is summed up.
            self.tensors.append(value)
            place = str(value.dtype), str(value.device), tuple(value.shape)
            settings = str(value.layout), value.requires_grad
            return _mark, (type(value), *place, *settings)
        if isinstance(value, nn.Module):
            if isinstance(value, torch.fx.GraphModule):
                # Its graph was compiled to a method of its class.
                self.objects.append(type(value).forward.__code__)
                keys = ('training', '_parameters', '_buffers', '_modules')
                return _mark, (), {key: value.__dict__[key] for key in keys}
            return _mark, (type(value),), dict(_state(value))
        if isinstance(value, FunctionType):
            self.objects.append(value.__code__)
            captured = [_content(cell) for cell in value.__closure__ or ()]
            defaults = value.__defaults__, value.__kwdefaults__
            reached = dict(_globals(value))
            return _mark, (captured, *defaults, value.__dict__, reached)
        if isinstance(value, type):
            self.objects.append(value)
            defined: dict[str, Any] = {}
            for kind in [*value.__mro__, *type(value).mro(type(value))]:
                home = library(kind.__module__)
                if home in KNOWN:
                    self.objects += map(_code, vars(kind).values())
                elif home not in FIXED:
                    defined.update(_attributes(kind))
            return _mark, (), defined
        if isinstance(value, property):
            return _mark, (value.fget, value.fset, value.fdel)
        if isinstance(value, (staticmethod, classmethod)):
            return _mark, (value.__func__,)
        if isinstance(
            value,
            (
                BuiltinFunctionType,
                GetSetDescriptorType,
                MemberDescriptorType,
                ModuleType,
                CodeType,
            ),
        ):
            self.objects.append(value)
            return _mark, ()
        return NotImplemented


def _state(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The attributes of a module.

    Most hold hooks of some kind, and none of them, but each takes pickle as
    long as a tensor.
    """
    for key, value in module.__dict__.items():
        if key in _HOOKS and type(value) is OrderedDict and not value:
            yield key, None
        else:
            yield key, value


def _same(one: Any, two: Any) -> bool:
    # The same code may be compiled again, as copies of e3nn's modules do.
    return one is two or (type(one) is type(two) is CodeType and one == two)


def _mark(*args: Any) -> None:
    """Stands for something in the stream of bytes; nothing is ever read."""


def library(name: str | None) -> str:
    r"""The library that a module belongs to.

    Args:
        name: Name of the module.
    """
    return (name or '').split('.')[0]


def _code(attribute: Any) -> Any:
    is_function = isinstance(attribute, FunctionType)
    return attribute.__code__ if is_function else attribute


def _attributes(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class defines."""
    for key, value in vars(kind).items():
        if key not in _OF_CLASSES and not key.startswith('_abc_'):
            yield f'{kind.__qualname__}.{key}', value


def _globals(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The global variables that a function names, also by its module."""
    if library(function.__module__) in FIXED | KNOWN:
        return
    names = set(_names(function.__code__))
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        if not isinstance(value, ModuleType):
            yield name, value
        elif library(value.__name__) not in FIXED | KNOWN:
            for inner in sorted(names & vars(value).keys()):
                if not isinstance(vars(value)[inner], ModuleType):
                    yield f'{name}.{inner}', vars(value)[inner]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty yet
        return None
