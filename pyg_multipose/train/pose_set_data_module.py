r"""Pose sets in parts and batches, as Lightning wants them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.data import (
    PoseSet,
    check_leaks,
    date_split,
    group_split,
    random_split,
)
from pyg_multipose.loader import PoseSetSampler
from pyg_multipose.train.data_record import DataRecord
from pyg_multipose.train.input_record import InputRecord
from pyg_multipose.train.lightning import pl
from pyg_multipose.train.transformed import TransformedSets, cutoff_of
from pyg_multipose.train.units import check_unit

#: The parts, and what a split gives.
PARTS = ('train', 'valid', 'test')
SPLITS = ('random', 'group', 'date', 'given')
#: Sets of the training that :class:`InputRecord` looks at.
LOOKED_AT = 32
#: What a batch holds if nobody says.
MAX_POSES = 64


class PoseSetDataModule(pl.LightningDataModule):
    r"""Splits, connects and batches pose sets.

    Either :obj:`dataset` is split, or the parts are given.
    No ligand is in two parts, which is checked in both cases.
    Batches are those of :class:`~pyg_multipose.loader.PoseSetSampler`: use
    :obj:`Trainer(use_distributed_sampler=False)`.

    Args:
        dataset: A :class:`~pyg_multipose.datasets.PoseSetDataset`, or any
            other dataset or list of pose sets, to be split.
            (default: :obj:`None`)
        train: The sets to train on, instead of a split.
            (default: :obj:`None`)
        valid: The sets to look at meanwhile. (default: :obj:`None`)
        test: The sets to test on, and to predict. (default: :obj:`None`)
        split: :obj:`"random"`, :obj:`"group"` or :obj:`"date"`, see
            :func:`~pyg_multipose.data.random_split` and those beside it, or
            :obj:`"given"`. (default: :obj:`"random"`)
        lengths: The shares of train, valid and test.
            (default: :obj:`(0.8, 0.1, 0.1)`)
        ligands: What tells the ligand of each set of :obj:`dataset`.
            (default: :obj:`None`, its name)
        groups: The group of each set, such as its scaffold; for
            :obj:`split="group"`. (default: :obj:`None`)
        dates: The date of each set; for :obj:`split="date"`.
            (default: :obj:`None`)
        places: The part of each set (:obj:`"train"`, :obj:`"valid"`,
            :obj:`"test"`, or an empty text for none of them); for
            :obj:`split="given"`. (default: :obj:`None`)
        cutoff: The distance in Angstrom up to which atoms are connected.
            Sets that have edges have to have these. If :obj:`None`, edges are
            those of the sets, which are known if the dataset has a
            :class:`~pyg_multipose.transforms.RadiusGraph`.
            (default: :obj:`4.5`)
        unit: The unit of the labels; a model that predicts in another one is
            refused. (default: :obj:`None`, not checked)
        max_nodes: As of :class:`~pyg_multipose.loader.PoseSetSampler`.
            (default: :obj:`None`)
        max_edges: As of the sampler. (default: :obj:`None`)
        max_poses: As of the sampler.
            (default: :obj:`None`, 64 if there is no other budget)
        max_sets: As of the sampler. (default: :obj:`None`)
        transform: Applied to a set at every access, before edges are
            searched. (default: :obj:`None`)
        seed: Of the random split, and of the order of the batches.
            (default: :obj:`0`)
        num_workers: Processes that load sets. (default: :obj:`0`)
        about: How :obj:`dataset` was made, which checkpoints keep.
            (default: :obj:`None`)

    Raises:
        ValueError: If both or neither of :obj:`dataset` and :obj:`train` are
            given, if a split lacks what it is made by, if a ligand is in two
            parts, or if sets have other edges than those of :obj:`cutoff`.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import PoseSetDataModule
        >>> sets = MproMoonshot('test')
        >>> data = PoseSetDataModule(
        ...     sets,
        ...     split='date',
        ...     dates=sets.dates,
        ...     unit='pIC50',
        ...     max_nodes=8000,
        ... )
        >>> data.setup()
        >>> {part: len(sets) for part, sets in data.parts.items()}
        {'train': 34, 'valid': 1, 'test': 5}
        >>> data.inputs.cutoff
        4.5
        >>> [batch.num_graphs for batch in data.val_dataloader()]
        [1]
    """

    def __init__(
        self,
        dataset: Sequence[PoseSet] | None = None,
        train: Sequence[PoseSet] | None = None,
        valid: Sequence[PoseSet] | None = None,
        test: Sequence[PoseSet] | None = None,
        split: str = 'random',
        lengths: Sequence[float] = (0.8, 0.1, 0.1),
        ligands: Sequence[Hashable] | None = None,
        groups: Sequence[Hashable] | None = None,
        dates: Sequence[Any] | None = None,
        places: Sequence[str] | None = None,
        cutoff: float | None = 4.5,
        unit: str | None = None,
        max_nodes: int | None = None,
        max_edges: int | None = None,
        max_poses: int | None = None,
        max_sets: int | None = None,
        transform: Callable[[PoseSet], Any] | None = None,
        seed: int = 0,
        num_workers: int = 0,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if (dataset is None) == (train is None):
            raise ValueError(
                "Give either 'dataset', which is split, or the parts 'train', "
                "'valid' and 'test'"
            )
        if dataset is not None and (valid is not None or test is not None):
            raise ValueError(
                "'dataset' is split; leave out 'valid' and 'test'"
            )
        if split not in SPLITS:
            raise ValueError(
                f'split={split!r}, expected one of {list(SPLITS)}'
            )
        if len(lengths) != len(PARTS):
            raise ValueError(
                f"'lengths' has to be the shares of {list(PARTS)}, got "
                f'{list(lengths)}'
            )
        if unit is not None:
            check_unit('unit', unit)
        if max_nodes is max_edges is max_poses is max_sets is None:
            max_poses = MAX_POSES
        self.dataset, self.given = dataset, (train, valid, test)
        self.split, self.lengths = split, tuple(lengths)
        self.ligands, self.groups, self.dates = ligands, groups, dates
        self.places = places
        self.cutoff, self.unit = cutoff, unit
        self.budgets = {
            'max_nodes': max_nodes,
            'max_edges': max_edges,
            'max_poses': max_poses,
            'max_sets': max_sets,
        }
        self.transform = transform
        self.seed, self.num_workers = seed, num_workers
        self.about = about
        #: The sets of each part that is there, after :meth:`setup`.
        self.parts: dict[str, TransformedSets] = {}
        #: The numbers of the sets of each part within :obj:`dataset`.
        self.indices: dict[str, list[int]] = {}
        #: What the sets to train on look like.
        self.inputs: InputRecord | None = None
        #: Which sets these are, if :obj:`dataset` was split.
        self.record: DataRecord | None = None

    def setup(self, stage: str | None = None) -> None:
        r"""Makes the parts, once.

        Args:
            stage: All parts are made in any. (default: :obj:`None`)
        """
        if self.parts:
            return
        parts = self._given() if self.dataset is None else self._split()
        train = parts['train']
        cutoff = self.cutoff or cutoff_of(train)
        first = [train[i] for i in range(min(len(train), LOOKED_AT))]
        self.inputs = InputRecord.of(first, cutoff)
        self.parts = parts

    def train_dataloader(self) -> DataLoader:
        r"""Batches of the training, in another order in every epoch."""
        return self.loader('train', shuffle=True)

    def val_dataloader(self) -> Any:
        r"""Batches to look at meanwhile, none if there are no such sets."""
        return self.loader('valid') if 'valid' in self.parts else []

    def test_dataloader(self) -> DataLoader:
        r"""Batches to test on."""
        return self.loader('test')

    def predict_dataloader(self) -> DataLoader:
        r"""Batches to predict, those to test on."""
        return self.loader('test')

    def loader(self, part: str, shuffle: bool = False) -> DataLoader:
        r"""The batches of a part.

        Args:
            part: :obj:`"train"`, :obj:`"valid"` or :obj:`"test"`.
            shuffle: Whether their order is random. (default: :obj:`False`)

        Raises:
            ValueError: If there is no such part.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> from pyg_multipose.train import PoseSetDataModule
            >>> data = PoseSetDataModule(train=MproMoonshot('test')[:9])
            >>> data.setup()
            >>> [batch.num_poses for batch in data.loader('train')]
            [61, 8]
        """
        self.setup()
        if part not in self.parts:
            raise ValueError(
                f'There are no sets for {part!r}, only for '
                f'{list(self.parts)}; give some'
            )
        sets = self.parts[part]
        sampler = PoseSetSampler(
            sets,
            **self.budgets,
            shuffle=shuffle,
            seed=self.seed,
            sizes=sets.sizes(self.budgets['max_edges'] is not None),
        )
        return DataLoader(
            sets,
            batch_sampler=sampler,
            num_workers=self.num_workers,
            # Else a loader draws from the global random state.
            generator=torch.Generator().manual_seed(self.seed),
        )

    # Inside ##################################################################

    def _split(self) -> dict[str, TransformedSets]:
        sets = self.dataset
        assert sets is not None
        ligands = _names(sets) if self.ligands is None else self.ligands
        if self.split == 'random':
            parts = random_split(ligands, self.lengths, self.seed)
        elif self.split == 'group':
            groups = self._told('groups', self.groups, 'the group of each set')
            parts = group_split(ligands, groups, self.lengths)
        elif self.split == 'given':
            places = self._told('places', self.places, 'the part of each set')
            parts = _given_parts(places, ligands)
        else:
            dates = self._told('dates', self.dates, 'the date of each set')
            parts = date_split(ligands, dates, self.lengths)
        self.indices = dict(zip(PARTS, parts, strict=True))
        self.record = DataRecord.of(
            sets, _names(sets), ligands, self.indices, self.about
        )
        return {
            part: self._part(sets, index)
            for part, index in self.indices.items()
            if index
        }

    def _given(self) -> dict[str, TransformedSets]:
        given = {
            part: sets
            for part, sets in zip(PARTS, self.given, strict=True)
            if sets is not None
        }
        check_leaks(*(_names(sets) for sets in given.values()))
        smiles: list[Any] = [
            getattr(sets, 'smiles', None) for sets in given.values()
        ]
        if all(one is not None for one in smiles):
            check_leaks(*smiles, what='molecule')
        return {
            part: self._part(sets, range(len(sets)))
            for part, sets in given.items()
        }

    def _part(
        self, sets: Sequence[PoseSet], index: Sequence[int]
    ) -> TransformedSets:
        return TransformedSets(sets, index, self.transform, self.cutoff)

    def _told(self, name: str, values: Any, what: str) -> Any:
        if values is None:
            raise ValueError(
                f"split='{self.split}' needs '{name}', {what} of the dataset"
            )
        return values


def _given_parts(
    places: Sequence[str], ligands: Sequence[Hashable]
) -> list[list[int]]:
    """The numbers of the sets of each part, which share no ligand."""
    if len(places) != len(ligands):
        raise ValueError(
            f"'places' has {len(places)} entries, expected the part of each "
            f'of {len(ligands)} sets'
        )
    wrong = sorted({str(one) for one in places} - {*PARTS, ''})
    if wrong or 'train' not in places:
        raise ValueError(
            f'The parts of a given split are {list(PARTS)}, or an empty text '
            f'for sets that are left out, and some sets are in train; got '
            f'{wrong or sorted(set(places))}'
        )
    parts = [
        [number for number, one in enumerate(places) if one == part]
        for part in PARTS
    ]
    check_leaks(*([ligands[number] for number in part] for part in parts))
    return parts


def _names(sets: Sequence[PoseSet]) -> list[Hashable]:
    """The name of each set, which tells its ligand."""
    names = getattr(sets, 'names', None)
    if names is None:
        names = [sets[number].get('name') for number in range(len(sets))]
    empty = [number for number, name in enumerate(names) if not name]
    if empty:
        raise ValueError(
            f"Set {empty[0]} has no 'name', so that its ligand is not known; "
            f"give names, or 'ligands'"
        )
    return list(names)
