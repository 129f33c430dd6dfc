r"""Which shards of a campaign a process is to do."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    r"""Part :obj:`index` of :obj:`count` of a campaign.

    A campaign is cut by its content; this says who does which of the shards,
    and nothing of the result depends on it.

    Args:
        index: Which part, from 1 on.
        count: How many there are.

    Raises:
        ValueError: If there is no such part.

    Example:
        >>> from pyg_multipose.campaign import Shard
        >>> Shard.parse('3/20').of(50)
        range(2, 50, 20)
        >>> variables = {'RANK': '0', 'WORLD_SIZE': '4'}
        >>> str(Shard.parse('auto', variables))
        '1/4'
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(
                f'--shard {self}: there is no such part; of {self.count} the '
                f'first is 1/{max(self.count, 1)} and the last '
                f'{max(self.count, 1)}/{max(self.count, 1)}'
            )

    def __str__(self) -> str:
        return f'{self.index}/{self.count}'

    @classmethod
    def parse(
        cls, text: str, environ: Mapping[str, str] | None = None
    ) -> Shard:
        r"""Reads a part.

        Args:
            text: :obj:`"i/n"`; or :obj:`"auto"`, that of the task of a Slurm
                array, or of the rank that torchrun gave.
            environ: The variables of the environment.
                (default: :obj:`None`, those of this process)

        Raises:
            ValueError: If it is none.
        """
        if text == 'auto':
            return cls._of(os.environ if environ is None else environ)
        found = re.fullmatch(r'\s*(\d+)\s*/\s*(\d+)\s*', text)
        if not found:
            raise ValueError(
                f'--shard {text}: expected i/n, such as 3/20, or auto'
            )
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def _of(cls, environ: Mapping[str, str]) -> Shard:
        def read(name: str, default: str = '') -> int:
            text = environ.get(name, default)
            if not text.isdigit():
                raise ValueError(
                    f'--shard auto: the variable {name} is {text!r}, expected '
                    f'a number'
                )
            return int(text)

        if 'SLURM_ARRAY_TASK_ID' in environ:
            first = read('SLURM_ARRAY_TASK_MIN')
            step = read('SLURM_ARRAY_TASK_STEP', '1') or 1
            number = read('SLURM_ARRAY_TASK_ID')
            count = read('SLURM_ARRAY_TASK_COUNT')
            return cls(1 + (number - first) // step, count)
        if 'WORLD_SIZE' in environ:
            return cls(1 + read('RANK'), read('WORLD_SIZE'))
        raise ValueError(
            '--shard auto: this is no task of a Slurm array and no rank of '
            'torchrun; say which part it is, such as --shard 3/20'
        )

    def of(self, number: int) -> range:
        r"""Which shards are those of the part.

        Args:
            number: How many shards there are.
        """
        return range(self.index - 1, number, self.count)
