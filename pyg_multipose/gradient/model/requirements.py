"""What a single-pose model must be, to run in chunks and passes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch_geometric.data import Data


def input_names(inputs: str | None) -> list[str] | None:
    r"""Reads :obj:`"z, pos, batch"`.

    Args:
        inputs: Names, comma-separated.
    """
    if inputs is None:
        return None
    if not isinstance(inputs, str):
        raise ValueError(
            f'inputs={inputs!r} is a {type(inputs).__name__}, expected one '
            f"string of attribute names such as 'z, pos, batch'"
        )
    names = [name.strip() for name in inputs.split(',')]
    if not all(name.isidentifier() for name in names):
        raise ValueError(
            f'inputs={inputs!r} is not a list of attribute names such as '
            f"'z, pos, batch'"
        )
    return names


def modules_of(modules: Iterable[nn.Module]) -> list[nn.Module]:
    r"""Modules, less those that torch.jit.script compiled.

    These are compiled code, and have no parameters (:func:`check_model`).

    Args:
        modules: All modules of a model, itself first.
    """
    return [
        module
        for number, module in enumerate(modules)
        if not (number and isinstance(module, torch.jit.ScriptModule))
    ]


def check_model(
    model: nn.Module, modules: Iterable[nn.Module] | None = None
) -> None:
    r"""Refuses modules that cannot run in chunks and passes.

    Args:
        model: The single-pose model.
        modules: All of its modules. (default: :obj:`None`, asked for)
    """
    for module in model.modules() if modules is None else modules:
        if isinstance(module, DistributedDataParallel):
            raise ValueError(
                f"'{_name(model, module)}' is a DistributedDataParallel, "
                f'which counts on one forward per backward. Wrap the whole '
                f'MultiPoseReadout instead'
            )
        if isinstance(module, nn.SyncBatchNorm):
            raise ValueError(
                f"'{_name(model, module)}' is a SyncBatchNorm, whose ranks "
                f'would wait for each other in different chunks. Use a '
                f'normalisation without batch statistics'
            )
        if isinstance(module, torch.jit.ScriptModule):
            if next(module.parameters(), None) is not None:
                raise ValueError(
                    f"'{_name(model, module)}' was compiled by "
                    f'torch.jit.script, whose parameters a second pass '
                    f'cannot put its own in the place of. Use the module as '
                    f'it was before, or torch.compile'
                )
            continue
        if not module._parameters and not module._buffers:
            continue
        tensors: dict[str, Any] = {**module._parameters, **module._buffers}
        for key, tensor in tensors.items():
            if nn.parameter.is_lazy(tensor):
                raise ValueError(
                    f"'{_name(model, module)}.{key}' "
                    f'({type(module).__name__}) is not initialised yet. '
                    f'Run the single-pose model once on a batch first'
                )


def _name(model: nn.Module, module: nn.Module) -> str:
    names = (name for name, one in model.named_modules() if one is module)
    return next(names) or 'model'


def check_inputs(model: nn.Module, inputs: str | None) -> None:
    r"""Refuses a way of calling the model that cannot work.

    Args:
        model: The single-pose model.
        inputs: Names of attributes of the batch, comma-separated.
    """
    names = input_names(inputs)
    if names is not None:
        return
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):  # not written in Python
        return
    required = [
        parameter.name
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty
        and parameter.kind
        in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
    ]
    if len(required) > 1:
        raise ValueError(
            f'{type(model).__name__} is called with {required}, not with a '
            f'batch. Name the attributes of the batch that it takes, such as '
            f'inputs="{", ".join([*required, "batch"])}"'
        )


def attribute(graphs: Data, name: str) -> Any:
    r"""An attribute of poses that a model is called with.

    Args:
        graphs: Poses as graphs.
        name: Its name.
    """
    value = getattr(graphs, name, None)
    if value is None:
        raise ValueError(
            f"inputs names '{name}', which the poses do not have; they have "
            f'{sorted(graphs.keys())}'
        )
    return value


def device_of(
    pose_set: Data, parameters: Sequence[Tensor]
) -> torch.device | None:
    r"""Where the model runs; a batch may stay on the host.

    Args:
        pose_set: A batch.
        parameters: Those of the model.

    Returns:
        The device, or :obj:`None` if the batch is no pose set.
    """
    sizes = pose_set.stores[0].get('pose_size')
    if sizes is None:
        return None  # the layout tells what is wrong
    home = sizes.device
    devices = (tensor.device for tensor in parameters)
    first = next(devices, home)
    if first == home or home in devices:
        return home
    if home.type == 'cpu':
        return first
    if first.type == 'cpu':
        raise ValueError(
            f'The batch is on {home} and the single-pose model on '
            f'{first}. Put both on one device, or leave the batch on the '
            f'CPU, from where chunks of poses go to the model'
        )
    return home
