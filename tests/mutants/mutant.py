"""A small fault in the package, and the tests that have to notice it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    r"""A fault that somebody could make.

    Args:
        name: What is wrong with it.
        file: The file, below :obj:`pyg_multipose`.
        old: Text of the file that occurs exactly once.
        new: What stands there instead.
        tests: The tests of its subject, below :obj:`tests`: files, or tests
            of a file as pytest names them. Those that notice it soonest come
            first.
    """

    name: str
    file: str
    old: str
    new: str
    tests: Sequence[str]

    def changed(self, package: Path) -> str | None:
        r"""The file with the fault; :obj:`None` if it does not apply.

        Args:
            package: The folder of the package.
        """
        path = package / self.file
        if not path.exists():
            return None
        text = path.read_text(encoding='utf-8')
        if text.count(self.old) != 1:
            return None
        out = text.replace(self.old, self.new)
        try:
            ast.parse(out)
        except SyntaxError:  # a fault that everybody sees is none
            return None
        return out
