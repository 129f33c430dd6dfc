r"""multipose inspect: what a data set holds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyg_multipose.cli.data_set import open_data
from pyg_multipose.cli.parser import Parser, with_data
from pyg_multipose.data import Layout
from pyg_multipose.datasets import PoseSetShards
from pyg_multipose.loader import set_sizes


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'inspect',
        'Says what a data set holds, and what was left out of it, and why.',
    )
    out.add_argument(
        '--data',
        type=str,
        required=True,
        metavar='FOLDER',
        help='What multipose prepare has written, or MproMoonshot, the '
        'bundled data.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Prints what a data set holds.

    Args:
        argv: The options.

    Raises:
        FileNotFoundError: If there is no data set.
    """
    options = parser().read(with_data(argv))
    data = open_data(options.data)
    sizes = set_sizes(data.sets, progress=True)
    y, relation = data.labels()
    first = data.sets[0]
    layout = Layout(first)
    receptor = int(layout.receptor_size[0])
    known = ~y.isnan()
    exact = known & (relation == 0)
    shards = ''
    if isinstance(data.sets, PoseSetShards):
        shards = f' in {data.sets.num_shards} files'
    lines = [
        f'{data.path}: {len(data.sets)} sets with {int(sizes[:, 2].sum())} '
        f'poses{shards}',
        f'poses of a set: {_range(sizes[:, 2])}',
        f'atoms of a set, its receptor once: {_range(sizes[:, 0])}',
        f'receptor of the first set: {receptor or "none"}'
        f'{" atoms" if receptor else ""}',
        f'labels: {int(known.sum())} of {len(y)} sets, '
        f'{int((known & ~exact).sum())} of them bounds'
        f'{f", in {data.unit}" if data.unit else ""}',
    ]
    if exact.any():
        values = y[exact]
        lines.append(
            f'exact labels: {_range(values)}, mean {values.mean():.2f}, '
            f'standard deviation {values.std(correction=0):.2f}'
        )
    for level in ('node', 'edge', 'bond', 'pose', 'set'):
        keys = sorted(
            key
            for key, one in layout.levels.items()
            if one == level and key in first
        )
        if keys:
            lines.append(f'keys of each {level}: {", ".join(keys)}')
    if data.columns:
        lines.append(f'columns: {", ".join(sorted(data.columns))}')
    for key, value in data.about.items():
        if value is not None and key not in ('version', 'unit'):
            lines.append(f'prepared with {key}: {value}')
    for name, kinds in data.left_out.items():
        for kind, reasons in kinds.items():
            if reasons:
                total = sum(reasons.values())
                lines.append(f'{kind} by {name.lower()}: {total}')
            lines += [f'{n:9d}  {reason}' for reason, n in reasons.items()]
    print('\n'.join(lines))


def _range(values: Tensor) -> str:
    low, high = values.min().item(), values.max().item()
    middle = values.double().median().item()
    form = '{:.2f}' if torch.is_floating_point(values) else '{:.0f}'
    return (
        f'{form.format(low)} to {form.format(high)}, '
        f'median {form.format(middle)}'
    )
