r"""What the inputs of a model look like, to notice others."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import BOOKKEEPING
from pyg_multipose.transforms import RadiusGraph

#: Levels whose keys a model reads.
_LEVELS = ('node', 'edge', 'bond')
#: Receptors that a record names; of more it names none.
MOST_RECEPTORS = 64
#: Å that a float32 may be beyond a cutoff.
_SLACK = 1e-3


@dataclass
class InputRecord:
    r"""What the pose sets that a model was trained on look like.

    It is part of a checkpoint, and :meth:`check` refuses sets of another
    kind, which a model would take without a word.

    Args:
        keys: The level, dtype and width of each key of atoms, edges and
            bonds: what a featuriser gives.
        cutoff: The distance in Angstrom up to which all atoms are neighbours,
            if it is known.
        receptor: Whether sets have a receptor.
        hydrogens: Whether there are hydrogens among the atoms.
        receptors: A checksum of each receptor (atomic numbers and positions),
            none if they are more than 64.

    Example:
        >>> from pyg_multipose.data import Layout
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import InputRecord
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> sets = MproMoonshot('train', transform=RadiusGraph(5.0))[:2]
        >>> record = InputRecord.of(sets, cutoff=5.0)
        >>> record.keys['z'], record.hydrogens
        (['node', 'int64'], False)
        >>> record.check(sets[0])
        >>> record.new_receptors(sets[0], Layout(sets[0]))
        [False]
        >>> other = MproMoonshot('test', transform=RadiusGraph(4.5))
        >>> InputRecord.from_dict(record.to_dict()).check(other[0])
        Traceback (most recent call last):
            ...
        ValueError: set 'ALP-POS-6479a3a9-1': its edges are not those of ...
    """

    keys: dict[str, list[Any]]
    cutoff: float | None
    receptor: bool
    hydrogens: bool
    receptors: list[str]

    @classmethod
    def of(
        cls, sets: Iterable[PoseSet], cutoff: float | None = None
    ) -> InputRecord:
        r"""Looks at some pose sets.

        Args:
            sets: The sets, or batches of them.
            cutoff: The distance up to which they have all edges, which is
                checked. (default: :obj:`None`, it is not known)

        Raises:
            ValueError: If there is no set, if sets differ in their keys, or
                if their edges are not those of the cutoff.
        """
        record: InputRecord | None = None
        receptors: dict[str, None] = {}
        for pose_set in sets:
            layout = Layout(pose_set)
            receptors.update(dict.fromkeys(_receptors(pose_set, layout)))
            one = cls(
                keys_of(pose_set, layout),
                cutoff if 'edge_index' in pose_set else None,
                bool(layout.receptor_size.all()),
                _has_hydrogens(pose_set),
                [],
            )
            if record is None:
                record = one
            record.hydrogens |= one.hydrogens
            record.check(pose_set, hydrogens=False)
        if record is None:
            raise ValueError('There is no pose set to learn from')
        if len(receptors) <= MOST_RECEPTORS:
            record.receptors = list(receptors)
        return record

    def check(
        self,
        batch: PoseSet,
        hydrogens: bool = True,
        edges: bool = True,
        receptors: bool = True,
    ) -> None:
        r"""Refuses sets that are not like those of the record.

        All edges have to be shorter than the cutoff; of the first set of a
        batch they are compared with those of
        :class:`~pyg_multipose.transforms.RadiusGraph`, one by one.

        Args:
            batch: A pose set, or a batch of them.
            hydrogens: Whether hydrogens may be neither new nor missing.
                (default: :obj:`True`)
            edges: Whether edges are looked at. (default: :obj:`True`)
            receptors: Whether to warn of a receptor that was not in training.
                (default: :obj:`True`)

        Raises:
            ValueError: If a key is missing or of another kind, if there is
                no receptor or a new one, if hydrogens came or went, or if
                edges are not those of the cutoff.
        """
        layout = Layout(batch)
        where = layout.set_name(0)
        found = keys_of(batch, layout)
        for key, expected in self.keys.items():
            if key == 'edge_index' and key not in found:
                how = (
                    'RadiusGraph'
                    if self.cutoff is None
                    else (f'RadiusGraph({self.cutoff})')
                )
                raise ValueError(
                    f'{where} has no edges, and the model was trained on sets '
                    f'with them. Use {how}'
                )
            if key not in found:
                raise ValueError(
                    f"{where} has no '{key}' ({_shown(expected)}), which the "
                    f'model was trained on; it has {sorted(found)}. Prepare '
                    f'poses by the same features as for training'
                )
            if found[key] != expected:
                raise ValueError(
                    f"{where}: '{key}' is {_shown(found[key])}, expected "
                    f'{_shown(expected)}, as the model was trained on; '
                    f'another featuriser gave it'
                )
        if bool(layout.receptor_size.all()) != self.receptor:
            raise ValueError(
                f'{where}: the model was trained on sets '
                f'{_with(self.receptor)} a receptor, and here are sets '
                f'{_with(not self.receptor)} one'
            )
        if hydrogens and _has_hydrogens(batch) != self.hydrogens:
            raise ValueError(
                f'{where}: the model was trained on atoms '
                f'{_with(self.hydrogens)} hydrogens, and these are '
                f'{_with(not self.hydrogens)} them'
            )
        if edges and self.cutoff is not None:
            check_edges(batch, self.cutoff)
        if receptors and any(self.new_receptors(batch, layout)):
            warnings.warn(
                f'{where}: its receptor is none of those that the model was '
                f'trained on ({len(self.receptors)} of them). A pocket is to '
                f'be cut as for training',
                UserWarning,
                stacklevel=2,
            )

    def new_receptors(self, batch: PoseSet, layout: Layout) -> list[bool]:
        r"""Whether the receptor of each set was not in training.

        Args:
            batch: A pose set, or a batch of them.
            layout: Its layout.
        """
        if not self.receptors:
            return [False] * layout.num_sets
        known = {'', *self.receptors}
        return [one not in known for one in _digests(batch, layout)]

    def to_dict(self) -> dict[str, Any]:
        r"""The record as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InputRecord:
        r"""The record of plain data.

        Args:
            values: What :meth:`to_dict` gave.
        """
        return cls(**values)


def keys_of(batch: PoseSet, layout: Layout) -> dict[str, list[Any]]:
    r"""Level, dtype and width of each key of atoms, edges and bonds.

    Args:
        batch: A pose set, or a batch of them.
        layout: Its layout.
    """
    out = {}
    for key, level in sorted(layout.levels.items()):
        value = batch.get(key)
        if level not in _LEVELS or key in BOOKKEEPING:
            continue
        if isinstance(value, Tensor):
            dtype = str(value.dtype).removeprefix('torch.')
            width = [] if key.endswith('_index') else list(value.shape[1:])
            out[key] = [level, dtype, *width]
    return out


def check_edges(batch: PoseSet, cutoff: float) -> None:
    r"""Refuses edges that are not those of all atoms within a distance.

    Args:
        batch: A pose set, or a batch of them.
        cutoff: The distance in Angstrom.

    Raises:
        ValueError: If there are no edges, if one is longer, or if the first
            set has others than the atoms within the distance.
    """
    where = Layout(batch).set_name(0)
    trained = (
        f'those of all atoms within {cutoff} Å, as the model was trained on. '
        f'Use RadiusGraph({cutoff})'
    )
    if 'edge_index' not in batch:
        raise ValueError(f'{where} has no edges, expected {trained}')
    source, target = batch.edge_index
    length = (batch.pos[source] - batch.pos[target]).norm(dim=1)
    longest = float(length.max()) if len(length) else 0.0
    if longest > cutoff + _SLACK:
        raise ValueError(
            f'{where}: its edges are not {trained}; the longest of the batch '
            f'has {longest:.2f} Å'
        )
    first = batch[0] if hasattr(batch, '_slice_dict') else batch
    expected = RadiusGraph(cutoff)(first)
    got, wanted = _pairs(first), _pairs(expected)
    if not torch.equal(got, wanted):
        shown = (
            first.pos[first.edge_index[0]] - first.pos[first.edge_index[1]]
        ).norm(dim=1)
        most = float(shown.max()) if len(shown) else 0.0
        raise ValueError(
            f'{where}: its edges are not {trained}; it has {len(got)} instead '
            f'of {len(wanted)}, the longest {most:.2f} Å'
        )


def _pairs(pose_set: PoseSet) -> Tensor:
    source, target = pose_set.edge_index
    return (source * pose_set.num_nodes + target).sort().values


def _receptors(batch: PoseSet, layout: Layout) -> list[str]:
    return [one for one in dict.fromkeys(_digests(batch, layout)) if one]


def _digests(batch: PoseSet, layout: Layout) -> list[str]:
    """A checksum of the receptor of each set, empty without one."""
    out = []
    for index in range(layout.num_sets):
        if not layout.receptor_size[index]:
            out.append('')
            continue
        rows = layout.receptor_rows(index)
        digest = hashlib.sha256()
        for key in ('z', 'pos'):
            value = batch.get(key)
            if isinstance(value, Tensor):
                array = value[rows].detach().cpu().contiguous().numpy()
                digest.update(array.tobytes())
        out.append(digest.hexdigest()[:16])
    return out


def _has_hydrogens(batch: PoseSet) -> bool:
    z = batch.get('z')
    return isinstance(z, Tensor) and bool((z == 1).any())


def _with(yes: bool) -> str:
    return 'with' if yes else 'without'


def _shown(kind: list[Any]) -> str:
    level, dtype, *width = kind
    return f'{dtype}{width if width else ""} of each {level}'
