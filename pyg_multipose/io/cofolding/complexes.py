"""A complex as a receptor and the ligand of a template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyg_multipose.io.ligand.ligand import Ligand
from pyg_multipose.io.ligand.pdbqt_ligand import ligand_by_graph
from pyg_multipose.io.ligand.pdbqt_model import Model
from pyg_multipose.io.molecule.atoms import check_count, check_positions
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.receptor.read_receptor import read_receptor
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.receptor.structure import Atom, Residue, ResidueId
from pyg_multipose.io.report import Rejected

#: What is said of a record whose atoms hydrogens alone tell apart.
_ALIKE = 'atoms cannot be told apart'
#: What is said of a molecule of another composition.
_OTHER = ('another number of atoms', 'another ligand')


@dataclass(frozen=True, eq=False)
class Complex:
    r"""What a file with a complex holds.

    Args:
        receptor: All that is kept of it but the ligand.
        ligand: The ligand, its heavy atoms where the file has them.
        left_out: Other molecules, as messages call them.
        notes: What deserves a look, as (reason, detail).
    """

    receptor: Receptor
    ligand: Ligand
    left_out: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Residues that may be the ligand: one, or all of a chain."""

    names: tuple[str, ...]
    atoms: list[Atom]

    @property
    def called(self) -> str:
        return ' + '.join(self.names)


def read_complex(
    path: Path,
    template: Molecule | None,
    ligand: str | None = None,
    keep: Iterable[str] = (),
) -> Complex:
    r"""Reads a complex.

    The ligand is the molecule that is the template, whatever its name is and
    whether its records are ATOM or HETATM.

    Args:
        path: A PDB or mmCIF file.
        template: What the ligand is.
        ligand: Its residue, if several are the template: a name, or a single
            one as messages call it, e.g., :obj:`"LIG B/1"`.
            (default: :obj:`None`)
        keep: As of :func:`~pyg_multipose.io.read_receptor`.
            (default: :obj:`()`)

    Raises:
        Rejected: If the file is damaged, or does not have that ligand.
    """
    if template is None:
        raise Rejected(
            'no bonds',
            'a complex has none for its ligand, and they are not guessed from '
            'distances: pass template={id: SMILES}',
        )
    receptor = _read(path, keep, () if ligand is None else (ligand,))
    found, failed = _matches(_candidates(receptor, ligand), template)
    if not found and ligand is None:
        # A ligand that looks like a part of a chain, but is a chain itself.
        lone, problems = _matches(_lone_residues(receptor), template)
        failed += problems
        if len(lone) == 1:
            receptor = _read(path, keep, lone[0][0].names)
            again = _candidates(receptor, None)
            found, _ = _matches(
                [one for one in again if one.names == lone[0][0].names],
                template,
            )
    if len(found) > 1:
        names = [one.called for one, _, _ in found]
        raise Rejected(
            'several ligands',
            f'{names} are all the template {template.smiles}; choose one, '
            f'e.g. ligand={names[0]!r}',
        )
    if not found:
        raise _no_ligand(failed, template, receptor)
    ((candidate, pose, notes),) = found
    file = next(iter(receptor.report.seen))
    flagged = [
        (
            row.reason,
            ': '.join(text for text in (row.title, row.detail) if text),
        )
        for row in receptor.report.flagged
        if row.file == file
    ]
    others = [
        str(residue.id)
        for residue in receptor.left_out
        if str(residue.id) not in candidate.names
    ]
    return Complex(receptor, pose, tuple(others), (*flagged, *notes))


def _read(path: Path, keep: Iterable[str], drop: Iterable[str]) -> Receptor:
    try:
        return read_receptor(path, keep=keep, drop=drop)
    except (OSError, ValueError) as error:
        raise Rejected('unreadable complex', str(error)) from None


def _candidates(receptor: Receptor, ligand: str | None) -> list[_Candidate]:
    """Molecules that are no part of the receptor."""
    chains: dict[str, list[Residue]] = {}
    kept = {residue.chain for residue in receptor.residues}
    out = []
    for residue in receptor.left_out:
        names = (str(residue.id), residue.id.name)
        if ligand is None or ligand in names:
            out.append(_Candidate(names[:1], residue.atoms))
        chains.setdefault(residue.id.chain, []).append(residue)
    for chain, residues in chains.items():
        if len(residues) > 1 and chain not in kept and ligand is None:
            out.append(
                _Candidate(
                    tuple(str(residue.id) for residue in residues),
                    [atom for residue in residues for atom in residue.atoms],
                )
            )
    return out


def _lone_residues(receptor: Receptor) -> list[_Candidate]:
    """Residues of the receptor that are all of their chain."""
    sizes = Counter(residue.chain for residue in receptor.residues)
    return [
        _Candidate((str(residue),), _atoms(receptor, residue, number))
        for number, residue in enumerate(receptor.residues, start=1)
        if sizes[residue.chain] == 1
    ]


def _atoms(receptor: Receptor, residue: ResidueId, number: int) -> list[Atom]:
    rows = (receptor['residue'] == number).nonzero().view(-1).tolist()
    return [
        Atom(
            receptor.atom_names[row],
            '',
            1.0,
            int(receptor['z'][row]),
            tuple(receptor['pos'][row].tolist()),
        )
        for row in rows
    ]


_Match = tuple[_Candidate, Ligand, tuple[tuple[str, str], ...]]


def _matches(
    candidates: Sequence[_Candidate], template: Molecule
) -> tuple[list[_Match], list[tuple[_Candidate, Rejected]]]:
    """Those that are the template, and why others of its size are not."""
    elements = Counter(z for z, _, _ in template.atoms)
    found: list[_Match] = []
    failed = []
    for one in candidates:
        heavy = [atom for atom in one.atoms if atom.z != 1]
        if Counter(atom.z for atom in heavy) != elements:
            failed.append((one, _other_size(heavy, template)))
            continue
        try:
            pose, notes = _ligand(heavy, template)
        except Rejected as error:
            failed.append((one, error))
        else:
            found.append((one, pose, notes))
    return found, failed


def _ligand(
    atoms: Sequence[Atom], template: Molecule
) -> tuple[Ligand, tuple[tuple[str, str], ...]]:
    check_count(len(atoms))
    pos = np.array([atom.pos for atom in atoms])
    check_positions(pos)
    numbers = list(range(1, len(atoms) + 1))
    model = Model(numbers, [atom.z for atom in atoms], pos)
    try:
        return ligand_by_graph(model, template, 'order'), ()
    except Rejected as error:
        if error.reason != _ALIKE:
            raise
    note = (
        'hydrogens of equivalent atoms',
        f'a complex without hydrogens does not tell which of them has which, '
        f'and its atoms are not in the order of {template.smiles}; the first '
        f'that fit were taken. Give the SMILES as the program had it',
    )
    return ligand_by_graph(model, template, 'any'), (note,)


def _other_size(atoms: Sequence[Atom], template: Molecule) -> Rejected:
    got, expected = len(atoms), len(template.atoms)
    if got != expected:
        return Rejected(
            _OTHER[0],
            f'{got} heavy atoms, expected {expected} of {template.smiles}',
        )
    return Rejected(
        _OTHER[1], f'its elements are not those of {template.smiles}'
    )


def _no_ligand(
    failed: Sequence[tuple[_Candidate, Rejected]],
    template: Molecule,
    receptor: Receptor,
) -> Rejected:
    """Why there is no ligand: what is most like it says so."""
    outside = {str(residue.id) for residue in receptor.left_out}
    likely = [
        (one, error) for one, error in failed if error.reason not in _OTHER
    ] or [(one, error) for one, error in failed if one.names[0] in outside]
    if not likely:
        return Rejected(
            'no ligand',
            f'there are chains and metals alone, expected {template.smiles}',
        )
    size = len(template.atoms)
    one, error = min(likely, key=lambda pair: abs(len(pair[0].atoms) - size))
    return Rejected(error.reason, f'{one.called}: {error.detail}')
