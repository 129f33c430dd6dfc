"""A label, and how it is made from repeated measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pyg_multipose.io.labels.units import TEMPERATURE, falls, from_pk
from pyg_multipose.io.labels.values import Measurement, Relation, turned
from pyg_multipose.io.report import Rejected

#: Units of pK that exact replicates may lie apart without a flag: 10 x in K.
WIDE = 1.0


@dataclass(frozen=True)
class Label:
    r"""What is known of the affinity of a ligand for a target.

    Args:
        ligand_id: The id of the ligand, as in the table.
        target_id: The id of the target, as in the table.
        kind: What was measured, e.g. :obj:`"IC50"`; empty if not stated.
        pvalue: The mean on the scale of pK (high is strong), or a bound.
        relation: Whether the truth is :obj:`pvalue`, below it (:obj:`"<"`)
            or above it, on the scale of pK; :obj:`"~"` if the table says so.
        n_replicates: The measurements that :obj:`pvalue` is made from.
        n_censored: The measurements that are bounds.
        std: The standard deviation of the replicates on the scale of pK
            (with n - 1), NaN if there is one or if it is a bound.
        span: The highest minus the lowest of them.
        rows: The file and the row of each measurement.

    Example:
        >>> from math import nan
        >>> from pyg_multipose.io import Label
        >>> label = Label(
        ...     'a', 'Mpro', 'IC50', 4.0, '<', 1, 1, nan, nan, (('x.csv', 1),)
        ... )
        >>> label.relation, label.pvalue  # pK below 4
        ('<', 4.0)
        >>> label.relation_in('uM'), round(label.value('uM'), 6)
        ('>', 100.0)
    """

    ligand_id: str
    target_id: str
    kind: str
    pvalue: float
    relation: Relation
    n_replicates: int
    n_censored: int
    std: float
    span: float
    rows: tuple[tuple[str, int], ...]

    def value(self, unit: str, temperature: float = TEMPERATURE) -> float:
        r"""The label in another unit.

        Args:
            unit: One of :data:`pyg_multipose.io.labels.units.UNITS`.
            temperature: In Kelvin, for kcal/mol and kJ/mol.
                (default: :obj:`298.15`)
        """
        return from_pk(self.pvalue, unit, temperature)

    def relation_in(self, unit: str) -> Relation:
        r"""The relation in another unit: it turns over where pK does.

        Args:
            unit: One of :data:`pyg_multipose.io.labels.units.UNITS`.
        """
        return turned(self.relation) if falls(unit) else self.relation


def aggregated(
    ids: tuple[str, str, str], found: Sequence[Measurement]
) -> tuple[Label, list[tuple[str, str]]]:
    r"""One label from all measurements of a ligand, a target and a kind.

    Exact values are averaged on the scale of pK, that is by the geometric
    mean of the constants. Bounds are never averaged: next to exact values
    they are counted, alone the tightest of them is the label. Values with
    :obj:`"~"` are averaged if there are no exact ones.

    Args:
        ids: The ids of the ligand and the target, and the kind.
        found: The measurements, at least one.

    Returns:
        The label, and what is worth a look, as pairs of reason and detail.

    Raises:
        Rejected: If bounds are all there is, and on both sides.
    """
    exact = [one for one in found if one.relation == '=']
    rough = [one for one in found if one.relation == '~']
    upper = [one for one in found if one.relation.startswith('<')]
    lower = [one for one in found if one.relation.startswith('>')]
    averaged = exact or rough
    flags: list[tuple[str, str]] = []
    std = span = math.nan
    relation: Relation
    if averaged:
        values = [one.pvalue for one in averaged]
        pvalue = statistics.fmean(values)
        span = max(values) - min(values)
        if len(values) > 1:
            std = statistics.stdev(values)
        relation = averaged[0].relation
        if span > WIDE:
            flags.append(
                (
                    'replicates lie far apart',
                    f'{len(values)} values of pK from {min(values):.2f} to '
                    f'{max(values):.2f}',
                )
            )
        for one in upper + lower:
            beyond = pvalue - one.pvalue
            if beyond > 0 if one in upper else beyond < 0:
                flags.append(
                    (
                        'a censored replicate disagrees',
                        f'row {one.row} says pK {one.relation} '
                        f'{one.pvalue:.3f}, but the mean of exact values is '
                        f'{pvalue:.3f}',
                    )
                )
    elif upper and lower:
        raise Rejected(
            'bounds on both sides',
            f'pK {upper[0].relation} {upper[0].pvalue:.3f} and '
            f'{lower[0].relation} {lower[0].pvalue:.3f}, and no exact value',
        )
    else:
        averaged = upper or lower
        best = (
            min(upper, key=lambda one: one.pvalue)
            if upper
            else max(lower, key=lambda one: one.pvalue)
        )
        pvalue, relation = best.pvalue, best.relation
    label = Label(
        *ids,
        pvalue,
        relation,
        len(averaged),
        len(upper) + len(lower),
        std,
        span,
        tuple((one.file, one.row) for one in found),
    )
    return label, flags
