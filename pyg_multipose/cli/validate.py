r"""multipose validate: scores of a part of the data."""

from __future__ import annotations

from collections.abc import Sequence

from pyg_multipose.cli.nearest import did_you_mean
from pyg_multipose.cli.parser import Parser
from pyg_multipose.cli.scoring import add_options, score
from pyg_multipose.cli.trainer import quiet

#: What can be scored.
PARTS = ('valid', 'train', 'test', 'all')


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'validate',
        'Scores a model on a part of a data set: errors and correlations, '
        'overall and by target. Of other data than those of the run, sets '
        'that were in the training are left out.',
    )
    add_options(out)
    out.add_argument(
        '--part',
        type=str,
        default='valid',
        metavar='|'.join(PARTS),
        help='The part of the run, or all sets.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Prints scores.

    Args:
        argv: The options.

    Raises:
        ValueError: If the checkpoint or the data do not fit.
        OSError: If a file is missing, or the place cannot be written to.
    """
    options = parser().read(argv)
    if options.part not in PARTS:
        raise ValueError(
            f'--part {options.part!r} is none of {list(PARTS)}'
            f'{did_you_mean(options.part, PARTS)}'
        )
    quiet()
    score(options, options.part)
