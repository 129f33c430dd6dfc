r"""What the demo prints and writes."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import pyg_multipose
from pyg_multipose.demo.compounds import Compounds, load
from pyg_multipose.demo.metrics import LEVEL
from pyg_multipose.demo.run import Run
from pyg_multipose.demo.settings import Settings
from pyg_multipose.demo.table import markdown
from pyg_multipose.demo.training import LN10, SPLITS, Result
from pyg_multipose.nn import FreeEnergyCombination, MaxCombination

PACKAGES = ('e3nn', 'matplotlib', 'numpy', 'scipy', 'torch', 'torch-geometric')


def introduction(settings: Settings) -> str:
    r"""What is about to happen, before it takes minutes.

    Args:
        settings: Of the run.
    """
    parts = {split: load(split, settings) for split in SPLITS}
    train = parts['train']
    sizes = ', '.join(
        f'{split} {len(part.sets)} compounds / {part.num_poses.sum()} poses '
        f'(mean pIC50 {part.pic50.mean():.2f})'
        for split, part in parts.items()
    )
    return '\n'.join(
        [
            f'Data: MproMoonshot, split by date; {sizes}.',
            f'Receptor: the {len(train.residues)} residues with an atom '
            f'within {settings.pocket_radius:g} A of the crystal ligand, '
            f'{int(train.sets[0].receptor_size)} atoms: '
            f'{" ".join(map(str, train.residues))}.',
            f'Network: EquivariantGNN, {settings.hidden_irreps}, '
            f'{settings.num_layers} layers, cutoff {settings.cutoff:g} A, '
            f'the same initial weights for every model, '
            f'{settings.epochs} epochs, seed {settings.seed}.',
            f'Combinations: Mean; Max, a smooth minimum of energies with the '
            f"package's default t = {MaxCombination().scale:g} / kT; free "
            f'energy, t = {FreeEnergyCombination().scale:g} / kT.',
            'The network predicts a free energy in kT for each pose, the '
            'combination makes one of all,',
            f'and then pIC50 = -dG / ln 10 = -dG / {LN10:.3f}. This takes '
            'the IC50 for Ki, which it is not',
            '(it depends on the assay), so energies are right up to a '
            'constant at best.',
            'Learning rate, cutoff, width and loss were chosen by the curves '
            'on train and valid; the weights are',
            'those of the last epoch. Test is used for the table only.',
            '',
        ]
    )


def summary(run: Run) -> str:
    r"""Curves, table and findings.

    Args:
        run: The numbers.
    """
    return '\n'.join(
        [
            'MAE on train (while it is learned) / valid, by epoch:',
            *(_curve(result) for result in run.results),
            '',
            table(run),
            '',
            bullets(findings(run)),
        ]
    )


def table(run: Run) -> str:
    r"""The table with its caption.

    Args:
        run: The numbers.
    """
    count = len(run.compounds['test'].sets)
    return (
        f'pIC50 of the {count} test compounds, with {LEVEL:.0%} bootstrap '
        f'intervals over compounds\n({run.settings.resamples} resamples, the '
        f'same for every row). One run, seed {run.settings.seed}: what '
        f'another seed\nwould change is not in the intervals.\n\n'
        f'{markdown(run.rows)}'
    )


def findings(run: Run) -> list[str]:
    r"""What the numbers say, as a list.

    Args:
        run: The numbers.
    """
    train, test = run.compounds['train'], run.compounds['test']
    shift = test.pic50.mean() - train.pic50.mean()
    spread = ', '.join(
        f'{result.name} '
        f'{np.median([np.ptp(p) for p in result.pose_predictions]):.2f}'
        for result in run.results[1:]
    )
    sentences = [
        *run.findings,
        f'The mean label of test is {shift:+.2f} from that of train (later '
        f'compounds are better), which weighs on every MAE and RMSE and on '
        f'no rank correlation',
        f'How far the poses of a test compound are apart in the eyes of the '
        f'network (median of largest minus smallest pIC50): {spread}',
        f'A free energy falls with the number of poses N (by ln N if they '
        f'are equal), and N has a Spearman correlation with pIC50 of '
        f'{_count_signal(train)} on train and {_count_signal(test)} on test: '
        f'part of what it predicts may be a count '
        f'(MaxCombination(scale=1.0, normalize=True) takes it out)',
    ]
    return [f'{sentence}.' for sentence in sentences]


def bullets(sentences: list[str]) -> str:
    r"""A list that is readable as it stands and as Markdown.

    Args:
        sentences: Its items.
    """
    wrap = textwrap.TextWrapper(
        96,
        initial_indent='- ',
        subsequent_indent='  ',
        break_long_words=False,
        break_on_hyphens=False,
    )
    return '\n'.join(wrap.fill(sentence) for sentence in sentences)


def write(run: Run, folder: Path) -> list[Path]:
    r"""Writes the table as Markdown and everything as JSON.

    Args:
        run: The numbers.
        folder: Where the files go.
    """
    text = f'{table(run)}\n\n{bullets(findings(run))}\n'
    contents = {
        'table.md': text,
        'results.json': json.dumps(
            _plain(_everything(run)), indent=1, allow_nan=False
        ),
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding='utf-8')
    return [folder / name for name in contents]


# Inside ######################################################################


def _curve(result: Result) -> str:
    count = len(result.train_curve)
    points = [
        f'{epoch}: {result.train_curve[epoch - 1]:.2f} / '
        f'{result.valid_curve[epoch - 1]:.2f}'
        for epoch in sorted({1, count, *range(5, count, 5)})
    ]
    return (
        f'  {result.name} ({result.num_parameters} parameters, '
        f'{result.seconds:.0f} s)\n    ' + '   '.join(points)
    )


def _count_signal(part: Compounds) -> str:
    if np.ptp(part.num_poses) == 0:
        return 'n/a'
    return f'{stats.spearmanr(part.num_poses, part.pic50).statistic:+.2f}'


def _everything(run: Run) -> dict[str, Any]:
    return {
        'settings': asdict(run.settings),
        'versions': {
            'python': platform.python_version(),
            'pyg_multipose': pyg_multipose.__version__,
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        'seconds': run.seconds,
        'receptor': {
            'residues': run.compounds['train'].residues,
            'atoms': int(run.compounds['train'].sets[0].receptor_size),
        },
        'compounds': {
            split: {
                'name': part.names,
                'pic50': part.pic50,
                'num_poses': part.num_poses,
            }
            for split, part in run.compounds.items()
        },
        'predictions': run.predictions,
        'table': {
            row.name: {
                'train MAE': row.train_mae,
                **{key: asdict(value) for key, value in row.test.items()},
            }
            for row in run.rows
        },
        'findings': findings(run),
        'training': [asdict(result) for result in run.results],
        'bytes held for backward': run.held,
    }


def _plain(value: Any) -> Any:
    """The same in the types of JSON; what is not a number is null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
