"""The pose set: one receptor (or none) and the poses of one compound."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_multipose.data import files, receptors
from pyg_multipose.data.checks import (
    check_free,
    check_level,
    check_no_batch,
)
from pyg_multipose.data.complexes import taken_apart
from pyg_multipose.data.layout import Layout
from pyg_multipose.data.levels import (
    INDICES,
    Level,
    Levels,
    parse,
    without,
)
from pyg_multipose.data.moved_atoms import MovedAtoms
from pyg_multipose.data.rows import ligands
from pyg_multipose.data.selection import pose_numbers
from pyg_multipose.data.storage import PoseStorage
from pyg_multipose.data.tables import joined


class PoseSet(Data):
    r"""A compound in several poses, as one :pyg:`PyG` data object.

    All atoms are rows of one node table: the receptor's first, then those of
    each pose.
    A set without a receptor holds whole graphs (:meth:`from_poses`), a set
    with one holds it once, together with the edges within it
    (:meth:`from_complex`); the complex of a pose is composed on demand.
    Both batch with :class:`torch_geometric.loader.DataLoader` (all sets of a
    batch need the same keys).
    A transform of PyG works on all poses at once; one that would let a pose
    know the others is refused, and goes into
    :class:`~pyg_multipose.transforms.PerPose`.

    Besides the data, a set stores its counts: :obj:`receptor_size` (atoms of
    the receptor), :obj:`pose_size` (atoms of each pose: its ligand's and
    those of the receptor that are elsewhere in it) and :obj:`set_size`
    (number of poses), each of them a tensor that is concatenated in a batch.
    The level of each key (node, edge, bond, moved, pose, set) is in
    :obj:`levels`.

    Args:
        args: As of :class:`~torch_geometric.data.Data`, for copies.
        kwargs: As :obj:`args`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.loader import DataLoader
        >>> from pyg_multipose.data import PoseSet
        >>> z, pos = torch.tensor([6, 8]), torch.eye(2, 3)
        >>> poses = [Data(z=z, pos=pos + shift) for shift in range(3)]
        >>> pose_set = PoseSet.from_poses(poses, y=6.5, name='methanol')
        >>> pose_set.num_poses, pose_set.pos.shape
        (3, torch.Size([6, 3]))
        >>> batch = next(iter(DataLoader([pose_set, pose_set], batch_size=2)))
        >>> batch.num_graphs, batch.num_poses, batch.y
        (2, 6, tensor([6.5000, 6.5000]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__['_store'] = PoseStorage.of(self._store)

    @classmethod
    def from_poses(
        cls,
        poses: Sequence[Data],
        y: float | Tensor | None = None,
        name: str | None = None,
        pose_attrs: Iterable[str] = (),
    ) -> PoseSet:
        r"""Makes a set of whole graphs: conformers, or complete complexes.

        Args:
            poses: One :class:`~torch_geometric.data.Data` per pose.
                Keys that start with :obj:`edge_` or :obj:`bond_` are rows of
                :obj:`edge_index` or :obj:`bond_index`, those in
                :obj:`pose_attrs` belong to the pose, all others to its atoms.
            y: The label of the set, a number or a tensor of shape
                :obj:`[1]` or :obj:`[1, F]`. (default: :obj:`None`)
            name: The name in messages and results. (default: :obj:`None`)
            pose_attrs: The keys that hold one value (a number, a tensor of
                shape :obj:`[1]` or :obj:`[1, F]`, or a string) per pose.
                (default: :obj:`()`)

        Raises:
            ValueError: If there are no poses, if the poses differ in their
                keys, dtypes or widths, or if a coordinate is not finite.

        Example:
            >>> import torch
            >>> from torch_geometric.data import Data
            >>> from pyg_multipose.data import PoseSet
            >>> poses = [
            ...     Data(pos=torch.eye(2, 3) + shift, vina_score=score)
            ...     for shift, score in [(0.0, -7.5), (1.0, -7.0)]
            ... ]
            >>> PoseSet.from_poses(poses, pose_attrs=['vina_score']).vina_score
            tensor([-7.5000, -7.0000])
        """
        return cls._build(None, poses, y, name, pose_attrs, None)

    @classmethod
    def from_complex(
        cls,
        receptor: Data,
        ligands: Sequence[Data],
        y: float | Tensor | None = None,
        name: str | None = None,
        pose_attrs: Iterable[str] = (),
        receptor_name: str | None = None,
        moved: Sequence[MovedAtoms | None] | None = None,
    ) -> PoseSet:
        r"""Makes a set of one receptor and its ligand's poses.

        The receptor is stored once, whatever the number of poses.
        A key :obj:`is_ligand` tells its atoms from the ligand's.
        Some of its atoms may be elsewhere in some poses, as after docking
        with flexible side chains: a pose then has these atoms as well, in
        rows behind those of its ligand, and :obj:`moved_index` pairs them
        with those of the receptor.

        Args:
            receptor: The receptor, with the same atom keys as the ligands.
                Its :obj:`edge_index` and :obj:`bond_index` are optional.
            ligands: One :class:`~torch_geometric.data.Data` per pose; its
                edges and bonds are among the ligand's own atoms.
                Edges to the receptor come from
                :class:`~pyg_multipose.transforms.RadiusGraph`.
            y: As in :meth:`from_poses`. (default: :obj:`None`)
            name: As in :meth:`from_poses`. (default: :obj:`None`)
            pose_attrs: As in :meth:`from_poses`. (default: :obj:`()`)
            receptor_name: A label of the receptor; whether two sets have the
                same one is decided by content. (default: :obj:`None`)
            moved: For each pose the
                :class:`~pyg_multipose.data.MovedAtoms` of the receptor, or
                :obj:`None`. (default: :obj:`None`, the receptor is rigid)

        Raises:
            ValueError: As :meth:`from_poses`; and if a moved atom is not in
                the receptor or has two positions.

        Example:
            >>> import torch
            >>> from torch_geometric.data import Data
            >>> from pyg_multipose.data import PoseSet
            >>> receptor = Data(z=torch.tensor([7, 6, 8]), pos=torch.eye(3))
            >>> z, pos = torch.tensor([6, 8]), torch.eye(2, 3)
            >>> ligands = [Data(z=z, pos=pos + shift) for shift in (3.0, 4.0)]
            >>> pose_set = PoseSet.from_complex(receptor, ligands, y=6.5)
            >>> pose_set.z
            tensor([7, 6, 8, 6, 8, 6, 8])
            >>> pose_set.pose(1).z, pose_set.receptor.z
            (tensor([7, 6, 8, 6, 8]), tensor([7, 6, 8]))
        """
        if receptor is None:
            raise ValueError(
                'The receptor is None; sets without one are made by '
                'PoseSet.from_poses'
            )
        return cls._build(
            receptor, ligands, y, name, pose_attrs, receptor_name, moved
        )

    @classmethod
    def from_complexes(
        cls,
        complexes: Sequence[Data],
        y: float | Tensor | None = None,
        name: str | None = None,
        pose_attrs: Iterable[str] = (),
        receptor_name: str | None = None,
        snap: float | None = None,
    ) -> PoseSet:
        r"""Makes a set of complexes whose receptors differ in some atoms.

        So are docked poses with flexible side chains, and the samples of a
        co-folding program, once they are in one frame. One receptor is
        stored, each atom where most complexes have it, and of each complex
        only what is elsewhere, see :meth:`from_complex`. Atoms at equal
        positions (and with equal values of all other keys) are equal; so
        moving a complex as a whole moves all of them.

        Args:
            complexes: One :class:`~torch_geometric.data.Data` per pose, with
                :obj:`z`, :obj:`pos` and a boolean :obj:`is_ligand`; the atoms
                of the receptor are the same, in the same order. Edges come
                from :class:`~pyg_multipose.transforms.RadiusGraph`
                afterwards.
            y: As in :meth:`from_poses`. (default: :obj:`None`)
            name: As in :meth:`from_poses`. (default: :obj:`None`)
            pose_attrs: As in :meth:`from_poses`. (default: :obj:`()`)
            receptor_name: As in :meth:`from_complex`.
                (default: :obj:`None`)
            snap: Atoms of a receptor that are at most that far, in Angstrom,
                from where most complexes have them, are put there. A warning
                tells how many, the largest distance and the RMSD.
                (default: :obj:`None`, coordinates are kept)

        Raises:
            ValueError: As :meth:`from_poses`; and if receptors do not have
                the same atoms.

        Example:
            >>> import torch
            >>> from torch_geometric.data import Data
            >>> from pyg_multipose.data import PoseSet
            >>> z, pos = torch.tensor([7, 6, 8, 6]), torch.eye(4, 3)
            >>> is_ligand = torch.tensor([False, False, False, True])
            >>> complexes = []
            >>> for shift in (0.0, 0.0, 0.5):
            ...     moved = pos.clone()
            ...     moved[2, 0] += shift
            ...     complexes.append(Data(z=z, pos=moved, is_ligand=is_ligand))
            >>> pose_set = PoseSet.from_complexes(complexes, y=6.5)
            >>> pose_set.receptor_size, pose_set.pose_size
            (tensor([3]), tensor([1, 1, 2]))
            >>> pose_set.pose(2).pos[2]
            tensor([0.5000, 0.0000, 1.0000])
        """
        attrs = [pose_attrs] if isinstance(pose_attrs, str) else [*pose_attrs]
        receptor, ligands, moved = taken_apart(complexes, name, attrs, snap)
        return cls._build(
            receptor, ligands, y, name, attrs, receptor_name, moved
        )

    # Counts ##################################################################

    @property
    def num_poses(self) -> int:
        r"""The number of poses; of a batch, in all of its sets together."""
        return self['pose_size'].numel()

    @property
    def num_nodes(self) -> int | None:
        r"""The rows of the node table, each receptor counted once."""
        sizes = self._store.get('pose_size')
        if sizes is None:
            return super().num_nodes
        return int(self._store['receptor_size'].sum() + sizes.sum())

    @num_nodes.setter
    def num_nodes(self, num_nodes: int | None) -> None:
        self._store.num_nodes = num_nodes

    # Parts ###################################################################

    @property
    def receptor(self) -> Data | None:
        r"""The receptor alone, with the edges within it, or :obj:`None`."""
        self._require_one_set('receptor')
        layout = Layout(self)
        if layout.receptor_size[0] == 0:
            return None
        graph = layout.compose_receptor(self._tables(layout), 0)
        data = graph.get_example(0)
        del data['is_ligand']
        return data

    def pose(self, index: int) -> Data:
        r"""One pose as a graph of its own; receptor first, then ligand.

        Args:
            index: Number of the pose; negative numbers count from the end.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> pose_set = MproMoonshot('test')[0]
            >>> best = pose_set.pose(0)
            >>> best.num_nodes, int(best.is_ligand.sum()), best.vina_score
            (519, 32, tensor([-7.3350]))
        """
        return self._compose(pose_numbers([index], self.num_poses))[0]

    def to_poses(self) -> list[Data]:
        r"""All poses as graphs of their own, as :meth:`pose` makes them.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> poses = MproMoonshot('test')[0].to_poses()
            >>> len(poses), poses[0].num_nodes
            (8, 519)
        """
        return self._compose(list(range(self.num_poses)))

    def ligands(self) -> list[Data]:
        r"""The poses of the ligand alone, with the bonds and edges within it.

        A set with neither a receptor nor :obj:`is_ligand` is all ligand.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> ligands = MproMoonshot('test')[0].ligands()
            >>> len(ligands), ligands[0].num_nodes
            (8, 32)
        """
        return ligands(self)

    def select(
        self, index: int | slice | Sequence[int] | Sequence[bool] | Tensor
    ) -> PoseSet:
        r"""A set of some of the poses, with the same receptor.

        Args:
            index: Numbers of the poses in the order wanted, a slice, or a
                boolean mask.

        Raises:
            IndexError: If a number or a mask does not fit the set.
            ValueError: If nothing is selected, or if called on a batch.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> pose_set = MproMoonshot('test')[0]
            >>> pose_set.select([2, 0]).vina_score
            tensor([-7.0630, -7.3350])
            >>> pose_set.select(pose_set.vina_score < -7.0).num_poses
            3
        """
        self._require_one_set('select')
        layout = Layout(self)
        poses = pose_numbers(index, self.num_poses)
        if not poses:
            raise ValueError(
                f'Nothing of {layout.set_name(0)} selected: a set needs at '
                f'least one pose, got index {index!r} for {self.num_poses}'
            )
        out = self.__class__()
        for key, value in layout.select(self._store, poses).items():
            out[key] = value
        return out

    def put(self, key: str, value: Any, level: Level) -> PoseSet:
        r"""Adds or replaces an attribute and declares its level.

        Args:
            key: The name of the attribute.
            value: A tensor with as many rows as the set has atoms, edges,
                bonds or poses; a list of strings also does for a pose, and a
                string for the set.
            level: :obj:`"node"`, :obj:`"edge"`, :obj:`"bond"`,
                :obj:`"pose"` or :obj:`"set"`.

        Raises:
            ValueError: If the level is unknown or does not fit the value, or
                if PyG's batching would change what the key holds.

        Example:
            >>> import torch
            >>> from torch_geometric.data import Data
            >>> from pyg_multipose.data import PoseSet
            >>> poses = [Data(pos=torch.eye(2, 3)), Data(pos=torch.ones(2, 3))]
            >>> pose_set = PoseSet.from_poses(poses)
            >>> rmsd = torch.tensor([1.5, 0.5])  # to a crystal structure, say
            >>> pose_set.put('rmsd', rmsd, level='pose').pose(1).rmsd
            tensor([0.5000])
        """
        self._require_one_set('put')
        check_free(PoseSet, key)
        check_level(key, level, f"set '{self.get('name', '')}'")
        if isinstance(value, int | float):
            value = torch.tensor([value])
        out = copy.copy(self)
        out['levels'] = str(Levels({**parse(self['levels']), key: level}))
        out[key] = value
        Layout(out)  # checks that the value fits
        self['levels'], self[key] = out['levels'], value
        return self

    # Sets of a batch #########################################################

    def receptor_groups(self) -> Tensor:
        r"""Which sets of a batch have the same receptor, by content.

        Returns:
            The number of the first set with an equal receptor (all rows, and
            all edges within) for every set, :obj:`-1` for those without one;
            shape :obj:`[num_sets]`.

        Raises:
            ValueError: If one :obj:`receptor_name` has two contents.

        Example:
            >>> from torch_geometric.data import Batch
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> dataset = MproMoonshot('test')  # all sets have one receptor
            >>> batch = Batch.from_data_list([dataset[0], dataset[1]])
            >>> batch.receptor_groups()
            tensor([0, 0])
        """
        layout = Layout(self)
        groups = receptors.named_groups(layout, self._tables(layout), self)
        return torch.tensor(groups)

    # Files ###################################################################

    def save(self, path: str | os.PathLike[str]) -> None:
        r"""Writes the set, or a batch of sets, to a file without pickled code.

        Each distinct receptor is written once.

        Args:
            path: The file; :meth:`load` reads it back.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> from pyg_multipose.data import PoseSet
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, 'set.pt')
            ...     MproMoonshot('test')[0].save(path)
            ...     PoseSet.load(path).num_poses
            8
        """
        is_batch = isinstance(self, Batch)
        sets = self.to_data_list() if is_batch else [self]
        files.write(sets, is_batch, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PoseSet:
        r"""Reads what :meth:`save` wrote: a set, or a batch if it was one.

        Args:
            path: The file.

        Raises:
            ValueError: If the file is something else, or from a newer version.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> from torch_geometric.data import Batch
            >>> from pyg_multipose.data import PoseSet
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> dataset = MproMoonshot('test')
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, 'batch.pt')
            ...     Batch.from_data_list([dataset[0], dataset[1]]).save(path)
            ...     PoseSet.load(path).num_graphs
            2
        """
        values, is_batch = files.read(path)
        sets = [cls.from_dict(of_set) for of_set in values]
        for pose_set in sets:
            Layout(pose_set)  # checks that all fits together
        return Batch.from_data_list(sets) if is_batch else sets[0]

    # PyG #####################################################################

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        check_no_batch(self)
        if key in INDICES:
            return self.num_nodes
        return 0

    def __cat_dim__(
        self, key: str, value: Any, *args: Any, **kwargs: Any
    ) -> Any:
        return -1 if key in INDICES else 0

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._undeclare(key)

    def __delattr__(self, key: str) -> None:
        super().__delattr__(key)
        self._undeclare(key)

    def __repr__(self) -> str:
        shown = copy.copy(self)
        del shown['levels']
        return super(PoseSet, shown).__repr__()

    # Inside ##################################################################

    @classmethod
    def _build(cls, *args: Any) -> PoseSet:
        out = cls()
        for key, value in joined(*args).items():
            check_free(PoseSet, key)
            out[key] = value
        return out

    def _undeclare(self, key: str) -> None:
        """Forgets the level of a deleted key, so that sets compare equal."""
        levels = self._store.get('levels')
        if isinstance(levels, str):
            self['levels'] = without(levels, key)
        elif levels is not None:
            self['levels'] = [without(of_set, key) for of_set in levels]

    def _tables(self, layout: Layout) -> dict[str, Any]:
        return {key: self[key] for key in layout.levels}

    def _compose(self, poses: Sequence[int]) -> list[Data]:
        layout = Layout(self)
        graphs = layout.compose(self._tables(layout), poses)
        return [graphs.get_example(index) for index in range(len(poses))]

    def _require_one_set(self, what: str) -> None:
        if isinstance(self, Batch):
            raise ValueError(
                f"'{what}' is of one set, but this is a batch of "
                f'{self.num_graphs}; take batch[i] first'
            )
