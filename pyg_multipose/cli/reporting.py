"""The page of a run, from what is in its folder and in its data set."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pyg_multipose.cli.data_set import DataSet, read_table
from pyg_multipose.data import PoseSet
from pyg_multipose.data.levels import Levels
from pyg_multipose.io.poses.scores import KNOWN
from pyg_multipose.report import Compounds, LeftOut, PoseView, RunPage, scene
from pyg_multipose.report.chart import spread_out
from pyg_multipose.train.units import UNITS

#: The page of a run, in its folder.
PAGE = 'report.html'
#: Tables of predictions of a run, by part.
TABLES = {
    part: f'{part}_predictions.csv' for part in ('train', 'valid', 'test')
}
#: What `prepare` says it has left out.
LEFT_OUT = 'report.txt'
#: The most compounds of a part that are looked at.
MOST = 20_000
#: Compounds whose poses are shown.
SHOWN = 8
#: Names of baselines.
SIZE, DOCKED = 'ligand size alone', 'best docking score'
#: Columns of a data set that residuals are shown by.
GROUPS = ('scaffold', 'date')


def report_run(folder: Path, data: DataSet) -> Path:
    r"""Writes the page of a training.

    Args:
        folder: That of the run.
        data: The data set that it was trained on.

    Raises:
        FileNotFoundError: If the folder is not that of a run.
    """
    config = folder / 'config.yaml'
    if not config.is_file():
        raise FileNotFoundError(
            f"'{folder}' is not the folder of a run: it has no config.yaml"
        )
    settings = yaml.safe_load(config.read_text(encoding='utf-8'))
    known = _Known(data)
    tables = _tables(folder)
    parts = {part: known.compounds(*one) for part, one in tables.items()}
    found = [rows[0]['unit'] for rows, _ in tables.values()]
    unit = found[0] if found else data.unit or ''
    metrics = folder / 'metrics.csv'
    counts = ', '.join(
        f'{part} {count}' for part, (_, count) in tables.items()
    )
    report = RunPage(
        f'Training: {folder.name}',
        unit,
        facts={
            'data': data.path,
            'sets': counts,
            'unit': unit,
            'model': settings.get('model'),
            'combination': settings.get('combination'),
            'split': settings.get('split'),
            'epochs': settings.get('epochs'),
            'seed': settings.get('seed'),
        },
        parts=parts,
        strong=UNITS.get(unit, True),
        metrics=read_table(metrics) if metrics.is_file() else (),
        settings=settings,
        score=known.score,
        **_left_out(data),
    )
    if 'test' in parts:
        report.poses = known.views(
            parts['test'], folder / TABLES['test'], report.strong
        )
    return report.write(folder / PAGE)


def compounds_of_run(folder: Path, data: DataSet) -> dict[str, Compounds]:
    r"""The compounds of each part, with what was predicted and measured.

    Args:
        folder: That of the run.
        data: The data set that it was trained on.
    """
    known = _Known(data)
    tables = _tables(folder)
    return {part: known.compounds(*one) for part, one in tables.items()}


def report_predictions(
    table: Path, data: DataSet, settings: dict[str, Any], text: str = ''
) -> Path:
    r"""Writes the page of predictions beside their table.

    Args:
        table: The table of sets; the page has its name.
        data: What was predicted.
        settings: The options of the command.
        text: What was left out in reading. (default: :obj:`""`)
    """
    rows, count = _some(table)
    known = _Known(data)
    test = known.compounds(rows, count)
    unit = rows[0]['unit'] if rows else ''
    left_out = _left_out(data)
    if text:
        counts = LeftOut.parse(text)
        left_out = {'left_out': counts, 'left_out_text': text}
    report = RunPage(
        f'Predictions: {table.name}',
        unit,
        facts={
            'model': settings.get('checkpoint'),
            'data': data.path,
            'sets': count,
            'unit': unit,
        },
        parts={'test': test},
        strong=UNITS.get(unit, True),
        rank=True,
        settings={k: v for k, v in settings.items() if k != 'config'},
        score=known.score,
        **left_out,
    )
    report.poses = known.views(test, table, report.strong)
    return report.write(table.with_suffix('.html'))


def _tables(folder: Path) -> dict[str, tuple[list[dict[str, Any]], int]]:
    found = {part: _some(folder / name) for part, name in TABLES.items()}
    return {part: one for part, one in found.items() if one[1]}


def _left_out(data: DataSet) -> dict[str, Any]:
    file = Path(data.path, LEFT_OUT)
    if not file.is_file():
        return {}
    text = file.read_text(encoding='utf-8')
    return {'left_out': LeftOut.parse(text), 'left_out_text': text}


class _Known:
    """What the data set knows of the compounds of a table."""

    def __init__(self, data: DataSet) -> None:
        self.data = data
        self.places: dict[str, list[int]] = {}
        for number, name in enumerate(data.names):
            self.places.setdefault(name, []).append(number)
        scores = _scores_of(data.sets[0]) if len(data.names) else {}
        #: The docking score of poses, and whether a high one is good.
        self.score, self.high = next(iter(scores.items()), ('', False))

    def find(self, row: dict[str, Any]) -> int | None:
        """The number of the set; several may have one id."""
        numbers = self.places.get(row['id'], [])
        if len(numbers) < 2:
            return numbers[0] if numbers else None
        for number in numbers:
            name = self.data.sets[number].get('receptor_name')
            if (name or '') == row['receptor']:
                return number
        return None

    def compounds(self, chosen: list[dict[str, Any]], count: int) -> Compounds:
        """What is known of these rows, of so many."""
        numbers = [self.find(row) for row in chosen]
        looks = [self._look(number) for number in numbers]
        columns: dict[str, np.ndarray] = {
            key: np.array([look[key] for look in looks], dtype=float)
            for key in ('y', 'relation', 'size', 'score')
        }
        groups = {'target': [row['receptor'] or '' for row in chosen]}
        for name in GROUPS:
            if name in self.data.columns:
                values = self.data.columns[name]
                groups[name] = [
                    '' if n is None else values[n] for n in numbers
                ]
        features = {SIZE: columns['size'], DOCKED: columns['score']}
        ends = {
            key: np.array([float(row[key]) for row in chosen])
            for key in ('low', 'high')
            if chosen and chosen[0].get(key) not in (None, '')
        }
        return Compounds(
            [row['id'] for row in chosen],
            np.array([float(row['prediction']) for row in chosen]),
            columns['y'],
            columns['relation'],
            **(ends if len(ends) == 2 else {}),
            num_poses=np.array([int(row['poses']) for row in chosen]),
            groups=groups,
            features=features,
            of=count if count > len(chosen) else None,
        )

    def _look(self, number: int | None) -> dict[str, float]:
        out = {'y': math.nan, 'relation': 0.0, 'size': math.nan}
        out['score'] = math.nan
        if number is None:
            return out
        pose_set = self.data.sets[number]
        y, relation = pose_set.get('y'), pose_set.get('y_relation')
        if y is not None:
            out['y'] = float(y.reshape(-1)[0])
        if relation is not None:
            out['relation'] = float(relation.reshape(-1)[0])
        out['size'] = float(pose_set.pose_size.float().mean())
        if self.score and self.score in pose_set:
            of_poses = pose_set[self.score]
            out['score'] = float(
                of_poses.max() if self.high else of_poses.min()
            )
        return out

    def views(
        self, test: Compounds, table: Path, strong: bool
    ) -> list[PoseView]:
        """The poses of some compounds."""
        chosen = _chosen(test, strong)
        of_poses: dict[tuple[str, str], list[dict[str, Any]]] = {
            self._key(test, number): [] for number in chosen
        }
        file = table.with_name(f'{table.stem}_poses{table.suffix}')
        for row in _each(file):
            key = (str(row['id']), str(row['receptor'] or ''))
            if key in of_poses:
                of_poses[key].append(row)
        out = []
        for number, why in chosen.items():
            poses = of_poses[self._key(test, number)]
            if poses:
                out.append(self._view(test, number, why, poses))
        return out

    def _key(self, test: Compounds, number: int) -> tuple[str, str]:
        return test.names[number], test.groups['target'][number]

    def _view(
        self, test: Compounds, number: int, why: str, poses: list[Any]
    ) -> PoseView:
        name, target = self._key(test, number)
        place = self.find({'id': name, 'receptor': target})
        weights = [float(row['weight']) for row in poses]
        scores: list[float] = []
        drawn = None
        if place is not None:
            pose_set = self.data.sets[place]
            if pose_set.num_poses == len(poses):
                drawn = scene(pose_set, weights)
                if self.score in pose_set:
                    scores = pose_set[self.score].reshape(-1).tolist()
        label = test.label(number)
        about = f'{why}; predicted {test.prediction(number)}'
        if label != '?':
            about += f', measured {label}'
        return PoseView(
            name,
            about,
            weights,
            [float(row['prediction']) for row in poses],
            [int(row['rank']) for row in poses],
            scores,
            drawn,
        )


def _chosen(test: Compounds, strong: bool) -> dict[int, str]:
    """Some compounds, and why: ends, errors, and evenly between."""
    known = np.flatnonzero(np.isfinite(test.predicted))
    if not len(known):
        return {}
    sign = 1 if strong else -1
    order = known[np.argsort(-sign * test.predicted[known], kind='stable')]
    out = {int(order[0]): 'strongest by prediction'}
    exact = np.flatnonzero(test.exact)
    if len(exact):
        error = np.abs(test.predicted[exact] - test.measured[exact])
        ranked = exact[np.argsort(-error, kind='stable')]
        measured = exact[np.argmax(sign * test.measured[exact])]
        for number, why in (
            (measured, 'strongest by measurement'),
            (ranked[0], 'largest error'),
            (ranked[-1], 'smallest error'),
        ):
            out.setdefault(int(number), why)
    out.setdefault(int(order[-1]), 'weakest by prediction')
    for k in spread_out(len(order), SHOWN):
        if len(out) < SHOWN:
            out.setdefault(int(order[k]), f'rank {k + 1} of {len(order)}')
    return out


def _scores_of(pose_set: PoseSet) -> dict[str, bool]:
    """Docking scores of poses, and whether high ones are good."""
    known = {score.key: score.higher_is_better for score in KNOWN.values()}
    keys = Levels.of(pose_set).on('pose')
    return {key: known[key] for key in known if key in keys}


def _some(file: Path) -> tuple[list[dict[str, Any]], int]:
    """Some rows of a table, evenly, and how many it has."""
    if not file.is_file():
        return [], 0
    count = sum(1 for _ in _each(file))
    wanted = set(spread_out(count, MOST).tolist())
    return [row for k, row in enumerate(_each(file)) if k in wanted], count


def _each(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a table, CSV or Parquet."""
    if file.suffix == '.csv':
        with open(file, newline='', encoding='utf-8') as lines:
            yield from csv.DictReader(lines)
        return
    from pyarrow import parquet

    for batch in parquet.ParquetFile(file).iter_batches():
        yield from batch.to_pylist()
