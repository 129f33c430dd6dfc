r"""The bundled data, by a name instead of a folder."""

from __future__ import annotations

from typing import Any

from torch_geometric.transforms import Compose

from pyg_multipose.cli.nearest import did_you_mean
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.datasets.mpro_file import RULES, SPLITS
from pyg_multipose.transforms import PocketCut, TopPoses

#: What it is called. Settings may follow, as in
#: :obj:`MproMoonshot:pocket=5,poses=1`.
NAME = 'MproMoonshot'
#: The settings: residues within so many Angstrom of the ligand of the crystal
#: structure, and the number of poses of the best Vina scores.
SETTINGS: dict[str, Any] = {'pocket': float, 'poses': int}


def is_bundled(path: str) -> bool:
    r"""Whether a name is that of the bundled data.

    Args:
        path: The name, or the path of a folder.
    """
    return path.partition(':')[0] == NAME


def open_bundled(path: str) -> tuple[MproMoonshot, dict[str, Any]]:
    r"""The bundled data, and how they were changed.

    Args:
        path: Their name, with settings.

    Raises:
        ValueError: If a setting is unknown, or has a wrong value.
    """
    about = _settings(path)
    sets = MproMoonshot('all')
    steps: list[Any] = []
    if 'pocket' in about:
        # No docked pose and no label has a say in it.
        around = sets.crystal_ligand.pos
        steps.append(PocketCut(about['pocket'], around, group='residue'))
    if 'poses' in about:
        steps.append(TopPoses(about['poses'], 'vina_score', False))
    if steps:
        sets = MproMoonshot('all', transform=Compose(steps))
    return sets, {'unit': 'pIC50', 'hydrogens': False, **about}


def columns_of(sets: MproMoonshot) -> dict[str, list[str]]:
    r"""What is known of each compound.

    Args:
        sets: All of them.

    Returns:
        Texts by the name of a column; :obj:`date_part` and
        :obj:`scaffold_part` are the parts that the data come with.
    """
    out = {
        'smiles': sets.smiles,
        'scaffold': sets.scaffolds,
        'date': sets.dates,
    }
    for rule in RULES:
        part_of = {
            name: part
            for part in SPLITS
            for name in MproMoonshot(part, by=rule).names
        }
        out[f'{rule}_part'] = [part_of[name] for name in sets.names]
    return out


def _settings(path: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for one in filter(None, path.partition(':')[2].split(',')):
        name, _, text = one.partition('=')
        if name not in SETTINGS:
            raise ValueError(
                f"'{path}': {NAME} has no setting {name!r}"
                f'{did_you_mean(name, SETTINGS)} It has {list(SETTINGS)}, as '
                f'in {NAME}:pocket=5,poses=1'
            )
        try:
            out[name] = SETTINGS[name](text)
        except ValueError as error:
            raise ValueError(
                f"'{path}': {name} is {text!r}, expected a number"
            ) from error
    return out
