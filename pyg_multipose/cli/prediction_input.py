r"""The sets that `predict` predicts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyg_multipose import __version__
from pyg_multipose.campaign import checksum
from pyg_multipose.cli.data_set import is_data_set, open_data, receptor_of
from pyg_multipose.data import PoseSet
from pyg_multipose.loader import set_sizes


@dataclass(frozen=True)
class PredictionInput:
    r"""A data set, or files of poses; it can be sent to other processes.

    Args:
        paths: A data set, or files or folders of poses.
        receptor: For poses, a structure or a data set.
        group_by: For poses, as of :func:`~pyg_multipose.io.read_poses`.
        pattern: As above.
        template: As above.
        hydrogens: As above.
    """

    paths: tuple[str, ...]
    receptor: str | None = None
    group_by: str | None = None
    pattern: str | None = None
    template: str | None = None
    hydrogens: bool = False

    @property
    def is_data_set(self) -> bool:
        r"""Whether it is a data set, and not of poses."""
        return len(self.paths) == 1 and is_data_set(self.paths[0])

    def absolute(self) -> PredictionInput:
        r"""The same, whatever the folder a process works in."""
        return replace(
            self,
            paths=tuple(map(_absolute, self.paths)),
            receptor=self.receptor and _absolute(self.receptor),
            template=self.template and _absolute(self.template),
        )

    def open(self) -> Sequence[PoseSet]:
        r"""The sets.

        Raises:
            ValueError: If there are none, or options do not fit.
            OSError: If a file is missing.
        """
        if self.is_data_set:
            if self.receptor is not None:
                raise ValueError(
                    f"--receptor is for poses; '{self.paths[0]}' is a data "
                    f'set and has its own'
                )
            return open_data(self.paths[0]).sets
        from pyg_multipose.io import read_poses, read_receptor

        receptor = name = None
        if self.receptor is not None and is_data_set(self.receptor):
            receptor, name = receptor_of(open_data(self.receptor))
        elif self.receptor is not None:
            receptor = read_receptor(self.receptor, hydrogens=self.hydrogens)
        poses = read_poses(
            list(self.paths),
            group_by=self.group_by,
            pattern=self.pattern,
            template=self.template,
            receptor=receptor,
            receptor_name=name,
            hydrogens=self.hydrogens,
        )
        print(poses.report)
        if not len(poses):
            raise ValueError('No pose could be read; see above')
        return poses

    def fingerprint(self, sets: Any) -> dict[str, Any]:
        r"""What tells the content from another one.

        Args:
            sets: What :meth:`open` gave.
        """
        if self.is_data_set:
            known = getattr(sets, 'fingerprint', None)
            content = known() if known else f'bundled with {__version__}'
            return {'sets': len(sets), 'content': content}
        files = [file for of_set in sets.records for file, _ in of_set]
        more = filter(None, (self.template, self.receptor))
        files += [file for file in more if Path(file).is_file()]
        return {
            **asdict(self),
            'paths': list(self.paths),
            'sets': len(sets),
            'content': {file: checksum(file) for file in dict.fromkeys(files)},
        }


def _absolute(path: str) -> str:
    return os.path.abspath(path) if os.path.exists(path) else path


def poses_of(sets: Any) -> np.ndarray[Any, Any]:
    r"""The number of poses of each set.

    Args:
        sets: The sets.
    """
    return set_sizes(sets)[:, 2].numpy()
