"""What :func:`read_poses` returns: pose sets, and the report on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data, Dataset

from pyg_multipose.data import MovedAtoms, PoseSet
from pyg_multipose.io.molecule.features import atom_tables
from pyg_multipose.io.poses.compound import Compound
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import Report


class DockedPoses(Dataset):
    r"""Pose sets that were read from files, one for each ligand id.

    Sets are built at access, from compact arrays; it works as any
    :pyg:`PyG` dataset, with a loader, several workers, slices and
    :obj:`transform`.

    Args:
        compounds: The poses of each id.
        scores: The scores that every pose has, as keys of their own.
        report: What was read, dropped and flagged.
        features: Keys of atoms besides :obj:`z` and :obj:`pos`.
        receptor: The receptor of all sets. (default: :obj:`None`)
        receptor_name: What to call it. (default: :obj:`None`)
        transform: A function that takes a
            :class:`~pyg_multipose.data.PoseSet` and returns another; applied
            at every access. (default: :obj:`None`)
        moves: Whether atoms of the receptor have moved in any pose, also of
            sets that are read another time. (default: :obj:`False`)

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pyg_multipose.io import read_poses
        >>> record = '''methanol
        ...
        ...
        ...   2  1  0  0  0  0            999 V2000
        ...     0.0000    0.0000    0.0000 C   0  0
        ...     1.4300    0.0000    0.0000 O   0  0
        ...   1  2  1  0
        ... M  END
        ... > <minimizedAffinity>
        ... -2.5
        ...
        ... $$$$
        ... '''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, 'docked.sdf')
        ...     _ = path.write_text(record)
        ...     poses = read_poses(path)
        >>> poses.names, poses.smiles, poses.num_poses
        (['methanol'], ['CO'], tensor([1]))
        >>> poses.scores['minimizedAffinity'].unit
        'kcal/mol'
        >>> poses.report
        Report(seen=1, kept=1, dropped=0, flagged=0)
    """

    def __init__(
        self,
        compounds: Sequence[Compound],
        scores: Sequence[Score],
        report: Report,
        features: Sequence[str],
        receptor: Data | None = None,
        receptor_name: str | None = None,
        transform: Callable[[PoseSet], Any] | None = None,
        moves: bool = False,
    ) -> None:
        super().__init__(transform=transform)
        #: What was read, dropped and flagged; print it.
        self.report = report
        #: The scores of every pose by their key in a set: name, unit and
        #: which way is good.
        self.scores: dict[str, Score] = {s.key: s for s in scores}
        self._names = [compound.name for compound in compounds]
        self._smiles = [compound.molecule.smiles for compound in compounds]
        self._records = [
            [(pose.file, pose.record) for pose in compound.poses]
            for compound in compounds
        ]
        tables = [
            atom_tables(form, compound.parents, features)
            for compound in compounds
            for form in compound.forms
        ]
        sizes = [compound.pos.shape[1] for compound in compounds]
        counts = [len(compound.poses) for compound in compounds]
        # Long tables, since a tensor of its own takes more than a ligand.
        self._atoms = _Rows([len(table['z']) for table in tables])
        self._bonds = _Rows([len(table['bond_type']) for table in tables])
        self._forms = _Rows(counts)
        first = 0
        parts = []
        for compound in compounds:
            parts.append(torch.tensor(compound.form) + first)
            first += len(compound.forms)
        self._forms.put('form', parts)
        self._pose_atoms = _Rows(
            [size * count for size, count in zip(sizes, counts, strict=True)]
        )
        self._poses = _Rows(counts)
        for key in tables[0] if tables else ():
            rows = self._bonds if key.startswith('bond_') else self._atoms
            rows.put(key, [table[key] for table in tables])
        pos = [torch.from_numpy(c.pos).view(-1, 3) for c in compounds]
        self._pose_atoms.put('pos', pos)
        for score in scores:
            values = [
                [pose.scores.get(score.name, nan) for pose in compound.poses]
                for compound in compounds
            ]
            column = [torch.tensor(v, dtype=torch.float32) for v in values]
            self._poses.put(score.key, column)
        self._receptor: Data | None = None
        self._blank: dict[str, Tensor] = {}
        if receptor is not None and tables:
            self._receptor, self._blank = _alike(receptor, tables[0])
        self._receptor_name = receptor_name
        # All sets have the same keys, so if one pose has moved atoms, each
        # set says which these are.
        self._moved: list[list[MovedAtoms | None]] | None = None
        if moves:
            self._moved = [[pose.moved for pose in c.poses] for c in compounds]

    def len(self) -> int:
        r"""The number of pose sets."""
        return len(self._names)

    def get(self, idx: int) -> PoseSet:
        r"""Builds one pose set, without the transform.

        Args:
            idx: The place of its id in :attr:`names`.

        Returns:
            A new pose set; it shares no memory with others.
        """
        form = self._forms.get(idx)['form'].tolist()
        atoms = {number: self._atoms_of(number) for number in set(form)}
        pos = self._pose_atoms.get(idx)['pos'].view(len(form), -1, 3)
        values = self._poses.get(idx)
        poses = [
            Data(
                pos=xyz,
                **atoms[form[row]],
                **{key: value[row : row + 1] for key, value in values.items()},
            )
            for row, xyz in enumerate(pos)
        ]
        name, keys = self._names[idx], tuple(values)
        if self._receptor is None:
            return PoseSet.from_poses(poses, name=name, pose_attrs=keys)
        return PoseSet.from_complex(
            self._receptor,
            poses,
            name=name,
            pose_attrs=keys,
            receptor_name=self._receptor_name,
            moved=None if self._moved is None else self._moved[idx],
        )

    @property
    def moves(self) -> bool:
        r"""Whether atoms of the receptor have moved in any pose."""
        return self._moved is not None

    def tables(self, idx: int) -> dict[str, Tensor]:
        r"""What the set at a place holds besides its receptor, at once.

        It is what a set that :meth:`get` builds has in these rows, for those
        that need no set; of poses without moved atoms.

        Args:
            idx: The place of its id in :attr:`names`.
        """
        form = self._forms.get(idx)['form'].tolist()
        atoms = {number: self._atoms_of(number) for number in set(form)}
        pos = self._pose_atoms.get(idx)['pos']
        size, count = len(pos) // len(form), len(form)
        start = 0 if self._receptor is None else self._receptor.num_nodes
        out = {}
        for key in atoms[form[0]]:
            parts = [atoms[number][key] for number in form]
            if key == 'bond_index':
                firsts = range(start, start + len(pos), size)
                parts = [
                    part + first
                    for part, first in zip(parts, firsts, strict=True)
                ]
            out[key] = torch.cat(parts, _dim(key))
        if self._receptor is not None:
            out['is_ligand'] = torch.ones(len(pos), dtype=torch.bool)
        out['pose_size'] = torch.full((count,), size)
        return {**out, 'pos': pos, **self._poses.get(idx)}

    def _atoms_of(self, form: int) -> dict[str, Tensor]:
        """All that poses of a form have in common."""
        atoms = {**self._atoms.get(form), **self._bonds.get(form)}
        for key, row in self._blank.items():
            atoms[key] = row.expand(len(atoms['z']), *row.shape[1:])
        return atoms

    # Aligned with the items ##################################################

    @property
    def names(self) -> list[str]:
        r"""The id of each set."""
        return [self._names[index] for index in self.indices()]

    @property
    def smiles(self) -> list[str]:
        r"""The SMILES of each set, stereochemistry as in its coordinates.

        It is that of the first pose, if molecules may differ.
        """
        return [self._smiles[index] for index in self.indices()]

    @property
    def num_poses(self) -> Tensor:
        r"""The number of poses of each set."""
        sizes = [len(self._records[index]) for index in self.indices()]
        return torch.tensor(sizes, dtype=torch.long)

    @property
    def records(self) -> list[list[tuple[str, int]]]:
        r"""The file and the number of the record of each pose of each set."""
        return [list(self._records[index]) for index in self.indices()]

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({len(self)} sets, '
            f'{int(self.num_poses.sum())} poses, scores={list(self.scores)})'
        )


class _Rows:
    """Tables that share the sizes of their parts, one part for each set."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._ends = torch.tensor([0, *sizes]).cumsum(0)
        self._tables: dict[str, Tensor] = {}

    def put(self, key: str, parts: Sequence[Tensor]) -> None:
        if parts:
            self._tables[key] = torch.cat(list(parts), _dim(key))

    def get(self, idx: int) -> dict[str, Tensor]:
        start, end = self._ends[idx : idx + 2].tolist()
        return {
            key: table.narrow(_dim(key), start, end - start)
            for key, table in self._tables.items()
        }


def _dim(key: str) -> int:
    return 1 if key == 'bond_index' else 0


def _alike(
    receptor: Data, atoms: dict[str, Tensor]
) -> tuple[Data, dict[str, Tensor]]:
    """Gives the receptor and the ligands the same keys of atoms.

    What only one of them knows is 0 for the other, as the tables of
    features, and residue numbers, have it for "not known".
    """
    receptor = receptor.clone()
    size = receptor.num_nodes
    bonds = ('bond_index', 'bond_type')
    for key, value in atoms.items():
        if key not in receptor and key not in bonds:
            receptor[key] = value.new_zeros(size, *value.shape[1:])
    blank = {
        key: value.new_zeros(1, *value.shape[1:])
        for key, value in receptor.stores[0].items()
        if isinstance(value, Tensor)
        and receptor.is_node_attr(key)
        and key not in atoms
        and key not in ('pos', 'is_ligand')
    }
    return receptor, blank
