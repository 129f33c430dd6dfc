"""Side chains that are elsewhere in every pose, moved by a rule."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.data import Data

from pyg_multipose.data import MovedAtoms, PoseSet

#: How many side chains of a pose move, and how many atoms each has at least.
SIDE_CHAINS, LEAST = 4, 5
#: Degrees by which one is turned about the bond to its beta carbon.
LEAST_TURN, MOST_TURN = 20.0, 60.0
#: The places of the alpha and the beta carbon among the atoms of a residue;
#: side chains go on behind the latter.
ALPHA, BETA = 1, 4


def flexible(item: PoseSet, ligands: list[Data], seed: int = 0) -> PoseSet:
    r"""Poses in which the side chains next to the ligand have turned.

    In every pose these are the four with at least five atoms beyond the beta
    carbon that are nearest to its ligand; each is turned by a random angle.

    Args:
        item: A set whose receptor has numbers of residues.
        ligands: The poses of the ligand.
        seed: Of the angles.
    """
    receptor = item.receptor
    assert receptor is not None
    generator = torch.Generator().manual_seed(seed)
    chains = []
    for number in receptor.residue.unique().tolist():
        atoms = (receptor.residue == number).nonzero().squeeze(1)
        if atoms.numel() > BETA + LEAST:
            chains.append(atoms)
    moved = []
    for ligand in ligands:
        near = torch.cdist(receptor.pos, ligand.pos).amin(dim=1)
        chains.sort(key=lambda atoms: float(near[atoms[BETA + 1 :]].min()))
        chosen = chains[:SIDE_CHAINS]
        turned = [_turned(receptor.pos[one], generator) for one in chosen]
        index = torch.cat([one[BETA + 1 :] for one in chosen])
        moved.append(MovedAtoms(index, torch.cat(turned)))
    return PoseSet.from_complex(
        Data(z=receptor.z, pos=receptor.pos),
        ligands,
        item.y,
        pose_attrs=['vina_score'],
        moved=moved,
    )


def _turned(pos: Tensor, generator: torch.Generator) -> Tensor:
    """The atoms beyond the beta carbon, turned about the bond to it."""
    turn = torch.rand((), generator=generator)
    angle = math.radians(LEAST_TURN + float(turn) * (MOST_TURN - LEAST_TURN))
    axis = torch.nn.functional.normalize(pos[BETA] - pos[ALPHA], dim=0)
    arm = pos[BETA + 1 :] - pos[BETA]
    along = (arm @ axis).unsqueeze(1) * axis
    aside = torch.linalg.cross(axis.expand_as(arm), arm)
    out = along + (arm - along) * math.cos(angle) + aside * math.sin(angle)
    return out + pos[BETA]
