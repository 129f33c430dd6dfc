"""Values as they are now, to tell by value whether they still are."""

from __future__ import annotations

import io
import pickle
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

#: Classes of these are as they came: nobody changes their attributes.
_LIBRARIES = ('builtins', 'collections', 'torch')


class Snapshot:
    r"""All that a model (or anything else) is made of, to compare by value.

    Tensors are compared by content, functions and methods by code and the
    values that they captured, attributes of any kind by what pickle makes of
    them.
    So it does not matter how something was changed, nor whether autograd
    noticed.

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
        self._tensors = pickler.tensors
        self._objects = pickler.objects()

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

    def keep(self) -> Snapshot:
        r"""Holds copies of the tensors, which may change from now on."""
        with torch.no_grad():
            self._tensors = [t.detach().clone() for t in self._tensors]
        return self

    def same(self, other: Snapshot | None) -> bool:
        r"""Whether two are equal.

        Args:
            other: The other one.
        """
        return (
            other is not None
            and self._attributes == other._attributes
            and len(self._objects) == len(other._objects)
            and all(
                one is two
                for one, two in zip(self._objects, other._objects, strict=True)
            )
            and all(map(_equal, self._tensors, other._tensors))
        )


class _Pickler(pickle.Pickler):
    """Sets tensors and code aside, which pickle would copy, or refuse."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        self._code: list[Any] = []
        self._classes: dict[type, None] = {}

    def objects(self) -> list[Any]:
        """Code, and what classes hold: the same objects, or they changed."""
        out = list(self._code)
        for kind in self._classes:
            for attribute in vars(kind).values():
                is_function = isinstance(attribute, FunctionType)
                out.append(attribute.__code__ if is_function else attribute)
        return out

    def reducer_override(self, value: Any) -> Any:
        """What pickle asks for any object that is not built in."""
        if value is _mark:
            return NotImplemented
        if isinstance(value, Tensor):
            if value.layout != torch.strided:
                raise pickle.PicklingError(f'{value.layout} is not compared')
            self.tensors.append(value)
            place = str(value.dtype), str(value.device), tuple(value.shape)
            return _mark, (type(value), *place, value.requires_grad)
        if isinstance(value, nn.Module):
            return _mark, (type(value),), _settings(value)
        if isinstance(value, FunctionType):
            self._code.append(value.__code__)
            captured = [cell.cell_contents for cell in value.__closure__ or ()]
            defaults = value.__defaults__, value.__kwdefaults__
            return _mark, (captured, *defaults, value.__dict__)
        if isinstance(value, type):
            self._code.append(value)
            for kind in value.__mro__:
                if kind.__module__.split('.')[0] not in _LIBRARIES:
                    self._classes[kind] = None
            return _mark, ()
        return NotImplemented


def _mark(*args: Any) -> None:
    """Stands for something in the stream of bytes; nothing is ever read."""


def _settings(module: nn.Module) -> dict[str, Any]:
    """The attributes of a module that its results may depend on."""
    if module._forward_hooks or module._forward_pre_hooks:
        raise pickle.PicklingError('a hook may count on every call')
    return {
        key: value
        for key, value in module.__dict__.items()
        # A graph of torch.fx is compiled to a method of its module's class.
        if not key.endswith('_hooks') and key != '_graph'
    }


def _equal(one: Tensor, two: Tensor) -> bool:
    """By value; their dtypes and shapes are among the attributes."""
    try:
        return torch.equal(one, two)
    except RuntimeError:  # a dtype that cannot be compared
        return False
