"""What a strategy of three parts costs, with a receptor evaluated once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from benchmarks.cases import MODELS, one_set
from benchmarks.losses import LOSSES
from benchmarks.problem import Problem, Runner
from benchmarks.rivals import plain
from benchmarks.settings import Settings
from benchmarks.table import TITLES, markdown
from benchmarks.tasks import ATOMS, SECONDS_PER_ATOM
from benchmarks.timing import Figure, ratio, timed
from benchmarks.ways import Way
from pyg_multipose.nn import DeltaStrategy
from pyg_multipose.nn.strategy.receptor_once import ReceptorOnce

#: Combinations that are measured: all poses matter, or one does.
SHOWN = ('mean', 'max1000')
#: All three parts of every pose under plain autograd: the base of ratios.
ALL = Way('all three, pose by pose', plain)
#: The readout with the plain model: the receptor once and complexes whole; or
#: what its layers share; and with our model, which shares by itself.
ONCE = Way('auto, receptor alone once', mode='auto', share=True)
LAYERS = Way('auto, shared by layers', mode='auto', share=True)
OURS = Way('auto, our model shares', mode='auto', share=True, ours=True)


class WholeComplexes(DeltaStrategy):
    r"""A strategy as of a model that cannot share a receptor."""

    def sharers(self) -> list[nn.Module]:
        r"""What evaluates receptors once."""
        return [ReceptorOnce(self)]


@dataclass(frozen=True)
class Row:
    r"""A training step of the delta strategy on one compound.

    Args:
        data: The receptor of the poses.
        model: A key of :obj:`TITLES`.
        loss: A key of :obj:`LOSSES`.
        poses: How many poses.
    """

    data: str
    model: str
    loss: str
    poses: int

    def __str__(self) -> str:
        return (
            f'strategies, {self.data}, {self.model}, {self.loss}, '
            f'{self.poses} poses'
        )

    @property
    def ways(self) -> tuple[Way, ...]:
        r"""The ways, the base first; one model has layers of PyG."""
        by_layers = (LAYERS,) if self.model == 'schnet' else ()
        return (ALL, ONCE, *by_layers, OURS)

    def seconds(self, settings: Settings) -> float:
        r"""About how long it takes on a CPU.

        Args:
            settings: The settings.
        """
        atoms = 2 * self.poses * ATOMS[self.data]
        rounds = settings.repeats_of(atoms) + settings.warm_steps
        return 1 + 0.4 * (
            SECONDS_PER_ATOM[self.model] * atoms * rounds * len(self.ways)
        )

    def figure(self, settings: Settings) -> Figure:
        r"""Seconds of every way, interleaved, and their ratios to the base.

        Args:
            settings: Device, repeats and widths.
        """
        case = one_set(self.data, self.model, self.loss, self.poses)
        problem = Problem(case, settings)
        runners = runners_of(problem, self.ways)
        figures: dict[str, Figure] = {}
        for name, runner in runners.items():
            runner.warm_up()
            figures[name] = {'seconds': [], 'prepare_seconds': []}
        for _ in range(settings.repeats_of(problem.atoms)):
            for name, runner in runners.items():
                prepare, step = timed(runner)
                figures[name]['prepare_seconds'].append(prepare)
                figures[name]['seconds'].append(prepare + step)
        return {
            'kind': 'strategies',
            'case': vars(self).copy(),
            'way': 'delta',
            'seconds': {n: f['seconds'] for n, f in figures.items()},
            'faster': {
                name: ratio(figures[ALL.name], figure)
                for name, figure in figures.items()
            },
            'plans': {
                name: runner.readout.last_plan.receptor
                for name, runner in runners.items()
                if runner.readout is not None and runner.readout.last_plan
            },
        }


def runners_of(problem: Problem, ways: tuple[Way, ...]) -> dict[str, Runner]:
    r"""A delta strategy for each way, all with the same weights.

    Args:
        problem: Poses and models.
        ways: The ways.
    """
    out = {}
    for way in ways:
        own = copy.copy(problem)
        kind = WholeComplexes if way is ONCE else DeltaStrategy
        own.plain, own.ours = kind(problem.plain), kind(problem.ours)
        out[way.name] = Runner(way, own)
    return out


def rows(settings: Settings, only: str | None = None) -> list[Row]:
    r"""Everything that is to be measured.

    Args:
        settings: The settings.
        only: A part of the benchmark. (default: :obj:`None`, all)
    """
    if only not in (None, 'strategies'):
        return []
    return [
        Row('pocket', model, loss, settings.nine)
        for model in MODELS
        for loss in SHOWN
    ]


def strategy_tables(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    r"""How much faster the delta strategy is than its three evaluations.

    Args:
        report: The report.

    Returns:
        A title and a Markdown table, if anything was measured.
    """
    found = [f for f in report['figures'] if f['kind'] == 'strategies']
    if not found:
        return
    poses = found[0]['case']['poses']
    lines = [['model', 'loss', 'way', 'seconds', 'times faster']]
    for figure in found:
        case = figure['case']
        for name, seconds in figure['seconds'].items():
            faster = figure['faster'][name]
            lines.append(
                [
                    TITLES[case['model']],
                    LOSSES[case['loss']].title,
                    name,
                    f'{sorted(seconds)[len(seconds) // 2]:.3g}',
                    f'{faster["median"]:.2f} [{faster["min"]:.2f}, '
                    f'{faster["max"]:.2f}]',
                ]
            )
    yield (
        f'The delta strategy, a training step of one compound with {poses} '
        f'poses in the pocket: times faster than complex, ligand and receptor '
        f'of every pose under plain autograd (median, least, most of rounds)',
        markdown(lines),
    )
