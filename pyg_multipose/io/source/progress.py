"""The progress of a reading."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from pyg_multipose.io.source.sources import Source

#: A progress bar appears after this many seconds.
DELAY = 5.0


def reading_bar(
    sources: Sequence[Source], what: str, progress: bool | None
) -> Any:
    r"""A progress bar of bytes, with the rate and the time left.

    Args:
        sources: The files.
        what: What is done.
        progress: Whether it is shown; if :obj:`None`, on a terminal, after a
            few seconds.
    """
    return tqdm(
        total=sum(source.path.stat().st_size for source in sources),
        unit='B',
        unit_scale=True,
        desc=what,
        file=sys.stderr,
        delay=0.0 if progress else DELAY,
        disable=None if progress is None else not progress,
    )
