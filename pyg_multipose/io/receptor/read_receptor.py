"""Receptors from structure files."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from pyg_multipose.io.receptor.altlocs import choose
from pyg_multipose.io.receptor.kinds import Kind, kinds
from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.receptor.report import ReceptorReport
from pyg_multipose.io.receptor.structure import Residue, Structure
from pyg_multipose.io.receptor.structure_file import read_structure

#: Residues of a chain that is short enough to be a peptide ligand.
SHORT = 30
#: Why residues of a kind are left out, and whether each has a row.
_REASONS: dict[Kind, tuple[str, bool]] = {
    'water': ('water', False),
    'buffer': ('buffer or cryoprotectant', False),
    'unknown': ('no element', True),
    'other': ('ligand or cofactor', True),
}


def read_receptor(
    path: str | os.PathLike[str],
    chains: str | Iterable[str] | None = None,
    model: int | None = None,
    waters: bool = False,
    buffers: bool = False,
    keep: str | Iterable[str] = (),
    drop: str | Iterable[str] = (),
    hydrogens: bool = False,
) -> Receptor:
    r"""Reads a receptor from a PDB, mmCIF or PDBQT file, plain or gzip.

    Kept are residues of chains (modified ones too), and whatever holds a
    metal. Water, buffers and cryoprotectants, and all other molecules
    (ligands, cofactors, sugars) are left out unless asked for;
    :attr:`Receptor.report` says what and why.
    Every atom has one location, that of the highest occupancy in its residue.

    Args:
        path: The file; the end of its name tells the format.
        chains: The chains to keep, in the numbering of the authors; a text
            is one chain. (default: all)
        model: The number of the model. (default: the first)
        waters: Whether to keep water. (default: :obj:`False`)
        buffers: Whether to keep buffers, cryoprotectants and ions of their
            salts. (default: :obj:`False`)
        keep: Residues to keep in any case: names (:obj:`"HEM"`) or single
            residues as the report writes them (:obj:`"HOH A/401"`).
            (default: :obj:`()`)
        drop: Residues to leave out in any case. (default: :obj:`()`)
        hydrogens: Whether to keep hydrogens; none are ever added.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged or of another kind, if it has no
            such chain, model or residue, or if nothing is left.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_receptor
        >>> text = '''
        ... ATOM      1  N   GLY A   1       0.000   0.000   0.000
        ... ATOM      2  CA  GLY A   1       1.458   0.000   0.000
        ... HETATM    3  O   HOH A   2       5.000   0.000   0.000
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'receptor.pdb')
        ...     _ = path.write_text(text)
        ...     receptor = read_receptor(path)
        >>> receptor
        Receptor(pos=[2, 3], z=[2], residue=[2])
        >>> receptor.report.reasons()  # atoms that were left out
        Counter({'water': 1})
    """
    structure = read_structure(path)
    report = ReceptorReport()
    report.seen[structure.file] = structure.num_atoms
    for reason, detail in structure.notes:
        report.flag(structure.file, None, '', reason, detail)
    for kind, count in structure.dummies.items():
        report.leave_out(structure.file, kind, 'not an atom', count)
    residues = _of_model(structure, model, report)
    residues = _of_chains(structure, residues, chains, report)
    residues = _one_location(structure, residues, report)
    kept, left_out = _wanted(
        structure,
        residues,
        {'water': waters, 'buffer': buffers},
        _texts(keep),
        _texts(drop),
        report,
    )
    kept = _of_elements(structure, kept, hydrogens, report)
    report.kept[structure.file] = sum(len(r.atoms) for r in kept)
    report.check()
    if not kept:
        raise ValueError(
            f"'{structure.file}': nothing is left of it, by reason: "
            f'{dict(report.reasons())}'
        )
    shown = ', '.join(dict.fromkeys(r.id.chain or "''" for r in kept))
    report.summary = (
        f'{len(kept)} residues with {report.num_kept} of '
        f'{structure.num_atoms} atoms, chains: {shown}'
    )
    return _receptor(kept, left_out, report)


def _of_model(
    structure: Structure, number: int | None, report: ReceptorReport
) -> list[Residue]:
    models = structure.models
    if number is None:
        number = next(iter(models))
        if len(models) > 1:
            report.flag(
                structure.file,
                None,
                '',
                'several models',
                f'the first of {len(models)} is read, {number}; the others '
                f'are {list(models)[1:]}',
            )
    if number not in models:
        raise ValueError(
            f"'{structure.file}' has no model {number!r}, it has "
            f'{list(models)}'
        )
    for other, residues in models.items():
        if other != number:
            count = sum(len(residue.atoms) for residue in residues)
            report.leave_out(
                structure.file, f'model {other}', 'another model', count
            )
    return models[number]


def _of_chains(
    structure: Structure,
    residues: list[Residue],
    chains: str | Iterable[str] | None,
    report: ReceptorReport,
) -> list[Residue]:
    if chains is None:
        return residues
    wanted = {chains} if isinstance(chains, str) else set(chains)
    sizes: Counter[str] = Counter()
    for residue in residues:
        sizes[residue.id.chain] += len(residue.atoms)
    missing = sorted(wanted - set(sizes))
    if missing or not wanted:
        labels = {
            label: chain
            for label, chain in structure.label_chains.items()
            if label in missing
        }
        hint = f'. By their label ids: {labels}' if labels else ''
        raise ValueError(
            f"'{structure.file}' has no chain {missing}; it has "
            f'{sorted(sizes)} in the numbering of the authors{hint}'
        )
    for chain, count in sizes.items():
        if chain not in wanted:
            report.leave_out(
                structure.file, f'chain {chain}', 'another chain', count
            )
    return [residue for residue in residues if residue.id.chain in wanted]


def _one_location(
    structure: Structure, residues: Sequence[Residue], report: ReceptorReport
) -> list[Residue]:
    chosen = choose(residues)
    lost = [one for one in chosen if one.left_out]
    for one in lost:
        report.leave_out(
            structure.file,
            str(one.residue.id),
            'alternate location',
            one.left_out,
            one.why,
        )
    if lost:
        report.flag(
            structure.file,
            None,
            '',
            'alternate locations',
            f'in {len(lost)} residues; that of the highest occupancy is taken',
        )
    return [one.residue for one in chosen]


def _wanted(
    structure: Structure,
    residues: Sequence[Residue],
    options: dict[str, bool],
    keep: set[str],
    drop: set[str],
    report: ReceptorReport,
) -> tuple[list[Residue], list[Residue]]:
    known = {name for r in residues for name in (r.id.name, str(r.id))}
    unknown = sorted((keep | drop) - known)
    if unknown or keep & drop:
        others = {r.id.name for r in residues if r.is_het is not False}
        raise ValueError(
            f"'{structure.file}' has no residue {unknown}; it has "
            f'{sorted(others)}'
            if unknown
            else f'{sorted(keep & drop)} are in keep and in drop'
        )
    kept, left_out = [], []
    rest: dict[tuple[str, str], list[Residue]] = defaultdict(list)
    sizes: Counter[str] = Counter()
    found = kinds(residues, structure.bonds)
    for residue, (kind, why) in zip(residues, found, strict=True):
        names = {residue.id.name, str(residue.id)}
        reason, has_row = _REASONS.get(kind, ('', False))
        # What is more precise wins: 'HOH A/401' over 'HOH'.
        if str(residue.id) in drop or (
            names & drop and str(residue.id) not in keep
        ):
            reason, has_row = 'left out as asked', True
        elif names & keep or options.get(kind):
            reason = ''
        if not reason:
            kept.append(residue)
            sizes[residue.id.chain] += kind == 'chain'
            if why and not names & keep:
                report.flag(
                    structure.file,
                    None,
                    str(residue.id),
                    'an unknown residue is kept',
                    f'{why}; drop=[{str(residue.id)!r}] leaves it out',
                )
            continue
        if kind != 'water':
            left_out.append(residue)
        title = str(residue.id) if has_row else residue.id.name
        rest[title, reason].append(residue)
    for (title, reason), alike in rest.items():
        count = sum(len(residue.atoms) for residue in alike)
        detail = f'{len(alike)} residues' if len(alike) > 1 else ''
        if reason == _REASONS['other'][0]:
            detail = f'keep=[{alike[0].id.name!r}] keeps it'
        elif reason == _REASONS['unknown'][0]:
            detail = _unknown(alike[0])
        report.leave_out(structure.file, title, reason, count, detail)
    for chain, size in sizes.items():
        if 0 < size <= SHORT < max(sizes.values()):
            report.flag(
                structure.file,
                None,
                f'chain {chain}',
                'a short chain is kept',
                f'{size} residues: a peptide ligand? chains= leaves it out',
            )
    return kept, left_out


def _of_elements(
    structure: Structure,
    residues: Sequence[Residue],
    hydrogens: bool,
    report: ReceptorReport,
) -> list[Residue]:
    out = []
    lost = 0
    for residue in residues:
        unknown = [atom.name for atom in residue.atoms if atom.z == 0]
        if unknown:
            report.leave_out(
                structure.file,
                str(residue.id),
                'no element',
                len(unknown),
                _unknown(residue),
            )
        atoms = [
            atom
            for atom in residue.atoms
            if atom.z > 1 or (hydrogens and atom.z == 1)
        ]
        lost += len(residue.atoms) - len(atoms) - len(unknown)
        if atoms:
            out.append(replace(residue, atoms=atoms))
    if lost:
        report.leave_out(
            structure.file, '', 'hydrogen', lost, 'hydrogens=True keeps them'
        )
    return out


def _unknown(residue: Residue) -> str:
    names = [atom.name for atom in residue.atoms if atom.z == 0]
    return f'{names[:5]} are no atoms, or of no known element'


def _texts(names: str | Iterable[str]) -> set[str]:
    return {names} if isinstance(names, str) else set(names)


def _receptor(
    residues: Sequence[Residue],
    left_out: list[Residue],
    report: ReceptorReport,
) -> Receptor:
    atoms = [atom for residue in residues for atom in residue.atoms]
    sizes = torch.tensor([len(residue.atoms) for residue in residues])
    out = Receptor(
        z=torch.tensor([atom.z for atom in atoms]),
        pos=torch.tensor([atom.pos for atom in atoms], dtype=torch.float32),
        residue=torch.arange(1, len(residues) + 1).repeat_interleave(sizes),
    )
    out.__dict__.update(
        _report=report,
        _residues=[residue.id for residue in residues],
        _atom_names=[atom.name for atom in atoms],
        _left_out=left_out,
    )
    return out
