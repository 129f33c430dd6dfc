r"""Modules as plain data: the name of a class and its arguments."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from torch import nn
from torch_geometric.nn.aggr import Aggregation

from pyg_multipose.nn import affinity, combination, combination_resolver, loss
from pyg_multipose.nn import models as networks
from pyg_multipose.nn.affinity import PIC50, DeltaG, PKi
from pyg_multipose.nn.loss import GaussianNLLLoss, HuberLoss, MSELoss
from pyg_multipose.nn.models import EquivariantGNN, SchNet

#: A class by its path, and its arguments; the latter are :obj:`None` where a
#: finished module was given.
Recipe = dict[str, Any]
#: What can be given for a module.
Given = str | Mapping[str, Any] | nn.Module

#: The classes that have a short name, by argument.
NAMED: dict[str, tuple[type, ...]] = {
    'model': (EquivariantGNN, SchNet),
    'combination': (),
    'affinity': (PIC50, PKi, DeltaG),
    'loss': (HuberLoss, MSELoss, GaussianNLLLoss),
}
#: What an instance has to be.
_BASES = {
    'model': nn.Module,
    'combination': Aggregation,
    'affinity': nn.Module,
    'loss': nn.Module,
}
#: Where a finished module tells its arguments by attributes of their names.
_TELLING = (combination.__name__, affinity.__name__, loss.__name__)
#: Where the attribute has another name.
_ATTRIBUTES = {'to': 'to_unit'}


def build(what: str, given: Given) -> tuple[nn.Module, Recipe]:
    r"""A module, and what it takes to make it again.

    Args:
        what: The argument: :obj:`"model"`, :obj:`"combination"`,
            :obj:`"affinity"` or :obj:`"loss"`.
        given: The name of a class of the package, the path of any class
            (:obj:`"package.module.Class"`), a mapping of :obj:`class_path`
            and :obj:`init_args`, or a finished module. Arguments that are
            such mappings are modules, too.

    Raises:
        ValueError: If there is no such class, if it is of another kind, if it
            does not take these arguments, or if they are no plain data.
    """
    if isinstance(given, nn.Module):
        return _checked(what, given), _recipe_of(given)
    name, arguments = _read(what, given)
    check_plain(f'{what}.init_args', arguments)
    built = {
        key: _nested(f'{what}.init_args.{key}', value)
        for key, value in arguments.items()
    }
    if what == 'combination' and '.' not in name:
        made: Any = combination_resolver(name, **built)
        path = _path(type(made))
    else:
        cls = _find(what, name)
        path = _path(cls)
        try:
            made = cls(**built)
        except TypeError as error:
            known = list(inspect.signature(cls).parameters)
            raise ValueError(
                f"'{what}' is {path} with {arguments}: {error}. It takes "
                f'{known}'
            ) from error
    return _checked(what, made), {'class_path': path, 'init_args': arguments}


def _nested(where: str, value: Any) -> Any:
    """A module, where an argument is the recipe of one."""
    if not isinstance(value, Mapping) or 'class_path' not in value:
        return value
    if set(value) <= {'class_path', 'init_args'}:
        return build(where, value)[0]
    raise ValueError(
        f"'{where}' has the keys {sorted(value)}, expected 'class_path' and, "
        f"if there are arguments, 'init_args'"
    )


def check_plain(where: str, value: Any) -> None:
    r"""Refuses what a checkpoint cannot hold as plain data.

    Args:
        where: What it is, for the message.
        value: Numbers, texts, :obj:`None`, and lists and dictionaries of
            them.
    """
    if isinstance(value, Mapping):
        for key, one in value.items():
            check_plain(f'{where}.{key}', one)
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            check_plain(f'{where}[{number}]', one)
    elif type(value) not in (bool, int, float, str, type(None)):
        raise ValueError(
            f"'{where}' is a {type(value).__name__}, expected plain data "
            f'(numbers, texts, lists, dictionaries), which checkpoints hold. '
            f'Give a finished module instead, and again when it is loaded'
        )


def _read(what: str, given: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(given, str):
        return given, {}
    if not isinstance(given, Mapping):
        raise ValueError(
            f"'{what}' is a {type(given).__name__}, expected a name, a module "
            f"or a mapping {{'class_path': ..., 'init_args': {{...}}}}"
        )
    extra = set(given) - {'class_path', 'init_args'}
    if extra or not isinstance(given.get('class_path'), str):
        raise ValueError(
            f"'{what}' has the keys {sorted(given)}, expected 'class_path' (a "
            f"text) and, if there are arguments, 'init_args'"
        )
    if given.get('init_args', {}) is None:
        raise ValueError(
            f"'{what}' was a finished {given['class_path']}, whose arguments "
            f'are not known. Build it as then, and pass it: '
            f'MultiPoseModule.load_from_checkpoint(path, {what}=...)'
        )
    return given['class_path'], dict(given.get('init_args', {}))


def _find(what: str, name: str) -> Any:
    named = {cls.__name__: cls for cls in NAMED.get(what, ())}
    by_case = {key.lower(): cls for key, cls in named.items()}
    if name.lower() in by_case:
        return by_case[name.lower()]
    module, _, key = name.rpartition('.')
    found = None
    reason = ''
    if module:
        try:
            found = getattr(importlib.import_module(module), key, None)
        except ImportError as error:
            reason = f' ({error})'
    if not isinstance(found, type):
        near = get_close_matches(name, named, 1, 0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ''
        raise ValueError(
            f"'{what}' is {name!r}, which is no class{reason}{hint} Expected "
            f'one of {list(named)}, or a path such as '
            f"'torch_geometric.nn.SchNet'"
        )
    base = _BASES.get(what, nn.Module)
    if not issubclass(found, base):
        raise ValueError(
            f"'{what}' is {name!r}, which is no subclass of {base.__name__}"
        )
    return found


def _checked(what: str, module: Any) -> nn.Module:
    base = _BASES.get(what, nn.Module)
    if not isinstance(module, base):
        raise ValueError(
            f"'{what}' is a {type(module).__name__}, expected a "
            f'{base.__name__}'
        )
    return module


def _path(cls: type) -> str:
    """The path that users import a class by, as far as it is ours."""
    for public in (networks, combination, affinity, loss):
        if getattr(public, cls.__name__, None) is cls:
            return f'{public.__name__}.{cls.__name__}'
    return f'{cls.__module__}.{cls.__qualname__}'


def _recipe_of(module: nn.Module) -> Recipe:
    """Arguments are only taken for known if they give an equal module."""
    cls = type(module)
    path = _path(cls)
    arguments: dict[str, Any] | None = None
    if path.rpartition('.')[0] in _TELLING:
        try:
            arguments = {
                name: getattr(module, _ATTRIBUTES.get(name, name))
                for name in inspect.signature(cls).parameters
            }
            check_plain('', arguments)
            if repr(cls(**arguments)) != repr(module):
                arguments = None
        except (AttributeError, TypeError, ValueError):
            arguments = None
    return {'class_path': path, 'init_args': arguments}
