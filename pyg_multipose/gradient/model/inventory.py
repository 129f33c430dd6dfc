"""The modules and parameters of a model, found once while they stay."""

from __future__ import annotations

from operator import is_

import torch
from torch import nn

from pyg_multipose.gradient.model.requirements import check_model, modules_of
from pyg_multipose.gradient.replay.parameters import Parameters


class Inventory:
    r"""All modules of a model and the places of its parameters, checked.

    Args:
        model: The single-pose model.

    Raises:
        ValueError: As :func:`check_model`.
    """

    def __init__(self, model: nn.Module) -> None:
        every = list(model.modules())
        check_model(model, every)
        #: Its modules, less those that are compiled code, itself first.
        self.modules = modules_of(every)
        self.parameters = Parameters(self.modules)
        self._model = model
        # Others may tell of modules that they do not hold.
        self._can_hold = len(every) == len(self.modules) and all(
            type(module).named_modules is nn.Module.named_modules
            and not isinstance(module, torch.jit.ScriptModule)
            for module in every
        )
        if self._can_hold:
            self._names, self._objects = _contents(self.modules)

    def holds(self, model: nn.Module) -> bool:
        r"""Whether a model has these very modules and parameters, by name.

        To look at what is known takes less than to walk through it.

        Args:
            model: The model.
        """
        if model is not self._model or not self._can_hold:
            return False
        names, objects = _contents(self.modules)
        return (
            len(objects) == len(self._objects)
            and all(map(is_, objects, self._objects))
            and names == self._names
        )


def _contents(modules: list[nn.Module]) -> tuple[list[str], list[object]]:
    """Names of parameters; their objects, and those of modules."""
    names: list[str] = []
    objects: list[object] = []
    for module in modules:
        values = module.__dict__
        objects.append(module.__class__)
        if values['_modules']:
            objects += values['_modules'].values()
        if values['_parameters']:
            names += values['_parameters']
            objects += values['_parameters'].values()
        objects.append(None)  # where the next one begins
    return names, objects
