r"""Labels that sets of a campaign get."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

#: The unit of labels on each scale.
UNITS = {'pK': 'pK', 'dG_kT': 'kT', 'dG_kcal': 'kcal/mol'}
#: What is done with sets without a label.
UNLABELED = ('drop', 'keep', 'refuse')
#: What a set without a label gets.
_UNKNOWN = {
    'y': torch.tensor([torch.nan]),
    'y_relation': torch.tensor([0]),
    'y_std': torch.tensor([torch.nan]),
    'y_count': torch.tensor([0]),
}


class Joining:
    r"""Reads labels, and gives them to sets, some sets at a time.

    Args:
        options: Those of the command.
        receptor_name: The name of the receptor, if there is one.

    Raises:
        ValueError: If the table lacks a column.
    """

    def __init__(
        self, options: dict[str, Any], receptor_name: str | None
    ) -> None:
        self._options = options
        #: The labels; :obj:`None` if sets get none.
        self.labels: Any = None
        self._target = options['target'] or receptor_name or 'target'
        if options['labels']:
            self.labels = self._read()

    def _read(self) -> Any:
        from pyg_multipose.io import read_labels
        from pyg_multipose.io.source.table import read_table

        options = self._options
        table = read_table(Path(options['labels']), None, 'utf-8')
        for option, column in (
            ('--id-column', options['id_column']),
            ('--value-column', options['value_column']),
        ):
            if table.column(column) is None:
                raise ValueError(
                    f"'{options['labels']}' has no column '{column}', only "
                    f'{table.header}; name the one that is meant by {option}'
                )
        has_column = table.column('target_id') is not None
        return read_labels(
            options['labels'],
            columns={
                'ligand_id': options['id_column'],
                'value': options['value_column'],
            },
            unit=options['unit'],
            target_id=None if has_column else self._target,
            kind=options['kind'],
        )

    @property
    def _kind(self) -> str | None:
        several = len({one.kind for one in self.labels}) > 1
        return self._options['kind'] if several else None

    @cached_property
    def _known(self) -> Any:
        from pyg_multipose.io.labels.join import labels_of_kind

        return labels_of_kind(self.labels, self._kind)

    def values(self, poses: Any) -> list[tuple[int, dict[str, Tensor]]]:
        r"""The labels of some sets.

        Args:
            poses: The sets.

        Returns:
            The places of those that are kept, and what each gets.

        Raises:
            ValueError: If a set has no label, and that is refused.
        """
        from pyg_multipose.io import join_labels

        if self.labels is None or not len(poses):
            return [(number, {}) for number in range(len(poses))]
        joined = join_labels(
            poses,
            self.labels,
            target_id=self._target,
            kind=self._kind,
            scale=self._options['scale'],
        )
        lone = [ligand for ligand, _ in joined.poses_without_label]
        if lone and self._options['unlabeled'] == 'refuse':
            raise ValueError(
                f'{len(lone)} sets have no label, such as {lone[:3]}; '
                f'--unlabeled drop leaves them out, --unlabeled keep keeps '
                f'them'
            )
        out = {
            number: joined.values(place)
            for place, number in enumerate(joined.index)
        }
        if self._options['unlabeled'] == 'keep':
            out = {n: out.get(n, _UNKNOWN) for n in range(len(poses))}
        return list(out.items())

    def report(self, names: Iterable[str]) -> tuple[Any, str | None]:
        r"""What was joined of all sets, and in what unit.

        Args:
            names: The ids of all sets; they are gone through several times.
        """
        from pyg_multipose.io.labels.join import report_on
        from pyg_multipose.io.tally import Tally

        report = Tally()
        pairs = _Pairs(names, self._target)
        unused = set(report_on(pairs, self._known, report))
        kinds = {
            one.kind for pair, one in self._known.items() if pair not in unused
        }
        unit = UNITS[self._options['scale']]
        if unit == 'pK' and kinds in ({'IC50'}, {'pIC50'}):
            unit = 'pIC50'
        elif unit == 'pK' and kinds in ({'Ki'}, {'pKi'}):
            unit = 'pKi'
        return report, unit


class _Pairs:
    """Ligand and target of sets, as often as they are asked for."""

    def __init__(self, names: Iterable[str], target: str) -> None:
        self._names, self._target = names, target

    def __iter__(self) -> Any:
        from pyg_multipose.io.source.table import stripped

        target = stripped(self._target)
        return ((stripped(name), target) for name in self._names)
