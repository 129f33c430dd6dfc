"""Samples of co-folding programs as pose sets."""

from __future__ import annotations

import math
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
from pyg_multipose.io.cofolding.cofolded_poses import CofoldedPoses
from pyg_multipose.io.cofolding.complexes import read_complex
from pyg_multipose.io.cofolding.confidences import (
    CONFIDENCES,
    chosen_confidences,
)
from pyg_multipose.io.cofolding.members import Joined, Member, joined
from pyg_multipose.io.cofolding.samples import Sample, find_samples
from pyg_multipose.io.cofolding.scores import add_confidences, met
from pyg_multipose.io.molecule.features import (
    FEATURES,
    atom_tables,
    check_features,
)
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.advice import alike_names, flag_ids
from pyg_multipose.io.poses.compound import Pose
from pyg_multipose.io.poses.grouping import Grouping
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.progress import DELAY


def read_cofolded(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    template: Mapping[str, str] | str | os.PathLike[str] | None = None,
    pattern: str | None = None,
    ligand: str | None = None,
    keep: str | Iterable[str] = (),
    scores: Iterable[str | Score] | None = None,
    pocket: float = 10.0,
    max_rmsd: float = 2.0,
    snap: float | None = None,
    features: Sequence[str] = FEATURES,
    transform: Callable[[PoseSet], Any] | None = None,
    progress: bool | None = None,
) -> CofoldedPoses:
    r"""Reads the samples that co-folding programs write.

    Folders of Boltz, Chai, AlphaFold 3 (also of its server) and Protenix are
    told by the names of files; complexes are mmCIF or PDB, confidences are
    read from the JSON or NPZ file beside them. All samples of one input are
    the poses of a set.

    Each sample has a frame of its own, and all are superposed on one of
    them: the first that more than half of the samples fit (or that most fit),
    itself included. What is superposed is the backbone of its pocket:
    N, CA and C of all residues that have one of these atoms within
    :obj:`pocket` of its ligand. The RMSD of each is in
    :attr:`CofoldedPoses.rmsd`; a sample above :obj:`max_rmsd` is dropped.

    A sample that is damaged, has another sequence, ligand or number of atoms
    than most, or no frame is dropped, and all others are read;
    :attr:`CofoldedPoses.report` says what and why.
    Bonds and charges of ligands are those of a template, never from
    distances.

    An item is a :class:`~pyg_multipose.data.PoseSet` as
    :meth:`~pyg_multipose.data.PoseSet.from_complexes` makes it, with
    :obj:`z`, :obj:`pos` (Angstrom), :obj:`residue` (from 1 in the receptor,
    0 in the ligand), :obj:`bond_index` and :obj:`bond_type` of the ligand,
    the :obj:`features`, and one key for each confidence, NaN where a sample
    has none. Atoms are heavy atoms.

    Args:
        paths: A folder, a file, or several of them.
        template: The molecule of each id: a mapping to SMILES, a file with
            lines :obj:`SMILES id`, or one SMILES for all ligands, as it was
            given to the program. (default: :obj:`None`, all samples are
            dropped: they have no bonds)
        pattern: A regular expression for the whole name of an input; the id
            is its first group, e.g., :obj:`r"target_(.+)"`.
            (default: :obj:`None`, the id is the name)
        ligand: Which residue is the ligand, if several are the template: a
            name, or one as the report writes it, e.g., :obj:`"LIG B/1"`.
            (default: :obj:`None`)
        keep: Other molecules to keep in the receptor, see
            :func:`~pyg_multipose.io.read_receptor`. (default: :obj:`()`)
        scores: The confidences to read: names of known ones, and
            :class:`~pyg_multipose.io.Score` objects for your own.
            (default: :obj:`None`, all known ones that are met)
        pocket: How far the pocket reaches from the ligand, in Angstrom.
            (default: :obj:`10.0`)
        max_rmsd: The largest RMSD of the backbone of the pocket, in Angstrom.
            (default: :obj:`2.0`)
        snap: As of :meth:`~pyg_multipose.data.PoseSet.from_complexes`, in
            Angstrom; what was moved is flagged. (default: :obj:`None`,
            coordinates are kept, and every pose has a whole receptor)
        features: As of :func:`~pyg_multipose.io.read_poses`.
            (default: all four)
        transform: Applied to a set at every access. (default: :obj:`None`)
        progress: Whether to show a progress bar on stderr; if :obj:`None`,
            on a terminal, after a few seconds. (default: :obj:`None`)

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If an argument is wrong. A bad sample is no error but a
            row of the report.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_cofolded
        >>> sample = '''
        ... ATOM      1  N   GLY A   1       0.000   0.000   0.000
        ... ATOM      2  CA  GLY A   1       1.458   0.000   0.000
        ... ATOM      3  C   GLY A   1       2.000   1.420   0.000
        ... HETATM    4  C1  LIG B   1       4.000   4.000   1.000
        ... HETATM    5  O1  LIG B   1       4.500   5.300   1.000
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:  # as Boltz
        ...     file = Path(folder, 'confidence_CPD-1_model_0.json')
        ...     _ = file.write_text('{"confidence_score": 0.9}')
        ...     _ = Path(folder, 'CPD-1_model_0.pdb').write_text(sample)
        ...     poses = read_cofolded(folder, template={'CPD-1': 'CO'})
        >>> poses
        CofoldedPoses(1 sets, 1 poses, scores=['confidence_score'])
        >>> pose_set = poses[0]
        >>> pose_set.z, pose_set.confidence_score
        (tensor([7, 6, 6, 6, 8]), tensor([0.9000]))
    """
    report = Report()
    features = check_features(features)
    wanted = chosen_confidences(scores)
    for name, length in (
        ('pocket', pocket), ('max_rmsd', max_rmsd), ('snap', snap)
    ):  # fmt: skip
        if length is not None and not 0 < float(length) < math.inf:
            raise ValueError(
                f"'{name}' is a positive distance in Angstrom, got {length}"
            )
    templates = Templates(template)
    known = CONFIDENCES if wanted is None else wanted
    keep = (keep,) if isinstance(keep, str) else tuple(keep)
    samples = _named(paths, Grouping('title', pattern), report)
    sets: dict[str, list[Member]] = defaultdict(list)
    with tqdm(
        samples,
        desc='Reading samples',
        file=sys.stderr,
        delay=0.0 if progress else DELAY,
        disable=None if progress is None else not progress,
    ) as bar:
        for sample in bar:
            of_id = _template(templates, sample.id)
            member = _read(sample, of_id, ligand, keep, known, report)
            if member is not None:
                sets[sample.id].append(member)
    only = templates.only()
    if len(sets) == 1 and only is not None and only[0] not in sets:
        sets = {only[0]: next(iter(sets.values()))}
        templates.used.add(only[0])
    found = []
    for name, members in sets.items():
        _flag_set(name, members, report)
        one = joined(name, members, pocket, max_rmsd, report)
        if one is not None:
            found.append(one)
    for one in found:
        for member in one.poses:
            report.kept[member.sample.file] += 1
    report.check()
    members = [member for one in found for member in one.poses]
    read = met(members, known, wanted is not None, report)
    taken = [score.key for score in read if score.key in features]
    if taken:
        raise ValueError(
            f'{taken} are confidences and features of atoms; leave one out'
        )
    flag_ids(alike_names(one.name for one in found), templates, report)
    pose_sets = [_pose_set(one, read, features, snap, report) for one in found]
    largest = max((max(one.rmsd) for one in found), default=0.0)
    report.summary = (
        f'{len(found)} sets of {report.num_kept} poses, pockets superposed '
        f'with an RMSD of at most {largest:.2f} Angstrom, scores: '
        + (', '.join(f'{s.name} ({s.unit})' for s in read) or 'none')
    )
    if not found:
        warnings.warn(
            f'No samples were read. {report}', UserWarning, stacklevel=2
        )
    return CofoldedPoses(
        pose_sets,
        [one.molecule.smiles for one in found],
        [[(m.sample.file, 1) for m in one.poses] for one in found],
        [one.rmsd for one in found],
        read,
        report,
        transform,
    )


def _named(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    grouping: Grouping,
    report: Report,
) -> list[Sample]:
    """The samples of a call with the ids of their sets."""
    out = []
    for path, file, name in find_samples(paths, report):
        report.seen[file] += 1
        try:
            called = grouping.named(name.id, 'name')
        except Rejected as error:
            report.drop(file, 1, name.id, error.reason, error.detail)
        else:
            out.append(Sample(path, file, name, called))
    return out


def _template(templates: Templates, name: str) -> Molecule | None:
    template = templates.get(name)
    only = templates.only()
    # The name of an input need not be the id of its ligand.
    return only[1] if template is None and only is not None else template


def _read(
    sample: Sample,
    template: Molecule | None,
    ligand: str | None,
    keep: Sequence[str],
    known: Mapping[str, Score],
    report: Report,
) -> Member | None:
    """Reads a sample; what fails is in the report."""
    try:
        try:
            whole = read_complex(sample.path, template, ligand, keep)
        except Rejected:
            raise
        except Exception as error:  # the other samples are read all the same
            raise Rejected(
                'unexpected error', f'{type(error).__name__}: {error}'
            ) from error
    except Rejected as error:
        report.drop(sample.file, 1, sample.title, error.reason, error.detail)
        return None
    pose = Pose(sample.file, 1, sample.title, whole.ligand)
    for reason, detail in whole.notes:
        report.flag(sample.file, 1, sample.title, reason, detail)
    add_confidences(pose, sample, known, report)
    return Member(sample, whole, pose)


def _flag_set(name: str, members: Sequence[Member], report: Report) -> None:
    """What deserves a look in a set as a whole."""
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    others: dict[str, None] = {}
    for member in members:
        said = member.sample.name
        labels[said.program, said.label].append(member.sample.file)
        others.update(dict.fromkeys(member.complex.left_out))
    for (program, label), files in labels.items():
        if len(files) > 1:
            report.flag(
                files[0],
                None,
                name,
                'several runs in one set',
                f'{len(files)} samples are {label} of {program}: {files}',
            )
            break
    if others:
        report.flag(
            members[0].sample.file,
            None,
            name,
            'left out of the receptor',
            f'{", ".join(others)}; keep=[...] keeps them',
        )


def _pose_set(
    one: Joined,
    scores: Sequence[Score],
    features: Sequence[str],
    snap: float | None,
    report: Report,
) -> PoseSet:
    tables = atom_tables(one.molecule, (), features)
    bonds = {
        'bond_index': tables.pop('bond_index') + len(one.z),
        'bond_type': tables.pop('bond_type'),
    }
    z = tables.pop('z')
    rows = {
        'z': torch.cat([one.z, z]),
        'residue': torch.cat([one.residue, torch.zeros_like(z)]),
        'is_ligand': torch.arange(len(one.z) + len(z)) >= len(one.z),
        **{
            key: torch.cat([value.new_zeros(len(one.z)), value])
            for key, value in tables.items()
        },
    }
    complexes = []
    for row, member in enumerate(one.poses):
        pos = (one.receptor_pos[row], one.ligand_pos[row])
        values = {
            s.key: torch.tensor([member.pose.scores.get(s.name, math.nan)])
            for s in scores
        }
        whole = torch.cat([torch.from_numpy(part) for part in pos]).float()
        complexes.append(Data(pos=whole, **rows, **bonds, **values))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        out = PoseSet.from_complexes(
            complexes,
            name=one.name,
            pose_attrs=[score.key for score in scores],
            snap=snap,
        )
    for warning in caught:
        report.flag(
            one.poses[0].sample.file,
            None,
            one.name,
            'atoms of the receptor were moved',
            str(warning.message),
        )
    return out
