"""What is known of a record without any chemistry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from pyg_multipose.data import MovedAtoms
from pyg_multipose.io.flexible.flexible_residues import FlexibleResidues
from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.poses.facts import Facts, FileFacts
from pyg_multipose.io.poses.grouping import Grouping
from pyg_multipose.io.poses.score_readers import FileName
from pyg_multipose.io.poses.score_table import (
    OpenScoreTable,
    ScoreTable,
    open_table,
)
from pyg_multipose.io.poses.scores import Score, read_value, value_of
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.diffdock import CONFIDENCE
from pyg_multipose.io.source.sources import Source

#: Data items, and names of files, that advice is given from.
MAX_ITEMS = 50
#: The longest text that advice is given from.
MAX_TEXT = 10_000
#: Glide's mark of the record that holds the receptor.
_GLIDE_RECEPTOR = 'b_glide_receptor'


@dataclass(frozen=True)
class Named:
    r"""What is known of a record without any chemistry.

    Args:
        name: The id of its set.
        scores: The scores that it has.
        unread: Why it has no others.
        has_score: Whether a record like it is a pose.
        moved: The atoms of the receptor that are elsewhere, or why that
            cannot be told.
    """

    name: str
    scores: dict[str, float]
    unread: dict[str, str]
    has_score: bool
    moved: MovedAtoms | Rejected | None


@dataclass
class Namer:
    r"""Tells what records are, by their text.

    Args:
        grouping: The rule of the ids.
        scores: The scores to look for, by name.
        report: Where everything is counted.
        flexible: The flexible residues of the poses.
    """

    grouping: Grouping
    scores: Mapping[str, Score]
    report: Report
    flexible: FlexibleResidues
    #: What the texts of all records say together.
    facts: Facts = field(default_factory=Facts)
    #: The tables that scores are read from, by the names of these.
    tables: dict[str, OpenScoreTable] = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {
            name: open_table(score.read)
            for name, score in self.scores.items()
            if isinstance(score.read, ScoreTable)
        }

    def named(
        self, record: Record, source: Source, facts: FileFacts
    ) -> Named | None:
        r"""Finds out which set a record belongs to, and counts it.

        Args:
            record: The record.
            source: Its file.
            facts: Those of its file.

        Returns:
            What its text says; :obj:`None` if it belongs to none, which the
            report says then.
        """
        facts.seen += 1
        try:
            if source.is_copy:
                raise Rejected(
                    "DiffDock's copy of a pose",
                    'another file of this rank has the confidence',
                )
            self._note(record, source)
            has_score = any(name in record.items for name in self.scores)
            has_score |= source.format.score in record.items
            if source.has_output and not has_score:
                raise Rejected(
                    'not a pose', 'the input of docking: its output is beside'
                )
            self._add_implied(record, source, has_score)
            if record.problem is not None:
                raise Rejected(*record.problem)
            if _is_true(record.items.get(_GLIDE_RECEPTOR, [])):
                raise Rejected('not a pose', "Glide's record of the receptor")
            name = record.ligand_id = self.grouping.id_of(record, source)
        except Rejected as error:
            self.reject(record, error)
            return None
        scores, unread = self._scores(record)
        self.facts.met.update(dict.fromkeys(scores))
        # A name has the score of one pose; the others are poses, too.
        has_score = bool(scores) or any(
            isinstance(score.read, FileName) for score in self.scores.values()
        )
        facts.add(record.number, name, has_score)
        return Named(
            name, scores, unread, has_score, self._moved(record, source)
        )

    def _moved(
        self, record: Record, source: Source
    ) -> MovedAtoms | Rejected | None:
        try:
            moved = self.flexible.moved(record, source)
        except Rejected as error:
            return error
        if moved is not None:
            if self.facts.moved is None:
                self.facts.moved = set()
            self.facts.moved.update(torch.as_tensor(moved.index).tolist())
        return moved

    def reject(self, record: Record, error: Rejected) -> None:
        r"""Notes that a record is left out.

        Args:
            record: The record.
            error: Why.
        """
        self.report.drop(
            record.file,
            record.number,
            record.title,
            error.reason,
            error.detail,
        )

    def _add_implied(
        self, record: Record, source: Source, has_score: bool
    ) -> None:
        """Scores that a format has by itself, whether or not they are there.

        Without a value, they are missing.
        """
        name = source.diffdock
        if name is not None and name.confidence is not None:
            # It is of one pose, which is what DiffDock writes.
            first = record.number == 1
            record.items[CONFIDENCE] = [name.confidence] if first else []
        elif name is not None and not has_score:
            record.items[CONFIDENCE] = []
        elif source.format.score is not None and not has_score:
            record.items[source.format.score] = []

    def _note(self, record: Record, source: Source) -> None:
        facts = self.facts
        if len(facts.items) < MAX_ITEMS:
            for name, values in record.items.items():
                facts.items.setdefault(name, ''.join(values[:1])[:MAX_TEXT])
        if record.number == 1 and len(facts.stems) < MAX_ITEMS:
            facts.stems.append(source.stem)

    def _scores(
        self, record: Record
    ) -> tuple[dict[str, float], dict[str, str]]:
        """The scores that a record has, and why it has no others."""
        scores: dict[str, float] = {}
        unread: dict[str, str] = {}
        for name, score in self.scores.items():
            if score.read is not None:
                read = self.tables.get(name, score.read)
                assert not isinstance(read, ScoreTable)
                value, why = read_value(read, record)
            elif name in record.items:
                value, why = value_of(record.items[name])
            else:
                continue
            if why:
                unread[name] = why
            if score.read is None or not why:
                scores[name] = value
            if not why and not score.range[0] <= value <= score.range[1]:
                record.notes.append(
                    (
                        'score out of range',
                        f'{name} is {value:g}, expected {score.range[0]:g} to '
                        f'{score.range[1]:g} {score.unit}',
                    )
                )
        return scores, unread


def _is_true(values: Iterable[str]) -> bool:
    return any(value.strip().lower() in ('1', 'true') for value in values)
