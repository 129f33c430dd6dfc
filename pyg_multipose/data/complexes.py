r"""Whole complexes as one receptor, and what each of them changes in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data.checks import (
    check_finite,
    check_part,
    check_relation,
    check_rows,
)
from pyg_multipose.data.levels import level_by_name
from pyg_multipose.data.moved_atoms import MovedPart
from pyg_multipose.data.part import Part


def taken_apart(
    complexes: Sequence[Data],
    name: str | None,
    pose_attrs: Iterable[str],
    snap: float | None,
) -> tuple[Data, list[Data], list[MovedPart]]:
    r"""Finds the receptor of complexes, and what has moved in each.

    The receptor has each atom where most complexes have it, and is one of
    theirs as far as there is a choice.

    Args:
        complexes: Graphs with :obj:`is_ligand`, the atoms of the receptor in
            one order.
        name: The name of the set, for messages.
        pose_attrs: Keys with one value for each complex.
        snap: As of :meth:`~pyg_multipose.data.PoseSet.from_complexes`.

    Returns:
        The receptor, the ligands, and what has moved, one for each complex.

    Raises:
        ValueError: If complexes do not have the same atoms.
    """
    called = f"set '{name}'" if name else 'the set'
    given: Any = complexes  # whatever was passed
    if not isinstance(given, list | tuple) or not given:
        got = 'none' if given in ([], ()) else f'a {type(given).__name__}'
        raise ValueError(
            f'{called}: expected a list of complexes, one for each pose, got '
            f'{got}'
        )
    if snap is not None and not _is_distance(snap):
        raise ValueError(
            f"{called}: 'snap' is a positive distance in Angstrom, got "
            f'{snap!r}'
        )
    attrs = set(pose_attrs)
    parts = [
        _split(data, attrs, f'{called}, complex {number}')
        for number, data in enumerate(complexes)
    ]
    receptors = [part.receptor for part in parts]
    for number, receptor in enumerate(receptors):
        _check_same(receptor, receptors[0], f'{called}, complex {number}')
    keys = [key for key in receptors[0].keys() if level_by_name(key) != 'bond']
    tables = {k: torch.stack([one[k] for one in receptors]) for k in keys}
    first = {key: table[0] for key, table in tables.items()}
    # The number of comparisons grows with the square of that of complexes.
    some = _differ(tables, first, None)[1].any(dim=0)
    rows = {key: table[:, some] for key, table in tables.items()}
    agreeing = torch.stack(
        [
            (~_differ(rows, {k: v[one] for k, v in rows.items()}, snap)[1])
            .sum(dim=0)
            for one in range(len(parts))
        ]
    )  # fmt: skip
    # Of an atom that is nowhere twice, all positions come from one complex.
    usual = int(agreeing.sum(dim=1).argmax())
    best = agreeing.argmax(dim=0)
    best[agreeing[usual] == agreeing.amax(dim=0)] = usual
    chosen = torch.full_like(some, usual, dtype=torch.long)
    chosen[some] = best
    atom = torch.arange(chosen.numel(), device=chosen.device)
    receptor = receptors[usual].clone()
    for key, table in tables.items():
        receptor[key] = table[chosen, atom]
    far, differ = _differ(tables, {key: receptor[key] for key in keys}, snap)
    moved = []
    for part, which in zip(parts, differ, strict=True):
        index = which.nonzero().squeeze(1)
        values = {key: part.receptor[key][index] for key in keys}
        moved.append(MovedPart(index, values, index[:0], part.bonds))
    near = far[~differ & (far > 0)]
    if near.numel():
        warnings.warn(
            f'{called}: {near.numel()} atoms in {len(parts)} receptors are '
            f'at most {float(near.max()):.3f} Angstrom (RMSD '
            f'{float(near.square().mean().sqrt()):.3f} Angstrom) from where '
            f'most have them, and were put there: snap={snap}',
            UserWarning,
            stacklevel=3,
        )
    return receptor, [part.ligand for part in parts], moved


def _is_distance(given: Any) -> bool:
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    return is_number and 0 < float(given) < float('inf')


def _differ(
    tables: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    snap: float | None,
) -> tuple[Tensor, Tensor]:
    """How far atoms are from those of a reference, and which differ."""
    pos = tables['pos'].detach().double()
    far = (pos - reference['pos'].detach().double()).norm(dim=2)
    differ = far > (snap or 0.0)
    for key, table in tables.items():
        if key != 'pos':
            unlike = table != reference[key]
            while unlike.dim() > 2:
                unlike = unlike.any(dim=-1)
            differ |= unlike
    return far, differ


class _Complex(NamedTuple):
    """The parts of a complex, and the bonds between them."""

    receptor: Data
    ligand: Data
    bonds: dict[str, Tensor]


def _split(data: Data, attrs: Set[str], where: str) -> _Complex:
    is_ligand = _checked(data, attrs, where)
    row = torch.where(
        is_ligand, is_ligand.cumsum(0) - 1, (~is_ligand).cumsum(0) - 1
    )
    parts = Data(), Data()
    bonds: dict[str, Tensor] = {}
    ends = data.get('bond_index')
    for key, value in data.stores[0].items():
        if key == 'num_nodes':
            continue
        if key in attrs:
            parts[1][key] = value
        elif level_by_name(key) == 'bond':
            of_ligand = is_ligand[ends]
            across = of_ligand[0] != of_ligand[1]
            within = (of_ligand.any(dim=0), of_ligand.all(dim=0))
            is_index = key == 'bond_index'
            new = row[value] if is_index else value
            for part, kept in zip(parts, (~within[0], within[1]), strict=True):
                part[key] = new[:, kept] if is_index else new[kept]
            if across.any():
                if is_index:
                    new = torch.where(of_ligand, new, -1 - new)[:, across]
                bonds[key] = new if is_index else new[across]
        else:
            parts[0][key], parts[1][key] = value[~is_ligand], value[is_ligand]
    for part, what in zip(parts, ('receptor', 'ligand'), strict=True):
        if not len(part['pos']):
            raise ValueError(f"{where} has no {what} by its 'is_ligand'")
    return _Complex(*parts, bonds)


def _checked(data: Data, attrs: Set[str], where: str) -> Tensor:
    """Which atoms of a complex are the ligand's, if all of it is sound."""
    check_part(data, where)
    is_ligand = data.get('is_ligand')
    if (
        not isinstance(is_ligand, Tensor)
        or is_ligand.dtype != torch.bool
        or is_ligand.dim() != 1
    ):
        raise ValueError(
            f"{where} has no boolean 'is_ligand' of shape [num_atoms], which "
            f'tells the atoms of its ligand from those of its receptor'
        )
    for key, dim in (('pos', 2), ('z', 1)):
        value = data.get(key)
        if not isinstance(value, Tensor) or value.dim() < dim:
            raise ValueError(
                f"{where} has no '{key}', by which receptors are compared"
            )
    edges = [key for key in data.keys() if level_by_name(key) == 'edge']
    if edges:
        raise ValueError(
            f'{where} has {edges}, but which edges are those of the receptor '
            f'is not known yet. Leave them out, and apply RadiusGraph to the '
            f'set'
        )
    values = dict(data.stores[0].items())
    size = values.pop('num_nodes', data['pos'].size(0))
    for key, value in values.items():
        if key not in attrs and level_by_name(key) in (None, 'node'):
            check_rows(value, size, 'atom', key, where)
    levels = {key: level_by_name(key) or 'node' for key in values}
    check_relation(Part(where, values, size, levels), 'bond')
    check_finite(data['pos'], where)
    return is_ligand


def _check_same(receptor: Data, first: Data, where: str) -> None:
    """Refuses a receptor of other atoms than those of the first complex."""
    keys, expected = set(receptor.keys()), set(first.keys())
    if keys != expected:
        raise ValueError(
            f'{where} and complex 0 need the same keys, but only one of them '
            f'has {sorted(keys ^ expected)}'
        )
    if len(receptor['z']) != len(first['z']):
        raise ValueError(
            f'{where}: its receptor has {len(receptor["z"])} atoms, that of '
            f'complex 0 {len(first["z"])}; expected the same atoms in the '
            f'same order. Is it another sequence, or are atoms missing?'
        )
    for key in sorted(keys):
        value, other = receptor[key], first[key]
        if value.shape != other.shape or value.dtype != other.dtype:
            raise ValueError(
                f"{where}: '{key}' of the receptor has shape "
                f'{list(value.shape)} and {value.dtype}, in complex 0 '
                f'{list(other.shape)} and {other.dtype}'
            )
        if level_by_name(key) == 'bond' and not value.equal(other):
            raise ValueError(
                f"{where}: '{key}' of the receptor is not that of complex 0; "
                f'expected the same bonds in the same order'
            )
    unlike = (receptor['z'] != first['z']).nonzero()
    if unlike.numel():
        atom = int(unlike[0])
        raise ValueError(
            f'{where}: atom {atom} of its receptor has z = '
            f'{receptor["z"][atom].tolist()}, in complex 0 '
            f'{first["z"][atom].tolist()}; expected the same atoms in the '
            f'same order. Is it another sequence?'
        )
