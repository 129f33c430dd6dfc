"""Labels and pose sets, joined by their ids."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Dataset

from pyg_multipose.data import PoseSet
from pyg_multipose.io.labels.ids import Pair, by_likeness, likeness
from pyg_multipose.io.labels.label import Label
from pyg_multipose.io.labels.labels import Labels
from pyg_multipose.io.labels.units import TEMPERATURE, from_pk
from pyg_multipose.io.report import Report
from pyg_multipose.io.source.table import stripped

#: The unit of each scale that a label can be put on.
SCALES = {'pK': 'pK', 'dG_kT': 'kT', 'dG_kcal': 'kcal/mol'}
#: Where the truth is, seen from a label.
RELATIONS = {'=': 0, '~': 0, '<': -1, '<=': -1, '>': 1, '>=': 1}
#: How a report calls the pose sets, which are no file.
_SETS = 'pose sets'


class LabeledPoses(Dataset):
    r"""Pose sets with labels, as :func:`join_labels` returns them.

    An item is the pose set with the keys of a set

    * :obj:`y`: the label, a float of shape :obj:`[1]`;
    * :obj:`y_relation`: 0 if it is exact (or roughly so), -1 if the truth is
      below :obj:`y`, 1 if it is above, on the scale of :obj:`y`;
    * :obj:`y_std`: the standard deviation of the replicates on that scale,
      NaN if there is one or if the label is a bound;
    * :obj:`y_count`: the number of replicates.

    Args:
        sets: The pose sets.
        index: Which of them have a label.
        labels: The label of each of those.
        report: What was joined and what was not.
        unmatched: What has no partner: labels, then pose sets.
        scale: One of :data:`SCALES`.
        temperature: In Kelvin, for :obj:`"dG_kcal"`.
        transform: A function that takes a
            :class:`~pyg_multipose.data.PoseSet` and returns another; applied
            at every access. (default: :obj:`None`)
    """

    def __init__(
        self,
        sets: Sequence[PoseSet],
        index: Sequence[int],
        labels: Sequence[Label],
        report: Report,
        unmatched: tuple[list[Pair], list[Pair]],
        scale: str,
        temperature: float,
        transform: Callable[[PoseSet], Any] | None = None,
    ) -> None:
        super().__init__(transform=transform)
        self._sets, self._labels = sets, labels
        #: The number of each set with a label among all.
        self.index = index
        self._unit, self._temperature = SCALES[scale], temperature
        #: What was joined, what was not, and near misses; print it.
        self.report = report
        #: Ligand and target of each label that no pose set is of.
        self.labels_without_poses = unmatched[0]
        #: Ligand and target of each pose set that has no label.
        self.poses_without_label = unmatched[1]

    def len(self) -> int:
        r"""The number of pose sets with a label."""
        return len(self.index)

    def get(self, idx: int) -> PoseSet:
        r"""A pose set with its label, without the transform.

        Args:
            idx: The place of the set among those with a label.
        """
        out = copy.copy(self._sets[self.index[idx]])
        for key, value in self.values(idx).items():
            out.put(key, value, 'set')
        return out

    def values(self, idx: int) -> dict[str, Tensor]:
        r"""What :meth:`get` gives a set.

        Args:
            idx: The place of the set among those with a label.
        """
        label = self._labels[idx]
        y = label.value(self._unit, self._temperature)
        per_pk = abs(from_pk(1.0, self._unit, self._temperature))
        relation = RELATIONS[label.relation_in(self._unit)]
        return {
            'y': torch.tensor([y]),
            'y_relation': torch.tensor([relation]),
            'y_std': torch.tensor([label.std * per_pk]),
            'y_count': torch.tensor([label.n_replicates]),
        }

    @property
    def labels(self) -> list[Label]:
        r"""The label of each item."""
        return [self._labels[index] for index in self.indices()]

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({len(self)} sets)'


def join_labels(
    sets: Sequence[PoseSet],
    labels: Labels,
    target_id: str | Mapping[str, str] | None = None,
    kind: str | None = None,
    scale: str = 'pK',
    temperature: float = TEMPERATURE,
    transform: Callable[[PoseSet], Any] | None = None,
) -> LabeledPoses:
    r"""Gives each pose set the label of its ligand and its target.

    Ids are compared as texts, blanks around them aside; the order of sets
    and labels does not matter. What has no partner is left out and reported,
    and so are ids that are nearly the same.

    Args:
        sets: The pose sets; the :obj:`name` of one is the id of its ligand.
        labels: The labels.
        target_id: The target of all sets, or of each set by its
            :obj:`receptor_name`. If :obj:`None`, the :obj:`receptor_name` is
            the target. (default: :obj:`None`)
        kind: The kind of label to take; needed if there are several kinds
            that were not pooled. (default: :obj:`None`)
        scale: :obj:`"pK"` (high is strong), :obj:`"dG_kT"` or
            :obj:`"dG_kcal"` (low is strong). (default: :obj:`"pK"`)
        temperature: In Kelvin, for :obj:`"dG_kcal"`.
            (default: :obj:`298.15`)
        transform: Applied to a set at every access. (default: :obj:`None`)

    Raises:
        ValueError: If the scale or the kind is unknown, if there are several
            kinds and none is chosen, or if the target of a set is not told.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.io import join_labels, read_labels
        >>> sets = MproMoonshot('test')[:2]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'activity.csv')
        ...     _ = path.write_text(f'ligand_id,value\n{sets.names[1]},100\n')
        ...     labels = read_labels(path, unit='nM', target_id='Mpro')
        >>> dataset = join_labels(sets, labels, target_id='Mpro')
        >>> dataset, dataset[0].y
        (LabeledPoses(1 sets), tensor([7.]))
        >>> dataset.report.reasons()
        Counter({'no label': 1})
    """
    if scale not in SCALES:
        raise ValueError(
            f'Unknown scale {scale!r}; expected one of {list(SCALES)}'
        )
    known = labels_of_kind(labels, kind)
    pairs = _pairs(sets, target_id, {target for _, target in known})
    report = Report()
    unused = report_on(pairs, known, report)
    index = [number for number, pair in enumerate(pairs) if pair in known]
    lone = [pair for pair in pairs if pair not in known]
    if not index:
        warnings.warn(
            f'No pose set has a label. {report}', UserWarning, stacklevel=2
        )
    return LabeledPoses(
        sets,
        index,
        [known[pairs[number]] for number in index],
        report,
        (unused, list(dict.fromkeys(lone))),
        scale,
        temperature,
        transform,
    )


def labels_of_kind(labels: Labels, kind: str | None) -> dict[Pair, Label]:
    r"""The label of each ligand and target.

    Args:
        labels: The labels.
        kind: The kind to take.

    Raises:
        ValueError: As :func:`join_labels`.
    """
    kinds = labels.kinds
    if kind is not None and kind not in kinds:
        raise ValueError(f'There is no label of kind {kind!r}, but of {kinds}')
    if kind is None and len(kinds) > 1 and not labels.pooled:
        counts = {k: sum(label.kind == k for label in labels) for k in kinds}
        raise ValueError(
            f'Labels are of several kinds: {counts}. Choose one by kind=, or '
            f'pool them by read_labels(..., pool_kinds=True)'
        )
    return {
        (label.ligand_id, label.target_id): label
        for label in labels
        if kind in (None, label.kind)
    }


def _pairs(
    sets: Sequence[PoseSet],
    target_id: str | Mapping[str, str] | None,
    targets: set[str],
) -> list[Pair]:
    """Ligand and target of each set; names are asked for at once if so."""
    names = getattr(sets, 'names', None)
    if isinstance(target_id, str) and names is not None:
        return [(stripped(name), stripped(target_id)) for name in names]
    out = []
    for number, pose_set in enumerate(sets):
        name, receptor = pose_set['name'], pose_set['receptor_name']
        target: str | None = receptor
        if isinstance(target_id, str):
            target = target_id
        elif target_id is not None:
            target = target_id.get(receptor)
        if not target:
            raise ValueError(
                f"set {number} '{name}': its receptor_name {receptor!r} tells "
                f"no target. Pass target_id='...' if all sets are of one, or "
                f'a mapping from receptor_name; targets of the labels are '
                f'{sorted(targets)[:10]}'
            )
        out.append((stripped(name), stripped(target)))
    return out


def report_on(
    pairs: Iterable[Pair], known: Mapping[Pair, Label], report: Report
) -> list[Pair]:
    r"""Reports on what is joined, and what is not.

    Args:
        pairs: Ligand and target of each set; they are gone through several
            times, and may be more than fit into memory.
        known: The labels.
        report: Where to note it.

    Returns:
        The labels that no set is of.
    """
    used = {pair for pair in pairs if pair in known}
    unused = [pair for pair in known if pair not in used]
    lone = _note_lone(pairs, known, unused, report)
    _note_unused(unused, known, lone, report)
    _note_repeated(pairs, known, report)
    report.check()
    report.summary = (
        f'{report.num_kept} of {report.num_seen} pose sets have a label, '
        f'{len(used)} of {len(known)} labels have poses'
    )
    return unused


def _note_lone(
    pairs: Iterable[Pair],
    known: Mapping[Pair, Label],
    unused: Sequence[Pair],
    report: Report,
) -> list[Pair]:
    """Of those without a label, what is like a label is returned."""
    near = by_likeness(unused)
    out: dict[Pair, None] = {}
    targets: dict[str, list[str]] = defaultdict(list)
    for ligand, target in known:
        targets[ligand].append(target)
    number = 0
    for number, pair in enumerate(pairs, start=1):
        if pair in known:
            report.kept[_SETS] += 1
            continue
        detail = f'target {pair[1]}'
        like = near.get(likeness(pair)) if near else None
        if like:
            out[pair] = None
        if pair[0] in targets:
            detail += f'; its labels are of {targets[pair[0]]}'
        elif like:
            detail += f'; nearly the same: {like}'
        report.drop(_SETS, number, pair[0], 'no label', detail)
    report.seen[_SETS] = number
    return list(out)


def _note_unused(
    unused: Sequence[Pair],
    known: Mapping[Pair, Label],
    lone: Sequence[Pair],
    report: Report,
) -> None:
    near = by_likeness(lone)
    for pair in unused:
        file, row = known[pair].rows[0]
        detail = f'target {pair[1]}'
        if near.get(likeness(pair)):
            detail += f'; nearly the same: {near[likeness(pair)]}'
        report.flag(file, row, pair[0], 'label without poses', detail)


def _note_repeated(
    pairs: Iterable[Pair], known: Mapping[Pair, Label], report: Report
) -> None:
    places: dict[Pair, list[int]] = defaultdict(list)
    for number, pair in enumerate(pairs, start=1):
        if pair in known:
            places[pair].append(number)
    for pair, numbers in places.items():
        if len(numbers) > 1:
            report.flag(
                _SETS,
                numbers[1],
                pair[0],
                'several sets of one ligand and target',
                f'{numbers} have the same label',
            )
