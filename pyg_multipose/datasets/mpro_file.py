"""The bundled file of :class:`MproMoonshot`, decoded."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

#: The bundled file, written by ``build_mpro_moonshot.py``.
PATH = Path(__file__).with_name('mpro_moonshot.npz')
#: Raised whenever the keys of the bundled file, or their meaning, change.
SCHEMA_VERSION = 1
#: Coordinates and scores are stored as integers: thousandths, as published.
SCALE = 1000

SPLITS = ('train', 'valid', 'test')
RULES = ('date', 'scaffold')


class MproFile:
    r"""The bundled file, decoded.

    Items copy what they take from it, so it is shared and never written to.
    """

    def __init__(self, path: Path) -> None:
        # Pickles would run code when loaded; this file holds arrays alone.
        with np.load(path, allow_pickle=False) as file:
            version = (
                int(file['schema_version'])
                if ('schema_version' in file)
                else None
            )
            if version != SCHEMA_VERSION:
                raise ValueError(
                    f"'{path}' has schema version {version}, but this release "
                    f'of pyg_multipose reads version {SCHEMA_VERSION}. '
                    f'Reinstall pyg_multipose, or rebuild the file by '
                    f"'python -m pyg_multipose.datasets.build_mpro_moonshot'"
                )
            arrays = {key: file[key] for key in file.files}

        self.names: list[str] = arrays['name'].tolist()
        self.smiles: list[str] = arrays['smiles'].tolist()
        self.scaffolds: list[str] = arrays['scaffold'].tolist()
        self.dates: list[str] = arrays['date'].tolist()
        self.pic50 = _float32(arrays['pic50'])
        self.pic50_std = _float32(arrays['pic50_std'])
        self.num_measurements = _int64(arrays['num_measurements'])
        self.num_atoms = _int64(arrays['num_atoms'])
        self.num_poses = _int64(arrays['num_poses'])
        self._part = {rule: arrays[f'split_{rule}'] for rule in RULES}

        num_atoms = arrays['num_atoms'].astype(np.int64)
        num_poses = arrays['num_poses'].astype(np.int64)
        self._atoms = _slices(num_atoms)
        self._bonds = _slices(arrays['num_bonds'])
        self._poses = _slices(num_poses)
        self._pose_atoms = _slices(num_atoms * num_poses)
        self._z = _int64(arrays['z'])
        self._bond = arrays['bond']
        self._bond_type = arrays['bond_type']
        self._pose_pos = _float32(arrays['pose_pos'] / SCALE)
        self._vina_score = _float32(arrays['vina_score'] / SCALE)
        self.vina_best = torch.stack(
            [self._vina_score[poses].min() for poses in self._poses]
        )

        chain = Data(
            z=_int64(arrays['receptor_z']),
            pos=_float32(arrays['receptor_pos'] / SCALE),
            residue=_int64(arrays['receptor_residue']),
        )
        rows = _int64(arrays['pocket'])
        atoms = chain.stores[0].items()  # in a fixed order
        pocket = Data(**{key: value[rows] for key, value in atoms})
        self.receptors = {'pocket': pocket, 'chain': chain}

        name = str(arrays['crystal_name'])
        self.crystal_ligand = Data(
            **self._molecule(self.names.index(name)),
            pos=_float32(arrays['crystal_pos'] / SCALE),
            name=name,
        )

    def rows(self, split: str, by: str) -> list[int]:
        r"""The rows of a part in the table of compounds."""
        if split == 'all':
            return list(range(len(self.names)))
        return np.flatnonzero(self._part[by] == SPLITS.index(split)).tolist()

    def poses(self, row: int) -> list[Data]:
        r"""The poses of one compound, best score first."""
        molecule = self._molecule(row)
        pos = self._pose_pos[self._pose_atoms[row]]
        pos = pos.view(-1, len(molecule['z']), 3)
        score = self._vina_score[self._poses[row]]
        return [
            Data(**molecule, pos=pose, vina_score=score[i : i + 1])
            for i, pose in enumerate(pos)
        ]

    def _molecule(self, row: int) -> dict[str, Tensor]:
        z = self._z[self._atoms[row]]
        ends = self._bond[:, self._bonds[row]].astype(np.int64)
        ends = np.concatenate([ends, ends[::-1]], axis=1)
        kind = np.tile(self._bond_type[self._bonds[row]], 2)
        order = np.lexsort(ends[::-1])
        return {
            'z': z,
            'residue': torch.zeros_like(z),
            'bond_index': torch.from_numpy(ends[:, order]),
            'bond_type': _int64(kind[order]),
        }


def write(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    r"""Writes arrays as a compressed :obj:`.npz` without time stamps.

    Args:
        arrays: The arrays by key.
        path: The file.
    """
    with zipfile.ZipFile(path, 'w') as file:
        for key in sorted(arrays):
            content = io.BytesIO()
            array = np.asarray(arrays[key], order='C')
            np.lib.format.write_array(content, array, allow_pickle=False)
            # Its date is 1980 wherever and whenever it is written.
            entry = zipfile.ZipInfo(f'{key}.npy')
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content.getvalue(), compresslevel=9)


@functools.cache
def load(path: Path = PATH) -> MproFile:
    r"""Decodes the file, once per process.

    Args:
        path: The file.
    """
    return MproFile(path)


def _slices(sizes: np.ndarray) -> list[slice]:
    ends = np.cumsum(sizes, dtype=np.int64).tolist()
    return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]


def _int64(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.int64))


def _float32(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
