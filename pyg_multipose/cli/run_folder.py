r"""The folder of a run: new, to go on with, or finished."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pyg_multipose import __version__
from pyg_multipose.campaign import atomic_file, checksum, remove_leftovers
from pyg_multipose.cli.parser import Namespace, plain_options, write
from pyg_multipose.cli.places import new_folder
from pyg_multipose.train.atomic_checkpoints import LAST, PREVIOUS
from pyg_multipose.train.checkpoint import read_checkpoint
from pyg_multipose.train.run_checkpoints import RunCheckpoints

#: The options, the parts, what was logged, and what says that all is done.
CONFIG, SPLIT, METRICS = 'config.yaml', 'split.csv', 'metrics.csv'
DONE = 'finished.json'
#: Options that do not make another run.
FREE = ('config', 'out', 'progress', 'num_workers', 'dry_run', 'logger')


class RunFolder:
    r"""The folder of a run.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(
        cls, options: Namespace, defaults: Mapping[str, Any]
    ) -> RunFolder:
        r"""Makes a folder, or goes on with that of the same run.

        Args:
            options: All options, completed.
            defaults: What options are that the run was begun without.

        Raises:
            FileExistsError: If it is the folder of another run, or holds
                other files.
            PermissionError: If it cannot be written to.
        """
        run = cls(Path(options.out))
        if not (run.path / CONFIG).is_file():
            if run.path.is_dir():
                remove_leftovers(run.path)
            new_folder(options.out)
            write(options, run.path / CONFIG)
            return run
        found = yaml.safe_load((run.path / CONFIG).read_text('utf-8'))
        there = {**defaults, **found}
        here = plain_options(options)
        differ = [
            key
            for key in here
            if key not in FREE and there.get(key) != here.get(key)
        ]
        if len(differ) > 1 and 'model_args' in differ:
            differ.remove('model_args')  # mostly follows from the others
        if differ:
            shown = '; '.join(
                f'{key}: {there.get(key)!r} there, {here.get(key)!r} here'
                for key in differ
            )
            raise FileExistsError(
                f"'{run.path}' holds another run ({shown}). Choose another "
                f'--out'
            )
        remove_leftovers(new_folder(options.out, force=True))
        return run

    @property
    def finished(self) -> bool:
        r"""Whether all is done."""
        return (self.path / DONE).is_file()

    def checkpoint(self) -> tuple[Path, dict[str, Any]] | None:
        r"""Where to go on from: the last checkpoint that can be read.

        Returns:
            Its path and its content, or :obj:`None` at the beginning.

        Raises:
            ValueError: If there are some, and none can be read.
        """
        last, previous = self.path / LAST, self.path / PREVIOUS
        damaged = []
        for path in (last, previous):
            if not path.is_file():
                continue
            try:
                found = read_checkpoint(path, 'cpu')
            except ValueError as error:
                damaged.append(str(error))
                continue
            if path == previous:
                if damaged:
                    warnings.warn(
                        f'{damaged[0]}. The run goes on from {PREVIOUS}, the '
                        f'one before',
                        UserWarning,
                        stacklevel=2,
                    )
                path.replace(last)
            return last, found
        if damaged:
            raise ValueError(
                f"No checkpoint in '{self.path}' can be read: "
                f'{"; ".join(damaged)}. Choose another --out to train anew'
            )
        return None

    def finish(self, scores: Mapping[str, Any]) -> None:
        r"""Says that all is done, with a checksum of each file.

        Args:
            scores: What the model was found to be worth.
        """
        (self.path / PREVIOUS).unlink(missing_ok=True)
        files = sorted(
            path
            for path in self.path.iterdir()
            if path.is_file() and not path.name.startswith('.')
        )
        content = {
            'version': 1,
            'package': __version__,
            'scores': dict(scores),
            'files': {path.name: checksum(path) for path in files},
        }
        with atomic_file(self.path / DONE, 'w', encoding='utf-8') as file:
            json.dump(content, file, indent=1)


def training_is_over(checkpoint: Mapping[str, Any]) -> bool:
    r"""Whether a checkpoint is that of the end of a training.

    Args:
        checkpoint: Its content.
    """
    states = checkpoint.get('callbacks', {})
    return bool(states.get(RunCheckpoints.__name__, {}).get('finished'))
