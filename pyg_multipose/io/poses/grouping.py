"""Which set a pose belongs to."""

from __future__ import annotations

import re

from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.report import Rejected
from pyg_multipose.io.source.sources import Source


class Grouping:
    r"""The rule that gives each record the id of its set.

    Args:
        by: :obj:`"title"`, :obj:`"file"`, :obj:`"folder"`, or the name of a
            data item. If :obj:`None`, the folder for files of DiffDock, the
            file for PDBQT, and the title for all others.
            (default: :obj:`None`)
        pattern: A regular expression that has to match all of the title (or
            whatever is asked); the id is its first group, or all of it if
            there is none. (default: :obj:`None`)
    """

    def __init__(
        self, by: str | None = None, pattern: str | None = None
    ) -> None:
        if by is not None and (not isinstance(by, str) or not by.strip()):
            raise ValueError(
                f"group_by is 'title', 'file', 'folder' or the name of a "
                f'data item, got {by!r}'
            )
        self.by = by
        self._pattern = None if pattern is None else re.compile(pattern)

    def rule(self, source: Source) -> str:
        r"""What decides for a file.

        Args:
            source: The file.
        """
        if self.by is not None:
            return self.by
        if source.diffdock is not None:
            return 'folder'
        return source.format.group_by

    def id_of(self, record: Record, source: Source) -> str:
        r"""The id of the set of a record.

        Args:
            record: The record.
            source: Its file.

        Raises:
            Rejected: If the record has no id. An empty one never makes a set.
        """
        rule = self.rule(source)
        if rule == 'file':
            text = source.stem
        elif rule == 'folder':
            text = source.folder
        elif rule == 'title':
            text = record.title
        else:
            text = self._item(record, rule)
        return self.named(text, rule)

    def named(self, text: str, rule: str) -> str:
        r"""The id that a text holds.

        Args:
            text: The text.
            rule: What it is, for messages.

        Raises:
            Rejected: If it holds no id.
        """
        text = text.strip()
        if not text:
            raise Rejected(
                f'empty {rule}',
                "so it belongs to no set; pass group_by='file' or the name of "
                'a data item',
            )
        if self._pattern is None:
            return text
        match = self._pattern.fullmatch(text)
        if match is None:
            raise Rejected(
                'pattern does not match',
                f'{self._pattern.pattern!r} and {rule} {text!r}',
            )
        found = match[1] if self._pattern.groups else match[0]
        if not (found or '').strip():
            raise Rejected('empty id', f'of the {rule} {text!r}')
        return found.strip()

    def _item(self, record: Record, name: str) -> str:
        values = {value.strip() for value in record.items.get(name, [])}
        if not values:
            raise Rejected(
                f"no data item '{name}'", f'it has {sorted(record.items)}'
            )
        if len(values) > 1 or '\n' in max(values):
            raise Rejected(f"several values of '{name}'", f'{sorted(values)}')
        return values.pop()
