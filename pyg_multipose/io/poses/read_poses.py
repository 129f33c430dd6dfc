"""Docking output as pose sets."""

from __future__ import annotations

import os
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch_geometric.data import Data
from tqdm import tqdm

from pyg_multipose.data import PoseSet
from pyg_multipose.io.flexible.flexible_residues import (
    FlexibleFiles,
    FlexibleResidues,
)
from pyg_multipose.io.ligand.formats import FORMATS
from pyg_multipose.io.molecule.features import FEATURES, check_features
from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.compound import Compound, Pose, compound_of
from pyg_multipose.io.poses.docked_poses import DockedPoses
from pyg_multipose.io.poses.grouping import Grouping
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
#: The share of sets with one pose from which on the grouping is doubted.
MOST = 0.9


def read_poses(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    group_by: str | None = None,
    pattern: str | None = None,
    template: Mapping[str, str] | str | os.PathLike[str] | None = None,
    scores: Iterable[str | Score] | None = None,
    receptor: Data | None = None,
    receptor_name: str | None = None,
    flexible: FlexibleFiles | None = None,
    hydrogens: bool = False,
    features: Sequence[str] = FEATURES,
    transform: Callable[[PoseSet], Any] | None = None,
    progress: bool | None = None,
) -> DockedPoses:
    r"""Reads the poses that docking programs write.

    Formats are told by the end of a name, each also with :obj:`.gz`:
    multi-record SDF (gnina, smina, Glide, OpenEye, DiffDock), PDBQT with
    models (Vina), and MOL2 (DOCK, GOLD).
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
            It gives PDBQT its bonds, repairs records with impossible
            valences, and refuses other molecules. (default: :obj:`None`)
        scores: The scores to read: names of known ones, and
            :class:`~pyg_multipose.io.Score` objects for your own.
            If :obj:`None`, all known ones that are met.
            (default: :obj:`None`)
        receptor: The receptor of all poses; sets without one hold ligands
            alone. Keys that only the receptor has are 0 for ligand atoms,
            and the reverse. Residues that overlap with poses are flagged and
            warned of, see :func:`~pyg_multipose.io.check_overlap`.
            (default: :obj:`None`)
        receptor_name: What to call it. (default: :obj:`None`)
        flexible: The file of flexible side chains that :obj:`--out_flex` of
            smina or gnina names (PDB, PDBQT or SDF, one model for each
            record), or such files by files of poses. With a receptor of
            :func:`~pyg_multipose.io.read_receptor`, these atoms, and those
            of flexible residues in PDBQT models, are moved in their pose.
            (default: :obj:`None`)
        hydrogens: Whether to keep the hydrogens that records hold as atoms;
            else sets have heavy atoms only, as the bundled dataset.
            None are ever added. (default: :obj:`False`)
        features: Keys of atoms besides :obj:`z` and :obj:`pos`, see
            :mod:`pyg_multipose.io.molecule.features`. (default: all four)
        transform: Applied to a set at every access. (default: :obj:`None`)
        progress: Whether to show a progress bar on stderr; if :obj:`None`,
            on a terminal, after a few seconds. (default: :obj:`None`)

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
    features = check_features(features)
    wanted = None if scores is None else chosen(scores)
    templates = Templates(template)
    grouping = Grouping(group_by, pattern)
    residues = FlexibleResidues(receptor, flexible, report)
    known = KNOWN if wanted is None else wanted
    reader = Reader(grouping, templates, known, report, residues)
    sources = residues.without_own(find_sources(paths, report, FORMATS))
    _read(sources, reader, progress)
    sets = _named_by_template(reader.sets, sources, grouping, templates)
    compounds = [
        compound_of(name, poses, hydrogens, report)
        for name, poses in sets.items()
    ]
    for compound in compounds:
        for pose in compound.poses:
            report.kept[pose.file] += 1
    report.check()
    taken = [s.key for s in reader.scores.values() if s.key in features]
    if taken:
        raise ValueError(
            f'{taken} are scores and features of atoms; leave one out'
        )
    names = reader.met if wanted is None else wanted
    read = [reader.scores[name] for name in names]
    _flag_missing(compounds, read, report)
    if compounds and not read and reader.items:
        report.flag(
            '',
            None,
            '',
            'no known scores',
            f'pass scores=[Score(...)] to read one of the data items '
            f'{sorted(reader.items)}',
        )
    _flag_sets(compounds, templates, report)
    if receptor is not None:
        found = _overlaps(receptor, compounds)
        report_overlaps(receptor, found, report)
    report.summary = (
        f'{len(compounds)} sets of {report.num_kept} poses, scores: '
        + (', '.join(f'{s.name} ({s.unit})' for s in read) or 'none')
    )
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


def _flag_missing(
    compounds: Sequence[Compound], scores: Sequence[Score], report: Report
) -> None:
    """Flags every score that a pose lacks, once if the whole file does."""
    files: dict[str, list[Pose]] = defaultdict(list)
    for compound in compounds:
        for pose in compound.poses:
            files[pose.file].append(pose)
    for file, poses in files.items():
        for score in scores:
            name = score.name
            lacking = [
                pose
                for pose in poses
                if name not in pose.scores or name in pose.unread
            ]
            why = {
                pose.unread.get(name, 'no such data item') for pose in lacking
            }
            if len(lacking) == len(poses) > 1 and len(why) == 1:
                report.flag(
                    file,
                    None,
                    '',
                    'missing score',
                    f'{name}, in all {len(poses)} records: {why.pop()}',
                )
                continue
            for pose in sorted(lacking, key=lambda pose: pose.record):
                report.flag(
                    file,
                    pose.record,
                    pose.title,
                    'missing score',
                    f'{name}: {pose.unread.get(name, "no such data item")}',
                )


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


def flag_ids(
    names: Iterable[str], templates: Templates, report: Report
) -> None:
    r"""Flags ids that are nearly the same, and templates without poses.

    Args:
        names: The ids of all sets.
        templates: The templates.
        report: Where to flag them.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[' '.join(name.casefold().split())].append(name)
    for of_one in alike.values():
        if len(of_one) > 1:
            report.flag(
                '',
                None,
                of_one[0],
                'ids that are nearly the same',
                f'{of_one}',
            )
    for name in templates.unused():
        report.flag('', None, name, 'template without poses')


def _flag_sets(
    compounds: Sequence[Compound], templates: Templates, report: Report
) -> None:
    flag_ids([compound.name for compound in compounds], templates, report)
    if not compounds:
        warnings.warn(
            f'No poses were read. {report}', UserWarning, stacklevel=3
        )
        return
    single = sum(len(compound.poses) == 1 for compound in compounds)
    if len(compounds) > 1 and single >= MOST * len(compounds):
        text = (
            f'{single} of {len(compounds)} sets have one pose, the first '
            f"'{compounds[0].name}'. If these are poses of fewer ligands, "
            f"group them by something else: group_by='file', the name of a "
            f'data item, or a pattern'
        )
        report.flag('', None, '', 'nearly every set has one pose', text)
        warnings.warn(text, UserWarning, stacklevel=3)
