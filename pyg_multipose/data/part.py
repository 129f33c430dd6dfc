"""A part of a pose set: its receptor, or a pose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pyg_multipose.data.levels import Level


@dataclass(frozen=True, eq=False)
class Part:
    r"""The receptor, or what a pose has of its own.

    Args:
        where: How messages call it.
        values: Its values by key.
        size: The number of its atoms.
        level: The level of each key.
        bonds: Bonds with atoms of the receptor, by key; in their index, -1
            is the receptor's first atom, -2 its second, and so on.
    """

    where: str
    values: dict[str, Any]
    size: int
    level: dict[str, Level]
    bonds: dict[str, Tensor] = field(default_factory=dict)

    def on(self, level: str) -> list[str]:
        r"""Its keys on a level.

        Args:
            level: The level.
        """
        return [key for key in self.values if self.level.get(key) == level]
