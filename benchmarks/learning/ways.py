"""The ways to learn from poses that are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyg_multipose.nn import (
    BoltzmannMeanCombination,
    Combination,
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TopKMeanCombination,
)

#: By the name that tables have for them.
COMBINATIONS: dict[str, Callable[[], Combination]] = {
    'Mean': MeanCombination,
    'top-2 mean': lambda: TopKMeanCombination(2),
    'Boltzmann mean': BoltzmannMeanCombination,
    'log-mean-exp': LogMeanExpCombination,
    'Max': MaxCombination,
    'hard minimum': HardMaxCombination,
    'free energy': FreeEnergyCombination,
}


@dataclass(frozen=True)
class Training:
    r"""How a network is trained.

    Args:
        on: What the label of a set is compared with: the combined prediction
            of its poses (:obj:`"set"`), the prediction of every pose
            (:obj:`"each"`), or that of one pose, the best docked
            (:obj:`"best"`) or a random one (:obj:`"random"`).
        combination: By which predictions are combined, if :obj:`on` is
            :obj:`"set"`.
        sight: What of a complex is shown.
        network: One of :obj:`benchmarks.learning.settings.NETWORKS`.
    """

    on: str
    combination: str = 'Mean'
    sight: str = 'contacts'
    network: str = 'contacts'


@dataclass(frozen=True)
class Way:
    r"""A row of a table: a training, and what is predicted by it.

    Args:
        name: What the table calls it.
        training: How the network is trained.
        combination: By which the predictions of test poses are combined.
        poses: Which poses of a test set count: :obj:`"all"`, the best docked
            (:obj:`"best"`), or a random one (:obj:`"random"`).
    """

    name: str
    training: Training
    combination: str
    poses: str = 'all'


#: One training per combination.
THROUGH = tuple(
    Way(f'{name}', Training('set', name), name) for name in COMBINATIONS
)
#: The lines of the curve.
LINES = (
    *(way for way in THROUGH if way.name in ('Mean', 'Max', 'free energy')),
    Way(
        'free energy, SchNet',
        Training('set', 'free energy', network='SchNet'),
        'free energy',
    ),
)
#: Combinations that make sense of predictions of single poses: a free energy
#: would count a label once per pose.
AFTERWARDS = ('Mean', 'Boltzmann mean', 'log-mean-exp', 'hard minimum')


def _after(on: str, what: str) -> tuple[Way, ...]:
    return tuple(
        Way(f'{what}, then {name}', Training(on), name) for name in AFTERWARDS
    )


#: Trained through the set, against combined after training.
COMPARED = (
    *(
        Way(f'through the set: {way.name}', way.training, way.combination)
        for way in THROUGH
        if way.name in (*AFTERWARDS, 'free energy')
    ),
    *_after('each', 'every pose'),
    *_after('best', 'best-docked pose'),
    Way('best-docked pose alone', Training('best'), 'Mean', 'best'),
    Way('random pose alone', Training('random'), 'Mean', 'random'),
    Way('ligand alone', Training('set', sight='ligand'), 'Mean'),
    Way('contacts of an all-carbon ligand', Training('set', sight='shape'),
        'Mean'),
)  # fmt: skip
