"""A dataset of pose sets on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import OnDiskDataset

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.levels import Levels
from pyg_multipose.datasets.pose_set_database import PoseSetDatabase
from pyg_multipose.datasets.pose_set_schema import Row, Schema, check_set


class PoseSetDataset(OnDiskDataset):
    r"""Pose sets on disk: any number of them, read one by one.

    Sets are rows of one SQLite file, :obj:`root/processed/sqlite.db`, which
    holds numbers, strings and a schema, and no pickled code.
    A receptor is stored once, however many sets have it, by content.
    All sets need the same keys, as those of a batch do; the first set
    declares them.

    **Building.**
    :meth:`extend` writes in transactions, so a build that was interrupted
    leaves whole sets only.
    Sets are told apart by :obj:`name` and :obj:`receptor_name`.
    One that is there already is left out, so the same call again goes on
    where the last one ended; another set of the same name is an error.
    Several processes may add sets to one file; they wait for each other.

    **Reading.**
    Every process opens a connection of its own, so a loader may have workers.
    What is read is compared with a checksum.
    :class:`~pyg_multipose.loader.PoseSetSampler` gets the sizes from a table,
    without loading a set, if there is no transform.

    Args:
        root: The folder of the dataset.
        transform: A function that takes a
            :class:`~pyg_multipose.data.PoseSet` and returns another; applied
            at every access. (default: :obj:`None`)

    Raises:
        ValueError: If the file is something else, is damaged, or is from a
            newer version.

    Example:
        >>> import tempfile
        >>> from torch_geometric.loader import DataLoader
        >>> from pyg_multipose.datasets import MproMoonshot, PoseSetDataset
        >>> sets = MproMoonshot('test')[:3]  # or read_poses('docked/')
        >>> with tempfile.TemporaryDirectory() as root:
        ...     dataset = PoseSetDataset(root)
        ...     added = dataset.extend(sets), dataset.extend(sets)
        ...     sizes, digests = dataset.set_sizes(), dataset.digests()
        ...     costs = dataset.set_costs()
        ...     loader = DataLoader(dataset, batch_size=3)
        ...     batch = next(iter(loader))
        >>> added
        (3, 0)
        >>> sizes  # nodes, edges, poses
        tensor([[743,   0,   8],
                [694,   0,   9],
                [766,   0,   9]])
        >>> costs  # atoms of all poses
        tensor([256, 207, 279])
        >>> batch.num_graphs, batch.num_poses
        (3, 26)
        >>> len(set(digests))
        3
    """

    #: Whether a set is the same whenever it is read, but for a transform.
    constant_sets = True

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[PoseSet], Any] | None = None,
    ) -> None:
        self._db: PoseSetDatabase | None = None
        super().__init__(os.fspath(root), transform, log=False)
        self._numel = len(self.db)

    @property
    def db(self) -> PoseSetDatabase:
        r"""The file."""
        if self._db is None:
            self._db = PoseSetDatabase(self.processed_paths[0])
        return self._db

    # Building ################################################################

    def append(self, data: PoseSet) -> None:
        r"""Adds a set, unless it is there already.

        Args:
            data: The set.

        Raises:
            ValueError: As :meth:`extend`.
        """
        self.extend([data])

    def extend(
        self, data_list: Iterable[PoseSet], batch_size: int | None = None
    ) -> int:
        r"""Adds sets, except for those that are there already.

        Args:
            data_list: The sets; they are taken one by one, so that a
                generator need not hold them all.
            batch_size: How many sets are written in one transaction.
                (default: :obj:`None`, 1000)

        Returns:
            How many were added.

        Raises:
            ValueError: If an item is no pose set or has no name, if its keys
                differ from those of the sets before, or if another set has
                its name.

        Example:
            >>> import tempfile
            >>> from pyg_multipose.datasets import MproMoonshot, PoseSetDataset
            >>> with tempfile.TemporaryDirectory() as root:
            ...     dataset = PoseSetDataset(root)
            ...     dataset.extend(MproMoonshot('test')[:2])
            ...     dataset.append(MproMoonshot('valid')[0])
            ...     len(dataset)
            2
            3
        """
        if self._indices is not None:
            raise ValueError(
                'These are some of the sets of a dataset; add sets to the '
                'whole one'
            )
        size = 1000 if batch_size is None else batch_size
        if size < 1:
            raise ValueError(f"'batch_size' has to be positive, got {size}")
        items = iter(data_list)
        index = added = 0
        while batch := list(islice(items, size)):
            sets = [check_set(s, n) for n, s in enumerate(batch, index)]
            schema = self.db.sets or _schema_of(sets[0])
            rows = [_row(pose_set, schema) for pose_set in sets]
            index += len(rows)
            added += self.db.add(rows, schema)
            self._numel = len(self.db)
        return added

    def serialize(self, data: PoseSet) -> Row:
        r"""Makes a row of a set.

        Args:
            data: The set.
        """
        return _row(data, self.db.sets or _schema_of(data))

    # Reading #################################################################

    def deserialize(self, data: Row) -> PoseSet:
        r"""Makes a set of a row.

        Args:
            data: The row.
        """
        schema = self.db.sets
        assert schema is not None
        return schema.unpack(data)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        # PyG's own takes numbers of the whole dataset, also of a part.
        return [self[index] for index in indices]

    @property
    def names(self) -> list[str]:
        r"""The name of each set, aligned with the items."""
        names = self.db.names()
        return [names[index] for index in self.indices()]

    def fingerprint(self) -> str:
        r"""A checksum of all sets of the file, and of their order.

        Example:
            >>> import tempfile
            >>> from pyg_multipose.datasets import MproMoonshot, PoseSetDataset
            >>> with tempfile.TemporaryDirectory() as root:
            ...     dataset = PoseSetDataset(root)
            ...     dataset.extend(MproMoonshot('test')[:2])
            ...     len(dataset.fingerprint())
            2
            32
        """
        return self.db.fingerprint()

    def digests(self) -> list[bytes]:
        r"""The checksum of each set, with that of its receptor."""
        digests = self.db.digests()
        return [digests[index] for index in self.indices()]

    def set_sizes(self) -> Tensor:
        r"""Nodes, edges and poses of each set as it is stored.

        Returns:
            A tensor of shape :obj:`[num_sets, 3]`.
        """
        return self.db.sizes()[torch.tensor(self.indices(), dtype=torch.long)]

    def set_costs(self) -> Tensor:
        r"""Atoms of all poses of each set, without those of receptors.

        Returns:
            A tensor of shape :obj:`[num_sets]`.
        """
        return self.db.costs()[torch.tensor(self.indices(), dtype=torch.long)]


def _schema_of(pose_set: PoseSet) -> Schema:
    return Schema.of(pose_set, Levels.of(pose_set))


def _row(pose_set: PoseSet, schema: Schema) -> Row:
    layout = Layout(pose_set)
    schema.check(Schema.of(pose_set, layout.levels), pose_set['name'])
    return schema.pack(pose_set, layout)
