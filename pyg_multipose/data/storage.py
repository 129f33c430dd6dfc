"""Where the values of a pose set are, and what it says if one is not."""

from __future__ import annotations

from typing import Any

from torch_geometric.data.storage import GlobalStorage

from pyg_multipose.data.levels import BOOKKEEPING, level_by_name, parse


class MissingKeyError(KeyError):
    r"""A set does not have a key that was asked for."""

    def __str__(self) -> str:
        key, name, has = self.args
        hint = ''
        if key == 'is_ligand':
            hint = (
                " Sets made by from_complex have 'is_ligand'. To batch sets "
                'made by from_poses with them, say which atoms are those of '
                'the ligand: for conformers, data.is_ligand = torch.ones('
                'data.num_nodes, dtype=torch.bool) before from_poses'
            )
        if key == 'moved_index':
            hint = (
                " A set of which no atom has moved has 'moved_index', too, if "
                'it is made by from_complex(..., moved=[None] * num_poses)'
            )
        called = f"Set '{name}'" if isinstance(name, str) else 'A batch'
        return (
            f"{called} has no '{key}', only {has}. (The sets of a batch need "
            f'the same keys.){hint}'
        )


class PoseStorage(GlobalStorage):
    r"""As :class:`~torch_geometric.data.storage.GlobalStorage`.

    A key that is missing has an error that names the set: PyG's batching
    asks every set for the keys of the first one.
    What describes atoms or edges is told by declared levels: where there are
    as many bonds as edges, say, numbers of rows tell nothing.
    """

    @classmethod
    def of(cls, storage: GlobalStorage) -> PoseStorage:
        r"""Takes over what another storage holds.

        Args:
            storage: The other one.
        """
        out = cls()
        out.__dict__.update(storage.__dict__)
        return out

    def __getitem__(self, key: str) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            name = self._mapping.get('name', '')
            raise MissingKeyError(key, name, sorted(self._mapping)) from None

    def is_node_attr(self, key: str) -> bool:
        r"""Whether a key belongs to atoms, by its level if it has one.

        Args:
            key: The key.
        """
        level = self._level(key)
        return level == 'node' if level else bool(super().is_node_attr(key))

    def is_edge_attr(self, key: str) -> bool:
        r"""Whether a key belongs to edges, by its level if it has one.

        Args:
            key: The key.
        """
        level = self._level(key)
        return level == 'edge' if level else bool(super().is_edge_attr(key))

    def _level(self, key: str) -> str | None:
        if key == 'batch':
            return 'node'
        text = self._mapping.get('levels')
        if text is None:
            return None
        if key in BOOKKEEPING:
            return 'set'
        first = text if isinstance(text, str) else text[0]
        return parse(first).get(key) or level_by_name(key)
