"""Reads the records of one file into poses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch

from pyg_multipose.data import MovedAtoms
from pyg_multipose.io.flexible.flexible_residues import FlexibleResidues
from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import Ligand, check_radicals
from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.compound import Pose
from pyg_multipose.io.poses.facts import Facts, FileFacts
from pyg_multipose.io.poses.grouping import Grouping
from pyg_multipose.io.poses.score_readers import FileName
from pyg_multipose.io.poses.score_table import (
    OpenScoreTable,
    ScoreTable,
    open_table,
)
from pyg_multipose.io.poses.scores import Score, read_value, value_of
from pyg_multipose.io.poses.streams import changed
from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Phase, Rejected, Report
from pyg_multipose.io.source.diffdock import CONFIDENCE
from pyg_multipose.io.source.sources import Source
from pyg_multipose.io.source.text_file import TextFile

#: Data items, and names of files, that advice is given from.
MAX_ITEMS = 50
#: The longest text that advice is given from.
MAX_TEXT = 10_000
#: Glide's mark of the record that holds the receptor.
_GLIDE_RECEPTOR = 'b_glide_receptor'
_BACKBONE = Chem.MolFromSmarts('NCC(=O)NCC(=O)NCC(=O)')


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
class _Entry:
    """A record that was read, until the rest of its file is known."""

    pose: Pose
    name: str
    has_score: bool


@dataclass
class Reader:
    r"""Reads files into poses by the id of their set.

    Args:
        grouping: The rule of the ids.
        templates: The templates.
        scores: The scores to look for, by name.
        report: Where everything is counted.
        flexible: The flexible residues of the poses.
    """

    grouping: Grouping
    templates: Templates
    scores: Mapping[str, Score]
    report: Report
    flexible: FlexibleResidues
    #: The poses of each id.
    sets: dict[str, list[Pose]] = field(default_factory=dict)
    #: What the texts of all records say together.
    facts: Facts = field(default_factory=Facts)
    #: The tables that scores are read from, by the names of these.
    tables: dict[str, OpenScoreTable] = field(init=False)
    #: How many records had each id, also those that were dropped.
    ids: Counter[str] = field(default_factory=Counter)
    #: The ids whose molecule a template decides.
    templated: set[str] = field(default_factory=set)
    _formats: dict[type[Format], Format] = field(default_factory=dict)
    #: Molecules by content: most records of a set hold the same one.
    _molecules: dict[tuple, Molecule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = {
            name: open_table(score.read)
            for name, score in self.scores.items()
            if isinstance(score.read, ScoreTable)
        }

    def read(self, source: Source, advance: Callable[[int], object]) -> None:
        r"""Reads a file; what fails is in the report.

        Args:
            source: The file.
            advance: Is told how many bytes were read, now and then.
        """
        lines = TextFile(source.path)
        done = 0
        facts = FileFacts()
        entries: list[_Entry] = []
        for record in self.records(source, lines):
            named = self.named(record, source, facts)
            if named is not None:
                self.ids[named.name] += 1
                self._read_pose(record, source, named, entries)
            advance(lines.position - done)
            done = lines.position
        advance(lines.position - done)
        self.facts.num_ids = len(self.ids)
        self.report.seen[source.file] += facts.seen
        unfit = self.flexible.unfit(source, facts.seen)
        if unfit:
            for entry in entries:
                self._drop(entry.pose, 'flexible residues', unfit)
            entries = []
        self._settle(entries, facts)
        self.end_file(source, lines, facts)

    def read_some(
        self,
        source: Source,
        records: Iterable[tuple[str, Record]],
        facts: FileFacts,
    ) -> None:
        r"""Reads some records of a file that has been looked through.

        Args:
            source: The file.
            records: All records of it that have some ids, and these ids.
            facts: What all records of the file say of each other.

        Raises:
            ValueError: If a record has another id now.
        """
        entries: list[_Entry] = []
        for name, record in records:
            self.report.at = (Phase.FILES, source.number, 0, record.number)
            named = self.named(record, source, FileFacts())
            if named is None or named.name != name:
                raise changed(source, record.number, name)
            self.ids[named.name] += 1
            self.report.seen[source.file] += 1
            self._read_pose(record, source, named, entries)
        self.report.at = (Phase.FILES, source.number, 1)
        self._settle(entries, facts)

    def end_file(
        self, source: Source, lines: TextFile, facts: FileFacts
    ) -> None:
        r"""Reports on a file as a whole.

        Args:
            source: The file.
            lines: Its lines, all of which were read.
            facts: What its records say of each other.
        """
        self.report.at = (Phase.FILES, source.number, 2)
        if not facts.seen:
            why = lines.cut or ('blank' if lines.position else 'empty')
            self.report.drop(source.file, None, '', 'no records', why)
        elif lines.cut:
            self.report.flag(source.file, None, '', 'cut file', lines.cut)
        for note in lines.notes:
            self.report.flag(source.file, None, '', note)

    def records(self, source: Source, lines: TextFile) -> Iterator[Record]:
        r"""The records of a file, as far as they can be cut.

        Args:
            source: The file.
            lines: Its lines.

        Yields:
            One record after another.
        """
        seen = 0
        try:
            format_ = self._format(source)
            for record in format_.records(lines, source.file):
                seen += 1
                self.report.at = (Phase.FILES, source.number, 0, record.number)
                # What its reading raises is not caught here.
                yield record
        except OSError as error:
            lines.cut = f'unreadable: {error}'
        except Exception as error:  # of a format that is not ours
            self.report.drop(
                source.file,
                None,
                '',
                'unexpected error',
                f'after {seen} records, {type(error).__name__}: {error}',
            )
            lines.cut = lines.cut or 'not read to its end'

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
            self._reject(record, error)
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

    def _read_pose(
        self,
        record: Record,
        source: Source,
        named: Named,
        entries: list[_Entry],
    ) -> None:
        try:
            ligand = self._ligand(record, source, named.name)
            if isinstance(named.moved, Rejected):
                raise named.moved
            if '.' in ligand.molecule.smiles:
                record.notes.append(
                    ('several molecules in a record', ligand.molecule.smiles)
                )
        except Rejected as error:
            self._reject(record, error)
            return
        for reason, detail in record.notes:
            self.report.flag(
                record.file, record.number, record.title, reason, detail
            )
        pose = Pose(
            record.file,
            record.number,
            record.title,
            ligand,
            named.scores,
            named.unread,
            named.moved,
        )
        entries.append(_Entry(pose, named.name, named.has_score))

    def _reject(self, record: Record, error: Rejected) -> None:
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

    def _format(self, source: Source) -> Format:
        """One of each, since it may remember molecules."""
        if source.format not in self._formats:
            self._formats[source.format] = source.format()
        return self._formats[source.format]

    def _template(self, name: str, source: Source) -> Molecule | None:
        template = self.templates.get(name)
        only = self.templates.only()
        # The name of a file need not be the id of its ligand.
        if template is None and only is not None:
            if self.grouping.rule(source) in ('file', 'folder'):
                return only[1]
        return template

    def _ligand(self, record: Record, source: Source, name: str) -> Ligand:
        template = self._template(name, source)
        if template is not None:
            self.templated.add(name)
        try:
            ligand = self._format(source).ligand(record, template)
        except Rejected:
            raise
        except Exception as error:  # the other records are read all the same
            raise Rejected(
                'unexpected error', f'{type(error).__name__}: {error}'
            ) from error
        molecule = ligand.molecule
        record.notes += ligand.notes
        record.notes += check_radicals(molecule, template)
        key = (molecule.smiles, molecule.atoms, molecule.bonds)
        molecule = self._molecules.setdefault(key, molecule)
        return replace(ligand, molecule=molecule)

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

    def _settle(self, entries: list[_Entry], facts: FileFacts) -> None:
        """Decides whether records without scores are poses."""
        at = self.report.at
        for entry in entries:
            pose = entry.pose
            self.report.at = (*at, pose.record)
            unusual = facts.usually_scored and not entry.has_score
            first = unusual and pose.record == 1
            why = ''
            if self.templates.get(entry.name) is not None:
                pass  # it is known to be a ligand
            elif first and facts.like_first == 1:
                why = 'no score, as first of a file that has them'
            elif unusual and _is_peptide(pose):
                why = 'no score, and a peptide: a protein?'
            if why:
                why = f'{why}; a receptor or a reference'
                self._drop(pose, 'not a pose', why)
                continue
            if first:
                self.report.flag(
                    pose.file,
                    pose.record,
                    pose.title,
                    'no score in the first record',
                    'is it a reference, and not a pose?',
                )
            self.sets.setdefault(entry.name, []).append(pose)

    def _drop(self, pose: Pose, reason: str, detail: str) -> None:
        self.report.drop(pose.file, pose.record, pose.title, reason, detail)


def _is_peptide(pose: Pose) -> bool:
    return pose.ligand.molecule.mol.HasSubstructMatch(_BACKBONE)


def _is_true(values: Iterable[str]) -> bool:
    return any(value.strip().lower() in ('1', 'true') for value in values)
