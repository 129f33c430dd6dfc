r"""Finds the command, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from pyg_multipose import __version__
from pyg_multipose.cli.nearest import did_you_mean

#: The commands, and what they do.
COMMANDS = {
    'prepare': 'docked poses, a receptor and a table of labels -> a data set',
    'inspect': 'what a data set holds',
    'plan': 'what a training step will take, in time and memory',
    'fit': 'train a model on a data set',
    'bench': 'how fast a training is, after a look that it is right',
    'validate': 'the scores of a trained model, while it is being chosen',
    'test': 'its scores on compounds that it has not seen',
    'predict': 'a trained model + poses or a data set -> tables',
    'export': 'a trained model as a file of safetensors',
    'explain': 'which poses and atoms a prediction rests on',
    'report': 'the page of a training, written once more',
}
#: All went well; the input is at fault; the command is; interrupted.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    r"""Runs a command.

    Args:
        argv: Its name and its options. (default: :obj:`None`, those of the
            process)

    Returns:
        The exit code: 0 if all went well, 1 if files or settings are at
        fault, 2 if the command is, 130 if it was interrupted.

    Example:
        >>> from pyg_multipose.cli import main
        >>> main(['--version'])
        multipose ...
        0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ('-h', '--help'):
        print(_help())
        return OK if arguments else USAGE
    if arguments[0] == '--version':
        print(f'multipose {__version__}')
        return OK
    command, *options = arguments
    if command not in COMMANDS:
        print(
            f'multipose: error: there is no command {command!r}'
            f'{did_you_mean(command, COMMANDS)} Commands are '
            f'{", ".join(COMMANDS)}; see multipose --help',
            file=sys.stderr,
        )
        return USAGE
    with warnings.catch_warnings():
        warnings.showwarning = _show
        try:
            # Missing, it is missed before torch has been loaded.
            importlib.import_module('pyg_multipose.cli.parser')
            run = importlib.import_module(f'pyg_multipose.cli.{command}').run
            run(options)
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else FAILED
        except (ValueError, OSError, ImportError) as error:
            print(f'multipose {command}: error: {error}', file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print(f'multipose {command}: interrupted', file=sys.stderr)
            return INTERRUPTED
    return OK


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        'usage: multipose COMMAND [options]',
        '',
        'Predict affinities from the docked poses of compounds.',
        '',
        'commands:',
        *(f'  {name:{width}}  {what}' for name, what in COMMANDS.items()),
        '',
        'multipose COMMAND --help lists the options of one. A first run:',
        '',
        '  multipose prepare --poses docked/ --receptor receptor.pdb \\',
        '      --labels activity.csv --unit nM --kind IC50 --out campaign',
        '  multipose inspect campaign',
        '  multipose fit --data campaign --out run',
        '  multipose predict --checkpoint run/last.ckpt --poses new.sdf \\',
        '      --receptor campaign --out predictions.csv',
        '',
        'exit codes: 0 all went well, 1 files or settings are at fault, 2 the',
        'command is, 130 interrupted',
    ]
    return '\n'.join(lines)


def _show(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f'multipose: warning: {message}', file=sys.stderr)
