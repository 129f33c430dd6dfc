"""The text of a 3-D picture: a pocket, and poses coloured by weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.explain.attribution import Attribution

# By atomic number; the first is for what is none.
_SYMBOLS = (
    'X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co '
    'Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb '
    'Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os '
    'Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm '
    'Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og'
).split()
#: The colours of weights 0 and 1.
LIGHT, DARK = (217, 217, 217), (203, 24, 29)


@dataclass(frozen=True)
class Model:
    r"""One thing in a 3-D picture.

    Args:
        text: What it is.
        format: The format of the text, :obj:`"pdb"`, :obj:`"sdf"` or
            :obj:`"xyz"`.
        style: How 3Dmol draws it.

    Example:
        >>> from pyg_multipose.explain import Model
        >>> Model('1', 'xyz', {'stick': {}}).format
        'xyz'
    """

    text: str
    format: str
    style: dict[str, Any]


def scene(attribution: Attribution, pose_set: PoseSet) -> list[Model]:
    r"""The pocket and the poses of a set, each pose coloured by its weight.

    A pose of weight 0 is light grey, one of weight 1 red, and thicker.
    Weights outside of 0 to 1 are drawn as the nearer of both.

    Args:
        attribution: The attribution of this set, such as
            :obj:`attribution["name"]`.
        pose_set: The set; it may have more of the receptor than was
            explained.

    Returns:
        The receptor, if there is one, then the poses.

    Raises:
        ValueError: If the attribution is of another set, or if the set has
            no :obj:`z` and :obj:`pos`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.explain import Attribution, scene
        >>> from pyg_multipose.nn import MeanCombination
        >>> z = torch.tensor([6])
        >>> poses = [Data(z=z, pos=torch.full((1, 3), x)) for x in (0.0, 1.0)]
        >>> pose_set = PoseSet.from_poses(poses, name='a')
        >>> energy, energies = torch.tensor([-8.0]), torch.tensor([-9.0, -7.0])
        >>> outputs = energy, energies, torch.tensor([0.5, 0.5])
        >>> mean = MeanCombination()
        >>> explained = Attribution.from_outputs(mean, pose_set, *outputs)

        >>> [model.format for model in scene(explained, pose_set)]
        ['xyz', 'xyz']
    """
    attribution.check(pose_set)
    lacking = [key for key in ('z', 'pos') if key not in pose_set]
    if lacking:
        raise ValueError(
            f'{attribution.set_name(0)} has no {lacking}; a picture needs '
            f'atoms and their positions'
        )
    models = []
    receptor = pose_set.receptor
    if receptor is not None:
        style = {'line': {'color': '#9aa5b1'}}
        models.append(Model(pdb_text(receptor), 'pdb', style))
    poses = pose_set.ligands()
    for ligand, weight in zip(poses, attribution.weight.tolist(), strict=True):
        style = {
            'stick': {
                'color': colour(weight),
                'radius': round(0.08 + 0.14 * min(max(weight, 0), 1), 3),
            }
        }
        if 'bond_index' in ligand and ligand.num_nodes < 1000:
            models.append(Model(mol_text(ligand), 'sdf', style))
        else:
            models.append(Model(xyz_text(ligand), 'xyz', style))
    return models


def colour(weight: float) -> str:
    r"""The colour of a weight, as :obj:`"#rrggbb"`.

    Args:
        weight: The weight.

    Example:
        >>> from pyg_multipose.explain.scene import colour
        >>> colour(0.0), colour(1.0)
        ('#d9d9d9', '#cb181d')
    """
    share = min(max(weight, 0.0), 1.0)
    mixed = [
        round(light + share * (dark - light))
        for light, dark in zip(LIGHT, DARK, strict=True)
    ]
    return '#{:02x}{:02x}{:02x}'.format(*mixed)


def pdb_text(data: Data) -> str:
    r"""Atoms as PDB text, with residue numbers where there is a key for them.

    Args:
        data: A graph with :obj:`z` and :obj:`pos`.
    """
    lines = []
    residues = (
        data.residue.tolist() if 'residue' in data else [1] * data.num_nodes
    )
    # No name of residues is known; the numbers have a limited width.
    for number, (symbol, pos, residue) in enumerate(
        zip(_symbols(data), data.pos.tolist(), residues, strict=True), start=1
    ):
        x, y, z = pos
        lines.append(
            f'HETATM{number % 100000:5d} {symbol:>2}   UNK A'
            f'{residue % 10000:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00'
            f'          {symbol:>2}'
        )
    return '\n'.join([*lines, 'END', ''])


def mol_text(data: Data) -> str:
    r"""A molecule with bonds as SDF text (V2000).

    Args:
        data: A graph with :obj:`z`, :obj:`pos`, :obj:`bond_index` and, where
            known, :obj:`bond_type`.
    """
    first, second = data.bond_index
    once = first < second  # bonds are there in both directions
    kind = (
        data.bond_type if 'bond_type' in data else torch.ones_like(first)
    )  # single, if it is not known
    bonds = torch.stack([first[once] + 1, second[once] + 1, kind[once]])
    atoms = [
        f'{x:10.4f}{y:10.4f}{z:10.4f} {symbol:<3} 0  0'
        for symbol, (x, y, z) in zip(
            _symbols(data), data.pos.tolist(), strict=True
        )
    ]
    counts = f'{len(atoms):3d}{bonds.size(1):3d}  0  0  0  0            999'
    return '\n'.join(
        [
            '', '  pyg_multi         3D', '', f'{counts} V2000', *atoms,
            *(f'{i:3d}{j:3d}{k:3d}  0' for i, j, k in bonds.t().tolist()),
            'M  END', '$$$$', '',
        ]
    )  # fmt: skip


def xyz_text(data: Data) -> str:
    r"""Atoms as XYZ text, of which a viewer finds bonds by distance.

    Args:
        data: A graph with :obj:`z` and :obj:`pos`.
    """
    atoms = [
        f'{symbol} {x:.4f} {y:.4f} {z:.4f}'
        for symbol, (x, y, z) in zip(
            _symbols(data), data.pos.tolist(), strict=True
        )
    ]
    return '\n'.join([str(len(atoms)), '', *atoms, ''])


def _symbols(data: Data) -> list[str]:
    return [_SYMBOLS[z] for z in data.z.flatten().tolist()]
