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
import yaml

import pyg_multipose
from pyg_multipose.cli.data_set import DataSet, open_data
from pyg_multipose.cli.parser import bundled
from pyg_multipose.cli.reporting import TABLES
from pyg_multipose.demo.models import MODELS
from pyg_multipose.demo.result import Result
from pyg_multipose.demo.run import Run
from pyg_multipose.demo.settings import CONFIG, Settings
from pyg_multipose.demo.table import markdown
from pyg_multipose.nn import FreeEnergyCombination, MaxCombination
from pyg_multipose.report import Compounds
from pyg_multipose.uncertainty.bootstrap import LEVEL, spearman

PACKAGES = (
    'e3nn', 'lightning', 'matplotlib', 'numpy', 'scipy', 'torch',
    'torch-geometric',
)  # fmt: skip


def introduction(settings: Settings, folder: Path) -> str:
    r"""What is about to happen, before it takes minutes.

    Args:
        settings: Of the run.
        folder: Where the folders of the trainings go.
    """
    data = open_data(settings.data)
    config = yaml.safe_load(bundled()[CONFIG].read_text(encoding='utf-8'))
    network = config['model_args']
    parts = []
    for part in TABLES:
        found = _numbers(data, part)
        y = np.array([float(data.sets[k].y) for k in found])
        poses = sum(data.sets[k].num_poses for k in found)
        parts.append(
            f'{part} {len(found)} compounds / {poses} poses '
            f'(mean pIC50 {y.mean():.2f})'
        )
    residues = _residues(data)
    commands = [
        f'  multipose {" ".join(model.command(settings, folder))}'
        for model in MODELS
    ]
    return '\n'.join(
        [
            f'Data: MproMoonshot, split by date; {", ".join(parts)}.',
            f'Receptor: the {len(residues)} residues with an atom within 5 A '
            f'of the crystal ligand, '
            f'{int(data.sets[0].receptor_size)} atoms: '
            f'{" ".join(map(str, residues))}.',
            f'Network: {config["model"]}, {network["hidden_irreps"]}, '
            f'{network["num_layers"]} layers, cutoff {config["cutoff"]:g} A, '
            f'the same initial weights for every model, '
            f'{settings.epochs} epochs, seed {settings.seed}.',
            f'Combinations: Mean; Max, a smooth minimum of energies with the '
            f"package's default t = {MaxCombination().scale:g} / kT; free "
            f'energy, t = {FreeEnergyCombination().scale:g} / kT.',
            'The network predicts a free energy in kT for each pose, the '
            'combination makes one of all,',
            f'and then pIC50 = -dG / ln 10 = -dG / {math.log(10):.3f}. This '
            'takes the IC50 for Ki, which it is not',
            '(it depends on the assay), so energies are right up to a '
            'constant at best.',
            'Learning rate, cutoff, width and loss were chosen by the curves '
            'on train and valid; the weights are',
            'those of the last epoch. Test is used for the table only.',
            'Models are trained by:',
            *commands,
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
            'Huber loss on train (while it is learned) / valid, by epoch:',
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
    count = len(run.compounds['test'])
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
    shift = test.measured.mean() - train.measured.mean()
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
    assert part.num_poses is not None
    return f'{float(spearman(part.num_poses, part.measured)):+.2f}'


def _numbers(data: DataSet, part: str) -> list[int]:
    parts = data.columns['date_part']
    return [number for number, one in enumerate(parts) if one == part]


def _residues(data: DataSet) -> list[int]:
    receptor = data.sets[0].receptor
    assert receptor is not None
    return receptor.residue.unique().tolist()


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
            'residues': _residues(run.data),
            'atoms': int(run.data.sets[0].receptor_size),
        },
        'compounds': {
            split: {
                'name': part.names,
                'pic50': part.measured,
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
        'training': [
            {
                'name': one.name,
                'num_parameters': one.num_parameters,
                'train_curve': one.train_curve,
                'valid_curve': one.valid_curve,
                'pose_predictions': one.pose_predictions,
                'pose_weights': one.pose_weights,
                'seconds': one.seconds,
            }
            for one in run.results
        ],
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
