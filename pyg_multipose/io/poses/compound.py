"""The poses of one compound, put into one order of atoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from pyg_multipose.data import MovedAtoms
from pyg_multipose.io.ligand.ligand import Ligand
from pyg_multipose.io.molecule.molecule import SHOWN, Molecule, described
from pyg_multipose.io.molecule.same import MAY_DIFFER, common_map
from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Report


@dataclass(frozen=True, eq=False)
class Pose:
    r"""A record that was read.

    Args:
        file: The file.
        record: The number of the record, from 1.
        title: The title of the record.
        ligand: The molecule and its coordinates.
        scores: The value of each score that the record has, NaN if it cannot
            be read.
        unread: Why a score could not be read.
        moved: Which atoms of the receptor are elsewhere, if that is told.
    """

    file: str
    record: int
    title: str
    ligand: Ligand
    scores: dict[str, float] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    moved: MovedAtoms | None = None


@dataclass(frozen=True, eq=False)
class Compound:
    r"""The poses of one molecule under one id.

    Args:
        name: The id.
        molecule: The molecule; the order of its atoms is that of all poses.
        pos: Positions in Angstrom, :obj:`float32` of shape
            :obj:`[num_poses, num_atoms, 3]`; hydrogens come last.
        parents: The heavy atom of each hydrogen.
        poses: The records.
        forms: The molecules that poses hold, with their atoms in this order;
            one, unless protonation may differ.
        form: The number of the form of each pose.
    """

    name: str
    molecule: Molecule
    pos: np.ndarray
    parents: tuple[int, ...]
    poses: list[Pose]
    forms: list[Molecule]
    form: list[int]


@dataclass(eq=False)
class _Member:
    """A pose, and the atom that each atom of the first pose is in it."""

    pose: Pose
    found: list[int]


def compound_of(
    name: str,
    poses: Sequence[Pose],
    hydrogens: bool,
    may_differ: Collection[str],
    report: Report,
) -> Compound:
    r"""Joins the poses of an id that are of one molecule; drops all others.

    The molecule is the one that most records hold (the first of them, in a
    tie), its atoms in the order of the first record.

    Args:
        name: The id.
        poses: The poses, at least one.
        hydrogens: Whether the hydrogens in the records are kept.
        may_differ: What their molecules may differ in, see
            :mod:`pyg_multipose.io.molecule.same`.
        report: Where to note what is dropped or deserves a look.
    """
    kinds = _by_molecule(poses, may_differ)
    members = max(kinds, key=len)
    reference = members[0].pose
    like = reference.ligand.molecule
    for kind in kinds:
        if kind is members:
            continue
        of = kind[0].pose.ligand.molecule
        option = _option(like, of, may_differ)
        for member in kind:
            of = member.pose.ligand.molecule
            _drop(
                report,
                member.pose,
                f'{like.difference(of)} under one id',
                f"{of.smiles}, but most records of '{name}' hold "
                f'{like.smiles}{option}',
            )
    parents: tuple[int, ...] = ()
    if hydrogens:
        parents = tuple(sorted(reference.ligand.parents))
        members = _with_hydrogens(members, parents, report)
    pos = np.stack([_positions(member, bool(parents)) for member in members])
    kept = [member.pose for member in members]
    _flag_repeated(pos, kept, report)
    _flag_forms(name, kept, report)
    forms, form = [like], [0] * len(kept)
    if 'protonation' in may_differ:
        forms, form = _forms(members)
    return Compound(
        name, like, pos.astype(np.float32), parents, kept, forms, form
    )


def _option(
    like: Molecule, other: Molecule, may_differ: Collection[str]
) -> str:
    """What would keep another molecule, for a message."""
    if common_map(like, other, {*may_differ, 'stereo'}):
        return "; may_differ='stereo' would keep it"
    if common_map(like, other, {*may_differ, 'protonation'}):
        return "; may_differ='protonation' would keep it"
    if common_map(like, other, MAY_DIFFER):
        return f'; may_differ={MAY_DIFFER} would keep it'
    return ''


def _forms(members: Sequence[_Member]) -> tuple[list[Molecule], list[int]]:
    """The distinct molecules, atoms in the order of the first, by pose."""
    forms: list[Molecule] = []
    number: dict[tuple, int] = {}
    known: dict[tuple, int] = {}
    out = []
    for member in members:
        molecule = member.pose.ligand.molecule
        key = (molecule.atoms, molecule.bonds, *member.found)
        if key not in known:
            mol = Chem.RenumberAtoms(molecule.mol, member.found)
            form = described(mol)
            place = number.setdefault((form.atoms, form.bonds), len(forms))
            if place == len(forms):
                forms.append(form)
            known[key] = place
        out.append(known[key])
    return forms, out


def _by_molecule(
    poses: Sequence[Pose], may_differ: Collection[str]
) -> list[list[_Member]]:
    kinds: list[list[_Member]] = []
    # Most poses are written alike, so most maps are known already.
    known: dict[tuple, tuple[list[_Member], list[int]]] = {}
    for pose in poses:
        molecule = pose.ligand.molecule
        key = (molecule.smiles, molecule.atoms, molecule.bonds)
        if key not in known:
            for kind in kinds:
                found = common_map(
                    kind[0].pose.ligand.molecule, molecule, may_differ
                )
                if found is not None:
                    known[key] = kind, found
                    break
            else:
                kinds.append([])
                known[key] = kinds[-1], list(range(len(molecule.atoms)))
        kind, found = known[key]
        kind.append(_Member(pose, found))
    return kinds


def _with_hydrogens(
    members: list[_Member], parents: tuple[int, ...], report: Report
) -> list[_Member]:
    kept = []
    for member in members:
        mine = {theirs: row for row, theirs in enumerate(member.found)}
        got = sorted(mine[parent] for parent in member.pose.ligand.parents)
        if tuple(got) == parents:
            kept.append(member)
            continue
        _drop(
            report,
            member.pose,
            'other hydrogens',
            f'{len(got)} are written out, in the first record {len(parents)}, '
            f'or elsewhere; read with hydrogens=False',
        )
    return kept


def _positions(member: _Member, hydrogens: bool) -> np.ndarray:
    ligand = member.pose.ligand
    heavy = ligand.pos[member.found]
    if not hydrogens or ligand.hydrogen_pos is None:
        return heavy
    mine = {theirs: row for row, theirs in enumerate(member.found)}
    order = np.argsort(
        [mine[parent] for parent in ligand.parents], kind='stable'
    )
    return np.concatenate([heavy, ligand.hydrogen_pos[order]])


def _flag_repeated(
    pos: np.ndarray, poses: Sequence[Pose], report: Report
) -> None:
    """Flags poses with the very coordinates of another one."""
    first: dict[bytes, Pose] = {}
    for xyz, pose in zip(pos.round(4), poses, strict=True):
        other = first.setdefault(xyz.tobytes(), pose)
        if other is not pose:
            report.flag(
                pose.file,
                pose.record,
                pose.title,
                'duplicate pose',
                f'the coordinates of {other.file}, record {other.record}',
            )
    records = Counter(pose.file for pose in poses)
    if len(records) > 1 and max(records.values()) > 1:
        report.flag(
            poses[0].file,
            None,
            poses[0].title,
            'one set from several files',
            f'two runs? {dict(records)}',
        )


def _flag_forms(name: str, poses: Sequence[Pose], report: Report) -> None:
    """Says which molecules share a set, since the caller admits several."""
    counts = Counter(pose.ligand.molecule.smiles for pose in poses)
    if len(counts) < 2:
        return
    molecules = {pose.ligand.molecule.smiles: pose.ligand.molecule
                 for pose in poses}  # fmt: skip
    like = poses[0].ligand.molecule
    differ = {like.difference(molecule) for molecule in molecules.values()}
    if differ != {''}:
        shown = [f'{n} of {text}' for text, n in counts.most_common(SHOWN)]
        more = ['...'] if len(counts) > SHOWN else []
        report.flag(
            '', None, name, 'molecules that share a set',
            f"{'; '.join(sorted(differ - {''}))}: {', '.join(shown + more)}",
        )  # fmt: skip


def _drop(report: Report, pose: Pose, reason: str, detail: str) -> None:
    report.drop(pose.file, pose.record, pose.title, reason, detail)
