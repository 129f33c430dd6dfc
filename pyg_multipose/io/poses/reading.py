"""A reading of poses: of all records at once, or of a part of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.io.flexible.flexible_residues import (
    FlexibleFiles,
    FlexibleResidues,
)
from pyg_multipose.io.ligand.format import Format, check_format
from pyg_multipose.io.ligand.formats import FORMATS
from pyg_multipose.io.molecule.features import FEATURES, check_features
from pyg_multipose.io.molecule.same import check_may_differ
from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.advice import (
    advice,
    alike_names,
    flag_hints,
    flag_ids,
    flag_missing,
)
from pyg_multipose.io.poses.compound import Compound, Pose, compound_of
from pyg_multipose.io.poses.contact import check_contact
from pyg_multipose.io.poses.docked_poses import DockedPoses
from pyg_multipose.io.poses.facts import Facts, FileFacts
from pyg_multipose.io.poses.findings import Findings
from pyg_multipose.io.poses.grouping import Grouping
from pyg_multipose.io.poses.index import Index, IndexWriter
from pyg_multipose.io.poses.namer import Namer
from pyg_multipose.io.poses.overlap import OverlapSearch, report_overlaps
from pyg_multipose.io.poses.reader import Reader
from pyg_multipose.io.poses.score_table import settle_tables
from pyg_multipose.io.poses.scores import KNOWN, Score, chosen
from pyg_multipose.io.poses.streams import Streams
from pyg_multipose.io.poses.whole import Part, Whole
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.report import Phase, Report
from pyg_multipose.io.source.progress import reading_bar
from pyg_multipose.io.source.sources import Source, find_sources
from pyg_multipose.io.source.text_file import TextFile
from pyg_multipose.io.tally import Tally

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Reading:
    r"""How poses are read.

    Args:
        group_by: As of :func:`~pyg_multipose.io.read_poses`.
            (default: :obj:`None`)
        pattern: As there. (default: :obj:`None`)
        template: As there. (default: :obj:`None`)
        scores: As there. (default: :obj:`None`)
        receptor: As there. (default: :obj:`None`)
        receptor_name: As there. (default: :obj:`None`)
        flexible: As there. (default: :obj:`None`)
        may_differ: As there. (default: :obj:`None`)
        hydrogens: As there. (default: :obj:`False`)
        features: As there. (default: all four)
        transform: As there. (default: :obj:`None`)
        formats: As there. (default: :obj:`()`)
    """

    def __init__(
        self,
        group_by: str | None = None,
        pattern: str | None = None,
        template: Mapping[str, str] | str | os.PathLike[str] | None = None,
        scores: Iterable[str | Score] | None = None,
        receptor: Data | None = None,
        receptor_name: str | None = None,
        flexible: FlexibleFiles | None = None,
        may_differ: str | Iterable[str] | None = None,
        hydrogens: bool = False,
        features: Sequence[str] = FEATURES,
        transform: Callable[[PoseSet], Any] | None = None,
        formats: Iterable[type[Format]] = (),
    ) -> None:
        if receptor_name is not None and receptor is None:
            raise ValueError(
                f'receptor_name={receptor_name!r} without a receptor: pass '
                f'receptor=..., or leave the name out'
            )
        self.differ = check_may_differ(may_differ)
        self.features = check_features(features)
        self.wanted = None if scores is None else chosen(scores)
        self.formats = [*FORMATS, *map(check_format, formats)]
        self.templates = Templates(template, self.differ or frozenset())
        self.grouping = Grouping(group_by, pattern)
        self.receptor, self.receptor_name = receptor, receptor_name
        self.flexible = flexible
        self.hydrogens, self.transform = hydrogens, transform

    # All at once #############################################################

    def read(
        self, paths: Paths, progress: bool | None
    ) -> tuple[DockedPoses, list[str]]:
        r"""Reads all records.

        Args:
            paths: As of :func:`~pyg_multipose.io.read_poses`.
            progress: As there.

        Returns:
            The poses, and what to warn of.
        """
        report = Report()
        residues = FlexibleResidues(self.receptor, self.flexible, report)
        reader = self._reader(report, residues)
        files = find_sources(paths, report, self.formats)
        sources = residues.without_own(files)
        with reading_bar(sources, 'Reading poses', progress) as bar:
            for source in sources:
                reader.read(source, bar.update)
        facts = reader.namer.facts
        rules = {self.grouping.rule(source) for source in sources}
        compounds = self._compounds(reader, facts, rules, report)
        report.check()
        scores = self._scores(facts)
        settle_tables(compounds, reader.namer.tables, report)
        findings = Findings.of(compounds, scores, reader.ids)
        names = alike_names(one.name for one in compounds)
        texts = self._settle(
            findings, facts, names, report.seen.__getitem__, report
        )
        if self.receptor is not None:
            search = self._search(facts)
            search.add_all(compounds)
            texts += report_overlaps(self.receptor, search.overlaps(), report)
            numbers = range(len(compounds))
            contact = check_contact(self.receptor, compounds, report, numbers)
            texts += contact.warnings(findings.poses)
        report.summary = self._summary(findings, scores)
        return self._poses(compounds, scores, report, facts), texts

    # In parts ################################################################

    def sources(self, paths: Paths, report: Report) -> list[Source]:
        r"""The files of a reading.

        Args:
            paths: As of :func:`~pyg_multipose.io.read_poses`.
            report: Where to note what is none.
        """
        return find_sources(paths, report, self.formats)

    def index(
        self,
        sources: Sequence[Source],
        report: Tally,
        path: Path,
        size: int,
        progress: bool | None = None,
    ) -> None:
        r"""Looks through all records, without any chemistry.

        Args:
            sources: The files, as :meth:`sources` found them.
            report: What it noted.
            path: The file to write, which is not there yet.
            size: How many records a shard has at most.
            progress: As of :func:`~pyg_multipose.io.read_poses`.
                (default: :obj:`None`)
        """
        residues = FlexibleResidues(self.receptor, self.flexible, report)
        reader = self._reader(report, residues)
        writer = IndexWriter(path)
        report.num_files = len(sources)
        with reading_bar(sources, 'Looking through poses', progress) as bar:
            for source in sources:
                for name, record, place in self._looked_at(
                    source, reader, writer, bar
                ):
                    writer.add_record(name, source.number, record, place)
        writer.close(size, reader.namer.facts, report.to_part())

    def _looked_at(
        self, source: Source, reader: Reader, writer: IndexWriter, bar: Any
    ) -> Iterator[tuple[str, int, int | None]]:
        lines = TextFile(source.path)
        facts = FileFacts()
        done, place = 0, lines.place
        for record in reader.records(source, lines):
            named = reader.namer.named(record, source, facts)
            if named is not None:
                is_known = source.format.starts_anywhere
                yield named.name, record.number, place if is_known else None
            bar.update(lines.position - done)
            done, place = lines.position, lines.place
        bar.update(lines.position - done)
        reader.report.seen['all'] += facts.seen
        reader.end_file(source, lines, facts)
        writer.add_file(source, facts)

    def part(self, index: Index, streams: Streams, shard: int) -> Part:
        r"""Reads the records of a shard.

        Args:
            index: Where they are.
            streams: The files.
            shard: Its number.
        """
        self.templates.used.clear()
        report = Tally()
        # What is to be said of moved atoms, the index has said.
        residues = FlexibleResidues(self.receptor, self.flexible, Report())
        reader = self._reader(report, residues)
        runs = index.runs(shard)
        rules = set()
        whole = []
        split = index.split_files(runs)
        for number, of_file in groupby(runs, attrgetter('file')):
            source, file_facts = index.source(number)
            rules.add(self.grouping.rule(source))
            records = streams.records(source, list(of_file))
            reader.read_some(source, records, file_facts)
            if number not in split:
                whole.append(source.file)
        facts = index.facts
        names = index.names(shard)
        first = index.shards[shard][0]
        place = {name: first + number for number, name in enumerate(names)}
        compounds = self._compounds(reader, facts, rules, report, place)
        report.check()
        scores = self._scores(facts)
        findings = Findings.of(compounds, scores, reader.ids)
        values: dict[str, Any] = {}
        if self.receptor is not None:
            search = self._search(facts)
            search.add_all(compounds)
            numbers = [place.get(one.name, first) for one in compounds]
            contact = check_contact(self.receptor, compounds, report, numbers)
            values['overlaps'] = search.to_part()
            values['contact'] = vars(contact)
        values['findings'] = findings.to_json(whole)
        values['report'] = report.to_part()
        known = {name for name, _ in self.templates.items()}
        values['templates'] = sorted(known & self.templates.used)
        poses = self._poses(compounds, scores, report, facts)
        return Part(poses, names, values)

    def whole(self, index: Index) -> Whole:
        r"""Begins to add up what all parts say.

        Args:
            index: Where their records are.
        """
        return Whole(self, index)

    # Steps ###################################################################

    def _reader(self, report: Report, residues: FlexibleResidues) -> Reader:
        known = KNOWN if self.wanted is None else self.wanted
        namer = Namer(self.grouping, known, report, residues)
        return Reader(namer, self.templates)

    def _compounds(
        self,
        reader: Reader,
        facts: Facts,
        rules: set[str],
        report: Report,
        place: Mapping[str, int] | None = None,
    ) -> list[Compound]:
        # Sets are in the order of their first records, dropped or not.
        sets = {
            name: reader.sets[name]
            for name in reader.ids
            if name in reader.sets
        }
        sets = self._named_by_template(sets, facts, rules)
        compounds = []
        for number, (name, poses) in enumerate(sets.items()):
            report.at = (
                Phase.SETS,
                number if place is None else place.get(name, number),
            )
            admits = self.differ
            if admits is None:
                # What a template does state, its records have been held to.
                has_template = (
                    name in reader.templated or name in self.templates.used
                )
                admits = frozenset({'stereo'} if has_template else ())
            compounds.append(
                compound_of(name, poses, self.hydrogens, admits, report)
            )
        for compound in compounds:
            for pose in compound.poses:
                report.kept[pose.file] += 1
        return compounds

    def _named_by_template(
        self, sets: dict[str, list[Pose]], facts: Facts, rules: set[str]
    ) -> dict[str, list[Pose]]:
        """A single file with a single template is the ligand of that name."""
        only = self.templates.only()
        if facts.num_ids == len(sets) == 1 and only is not None:
            if only[0] not in sets and rules == {'file'}:
                self.templates.used.add(only[0])
                return {only[0]: next(iter(sets.values()))}
        return sets

    def _scores(self, facts: Facts) -> list[Score]:
        known: Mapping[str, Any] = KNOWN
        names: Iterable[str] = facts.met
        if self.wanted is not None:
            known = names = self.wanted
        taken = [s.key for s in known.values() if s.key in self.features]
        if taken:
            raise ValueError(
                f'{taken} are scores and features of atoms; leave one out, or '
                f"choose another key by Score(..., key='...')"
            )
        return [known[name] for name in names]

    def _settle(
        self,
        findings: Findings,
        facts: Facts,
        alike: Iterable[Sequence[str]],
        seen: Callable[[str], int],
        report: Report,
    ) -> list[str]:
        """Reports on all poses together; what to warn of is returned."""
        flag_missing(findings, report)
        flag_hints(findings, facts, self._scores(facts), report)
        flag_ids(alike, self.templates, report)
        return advice(findings, seen, report)

    def _search(self, facts: Facts) -> OverlapSearch:
        """Looks for a ligand that was left in the receptor."""
        receptor = self.receptor
        assert receptor is not None
        if isinstance(receptor, Receptor) and facts.moved:
            # Where a side chain was, another pose may be.
            stays = torch.ones(len(receptor['z']), dtype=torch.bool)
            stays[sorted(facts.moved)] = False
            receptor = receptor.subgraph(stays)
        return OverlapSearch(receptor)

    def _poses(
        self,
        compounds: Sequence[Compound],
        scores: Sequence[Score],
        report: Report,
        facts: Facts,
    ) -> DockedPoses:
        return DockedPoses(
            compounds,
            # How they were read may be a function, which cannot be pickled.
            [replace(score, read=None) for score in scores],
            report,
            self.features,
            self.receptor,
            self.receptor_name,
            self.transform,
            facts.moved is not None,
        )

    def _summary(self, findings: Findings, scores: Sequence[Score]) -> str:
        found = ', '.join(f'{s.name} ({s.unit})' for s in scores) or 'none'
        return (
            f'{findings.sets} sets of {findings.poses} poses, scores: '
            f'{found}; {self._rule()}'
        )

    def _rule(self) -> str:
        """What shares a set, for the report."""
        if self.differ:
            return f'molecules of a set may differ in {sorted(self.differ)}'
        if self.differ is None and self.templates.items():
            return (
                'one molecule in a set, of any stereochemistry that its '
                'template leaves open'
            )
        return 'one molecule in a set'
