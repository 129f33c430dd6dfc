"""The ligand of a PDBQT model, with bonds from a SMILES or a template."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from pyg_multipose.io.ligand.ligand import Ligand, check_template, skeleton_of
from pyg_multipose.io.ligand.pdbqt_model import Model
from pyg_multipose.io.molecule.graph_match import (
    from_smiles,
    has_stereo_of,
    matched,
    placed,
)
from pyg_multipose.io.molecule.molecule import Molecule, described
from pyg_multipose.io.rdkit import Chem
from pyg_multipose.io.report import Rejected

#: Two atoms are neighbours if closer than their radii and this, in Angstrom.
#: The graph that results has to be the template's, so the first that fits
#: is right; bridged rings need a small one.
TOLERANCES = (0.45, 0.3, 0.15)
#: A bond that is longer than the radii of its ends and this, in Angstrom,
#: shows that an index map is not that of the model. The bond at which a
#: macrocycle was cut is not kept exactly.
LONGEST = 0.7
HYDROGEN_BOND = 1.4  # Angstrom, from a hydrogen to its parent, at most

_smiles = lru_cache(maxsize=64)(from_smiles)


def ligand_of_model(model: Model, template: Molecule | None) -> Ligand:
    r"""The ligand of a model; its bonds are stated somewhere or it has none.

    With Meeko's index map, atoms are those of its SMILES, in that order.
    With a SMILES alone, or a template, the model is matched as a graph.

    Args:
        model: The model.
        template: The molecule that it is said to be, if that is known.

    Raises:
        Rejected: If nothing states the bonds, or something else.
    """
    if model.smiles:
        try:
            remark = _smiles(model.smiles)
        except ValueError as error:
            raise Rejected('unreadable SMILES remark', str(error)) from None
        if template is not None:
            check_template(remark, template)
        if model.smiles_map:
            return _by_map(model, remark)
        template = template or remark
    if template is None:
        says = 'no SMILES remark or template says which'
        if model.foreign:
            says = (
                f'{model.foreign!r} is not the remark of Meeko (REMARK SMILES '
                f'and the SMILES alone), so that it is not read'
            )
        raise Rejected(
            'no bonds',
            f'a PDBQT has none, and {says}: pass template={{id: SMILES}}',
        )
    return ligand_by_graph(model, template)


def _by_map(model: Model, remark: Molecule) -> Ligand:
    row = {serial: number for number, serial in enumerate(model.serials)}
    of_smiles = dict(model.smiles_map)
    # Its atoms are numbered as written; explicit hydrogens count.
    written = Chem.MolFromSmiles(model.smiles, sanitize=False)
    symbols = [atom.GetAtomicNum() for atom in written.GetAtoms()]
    heavy = [n for n, z in enumerate(symbols, start=1) if z != 1]
    mapped = [row.get(of_smiles.get(number, -1)) for number in heavy]
    known = [index for index in mapped if index is not None]
    if len(known) != len(heavy) or len(set(known)) != len(known):
        raise Rejected(
            'index map does not fit',
            f'{len(set(known))} of the {len(heavy)} atoms of {model.smiles} '
            f'are in the model: the model is incomplete, or the map is not '
            f'its own',
        )
    missed = [
        serial
        for serial, z in zip(model.serials, model.atomic_numbers, strict=True)
        if z != 1 and row[serial] not in set(known)
    ]
    if missed:
        raise Rejected(
            'index map does not fit', f'it has no atoms {missed} of the model'
        )
    got = [model.atomic_numbers[index] for index in known]
    if got != [z for z, _, _ in remark.atoms]:
        raise Rejected(
            'index map does not fit',
            f'the elements are not those of {model.smiles}',
        )
    pos = model.pos[known]
    _check_lengths(remark, pos)
    mol = placed(remark, pos)
    if not has_stereo_of(mol, remark):
        raise Rejected(
            'another stereoisomer than its SMILES remark',
            f'by its coordinates; the remark is {remark.smiles}',
        )
    number = {place: index for index, place in enumerate(heavy)}
    hydrogens = {
        serial: number[parent]
        for parent, serial in model.parents
        if parent in number and serial in row
    }
    return Ligand(
        described(mol),
        pos,
        tuple(hydrogens.values()),
        model.pos[[row[serial] for serial in hydrogens]],
    )


def _check_lengths(molecule: Molecule, pos: np.ndarray) -> None:
    radii = _radii([z for z, _, _ in molecule.atoms])
    for i, j, _ in molecule.bonds:
        length = float(np.linalg.norm(pos[i] - pos[j]))
        if length > radii[i] + radii[j] + LONGEST:
            raise Rejected(
                'index map does not fit',
                f'the bond of atoms {i + 1} and {j + 1} of the SMILES would '
                f'be {length:.1f} Angstrom long',
            )


def ligand_by_graph(
    model: Model,
    template: Molecule,
    alike: Literal['refuse', 'order', 'any'] = 'refuse',
) -> Ligand:
    r"""The ligand whose neighbours, by distance, are those of a template.

    Args:
        model: The atoms.
        template: The molecule that they are said to be.
        alike: As of :class:`~pyg_multipose.io.molecule.graph_match.Skeleton`.
            If not :obj:`"refuse"`, hydrogens need not be there.
            (default: :obj:`"refuse"`)

    Raises:
        Rejected: If they are another molecule.
    """
    z = np.array(model.atomic_numbers)
    pos, hydrogen_pos = model.pos[z != 1], model.pos[z == 1]
    heavy = z[z != 1].tolist()
    if not heavy:
        raise Rejected('no heavy atoms', 'nothing but hydrogen')
    row = {
        int(place): number for number, place in enumerate(np.where(z != 1)[0])
    }
    glued = [(row[i], row[j]) for i, j in model.glued]
    parents: list[int] = []
    if len(hydrogen_pos):
        distance, nearest = cKDTree(pos).query(hydrogen_pos)
        if distance.max() > HYDROGEN_BOND:
            raise Rejected(
                'hydrogen without a parent',
                f'the nearest atom is {distance.max():.1f} Angstrom away',
            )
        parents = nearest.tolist()
    record = replace(skeleton_of(heavy, [], pos, parents), alike=alike)
    if alike == 'refuse' or parents:
        # Where a PDBQT has no polar hydrogens, the ligand has none.
        record = replace(record, tells='polar')
    radii = _radii(heavy)
    problem: Rejected | None = None
    for tolerance in TOLERANCES:
        bonds = sorted({*_neighbours(pos, radii, tolerance), *glued})
        try:
            mol, found = matched(replace(record, bonds=bonds), template)
        except Rejected as error:
            problem = problem or error
            continue
        number = {index: row for row, index in enumerate(found)}
        return Ligand(
            described(mol),
            pos[found],
            tuple(number[parent] for parent in parents),
            hydrogen_pos,
        )
    assert problem is not None
    raise problem


def _neighbours(
    pos: np.ndarray, radii: np.ndarray, tolerance: float
) -> list[tuple[int, int]]:
    pairs = cKDTree(pos).query_pairs(2 * radii.max() + tolerance)
    return [
        (i, j)
        for i, j in pairs
        if np.linalg.norm(pos[i] - pos[j]) < radii[i] + radii[j] + tolerance
    ]


def _radii(atomic_numbers: list[int]) -> np.ndarray:
    table = Chem.GetPeriodicTable()
    return np.array([table.GetRcovalent(z) for z in atomic_numbers])
