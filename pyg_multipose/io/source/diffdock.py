"""Names of the files that DiffDock writes, one pose each."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The score that DiffDock writes into the name of a file.
CONFIDENCE = 'confidence'

# rank1_confidence-0.22.sdf; the minus sign is part of the number.
_NAME = re.compile(
    r'rank(?P<rank>\d{1,9})(_confidence_?(?P<confidence>.*?))?\.sd(f|f\.?gz|f?z)',
    re.IGNORECASE,
)
_FRAMES = re.compile(r'rank\d+_reverseprocess\.pdb', re.IGNORECASE)


@dataclass(frozen=True)
class PoseName:
    r"""What the name of a file of DiffDock says.

    Args:
        rank: The rank of the pose in its run, from 1.
        confidence: The confidence as it is written; :obj:`None` if the name
            has none, as that of the copy of the best pose.
    """

    rank: int
    confidence: str | None


def parse_name(name: str) -> PoseName | None:
    r"""Reads the name of a file, :obj:`None` if it is not of DiffDock.

    Args:
        name: The name, without its folder.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return PoseName(int(match['rank']), match['confidence'])


def is_animation(name: str) -> bool:
    r"""Whether a file holds the frames of DiffDock's sampling.

    Args:
        name: The name, without its folder.
    """
    return _FRAMES.fullmatch(name) is not None
