r"""multipose explain: which poses and atoms a prediction rests on."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pyg_multipose.campaign import atomic_file
from pyg_multipose.cli.data_set import DataSet
from pyg_multipose.cli.nearest import did_you_mean
from pyg_multipose.cli.parser import Parser
from pyg_multipose.cli.places import new_folder
from pyg_multipose.cli.scoring import loader_of, opened
from pyg_multipose.cli.trainer import quiet
from pyg_multipose.data import PoseSet
from pyg_multipose.explain import Attribution, explain, plot_poses
from pyg_multipose.explain.scene import mol_text
from pyg_multipose.train import MultiPoseModule

#: The tables, in the folder.
POSES, ATOMS = 'poses.csv', 'atoms.csv'
#: Data items of a record, from the columns of the table.
ITEMS = (
    'pose_prediction', 'weight', 'rank', 'change', 'prediction',
    'num_effective',
)  # fmt: skip


def parser() -> Parser:
    r"""The options."""
    out = Parser(
        'explain',
        'Says which poses and atoms predictions rest on. Writes poses.csv '
        'and atoms.csv, and a picture (PNG) and the poses (SDF) of each '
        'compound.',
    )
    add = out.add_argument
    add(
        '--checkpoint',
        type=str,
        required=True,
        metavar='FILE',
        help='A model, such as last.ckpt in the folder of a run.',
    )
    add(
        '--compounds',
        type=str,
        nargs='+',
        required=True,
        metavar='ID',
        help='The ids of compounds, as in the data set.',
    )
    add(
        '--data',
        type=str | None,
        default=None,
        metavar='FOLDER',
        help='The data set. (that of the run, if not given)',
    )
    add(
        '--out',
        type=str,
        required=True,
        metavar='FOLDER',
        help='A new folder.',
    )
    add('--max_poses', type=int, default=64, help='The most poses of a batch.')
    add(
        '--device',
        type=str,
        default='auto',
        metavar='auto|cpu|gpu',
        help='Where to compute.',
    )
    return out


def run(argv: Sequence[str]) -> None:
    r"""Writes what predictions rest on.

    Args:
        argv: The options.

    Raises:
        ValueError: If a compound is not in the data set, or the checkpoint
            does not fit.
        OSError: If a file is missing, or the place cannot be written to.
    """
    options = parser().read(argv)
    quiet()
    module, data = opened(options)
    index = [_number(data, name) for name in options.compounds]
    folder = new_folder(options.out)
    loader = loader_of(module, data, index, options.max_poses)
    batches = [batch.to(module.device) for batch in loader]
    for batch in batches:
        if module.inputs is not None:
            module.inputs.check(batch)
    found = explain(module.readout, batches, atoms='pos')
    sets = [data.sets[number] for number in index]
    _write_poses(folder / POSES, found, module)
    _write_atoms(folder / ATOMS, found, sets)
    files = [POSES, ATOMS]
    for one, pose_set in zip(found, sets, strict=True):
        stem = re.sub(r'[^\w.-]', '_', one.names[0])
        figure = plot_poses(one)
        figure.savefig(folder / f'{stem}.png', dpi=150)
        files.append(f'{stem}.png')
        if 'bond_index' in pose_set:
            with atomic_file(
                folder / f'{stem}.sdf', 'w', encoding='utf-8'
            ) as file:
                file.write(sdf_text(one, pose_set))
            files.append(f'{stem}.sdf')
    print(f"written to '{folder}': {', '.join(files)}")


def _number(data: DataSet, name: str) -> int:
    if name not in data.names:
        raise ValueError(
            f"'{data.path}' has no compound {name!r}"
            f'{did_you_mean(name, data.names)} It has {len(data.names)}, such '
            f'as {data.names[:3]}'
        )
    return data.names.index(name)


def _write_poses(
    path: Path, found: Attribution, module: MultiPoseModule
) -> None:
    """Energies in kT, and predictions in the unit of the model as well."""
    rows = found.to_table()
    names = ('pose_prediction', 'prediction')
    if module.affinity is not None:
        for row in rows:
            for name in names:
                value = torch.tensor([row[name]])
                shown = float(module.affinity(value))
                row[f'{name}_{module.unit}'] = shown
    with atomic_file(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def _write_atoms(
    path: Path, found: Attribution, sets: Sequence[PoseSet]
) -> None:
    """A row for each atom; those of the receptor have no pose."""
    with atomic_file(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(
            ['set', 'pose', 'atom', 'element', 'residue', 'contribution']
        )
        for one, pose_set in zip(found, sets, strict=True):
            atoms = one.atoms
            assert atoms is not None
            residue = pose_set.get('residue')
            last, place = None, 0
            for row, (pose, value) in enumerate(
                zip(
                    atoms.pose.tolist(),
                    atoms.contribution.tolist(),
                    strict=True,
                )
            ):
                place = place + 1 if pose == last else 0
                last = pose
                in_receptor = residue is not None and pose < 0
                writer.writerow(
                    [
                        one.names[0],
                        pose if pose >= 0 else '',
                        place,
                        int(pose_set.z[row]),
                        int(residue[row]) if in_receptor else '',
                        f'{value:.6g}',
                    ]
                )


def sdf_text(found: Attribution, pose_set: PoseSet) -> str:
    r"""The poses of a set with what each of them has to do with it.

    Args:
        found: The attribution of the set, with atoms.
        pose_set: The set, with bonds.

    Returns:
        SDF text. The contributions of atoms are a list as RDKit reads them
        (:obj:`atom.dprop.multipose_contribution`).
    """
    out = []
    atoms: Any = found.atoms
    ligand_rows = pose_set.get('is_ligand')
    if ligand_rows is None:
        ligand_rows = torch.ones_like(atoms.pose, dtype=torch.bool)
    ligands = pose_set.ligands()
    for pose, row in enumerate(found.to_table()):
        ligand = ligands[pose]
        lines = mol_text(ligand).splitlines()
        lines[0] = found.names[0]
        values = atoms.contribution[(atoms.pose == pose) & ligand_rows]
        items = {f'multipose_{key}': row[key] for key in ITEMS}
        text = ' '.join(f'{value:.6g}' for value in values.tolist())
        items['atom.dprop.multipose_contribution'] = text
        lines.pop()  # $$$$
        for key, value in items.items():
            if value is not None:
                shown = f'{value:.7g}' if isinstance(value, float) else value
                lines += [f'>  <{key}>', str(shown), '']
        out += [*lines, '$$$$']
    return '\n'.join([*out, ''])
