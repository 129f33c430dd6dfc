"""Docking output as pose sets."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any

import torch
from torch_geometric.data import Data
from tqdm import tqdm

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
from pyg_multipose.io.poses.advice import advice, flag_ids, flag_missing
from pyg_multipose.io.poses.compound import Compound, Pose, compound_of
from pyg_multipose.io.poses.contact import check_contact
from pyg_multipose.io.poses.docked_poses import DockedPoses
from pyg_multipose.io.poses.grouping import Grouping
from pyg_multipose.io.poses.hints import hints
from pyg_multipose.io.poses.overlap import (
    Overlap,
    OverlapSearch,
    report_overlaps,
)
from pyg_multipose.io.poses.reader import Reader
from pyg_multipose.io.poses.scores import KNOWN, Score, chosen
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.report import Report
from pyg_multipose.io.source.sources import Source, find_sources

#: A progress bar appears after this many seconds.
DELAY = 5.0


def read_poses(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
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
    progress: bool | None = None,
    formats: Iterable[type[Format]] = (),
) -> DockedPoses:
    r"""Reads the poses that docking programs write.

    Formats are told by the end of a name, each also with :obj:`.gz` (or
    :obj:`.sdfgz`):
    multi-record SDF (gnina, smina, Glide, OpenEye, rDock, DiffDock), PDBQT
    with models (Vina), docking logs (AutoDock 4, AutoDock-GPU), MOL2 (DOCK,
    GOLD), and Maestro files (Glide).
    A folder is read with all that is below it; in a folder of DiffDock each
    file is a pose and each subfolder a set.

    Nothing is guessed. A record that is no sound pose of its set's molecule
    is dropped, and all others are read; :attr:`DockedPoses.report` says what
    and why.
    Bonds and charges are those that the file states, or those of a template.

    An item is a :class:`~pyg_multipose.data.PoseSet` with :obj:`z`,
    :obj:`pos` (Angstrom), :obj:`bond_index`, :obj:`bond_type`, the
    :obj:`features`, and one key for each score, NaN where a pose has none.
    All sets have the same keys.

    Args:
        paths: A file, a folder, or several of them.
        group_by: What the poses of a set have in common: :obj:`"title"`,
            :obj:`"file"` (its name without the end), :obj:`"folder"`, or the
            name of a data item.
            If :obj:`None`, the folder for DiffDock, the file for PDBQT, and
            the title for all others. (default: :obj:`None`)
        pattern: A regular expression for the whole of that text; the id is
            its first group, e.g., :obj:`r"(.+)_pose\d+"`.
            (default: :obj:`None`)
        template: The molecule of each ligand id: a mapping to SMILES, a file
            with lines :obj:`SMILES id`, or one SMILES for all ligands.
            It gives PDBQT its bonds, repairs records with impossible or open
            valences, and refuses other molecules. (default: :obj:`None`)
        scores: The scores to read: names of known ones, and
            :class:`~pyg_multipose.io.Score` objects for your own, which also
            say where a number is that is no data item.
            If :obj:`None`, all known ones that are met.
            (default: :obj:`None`)
        receptor: The receptor of all poses; sets without one hold ligands
            alone. Keys that only the receptor has are 0 for ligand atoms,
            and the reverse. Residues that overlap with poses, see
            :func:`~pyg_multipose.io.check_overlap`, and poses more than 10
            Angstrom away from it are flagged and warned of.
            (default: :obj:`None`)
        receptor_name: What to call it. (default: :obj:`None`)
        flexible: The file of flexible side chains that :obj:`--out_flex` of
            smina or gnina names (PDB, PDBQT or SDF, one model for each
            record), or such files by files of poses. With a receptor of
            :func:`~pyg_multipose.io.read_receptor`, these atoms, and those
            of flexible residues in PDBQT models, are moved in their pose.
            (default: :obj:`None`)
        may_differ: What the molecules of a set may differ in:
            :obj:`"stereo"` (any stereoisomer), :obj:`"protonation"` (any
            protomer or tautomer), both, or nothing, :obj:`()`. It is so for
            records and their template, too.
            If :obj:`None`, nothing, but for stereochemistry that the template
            of an id leaves open. (default: :obj:`None`)
        hydrogens: Whether to keep the hydrogens that records hold as atoms;
            else sets have heavy atoms only, as the bundled dataset.
            None are ever added. (default: :obj:`False`)
        features: Keys of atoms besides :obj:`z` and :obj:`pos`, see
            :mod:`pyg_multipose.io.molecule.features`. (default: all four)
        transform: Applied to a set at every access. (default: :obj:`None`)
        progress: Whether to show a progress bar on stderr; if :obj:`None`,
            on a terminal, after a few seconds. (default: :obj:`None`)
        formats: Formats of your own, subclasses of
            :class:`~pyg_multipose.io.Format`; one that claims the end of a
            name takes it from those of the package. (default: :obj:`()`)

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If an argument is wrong. A bad record, or a bad file
            among others, is no error but a row of the report.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_poses
        >>> record = '''methanol
        ...
        ...
        ...   2  1  0  0  0  0            999 V2000
        ...     0.0000    0.0000    0.0000 C   0  0
        ...     1.4300    0.0000    0.0000 O   0  0
        ...   1  2  1  0
        ... M  END
        ... > <minimizedAffinity>
        ... -2.5
        ...
        ... $$$$
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'docked.sdf')
        ...     _ = path.write_text(2 * record)
        ...     poses = read_poses(path)
        >>> poses
        DockedPoses(1 sets, 2 poses, scores=['minimizedAffinity'])
        >>> pose_set = poses[0]
        >>> pose_set.name, pose_set.z, pose_set.minimizedAffinity
        ('methanol', tensor([6, 8, 6, 8]), tensor([-2.5000, -2.5000]))
    """
    report = Report()
    if receptor_name is not None and receptor is None:
        raise ValueError(
            f'receptor_name={receptor_name!r} without a receptor: pass '
            f'receptor=..., or leave the name out'
        )
    differ = check_may_differ(may_differ)
    features = check_features(features)
    wanted = None if scores is None else chosen(scores)
    all_formats = [*FORMATS, *map(check_format, formats)]
    templates = Templates(template, differ or frozenset())
    grouping = Grouping(group_by, pattern)
    residues = FlexibleResidues(receptor, flexible, report)
    known = KNOWN if wanted is None else wanted
    reader = Reader(grouping, templates, known, report, residues)
    files = find_sources(paths, report, all_formats)
    sources = residues.without_own(files)
    _read(sources, reader, progress)
    sets = _named_by_template(reader.sets, sources, grouping, templates)
    compounds = []
    for name, poses in sets.items():
        admits = differ
        if admits is None:
            # What a template does state, its records have been held to.
            has_template = name in reader.templated or name in templates.used
            admits = frozenset({'stereo'} if has_template else ())
        compounds.append(compound_of(name, poses, hydrogens, admits, report))
    for compound in compounds:
        for pose in compound.poses:
            report.kept[pose.file] += 1
    report.check()
    taken = [s.key for s in reader.scores.values() if s.key in features]
    if taken:
        raise ValueError(
            f'{taken} are scores and features of atoms; leave one out, or '
            f"choose another key by Score(..., key='...')"
        )
    names = reader.facts.met if wanted is None else wanted
    read = [reader.scores[name] for name in names]
    _settle_tables(compounds, reader, report)
    flag_missing(compounds, read, report)
    _hint(compounds, read, reader, report)
    flag_ids([one.name for one in compounds], templates, report)
    for text in advice(compounds, reader.ids, report):
        warnings.warn(text, UserWarning, stacklevel=2)
    if receptor is not None:
        found = _overlaps(receptor, compounds)
        report_overlaps(receptor, found, report)
        check_contact(receptor, compounds, report)
    scores_read = ', '.join(f'{s.name} ({s.unit})' for s in read) or 'none'
    report.summary = (
        f'{len(compounds)} sets of {report.num_kept} poses, scores: '
        f'{scores_read}; {_rule(differ, templates)}'
    )
    # How they were read may be a function, which cannot be pickled.
    read = [replace(score, read=None) for score in read]
    return DockedPoses(
        compounds, read, report, features, receptor, receptor_name, transform
    )


def _read(
    sources: Sequence[Source], reader: Reader, progress: bool | None
) -> None:
    sizes = [s.path.stat().st_size for s in sources]
    with tqdm(
        total=sum(sizes),
        unit='B',
        unit_scale=True,
        desc='Reading poses',
        file=sys.stderr,
        delay=0.0 if progress else DELAY,
        disable=None if progress is None else not progress,
    ) as bar:
        for source in sources:
            reader.read(source, bar.update)


def _rule(may_differ: frozenset[str] | None, templates: Templates) -> str:
    """What shares a set, for the report."""
    if may_differ:
        return f'molecules of a set may differ in {sorted(may_differ)}'
    if may_differ is None and templates.items():
        return (
            'one molecule in a set, of any stereochemistry that its template '
            'leaves open'
        )
    return 'one molecule in a set'


def _named_by_template(
    sets: dict[str, list[Pose]],
    sources: Sequence[Source],
    grouping: Grouping,
    templates: Templates,
) -> dict[str, list[Pose]]:
    """A single file with a single template is the ligand of that name."""
    only = templates.only()
    if len(sets) == 1 and only is not None and only[0] not in sets:
        if all(grouping.rule(source) == 'file' for source in sources):
            templates.used.add(only[0])
            return {only[0]: next(iter(sets.values()))}
    return sets


def _settle_tables(
    compounds: Sequence[Compound], reader: Reader, report: Report
) -> None:
    """Takes back scores that are of several poses, and reports on tables."""
    for name, table in reader.tables.items():
        shared = table.shared()
        for compound in compounds:
            for pose in compound.poses:
                why = shared.get((pose.file, pose.record))
                if why is not None:
                    pose.scores[name] = nan
                    pose.unread[name] = why
        table.report(report)


def _hint(
    compounds: Sequence[Compound],
    read: Sequence[Score],
    reader: Reader,
    report: Report,
) -> None:
    """Says where scores may be, if there are none or one is nowhere."""
    met = {name for c in compounds for pose in c.poses for name in pose.scores}
    absent = [s.name for s in read if s.read is None and s.name not in met]
    if not compounds or (read and not absent):
        return
    for detail in hints(reader.facts.items, reader.facts.stems, plain=not read):
        if read:
            detail = f'{absent}: {detail}'
        reason = 'score not found' if read else 'no known scores'
        report.flag('', None, '', reason, detail)


def _overlaps(receptor: Data, compounds: Sequence[Compound]) -> list[Overlap]:
    """Residues where poses are: a ligand left in the receptor."""
    moved = [pose.moved for one in compounds for pose in one.poses]
    away = [torch.as_tensor(m.index) for m in moved if m is not None]
    if isinstance(receptor, Receptor) and away:
        # Where a side chain was, another pose may be.
        stays = torch.ones(len(receptor['z']), dtype=torch.bool)
        stays[torch.cat(away)] = False
        receptor = receptor.subgraph(stays)
    search = OverlapSearch(receptor)
    for compound in compounds:
        z = torch.tensor([number for number, _, _ in compound.molecule.atoms])
        pos = torch.from_numpy(compound.pos[:, : len(z)])
        count = len(pos)
        search.add(
            compound.name,
            z.repeat(count),
            pos.reshape(-1, 3),
            torch.arange(count).repeat_interleave(len(z)),
        )
    return search.overlaps()
