"""Scores of poses: what each is called, its unit, and which way is good."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from pyg_multipose.data.checks import check_keys
from pyg_multipose.data.levels import level_by_name
from pyg_multipose.io.poses.score_table import ScoreTable
from pyg_multipose.io.report import Rejected

if TYPE_CHECKING:
    from pyg_multipose.io.ligand.record import Record

_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?', re.ASCII)
_LARGEST = torch.finfo(torch.float32).max  # of what sets hold
_NOT_A_NUMBER = re.compile(r'[+-]?(nan|inf|infinity)', re.IGNORECASE)


@dataclass(frozen=True)
class Score:
    r"""A number that a docking program gives a pose.

    Args:
        name: The name of its data item, e.g., :obj:`"CNNscore"`.
        unit: The unit, e.g., :obj:`"kcal/mol"`.
        higher_is_better: Which way is good.
        range: Bounds that a value should be within; one that is not is kept
            and flagged. (default: :obj:`(-inf, inf)`)
        key: What a pose set calls it. If empty, the name, with an underscore
            for all that is no letter, digit or underscore. Names that
            :pyg:`PyG` treats by rules of its own (with :obj:`"index"`,
            :obj:`"batch"` or :obj:`"ptr"` in them), or that pose sets use
            themselves, need another one. (default: :obj:`""`)
        read: Where the number is, if it is not the data item :obj:`name`:
            :class:`~pyg_multipose.io.JSONValue`,
            :class:`~pyg_multipose.io.TextNumber`,
            :class:`~pyg_multipose.io.FileName`,
            :class:`~pyg_multipose.io.ScoreTable`, or a function that takes a
            :class:`~pyg_multipose.io.Record` and returns a number, a text, a
            list of texts that have to agree, or :obj:`None` if there is none.
            What it raises is why the score is missing.
            (default: :obj:`None`)

    Example:
        >>> from pyg_multipose.io import KNOWN, Score
        >>> KNOWN['CNNaffinity']
        Score(name='CNNaffinity', unit='pK', higher_is_better=True, ...)
        >>> Score('My score', 'kcal/mol', higher_is_better=False).key
        'My_score'
        >>> Score('batch_score', '1', True, key='normed').key
        'normed'
    """

    name: str
    unit: str
    higher_is_better: bool
    range: tuple[float, float] = (-math.inf, math.inf)
    key: str = ''
    read: Callable[[Record], Any] | ScoreTable | None = field(
        default=None, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not self.key:
            key = re.sub(r'\W+', '_', self.name, flags=re.ASCII).strip('_')
            key = key if key[:1].isalpha() else f'score_{key}'
            object.__setattr__(self, 'key', key)


def _of_rdock(record: Record) -> list[str]:
    """The total of rDock; others call other things a SCORE."""
    if 'SCORE' not in record.items:
        raise Rejected('no such data item')
    if 'SCORE.INTER' not in record.items:
        raise Rejected(
            "no item 'SCORE.INTER' beside it, so that it is not rDock's; pass "
            "Score('SCORE', unit=..., higher_is_better=...)"
        )
    return record.items['SCORE']


#: Energies of empirical scoring functions. Failed poses have thousands.
_ENERGY = (-40.0, 40.0)
#: The same in kJ/mol.
_ENERGY_KJ = (-200.0, 200.0)

#: The scores that readers recognise by their names.
KNOWN = {
    score.name: score
    for score in (
        # AutoDock Vina (from the remark of a PDBQT), smina, gnina.
        Score('vina_affinity', 'kcal/mol', False, _ENERGY),
        Score('vina_score', 'kcal/mol', False, _ENERGY),
        Score('minimizedAffinity', 'kcal/mol', False, _ENERGY),
        Score('CNNscore', 'probability', True, (0.0, 1.0)),
        Score('CNNaffinity', 'pK', True, (-3.0, 16.0)),
        Score('CNN_VS', 'probability x pK', True, (-3.0, 16.0)),
        # AutoDock 4 and AutoDock-GPU, from a DLG.
        Score('autodock_free_energy', 'kcal/mol', False, _ENERGY),
        # DiffDock, from the name of the file: a logit, not calibrated.
        Score('confidence', 'logit', True, (-20.0, 20.0)),
        # Glide.
        Score('docking_score', 'kcal/mol', False, _ENERGY),
        Score('r_i_docking_score', 'kcal/mol', False, _ENERGY),
        Score('r_i_glide_gscore', 'kcal/mol', False, _ENERGY),
        Score('r_i_glide_emodel', 'kcal/mol', False, (-500.0, 500.0)),
        # OpenEye.
        Score('Chemgauss4', 'arbitrary', False, (-100.0, 100.0)),
        Score('FRED Chemgauss4 score', 'arbitrary', False, (-100.0, 100.0)),
        Score('HYBRID Chemgauss4 score', 'arbitrary', False, (-100.0, 100.0)),
        Score('POSIT::Probability', 'probability', True, (0.0, 1.0)),
        # DOCK 6, from the comments of a MOL2 file.
        Score('Grid_Score', 'kcal/mol', False, (-500.0, 500.0)),
        Score('Continuous_Score', 'kcal/mol', False, (-500.0, 500.0)),
        # rDock.
        Score('SCORE', 'kJ/mol', False, _ENERGY_KJ, read=_of_rdock),
        Score('SCORE.INTER', 'kJ/mol', False, _ENERGY_KJ),
        Score('SCORE.INTRA', 'kJ/mol', False, _ENERGY_KJ),
        Score('SCORE.norm', 'kJ/mol per atom', False, (-20.0, 20.0)),
        Score('SCORE.INTER.norm', 'kJ/mol per atom', False, (-20.0, 20.0)),
        # GOLD.
        Score('Gold.PLP.Fitness', 'arbitrary', True, (-500.0, 500.0)),
        Score('Gold.Goldscore.Fitness', 'arbitrary', True, (-500.0, 500.0)),
        Score('Gold.Chemscore.Fitness', 'kJ/mol', True, (-500.0, 500.0)),
        Score('Gold.ASP.Fitness', 'arbitrary', True, (-500.0, 500.0)),
    )
}


def chosen(scores: Iterable[str | Score]) -> dict[str, Score]:
    r"""The scores that a caller asks for, by their names.

    Args:
        scores: Names of known scores, and scores of your own.

    Raises:
        ValueError: If a name is not known, or makes no key of a pose set.
    """
    out: dict[str, Score] = {}
    keys: dict[str, str] = {}
    for score in scores:
        if isinstance(score, str):
            if score not in KNOWN:
                raise ValueError(
                    f"The score '{score}' is not known, so its unit and "
                    f'direction are not either. Pass Score({score!r}, '
                    f'unit=..., higher_is_better=...), or one of '
                    f'{sorted(KNOWN)}'
                )
            score = KNOWN[score]
        _check_read(score)
        choose = f"choose another by Score({score.name!r}, ..., key='...')"
        try:
            check_keys([score.key], f"score '{score.name}'")
        except ValueError as error:
            raise ValueError(f'{error}: {choose}') from None
        if level_by_name(score.key) is not None:
            raise ValueError(
                f"score '{score.name}': the key '{score.key}' is taken by "
                f'a level of a pose set: {choose}'
            )
        if keys.setdefault(score.key, score.name) != score.name:
            raise ValueError(
                f"The scores '{keys[score.key]}' and '{score.name}' would "
                f"both be the key '{score.key}'; choose one of them, or "
                f'{choose}'
            )
        out[score.name] = score
    return out


def value_of(texts: Sequence[str]) -> tuple[float, str]:
    r"""Reads a score; what is no finite number is missing, never zero.

    Args:
        texts: The values of all data items with the name of the score; one,
            if the file is right.

    Returns:
        The value (NaN if missing), and why it is missing (or an empty text).
    """
    found = set()
    for text in (text.strip() for text in texts):
        if not text:
            return math.nan, 'empty'
        if _NOT_A_NUMBER.fullmatch(text):
            return math.nan, f"'{text}' is not finite"
        if not _NUMBER.fullmatch(text):
            shown = text if len(text) <= 30 else f'{text[:30]}...'
            return math.nan, f'{shown!r} is not a number'
        found.add(float(text))
    if not found:
        return math.nan, 'no such data item'
    if len(found) > 1:
        return math.nan, f'given several times: {sorted(found)}'
    (value,) = found
    if abs(value) > _LARGEST:
        return math.nan, f'{value} is not finite in single precision'
    return value, ''


def read_value(read: Callable[[Record], Any], record: Record) -> tuple[
    float, str
]:  # fmt: skip
    r"""Reads a score that is no data item; what fails is missing.

    Args:
        read: The function of the score.
        record: The record of a pose.

    Returns:
        As :func:`value_of`.
    """
    try:
        got = read(record)
    except Rejected as error:
        return math.nan, str(error)
    except Exception as error:  # of any kind: it is not ours
        return math.nan, f'{type(error).__name__}: {error}'
    if got is None:
        return math.nan, 'there is none'
    if isinstance(got, str):
        return value_of([got])
    if isinstance(got, list) and all(isinstance(text, str) for text in got):
        return value_of(got)
    try:
        value = math.nan if isinstance(got, bool) else float(got)
    except OverflowError:
        value = math.inf
    except (TypeError, ValueError, RuntimeError):
        value = math.nan
    if math.isnan(value) and not isinstance(got, float):
        shown = repr(got)
        shown = shown if len(shown) <= 30 else f'{shown[:30]}...'
        return math.nan, f'{shown} is not a number'
    if not abs(value) <= _LARGEST:
        return math.nan, f'{value} is not finite in single precision'
    return value, ''


def _check_read(score: Score) -> None:
    if score.read is not None and not (
        isinstance(score.read, ScoreTable) or callable(score.read)
    ):
        raise ValueError(
            f"score '{score.name}': read is a function of a record, or one of "
            f'JSONValue, TextNumber, FileName and ScoreTable, got '
            f'{score.read!r}'
        )
