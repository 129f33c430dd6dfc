r"""multipose report: the page of a run, once more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from pyg_multipose.cli.data_set import open_data
from pyg_multipose.cli.parser import Parser
from pyg_multipose.cli.reporting import report_run


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'report',
        'Writes report.html of a run once more, from the files in its folder '
        'and the data set.',
    )
    add = out.add_argument
    add(
        '--run',
        type=str,
        required=True,
        metavar='FOLDER',
        help='The folder that multipose fit has written.',
    )
    add(
        '--data',
        type=str | None,
        default=None,
        metavar='FOLDER',
        help='Where the data set is now. (where it was, if not given)',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Writes the page.

    Args:
        argv: The options.

    Raises:
        FileNotFoundError: If there is no run, or no data set.
    """
    options = parser().read(argv)
    folder = Path(options.run)
    data = options.data
    if data is None:
        config = folder / 'config.yaml'
        if not config.is_file():
            raise FileNotFoundError(
                f"'{folder}' is not the folder of a run: it has no config.yaml"
            )
        data = yaml.safe_load(config.read_text(encoding='utf-8'))['data']
    print(f"'{report_run(folder, open_data(data))}' is written")
