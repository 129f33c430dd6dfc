r"""Which data a model was trained on, to notice others and the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.data import PoseSet

#: Of more sets, whose dataset has no checksums, names alone are compared.
MOST_READ = 20_000
#: What is compared of how data were made, and what to call it.
MADE = {
    'pocket': 'the radius of the pocket in Angstrom',
    'poses': 'the number of poses that were kept',
    'hydrogens': 'which hydrogens were kept',
    'features': 'the version of the features of atoms and bonds',
}


@dataclass
class DataRecord:
    r"""Which sets a model was trained on, and which were kept from it.

    It is part of a checkpoint. Names are stored as checksums of eight bytes.

    Args:
        fingerprint: A checksum of names and contents of the sets to train
            on.
        sets: The checksums of the names in each part.
        ligands: Those of what tells ligands apart, such as SMILES.
        made: How the data were made, as far as it is known: the
            radius of the pocket, hydrogens, features. (default: nothing)

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import DataRecord
        >>> sets = MproMoonshot('test')
        >>> smiles = sets.smiles
        >>> record = DataRecord.of(
        ...     sets, sets.names, smiles, {'train': range(30), 'test': [39]}
        ... )
        >>> record.part_of([sets.names[3], sets.names[39], 'another'])
        ['train', 'test', '']
        >>> record.leaks(['another', 'C'], [smiles[3], 'C'])
        [0]
        >>> again = DataRecord.from_dict(record.to_dict())
        >>> again.fingerprint == record.fingerprint
        True
    """

    fingerprint: str
    sets: dict[str, Tensor]
    ligands: dict[str, Tensor]
    made: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        dataset: Sequence[PoseSet],
        names: Sequence[Any],
        ligands: Sequence[Any],
        parts: Mapping[str, Sequence[int]],
        about: Mapping[str, Any] | None = None,
    ) -> DataRecord:
        r"""Looks at a dataset.

        Args:
            dataset: All sets, without a transform if possible.
            names: Their names.
            ligands: What tells the ligand of each.
            parts: The numbers of the sets in each part.
            about: How they were made, as :obj:`prepared.json` says.
                (default: :obj:`None`)
        """
        return cls(
            fingerprint(dataset, names, parts['train']),
            {part: _codes(names[n] for n in of) for part, of in parts.items()},
            {
                part: _codes(ligands[n] for n in of)
                for part, of in parts.items()
            },
            {
                key: about[key]
                for key in MADE
                if about is not None and _is_plain(about.get(key))
            },
        )

    def part_of(self, names: Sequence[Any]) -> list[str]:
        r"""The part of each set, an empty text if it is in none.

        Args:
            names: Their names.
        """
        out = [''] * len(names)
        codes = _codes(names, ordered=True)
        for part, known in self.sets.items():
            for number in torch.isin(codes, known).nonzero().view(-1).tolist():
                out[number] = part
        return out

    def leaks(self, names: Sequence[Any], ligands: Sequence[Any]) -> list[int]:
        r"""Sets that are in the training, by their name or their ligand.

        Sets of the part to look at meanwhile count, too: it has a say in
        which weights are kept.

        Args:
            names: The names of sets.
            ligands: What tells their ligands, as in the training.

        Returns:
            The numbers of these sets.
        """
        found = torch.zeros(len(names), dtype=torch.bool)
        for values, known in ((names, self.sets), (ligands, self.ligands)):
            codes = _codes(values, ordered=True)
            for part in ('train', 'valid'):
                if part in known:
                    found |= torch.isin(codes, known[part])
        return found.nonzero().view(-1).tolist()

    def check(self, about: Mapping[str, Any], where: str) -> None:
        r"""Refuses data that were made in another way.

        Args:
            about: How they were made, as :obj:`prepared.json` says.
            where: What to call them.

        Raises:
            ValueError: If they differ from those of the training.
        """
        for key, what in MADE.items():
            here, there = about.get(key), self.made.get(key)
            if key in self.made and key in about and here != there:
                if not _is_plain(here):
                    continue
                raise ValueError(
                    f"'{where}' differs from the data of the training in "
                    f'{what}: {here} here, {there} there. Prepare it in the '
                    f'same way'
                )

    def to_dict(self) -> dict[str, Any]:
        r"""The record as plain data."""
        return {
            'fingerprint': self.fingerprint,
            'sets': dict(self.sets),
            'ligands': dict(self.ligands),
            'made': dict(self.made),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataRecord:
        r"""The record of plain data.

        Args:
            values: What :meth:`to_dict` gave.
        """
        return cls(**values)


def fingerprint(
    dataset: Sequence[PoseSet], names: Sequence[Any], index: Sequence[int]
) -> str:
    r"""A checksum of some sets, whatever their order.

    The checksums of a dataset that has them
    (:meth:`~pyg_multipose.datasets.PoseSetDataset.digests`) are taken; else
    sets are read.

    Args:
        dataset: The sets.
        names: Their names.
        index: Which of them.
    """
    known = getattr(dataset, 'digests', None)
    contents: Iterable[bytes]
    if callable(known) and getattr(dataset, 'transform', None) is None:
        digests = known()
        contents = (digests[number] for number in index)
    elif len(index) <= MOST_READ:
        contents = (_content(dataset[number]) for number in index)
    else:
        contents = (b'' for _ in index)
    rows = sorted(
        blake2b(f'{names[number]}\0'.encode() + content).digest()
        for number, content in zip(index, contents, strict=True)
    )
    return blake2b(b''.join(rows), digest_size=16).hexdigest()


def _content(pose_set: PoseSet) -> bytes:
    out = blake2b(digest_size=16)
    for key in sorted(pose_set.keys()):
        value = pose_set[key]
        out.update(key.encode())
        if isinstance(value, Tensor):
            out.update(f'{value.dtype}{list(value.shape)}'.encode())
            out.update(value.detach().cpu().contiguous().numpy().tobytes())
        else:
            out.update(repr(value).encode())
    return out.digest()


def _codes(values: Iterable[Any], ordered: bool = False) -> Tensor:
    codes = [
        int.from_bytes(
            blake2b(str(one).encode(), digest_size=8).digest(),
            'little',
            signed=True,
        )
        for one in values
    ]
    out = torch.tensor(codes, dtype=torch.int64)
    return out if ordered else out.unique()


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)
