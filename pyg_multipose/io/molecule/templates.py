"""Templates: the molecule that each ligand id stands for, by its SMILES."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pyg_multipose.io.molecule.graph_match import from_smiles
from pyg_multipose.io.molecule.molecule import Molecule

#: Ends of names of files that hold SMILES.
SUFFIXES = ('.smi', '.smiles', '.ism', '.can', '.txt')


class Templates:
    r"""Templates by ligand id, or one for all ligands.

    Args:
        template: A mapping from ligand ids to SMILES, a file with a SMILES
            and an id in each line, or one SMILES for all ligands.
            (default: :obj:`None`)
        may_differ: What records may differ from their template in, see
            :mod:`pyg_multipose.io.molecule.same`.
            (default: :obj:`frozenset()`)

    Raises:
        ValueError: If a SMILES cannot be read, or an id has two.
    """

    def __init__(
        self,
        template: Mapping[str, str] | str | os.PathLike[str] | None = None,
        may_differ: frozenset[str] = frozenset(),
    ) -> None:
        self._for_all: str | None = None
        self._smiles: dict[str, str] = {}
        self._molecules: dict[str, Molecule] = {}
        self.used: set[str] = set()
        if template is None:
            return
        if isinstance(template, Mapping):
            self._smiles = {str(k): v for k, v in template.items()}
        elif _is_path(template):
            self._smiles = _read(Path(template))
        else:
            self._for_all = str(template)
        for name, smiles in self.items():
            called = f"template of '{name}'" if name else 'template'
            if not isinstance(smiles, str):
                raise ValueError(f'{called}: expected SMILES, got {smiles!r}')
            if smiles not in self._molecules:
                self._molecules[smiles] = replace(
                    from_smiles(smiles, called), may_differ=may_differ
                )

    def items(self) -> list[tuple[str, str]]:
        r"""Pairs of id and SMILES; the id is empty if it is for all."""
        one = [] if self._for_all is None else [('', self._for_all)]
        return [*one, *self._smiles.items()]

    def get(self, ligand_id: str) -> Molecule | None:
        r"""The template of a ligand, or :obj:`None` if there is none.

        Args:
            ligand_id: Its id.
        """
        smiles = self._smiles.get(ligand_id, self._for_all)
        if smiles is None:
            return None
        self.used.add(ligand_id)
        return self._molecules[smiles]

    def only(self) -> tuple[str, Molecule] | None:
        r"""The id and the template, if there is exactly one with an id."""
        if len(self._smiles) != 1:
            return None
        ((name, smiles),) = self._smiles.items()
        return name, self._molecules[smiles]

    def unused(self) -> list[str]:
        r"""The ids that no record had."""
        return [name for name in self._smiles if name not in self.used]


def _is_path(template: str | os.PathLike[str]) -> bool:
    if not isinstance(template, str):
        return True
    return template.lower().endswith(SUFFIXES)


def _read(path: Path) -> dict[str, str]:
    out: dict[str, str] = {}
    text = path.read_text(encoding='utf-8-sig')
    for number, line in enumerate(text.splitlines(), start=1):
        smiles, _, name = line.strip().replace('\t', ' ').partition(' ')
        if not smiles or line.startswith('#'):
            continue
        if smiles.lower() == 'smiles' and number == 1:
            continue  # a header
        name = name.strip()
        if not name:
            raise ValueError(
                f"{path}, line {number}: expected 'SMILES id', got {line!r}"
            )
        if out.setdefault(name, smiles) != smiles:
            raise ValueError(
                f"{path}, line {number}: '{name}' has two SMILES, "
                f'{out[name]} and {smiles}'
            )
    if not out:
        raise ValueError(f'{path}: no SMILES in it')
    return out
