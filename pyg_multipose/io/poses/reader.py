"""Reads the records of one file into poses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import Ligand, check_radicals
from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.compound import Pose
from pyg_multipose.io.poses.facts import FileFacts
from pyg_multipose.io.poses.namer import Named, Namer
from pyg_multipose.io.poses.streams import changed
from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Phase, Rejected
from pyg_multipose.io.source.sources import Source
from pyg_multipose.io.source.text_file import TextFile

#: Data items, and names of files, that advice is given from.
MAX_ITEMS = 50
#: The longest text that advice is given from.
MAX_TEXT = 10_000
#: Glide's mark of the record that holds the receptor.
_GLIDE_RECEPTOR = 'b_glide_receptor'
_BACKBONE = Chem.MolFromSmarts('NCC(=O)NCC(=O)NCC(=O)')


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
        namer: Tells what can be told without chemistry.
        templates: The templates.
    """

    namer: Namer
    templates: Templates
    #: The poses of each id.
    sets: dict[str, list[Pose]] = field(default_factory=dict)
    #: How many records had each id, also those that were dropped.
    ids: Counter[str] = field(default_factory=Counter)
    #: The ids whose molecule a template decides.
    templated: set[str] = field(default_factory=set)
    _formats: dict[type[Format], Format] = field(default_factory=dict)
    #: Molecules by content: most records of a set hold the same one.
    _molecules: dict[tuple, Molecule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        #: Where everything is counted.
        self.report = self.namer.report

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
            named = self.namer.named(record, source, facts)
            if named is not None:
                self.ids[named.name] += 1
                self._read_pose(record, source, named, entries)
            advance(lines.position - done)
            done = lines.position
        advance(lines.position - done)
        self.namer.facts.num_ids = len(self.ids)
        self.report.seen[source.file] += facts.seen
        unfit = self.namer.flexible.unfit(source, facts.seen)
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
            named = self.namer.named(record, source, FileFacts())
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
            self.namer.reject(record, error)
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
            if self.namer.grouping.rule(source) in ('file', 'folder'):
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
