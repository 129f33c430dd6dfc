r"""multipose test: scores on sets that a model has not seen."""

from __future__ import annotations

from collections.abc import Sequence

from pyg_multipose.cli.parser import Parser
from pyg_multipose.cli.scoring import add_options, score
from pyg_multipose.cli.trainer import quiet


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'test',
        'Scores a model on sets that it has not seen, with 95 % intervals: '
        'the part of the run to test on, or, of other data, all sets that '
        'were not in the training. Those that were are named.',
    )
    add_options(out)
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
    quiet()
    score(options, 'test')
