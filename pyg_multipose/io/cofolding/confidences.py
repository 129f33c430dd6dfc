"""What programs say about their samples: names, units, directions."""

from __future__ import annotations

import json
import math
import stat
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyg_multipose.io.poses.scores import Score, chosen, value_of

#: The largest file of confidences that is read; those of single numbers have
#: some kilobytes.
MAX_SIZE = 1 << 24
#: Distances that programs predict errors of end here, in Angstrom.
_FARTHEST = 100.0

#: The numbers that are recognised by their names.
CONFIDENCES = {
    score.name: score
    for score in (
        # Boltz.
        Score('confidence_score', '0 to 1', True, (0.0, 1.0)),
        Score('ligand_iptm', 'TM-score', True, (0.0, 1.0)),
        Score('protein_iptm', 'TM-score', True, (0.0, 1.0)),
        Score('complex_plddt', 'lDDT', True, (0.0, 1.0)),
        Score('complex_iplddt', 'lDDT', True, (0.0, 1.0)),
        Score('complex_pde', 'Angstrom', False, (0.0, _FARTHEST)),
        Score('complex_ipde', 'Angstrom', False, (0.0, _FARTHEST)),
        Score('affinity_pred_value', 'log10(IC50/uM)', False, (-8.0, 8.0)),
        Score('affinity_probability_binary', 'probability', True, (0.0, 1.0)),
        # Chai.
        Score('aggregate_score', 'arbitrary', True, (-100.0, 1.0)),
        Score('has_inter_chain_clashes', '0 or 1', False, (0.0, 1.0)),
        # AlphaFold 3 and Protenix.
        Score('ranking_score', 'arbitrary', True, (-100.0, 1.5)),
        Score('has_clash', '0 or 1', False, (0.0, 1.0)),
        # Protenix.
        Score('plddt', 'lDDT x 100', True, (0.0, 100.0)),
        Score('gpde', 'Angstrom', False, (0.0, _FARTHEST)),
        # All of them.
        Score('ptm', 'TM-score', True, (0.0, 1.0)),
        Score('iptm', 'TM-score', True, (0.0, 1.0)),
    )
}


class Unreadable(Exception):
    r"""Why a file of confidences cannot be read."""


def chosen_confidences(
    scores: Iterable[str | Score] | None,
) -> dict[str, Score] | None:
    r"""The confidences that a caller asks for, by their names.

    Args:
        scores: Names of known ones, and scores of your own; :obj:`None` for
            all known ones.

    Raises:
        ValueError: If a name is not known, or makes no key of a pose set.
    """
    if scores is None:
        return None
    scores = [scores] if isinstance(scores, str | Score) else list(scores)
    for name in scores:
        if isinstance(name, str) and name not in CONFIDENCES:
            raise ValueError(
                f"The confidence '{name}' is not known, so its unit and "
                f'direction are not either. Pass Score({name!r}, unit=..., '
                f'higher_is_better=...), or one of {sorted(CONFIDENCES)}'
            )
    return chosen(CONFIDENCES[s] if isinstance(s, str) else s for s in scores)


def read_confidences(path: Path) -> dict[str, Any]:
    r"""Reads a file of confidences.

    Args:
        path: A JSON file, or an NPZ file without pickled objects.

    Returns:
        Its values by name, as they are.

    Raises:
        Unreadable: If it is no such file, or damaged.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise Unreadable('it is not a regular file')
        if info.st_size > MAX_SIZE:
            raise Unreadable(
                f'it has {info.st_size} bytes, expected at most {MAX_SIZE}'
            )
        return _npz(path) if path.suffix.lower() == '.npz' else _json(path)
    except OSError as error:
        raise Unreadable(f'it cannot be read: {error}') from None


def number(values: Mapping[str, Any], name: str) -> tuple[float, str]:
    r"""Reads a confidence; what is no finite number is missing, never zero.

    Args:
        values: All values of the file.
        name: The name of the confidence.

    Returns:
        The value (NaN if missing), and why it is missing (or an empty text).
    """
    if name not in values:
        return math.nan, f"no '{name}' in it"
    value = values[name]
    if isinstance(value, np.ndarray):
        value = value.tolist()
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return float(value), ''
    if isinstance(value, int) and abs(value) > 1e300:
        value = math.inf  # as text it may be too long
    if isinstance(value, int | float):
        return value_of([repr(value)])
    kind = 'null' if value is None else f'{value!r:.30}'
    return math.nan, f"'{name}' is {kind}, not one number"


def _json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode('utf-8-sig')
        out = json.loads(text, object_pairs_hook=_named)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f'it is no JSON: {error}') from None
    if not isinstance(out, dict):
        raise Unreadable(
            f'it holds a {type(out).__name__}, expected an object with names'
        )
    return out


def _named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name that is there twice has no value that is a number."""
    out: dict[str, Any] = {}
    for name, value in pairs:
        out[name] = [out[name], value] if name in out else value
    return out


def _npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as file:
            large = sum(info.file_size for info in file.infolist())
        if large > MAX_SIZE:
            raise Unreadable(
                f'it holds {large} bytes, expected at most {MAX_SIZE}'
            )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (Unreadable, OSError):
        raise
    except Exception as error:  # a damaged archive fails in many ways
        kind = type(error).__name__
        raise Unreadable(
            f'it is no NPZ, or damaged: {kind}: {error}'
        ) from None
