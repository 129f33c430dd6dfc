r"""The options of a command that works in shards."""

from __future__ import annotations

from pyg_multipose.cli.parser import Parser


def add_campaign(out: Parser) -> None:
    r"""Adds the options of work in shards.

    Args:
        out: What they are added to.
    """
    add = out.add_argument
    add(
        '--processes',
        type=str | int,
        default='auto',
        metavar='auto|N',
        help='How many processes of this machine work, each with one thread. '
        'With auto, all cores do where that saves time.',
    )
    add(
        '--shard',
        type=str | None,
        default=None,
        metavar='I/N',
        help='Do the I-th of N parts only, from 1 on: the others are done by '
        'the same command on other machines. "auto" is the task of a Slurm '
        'array or the rank of torchrun.',
    )
    add(
        '--scheduler',
        type=str | None,
        default=None,
        metavar='ADDRESS',
        help='Let the workers of a Dask scheduler work, such as '
        'tcp://host:8786.',
    )
    add(
        '--dry_run',
        type=bool,
        default=False,
        nargs='?',
        const=True,
        help='Say what would be done, but do nothing.',
    )
