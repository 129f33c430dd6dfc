"""A case: what is drawn from one integer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.aggr import Aggregation, SoftmaxAggregation

from pyg_multipose.nn import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    GatedAttentionCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
)
from tests.random_cases.events import draw_events, some_bytes
from tests.random_cases.models import KINDS, Built
from tests.random_cases.sets import BatchSpec, draw_batch
from tests.random_cases.sharing_models import SHARING_KINDS
from tests.random_cases.twists import HARMLESS, TWISTS

#: Combinations with a running form.
RUNNING = ('mean', 'max', 'free-energy', 'log-mean-exp')
#: More combinations, for one case in five.
MORE = ('log-mean-exp', 'boltzmann-mean', 'learned', 'attention')
MODES = ['full', 'store', 'stream', 'recompute', 'recompute'] + ['auto'] * 4
LOSSES = ['combined', 'combined', 'own', 'one-set', 'poses', 'pose', 'both']


class NormedMean(Aggregation):
    """A mean of predictions and of the squares of normalised ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)

    def forward(
        self, x: Tensor, index=None, ptr=None, dim_size=None, dim=-2
    ) -> Tensor:
        if len(x) > 1:
            x = x + self.norm(x).square()
        return self.reduce(x, index, ptr, dim_size, dim, reduce='mean')


@dataclass
class Case:
    """All that is drawn. `args` are those of the readout."""

    seed: int
    kind: str
    twists: list[str]
    train: bool
    batches: list[BatchSpec]
    combination: str
    scale: float
    negate: bool
    normalize: bool
    args: dict[str, Any]
    loss: str
    return_poses: bool
    return_weights: bool
    events: list[tuple[Any, ...]] = field(default_factory=list)

    def build(self) -> Built:
        """A model; equal ones, however often it is built."""
        rng = random.Random(f'model {self.seed}')
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(self.seed)
            built = {**KINDS, **SHARING_KINDS}[self.kind](rng)
            for twist in self.twists:
                TWISTS[twist](built, rng)
            built.model.double().train(self.train)
        if built.rigid and any(spec.moved for spec in self.batches):
            built.shares = False
        if any(twist not in HARMLESS for twist in self.twists):
            built.shares = False
        return built

    def combine(self, width: int) -> Aggregation | str:
        """The combination; equal ones, however often it is built."""
        with torch.random.fork_rng([]):
            torch.default_generator.manual_seed(self.seed)
            return self._combine(width)

    def _combine(self, width: int) -> Aggregation | str:
        made = {
            'mean': MeanCombination,
            'max': lambda: MaxCombination(
                self.scale, self.negate, self.normalize
            ),
            'free-energy': FreeEnergyCombination,
            'softmax': lambda: SoftmaxAggregation(t=1.5, learn=True).double(),
            'log-mean-exp': lambda: LogMeanExpCombination(
                self.scale, self.negate
            ),
            'boltzmann-mean': lambda: BoltzmannMeanCombination(
                min(self.scale, 10.0), self.negate
            ),
            'learned': lambda: MaxCombination(
                min(self.scale, 10.0), self.negate, self.normalize, True
            ).double(),
            'attention': lambda: GatedAttentionCombination(
                width, 4, 1
            ).double(),
            'normed': lambda: NormedMean(width).double().train(self.train),
        }.get(self.combination)
        return self.combination if made is None else made()

    def __str__(self) -> str:
        shapes = [
            (
                spec.leaf * 'leaf ' + spec.contradicts * 'mask ',
                [
                    f'{s.form} {s.receptor}.{s.variant}' + s.moved * ' moved'
                    for s in spec.sets
                ],
            )
            for spec in self.batches
        ]
        mode = 'train' if self.train else 'eval'
        return (
            f'{self.kind} ({self.build().note}) {self.twists} {mode}, '
            f'{self.combination} (t={self.scale}, {self.negate}, '
            f'{self.normalize}), {self.args}, loss {self.loss}, '
            f'poses={self.return_poses}, weights={self.return_weights}, '
            f'{shapes}, {self.events}'
        )


def draw_case(seed: int) -> Case:
    """The case of a seed."""
    rng = random.Random(f'case {seed}')
    kinds = list(SHARING_KINDS if rng.random() < 0.5 else KINDS)
    kind = rng.choice(kinds)
    if kind == 'equivariant' and rng.random() < 0.85:
        kind = 'schnet'  # to build the other takes ten times longer
    if kind == 'capped' and rng.random() < 0.7:
        kind = 'layers'
    twists = []
    if rng.random() < 0.45 and kind not in ('capped', 'singular'):
        twists = rng.sample(list(TWISTS), rng.choice([1, 1, 1, 2]))
        # Last what goes by what is there, or hides it.
        late = ['checkpoints', 'instance', 'wrapper']
        twists.sort(key=lambda name: late.index(name) if name in late else -1)
    case = Case(
        seed=seed,
        kind=kind,
        twists=twists,
        train=rng.random() < 0.75,
        batches=[draw_batch(rng, seed)],
        combination=rng.choice(
            ['mean', 'max', 'max', 'max', 'free-energy', 'softmax']
            + ['MaxAggregation', 'SumAggregation', 'normed']
        ),
        scale=rng.choice([1.0, 10.0, 1000.0]),
        negate=rng.random() < 0.5,
        normalize=rng.random() < 0.3,
        args={
            'gradient': rng.choice(MODES),
            'max_nodes_per_chunk': rng.choice([None, 1, 35, 35, 10**6]),
            'memory_budget': rng.choice(
                [None, None, 10**9, some_bytes(rng), some_bytes(rng)]
            ),
            'tolerance': rng.choice([None, 0.0]),
            'share_receptor': rng.choice(
                [False, 'auto', True, True]
                if kind in SHARING_KINDS and not twists
                else [False, False, 'auto', 'auto', 'auto', 'auto', True]
            ),
        },
        loss=rng.choice(LOSSES),
        return_poses=rng.random() < 0.4,
        return_weights=rng.random() < 0.2,
    )
    more = random.Random(f'combination {seed}')
    if more.random() < 0.2:
        case.combination = more.choice(MORE)
    if kind == 'singular':
        # The weight of poses without a derivative is then exactly zero.
        case.combination, case.scale, case.negate = 'max', 1000.0, True
        case.loss = rng.choice(['combined', 'one-set'])
        case.batches[0] = _without_leaf(case.batches[0])
    if case.loss in ('poses', 'pose', 'both'):
        case.return_poses = True
        if case.args['gradient'] == 'stream' and rng.random() < 0.7:
            case.args['gradient'] = 'auto'
    budget = case.args['memory_budget']
    if budget is not None and case.args['gradient'] == 'auto':
        # With several chunks the budget decides which graphs are held.
        case.args['max_nodes_per_chunk'] = rng.choice([None, 1, 35, 35])
    case.events = draw_events(case, rng)
    return case


def _without_leaf(spec: BatchSpec) -> BatchSpec:
    return BatchSpec(spec.sets, spec.batched, False, False)
