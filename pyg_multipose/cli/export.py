r"""multipose export: a model without its training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyg_multipose.cli.parser import Parser
from pyg_multipose.cli.places import check_file
from pyg_multipose.cli.trainer import quiet
from pyg_multipose.train import MultiPoseModule
from pyg_multipose.train.checkpoint import read_checkpoint
from pyg_multipose.train.safetensors_file import SUFFIX, write_safetensors


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'export',
        'Writes a model as a file of safetensors: weights and what is known '
        'of the model, without the state of its training. All commands that '
        'take a checkpoint take it.',
    )
    add = out.add_argument
    add(
        '--checkpoint',
        type=str,
        required=True,
        metavar='FILE',
        help='A model, such as last.ckpt in the folder of a run.',
    )
    add(
        '--out',
        type=str,
        required=True,
        metavar='FILE',
        help=f'The file; its name ends in {SUFFIX}.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Writes the file.

    Args:
        argv: The options.

    Raises:
        ValueError: If the checkpoint is none, or the name of the file does
            not say what it is.
        OSError: If a file is missing, or the place cannot be written to.
    """
    options = parser().read(argv)
    if Path(options.out).suffix != SUFFIX:
        raise ValueError(f"--out '{options.out}' has to end in {SUFFIX}")
    out = check_file(options.out)
    quiet()
    # Refuses what could not be loaded again.
    module = MultiPoseModule.load_from_checkpoint(options.checkpoint)
    write_safetensors(read_checkpoint(options.checkpoint, 'cpu'), out)
    count = sum(one.numel() for one in module.parameters())
    print(f"'{out}' is written: {count} weights, in {module.unit}")
