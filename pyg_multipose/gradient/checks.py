"""What a single-pose model must be, to run in chunks and passes."""

from __future__ import annotations

from torch import nn


def input_names(inputs: str | None) -> list[str] | None:
    r"""Reads :obj:`"z, pos, batch"`.

    Args:
        inputs: Names, comma-separated.
    """
    if inputs is None:
        return None
    names = [name.strip() for name in inputs.split(',')]
    if not all(name.isidentifier() for name in names):
        raise ValueError(
            f'inputs={inputs!r} is not a list of attribute names such as '
            f"'z, pos, batch'"
        )
    return names


def check_model(model: nn.Module) -> None:
    r"""Refuses modules that cannot run in chunks and passes.

    Args:
        model: The single-pose model.
    """
    for name, module in model.named_modules():
        kind = type(module).__name__
        if isinstance(module, nn.parallel.DistributedDataParallel):
            raise ValueError(
                f"'{name or 'model'}' is a DistributedDataParallel, which "
                f'counts on one forward per backward. Wrap the whole '
                f'MultiPoseReadout instead'
            )
        if isinstance(module, nn.SyncBatchNorm):
            raise ValueError(
                f"'{name}' is a SyncBatchNorm, whose ranks would wait for "
                f'each other in different chunks. Use a normalisation '
                f'without batch statistics'
            )
        for key, parameter in module._parameters.items():
            if isinstance(parameter, nn.parameter.UninitializedParameter):
                raise ValueError(
                    f"'{name}.{key}' ({kind}) is not initialised yet. Run "
                    f'the single-pose model once on a batch first'
                )
