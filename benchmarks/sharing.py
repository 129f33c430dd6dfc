"""How much a shared receptor saves: by receptor, cutoff and depth."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Batch

from benchmarks.cases import MODELS, one_set
from benchmarks.problem import Problem
from benchmarks.settings import Settings
from benchmarks.table import TITLES, markdown
from benchmarks.timing import Figure, ratio, time_case
from benchmarks.ways import WAYS
from pyg_multipose.nn import MultiPoseReadout

#: In Angstrom, and numbers of layers; times are taken of every other one.
CUTOFFS, LAYERS = (4.5, 5.0, 6.0), (2, 3, 4, 5, 6)
TIMED = LAYERS[::2]
DATA = ('pocket', 'chain')
#: About how long a layer takes for an atom, and for how many more neighbours.
SECONDS, DENSITY = 6e-5, {4.5: 1.0, 5.0: 1.35, 6.0: 2.2}
ATOMS = {'pocket': 515, 'chain': 2360}
#: The same mode on whole complexes and shared; it holds little.
WHOLE, SHARED = WAYS['stream'], WAYS['stream, shared']


@dataclass(frozen=True)
class Deep(Settings):
    r"""Settings with as many layers as wanted.

    Args:
        layers: The number of layers.
    """

    layers: int = 3

    @property
    def schnet(self) -> dict[str, Any]:
        r"""Arguments of SchNet."""
        return {**super().schnet, 'num_interactions': self.layers}

    @property
    def e3nn(self) -> dict[str, Any]:
        r"""Arguments of the equivariant network."""
        return {**super().e3nn, 'num_layers': self.layers}


@dataclass(frozen=True)
class Sweep:
    r"""One depth of one model on one compound.

    Args:
        data: :obj:`"pocket"` or :obj:`"chain"`.
        model: A key of :obj:`TITLES`.
        cutoff: In Angstrom.
        layers: The number of layers.
        poses: How many poses the compound has.
    """

    data: str
    model: str
    cutoff: float
    layers: int
    poses: int

    def __str__(self) -> str:
        return (
            f'sharing, {self.data}, {self.model}, {self.layers} layers, '
            f'{self.cutoff} A, {self.poses} poses'
        )

    @property
    def timed(self) -> bool:
        r"""Whether time is taken too; a count is quick."""
        return self.layers in TIMED

    def seconds(self, settings: Settings) -> float:
        r"""About how long it takes on a CPU.

        Args:
            settings: The settings.
        """
        pose = ATOMS[self.data] * self.layers * DENSITY[self.cutoff] * SECONDS
        return 1 + pose * (2 + (2.5 * self.poses if self.timed else 0))

    def figure(self, settings: Settings) -> Figure:
        r"""Counts, and perhaps times.

        Args:
            settings: Device, repeats and widths.
        """
        deep = Deep(
            settings.device,
            settings.quick,
            settings.repeats,
            self.cutoff,
            settings.seed,
            self.layers,
        )
        case = one_set(self.data, self.model, 'mean', self.poses)
        out: Figure = {'kind': 'sharing', 'case': vars(self), 'way': 'shared'}
        if self.poses > 1:
            out |= counts(Problem(case, deep))
        if self.timed:
            once = self.poses > 1 and self.data == 'chain'
            whole, shared = time_case(case, (WHOLE, SHARED), deep, once)
            for figure in (whole, shared):
                if 'unavailable' in figure:
                    return out | {'unavailable': figure['unavailable']}
            out['time'] = ratio(shared, whole)
        return out


def sweeps(settings: Settings, only: str | None = None) -> list[Sweep]:
    r"""Everything that is to be measured.

    Args:
        settings: The settings.
        only: A part of the benchmark. (default: :obj:`None`, all)
    """
    if only not in (None, 'sharing'):
        return []
    found = [
        Sweep(data, model, cutoff, layers, poses)
        for model in MODELS
        for data in (DATA[:1] if settings.quick else DATA)
        for layers in (LAYERS[:1] if settings.quick else LAYERS)
        for cutoff in (CUTOFFS[:1] if settings.quick else CUTOFFS)
        for poses in (1, settings.nine)
    ]
    return [sweep for sweep in found if sweep.poses > 1 or sweep.timed]


def counts(problem: Problem) -> dict[str, float]:
    r"""What sharing leaves of messages and of matrix products.

    Messages are those of all layers, forward; products are the
    multiplications and additions in matrix products, forward and backward.
    Both are compared with whole complexes, which are like the first one.

    Args:
        problem: A set, and a model.
    """
    model, (item,) = problem.ours, problem.sets
    pose_set = problem.connect(item).to(problem.settings.device)
    pose = Batch.from_data_list([pose_set.pose(0)])
    with counted(model) as whole:
        model(pose).sum().backward()
    readout = MultiPoseReadout(model, 'mean', 'full', share_receptor=True)
    readout.plan(pose_set)  # the model is looked at once, before
    with counted(model) as shared:
        readout(pose_set).sum().backward()
    model.zero_grad()
    number = pose_set.num_poses
    return {
        key: shared[key] / (number * whole[key])
        for key in ('messages', 'products')
    }


@contextmanager
def counted(model: nn.Module) -> Iterator[dict[str, int]]:
    r"""Counts the messages and matrix products of a model.

    Args:
        model: One of ours.
    """
    out = {'messages': 0, 'products': 0}
    # A model that is changed to count would be none that may share.
    code = {
        method.__code__
        for layer in map(type, model.layers)
        for method in (layer.aggregate, layer.add_messages)
    }

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == 'call' and frame.f_code in code:
            out['messages'] += frame.f_locals['edge_index'].size(1)

    before = sys.getprofile()
    try:
        sys.setprofile(count)
        with FlopCounterMode(display=False) as products:
            yield out
        out['products'] = products.get_total_flops()
    finally:
        sys.setprofile(before)


def sharing_tables(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    r"""For each model, what sharing leaves of a whole evaluation.

    Args:
        report: The report.

    Returns:
        Titles and Markdown tables.
    """
    rows = [f for f in report['figures'] if f['kind'] == 'sharing']
    for model in MODELS:
        found = [f for f in rows if f['case']['model'] == model]
        many = [f for f in found if f['case']['poses'] > 1]
        if not many:
            continue
        poses = many[0]['case']['poses']
        title = (
            f'{TITLES[model]}, one compound with {poses} poses, receptor '
            f'shared: messages, matrix products and time (search for edges '
            f'included) against whole complexes'
        )
        one = [
            f['time'] for f in found if f['case']['poses'] == 1 and 'time' in f
        ]
        text = _table(many)
        if one:
            ratios = [f'{value["median"]:.2f}' for value in one]
            text += (
                f'\n\nOf a compound with one pose nothing is shared; its time '
                f'is between {min(ratios)} and {max(ratios)} of that with '
                f'`share_receptor=False`.'
            )
        yield title, text


def _table(figures: Sequence[Figure]) -> str:
    cases = [figure['case'] for figure in figures]
    cutoffs = sorted({case['cutoff'] for case in cases})
    heads = [
        f'{c:g} A: {k}'
        for c in cutoffs
        for k in ('messages', 'products', 'time')
    ]
    lines = [['receptor', 'layers', *heads]]
    for data in DATA:
        for layers in sorted({case['layers'] for case in cases}):
            line = [data, str(layers)]
            for cutoff in cutoffs:
                place = {'data': data, 'layers': layers, 'cutoff': cutoff}
                line += _cells(figures, place)
            lines.append(line)
    return markdown(lines)


def _cells(figures: Sequence[Figure], place: dict[str, Any]) -> list[str]:
    for figure in figures:
        if place.items() <= figure['case'].items():
            time = figure.get('time')
            return [
                f'{figure["messages"]:.2f}',
                f'{figure["products"]:.2f}',
                f'{time["median"]:.2f}' if time else '',
            ]
    return ['', '', '']
