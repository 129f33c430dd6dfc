"""Batches of pose sets in both forms, and their whole complexes."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_multipose.data import MovedAtoms, PoseSet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 2.5
#: Elements are smaller than this; the last one chooses an expert.
ELEMENTS = 10
RARE = ELEMENTS - 1


#: How many receptors, and sets around each, the cases of a block share, since
#: to make one takes as long as to run it.
BLOCK, RECEPTORS, VARIANTS = 500, 12, 6
#: Variants with many poses, enough for a receptor to be worth sharing.
CROWDS = (VARIANTS,)


@dataclass(frozen=True)
class SetSpec:
    """One pose set; of form `poses` it has no receptor row of its own."""

    form: str
    block: int
    receptor: int
    variant: int
    #: Whether atoms of the receptor are elsewhere in some poses, or absent.
    moved: bool = False


@dataclass(frozen=True)
class BatchSpec:
    """A batch, or a set that is not batched."""

    sets: tuple[SetSpec, ...]
    batched: bool
    leaf: bool
    #: Whether `is_ligand` calls a receptor atom ligand, against the rows.
    contradicts: bool

    @property
    def has_receptor(self) -> bool:
        """Whether a set holds its receptor once."""
        return any(one.form == 'complex' for one in self.sets)

    @property
    def moved(self) -> bool:
        """Whether its sets say which atoms of a receptor have moved."""
        return self.sets[0].moved


def draw_batch(rng: random.Random, seed: int) -> BatchSpec:
    """Draws the sets of a batch, for the case of a seed."""
    number = rng.choice([1, 1, 2, 2, 3])
    form = rng.choice(['complex', 'complex', 'complex', 'poses', 'mixed'])
    same = rng.random() < 0.5
    crowd = rng.random() < 0.1
    receptor = rng.randrange(RECEPTORS)
    sets = []
    for _ in range(number):
        if not same:
            receptor = rng.randrange(RECEPTORS)
        variant = rng.randrange(VARIANTS)
        if crowd and not sets:
            variant = rng.choice(CROWDS)
        one = rng.choice(['complex', 'poses']) if form == 'mixed' else form
        sets.append(SetSpec(one, seed // BLOCK, receptor, variant))
    # Of its own, so that all else stays what it was.
    moved = random.Random(f'moved {seed}').random() < 0.35
    return BatchSpec(
        tuple(replace(one, moved=moved) for one in sets),
        number > 1 or rng.random() < 0.5,
        rng.random() < 0.2,
        form != 'poses' and rng.random() < 0.06,
    )


@lru_cache(maxsize=1024)
def make_set(spec: SetSpec) -> PoseSet:
    """A set; nobody may change it."""
    rng = random.Random(f'{spec.block} {spec.receptor}')
    generator = torch.Generator().manual_seed(rng.randrange(1 << 30))
    around = _atoms(rng.choice([6, 14, 24]), generator, 2.0)
    rng = random.Random(f'{spec.block} {spec.receptor} {spec.variant}')
    generator.manual_seed(rng.randrange(1 << 30))
    number = 16 if spec.variant in CROWDS else rng.choice([1, 2, 3, 3, 4])
    ligands = [
        _atoms(rng.choice([1, 2, 3]), generator, 1.0) for _ in range(number)
    ]
    name = f'set-{spec.receptor}-{spec.variant}'
    moved = None
    if spec.moved:
        # In one set out of four, nothing moves in spite of all.
        often = rng.choice([0.0, 0.5, 0.9, 0.9])
        moved = [
            _moved(around, rng, generator) if rng.random() < often else None
            for _ in ligands
        ]
    made = PoseSet.from_complex(around, ligands, name=name, moved=moved)
    if spec.form == 'poses':
        made = PoseSet.from_poses(made.to_poses(), name=name)
        if spec.moved:  # as the other sets of its batch
            none = torch.empty(2, 0, dtype=torch.long)
            made.put('moved_index', none, 'moved')
    return RadiusGraph(CUTOFF)(made)


@lru_cache(maxsize=1024)
def make_complexes(spec: SetSpec) -> list[Data]:
    """Its whole complexes; `z` are the rows of the set they are made of."""
    numbered = make_set(spec).clone()
    numbered.z = torch.arange(len(numbered.z))
    return numbered.to_poses()


def make_batch(spec: BatchSpec) -> Data:
    """The batch of a specification, without leaves."""
    sets = [make_set(one) for one in spec.sets]
    batch = Batch.from_data_list(sets) if spec.batched else sets[0].clone()
    if spec.contradicts:
        mask = batch.is_ligand.clone()
        mask[0] = ~mask[0]
        batch.is_ligand = mask
    return batch


class Complexes:
    """The whole complexes of a batch, as PyG batches of some of them."""

    def __init__(self, spec: BatchSpec) -> None:
        self._graphs: list[Data] = []
        self._first: list[int] = []
        counts, first = [], 0
        for one in spec.sets:
            graphs = make_complexes(one)
            counts.append(len(graphs))
            self._graphs += graphs
            self._first += [first] * len(graphs)
            first += len(make_set(one).z)
        self._chunks: dict[tuple[int, ...], tuple[Data, Tensor]] = {}
        self.num_sets, self.num_poses = len(counts), sum(counts)
        self.set_of_pose = torch.arange(self.num_sets).repeat_interleave(
            torch.tensor(counts)
        )

    def graphs(self, batch: Data, poses: list[int]) -> Data:
        """Some complexes, differentiable in the values of the batch."""
        key = tuple(poses)
        if key not in self._chunks:
            of_chunk = [self._graphs[pose] for pose in poses]
            first = torch.tensor([self._first[pose] for pose in poses])
            graphs = Batch.from_data_list(of_chunk)
            self._chunks[key] = graphs, graphs.z + first[graphs.batch]
        graphs, rows = self._chunks[key]
        out = graphs.clone()
        for name in ('z', 'pos', 'is_ligand'):
            out[name] = batch[name][rows]
        return out


def _atoms(count: int, generator: torch.Generator, spread: float) -> Data:
    pos = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    z = torch.randint(1, ELEMENTS, (count,), generator=generator)
    # The rare element only now and then, so that some chunks have none.
    spare = torch.randint(1, RARE, (count,), generator=generator)
    rare = torch.rand(count, generator=generator) < 0.3
    z = torch.where((z == RARE) & ~rare, spare, z)
    return Data(z=z, pos=pos * spread)


def _moved(
    around: Data, rng: random.Random, generator: torch.Generator
) -> MovedAtoms:
    """Other places for some atoms, near or far; some are gone, up to all."""
    size = len(around.z)
    atoms = torch.randperm(size, generator=generator)
    moved = rng.choice([0, 1, 1, 2, 3, size])
    absent = rng.choice([0, 0, 1, 2, size - moved])
    shift = torch.randn(
        min(moved, size), 3, generator=generator, dtype=torch.float64
    )
    pos = around.pos[atoms[:moved]] + rng.choice([0.3, 2.0]) * shift
    return MovedAtoms(atoms[:moved], pos, atoms[moved : moved + absent])
