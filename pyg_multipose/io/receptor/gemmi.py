"""From gemmi's structure to ours, and what gemmi knows of residues."""

from __future__ import annotations

from pyg_multipose.io.receptor.structure import (
    Atom,
    AtomId,
    Residue,
    ResidueId,
    Structure,
)

try:
    import gemmi
except ImportError as error:
    raise ImportError(
        "Reading receptors needs gemmi: pip install 'pyg_multipose[io]'"
    ) from error

__all__ = ['gemmi', 'structure_of']

_HET = {'A': False, 'H': True}


def structure_of(
    found: gemmi.Structure, file: str, expected: int, has_labels: bool = False
) -> Structure:
    r"""Copies what gemmi has read.

    Args:
        found: The structure.
        file: The name of the file, for messages.
        expected: The number of atoms that the file has.
        has_labels: Whether chains have label ids; gemmi makes up those that
            are not there. (default: :obj:`False`)

    Raises:
        ValueError: If gemmi has read another number of atoms.

    Example:
        >>> import gemmi
        >>> from pyg_multipose.io.receptor.gemmi import structure_of
        >>> text = 'ATOM      1  CA  GLY A   1       1.458   0.000   0.000'
        >>> found = gemmi.read_pdb_string(text.ljust(80))
        >>> structure = structure_of(found, 'receptor.pdb', expected=1)
        >>> str(structure.models[1][0].id)
        'GLY A/1'
    """
    found.setup_entities()
    out = Structure(file, num_atoms=expected)
    count = 0
    for model in found:
        if model.num in out.models:
            raise ValueError(f"'{file}' has model {model.num} twice")
        residues = out.models[model.num] = []
        for chain in model:
            for residue in chain:
                label = residue.subchain.strip('?.') if has_labels else ''
                residues.append(_residue(residue, chain.name, label))
                count += len(residue)
    for bond in found.connections:
        if bond.type == gemmi.ConnectionType.Covale:
            out.bonds.append(
                (_atom_id(bond.partner1), _atom_id(bond.partner2))
            )
    if count != expected:
        raise ValueError(
            f"'{file}' has {expected} atom records, of which {count} can be "
            f'read; it is damaged'
        )
    return out


def _atom_id(address: gemmi.AtomAddress) -> AtomId:
    residue = address.res_id
    return _residue_id(residue, address.chain_name), address.atom_name


def _residue_id(residue: gemmi.ResidueId, chain: str) -> ResidueId:
    seqid = residue.seqid
    number = 0 if seqid.num is None else int(seqid.num)
    return ResidueId(chain, number, seqid.icode.strip(), residue.name)


def _residue(residue: gemmi.Residue, chain: str, label: str) -> Residue:
    return Residue(
        _residue_id(residue, chain),
        [
            Atom(
                atom.name,
                atom.altloc.strip('\0 '),
                round(atom.occ, 4),  # gemmi has it in single precision
                atom.element.atomic_number,
                (atom.pos.x, atom.pos.y, atom.pos.z),
            )
            for atom in residue
        ],
        _HET.get(residue.het_flag),
        residue.entity_type == gemmi.EntityType.Polymer,
        label,
    )
