"""The poses: docked ones of the bundled dataset, and generated ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch_geometric.data import Data

from benchmarks.cases import Case
from benchmarks.flexible import flexible
from benchmarks.settings import Settings
from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot

#: Docked poses: in the pocket or the chain, with side chains next to the
#: ligand that are elsewhere in every pose, or the ligand alone.
DOCKED = 'pocket', 'chain', 'pocket-flexible', 'chain-flexible', 'ligand'
#: Heavy atoms per cubic Angstrom in the inside of a protein, about.
DENSITY = 0.1
#: How far an atom is from its place on the lattice at most, in Angstrom.
JITTER = 0.4
#: Carbon, nitrogen, oxygen and sulfur, about as often as in a protein.
ELEMENTS = (6, 6, 6, 6, 6, 6, 7, 7, 8, 8, 16)


def pose_sets(case: Case, settings: Settings) -> list[PoseSet]:
    r"""The sets of a case, without edges.

    Args:
        case: What is asked for.
        settings: The seed of generated poses.

    Raises:
        ValueError: If the data are unknown, or if there are not so many.
    """
    kind, _, size = case.data.partition('-')
    if kind == 'generated':
        return _generated(case, int(size), settings.seed)
    if case.data not in DOCKED:
        raise ValueError(
            f"Unknown data '{case.data}'; choose among {list(DOCKED)} and "
            f"'generated-A'"
        )
    found = [*itertools.islice(_docked(case), case.sets)]
    if len(found) < case.sets:
        raise ValueError(
            f'The dataset has {len(found)} sets of {case.per_set} poses, '
            f'asked for {case.sets}'
        )
    return found


def _docked(case: Case) -> Iterator[PoseSet]:
    dataset = MproMoonshot(
        'train',
        receptor='chain' if case.data.startswith('chain') else 'pocket',
    )
    if case.per_set > max(dataset.num_poses):
        # The poses of many compounds as if they were those of one.
        ligands: list[Data] = []
        for item in dataset:
            ligands += _ligands(item)
            while len(ligands) >= case.per_set:
                yield _joined(case, item, ligands[: case.per_set])
                del ligands[: case.per_set]
        return
    for item in dataset:
        if item.num_poses < case.per_set:
            continue
        chosen = item.select(range(case.per_set))
        if case.data not in ('pocket', 'chain'):
            chosen = _joined(case, item, _ligands(chosen))
        yield chosen


def _joined(case: Case, item: PoseSet, ligands: list[Data]) -> PoseSet:
    attributes = ['vina_score']
    receptor = item.receptor
    if case.data == 'ligand' or receptor is None:
        return PoseSet.from_poses(ligands, item.y, pose_attrs=attributes)
    if case.data.endswith('flexible'):
        return flexible(item, ligands)
    receptor = Data(z=receptor.z, pos=receptor.pos)
    return PoseSet.from_complex(
        receptor, ligands, item.y, pose_attrs=attributes
    )


def _ligands(item: PoseSet) -> list[Data]:
    return [
        Data(
            z=pose.z[pose.is_ligand],
            pos=pose.pos[pose.is_ligand],
            vina_score=pose.vina_score,
        )
        for pose in item.to_poses()
    ]


def _generated(case: Case, atoms: int, seed: int) -> list[PoseSet]:
    generator = torch.Generator().manual_seed(seed)
    return [
        PoseSet.from_poses(
            [ball(atoms, generator) for _ in range(case.per_set)], y=5.5
        )
        for _ in range(case.sets)
    ]


def ball(atoms: int, generator: torch.Generator) -> Data:
    r"""Random atoms in a ball, about as dense as a protein.

    They lie near the places of a lattice, turned at random, so that no two
    are closer than atoms come.

    Args:
        atoms: How many.
        generator: Where random numbers come from.
    """
    spacing = DENSITY ** (-1 / 3)
    radius = (3 * atoms / (4 * math.pi * DENSITY)) ** (1 / 3)
    reach = math.ceil(radius / spacing) + 1
    line = torch.arange(-reach, reach + 1)
    places = torch.cartesian_prod(line, line, line).double()
    offset = torch.rand(3, generator=generator, dtype=torch.float64)
    places = (places + offset) * spacing
    nearest = places.norm(dim=1).argsort(stable=True)[:atoms]
    shift = torch.rand(atoms, 3, generator=generator, dtype=torch.float64)
    pos = places[nearest] + (2 * shift - 1) * JITTER / math.sqrt(3)
    pos = pos @ _rotation(generator)
    kind = torch.randint(len(ELEMENTS), (atoms,), generator=generator)
    return Data(z=torch.tensor(ELEMENTS)[kind], pos=pos.float())


def _rotation(generator: torch.Generator) -> Tensor:
    matrix = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(matrix)[0]
