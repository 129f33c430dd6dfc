"""The samples of a set that agree, in one order of atoms and one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from torch import Tensor

from pyg_multipose.io.cofolding.complexes import Complex
from pyg_multipose.io.cofolding.receptors import (
    Label,
    labels,
    most_common,
    order_like,
)
from pyg_multipose.io.cofolding.samples import Sample
from pyg_multipose.io.cofolding.superposition import (
    Frame,
    best_reference,
    pocket,
)
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.poses.compound import Pose, compound_of
from pyg_multipose.io.report import Rejected, Report

#: Angstrom; a ligand that is further from its receptor is flagged.
FAR = 10.0


@dataclass(frozen=True, eq=False)
class Member:
    r"""A sample that was read.

    Args:
        sample: The sample.
        complex: Its receptor and its ligand.
        pose: The ligand and the confidences.
    """

    sample: Sample
    complex: Complex
    pose: Pose


@dataclass(frozen=True, eq=False)
class Joined:
    r"""The samples of a set, in one frame.

    Args:
        name: The id of the set.
        molecule: The ligand; its atoms are in the order of all poses.
        z: The atomic numbers of the receptor.
        residue: The residue of each of its atoms, from 1.
        poses: The poses.
        ligand_pos: Shape :obj:`[num_poses, num_atoms, 3]`, in Angstrom.
        receptor_pos: The same of the receptor.
        rmsd: That of the pocket of each sample, in Angstrom.
    """

    name: str
    molecule: Molecule
    z: Tensor
    residue: Tensor
    poses: list[Member]
    ligand_pos: np.ndarray
    receptor_pos: np.ndarray
    rmsd: list[float]


def joined(
    name: str,
    members: Sequence[Member],
    radius: float,
    max_rmsd: float,
    report: Report,
) -> Joined | None:
    r"""Joins the samples of a set; those that do not fit are dropped.

    Args:
        name: The id of the set.
        members: Its samples, at least one.
        radius: How far the pocket reaches, in Angstrom, see
            :func:`~pyg_multipose.io.cofolding.superposition.pocket`.
        max_rmsd: The largest RMSD of its backbone, in Angstrom.
        report: Where to note what is dropped or deserves a look.

    Returns:
        The samples that are left, :obj:`None` if there are none.
    """
    members, orders, usual = _of_one_receptor(members, report)
    compound = compound_of(
        name,
        [one.pose for one in members],
        False,
        frozenset(),
        report,
    )
    row = {id(one.pose): number for number, one in enumerate(members)}
    rows = [row[id(pose)] for pose in compound.poses]
    members = [members[number] for number in rows]
    ligand_pos = compound.pos.astype(np.float64)
    receptor_pos = np.stack(
        [
            one.complex.receptor['pos'].double().numpy()[orders[number]]
            for number, one in zip(rows, members, strict=True)
        ]
    )
    frames = _frames(
        members, usual, ligand_pos, receptor_pos, radius, max_rmsd, report
    )
    kept = [number for number in range(len(members)) if number in frames]
    if not kept:
        return None
    for number in kept:
        place = frames[number].place
        ligand_pos[number] = place(ligand_pos[number])
        receptor_pos[number] = place(receptor_pos[number])
        _flag_far(
            members[number].pose,
            ligand_pos[number],
            receptor_pos[number],
            report,
        )
    receptor = members[0].complex.receptor
    order = orders[rows[0]]
    return Joined(
        name,
        compound.molecule,
        receptor['z'][order],
        receptor['residue'][order],
        [members[number] for number in kept],
        ligand_pos[kept],
        receptor_pos[kept],
        [frames[number].rmsd for number in kept],
    )


def _of_one_receptor(
    members: Sequence[Member], report: Report
) -> tuple[list[Member], list[list[int]], list[Label]]:
    """The samples of the receptor that most have, and where its atoms are."""
    of_samples = [labels(one.complex.receptor) for one in members]
    first = most_common(of_samples)
    usual = of_samples[first]
    z = members[first].complex.receptor['z'].tolist()
    kept, orders = [], []
    for one, atoms in zip(members, of_samples, strict=True):
        try:
            order = order_like(atoms, usual)
            if one.complex.receptor['z'][order].tolist() != z:
                raise Rejected(
                    'other atoms', 'elements are not those of most samples'
                )
        except Rejected as error:
            _drop(one.pose, error.reason, error.detail, report)
            continue
        kept.append(one)
        orders.append(order)
    return kept, orders, usual


def _frames(
    members: Sequence[Member],
    usual: Sequence[Label],
    ligand_pos: np.ndarray,
    receptor_pos: np.ndarray,
    radius: float,
    max_rmsd: float,
    report: Report,
) -> dict[int, Frame]:
    """How to move each sample; those that do not fit have no frame."""
    names = [name for _, name, _ in usual]
    places = {residue: n for n, (residue, _, _) in enumerate(usual)}
    residues = [places[residue] for residue, _, _ in usual]
    if len(members) == 1:
        return {0: Frame(np.eye(3), np.zeros(3), 0.0)}
    pockets: list[list[int] | None] = []
    problems: list[tuple[Pose, Rejected]] = []
    for number, one in enumerate(members):
        ligand, receptor = ligand_pos[number], receptor_pos[number]
        try:
            pockets.append(pocket(names, residues, receptor, ligand, radius))
        except Rejected as error:
            pockets.append(None)
            problems.append((one.pose, error))
    if not any(pockets):
        for pose, problem in problems:
            _drop(pose, problem.reason, problem.detail, report)
        return {}
    reference, frames = best_reference(list(receptor_pos), pockets, max_rmsd)
    title = members[reference].sample.title
    out = {}
    for number, (one, frame) in enumerate(zip(members, frames, strict=True)):
        if frame is None or frame.rmsd > max_rmsd:
            got = 'not defined' if frame is None else f'{frame.rmsd:.2f}'
            _drop(
                one.pose,
                'superposition above the limit',
                f"RMSD {got}, limit {max_rmsd:g} Angstrom, of the pocket's "
                f"backbone on '{title}'",
                report,
            )
        else:
            out[number] = frame
    return out


def _flag_far(
    pose: Pose, ligand: np.ndarray, receptor: np.ndarray, report: Report
) -> None:
    distance = float(cKDTree(receptor).query(ligand)[0].min())
    if distance > FAR:
        report.flag(
            pose.file,
            pose.record,
            pose.title,
            'far from the receptor',
            f'the nearest atoms are {distance:.1f} Angstrom apart',
        )


def _drop(pose: Pose, reason: str, detail: str, report: Report) -> None:
    report.drop(pose.file, pose.record, pose.title, reason, detail)
