"""A small molecule with symmetry, docked into a few atoms."""

from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet

#: Benzoate: a ring whose halves are equal, and two equal oxygens.
Z = torch.tensor([6, 6, 6, 6, 6, 6, 6, 8, 8])
BONDS = torch.tensor(
    [[0, 1, 2, 3, 4, 5, 0, 6, 6], [1, 2, 3, 4, 5, 0, 6, 7, 8]]
)
#: Both halves of the ring and both oxygens change places.
SWAPPED = [0, 5, 4, 3, 2, 1, 6, 8, 7]


def molecule(pos, score=0.0):
    return Data(
        z=Z.clone(),
        pos=pos,
        residue=torch.zeros(len(Z), dtype=torch.long),
        bond_index=torch.cat([BONDS, BONDS.flip(0)], dim=1),
        score=torch.tensor([score]),
    )


def positions(seed=0):
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(len(Z), 3, generator=generator, dtype=torch.float64)
    return 2 * pos


def receptor(size=60, seed=9):
    """Residues of three atoms each, in a cube of 24 Angstrom."""
    generator = torch.Generator().manual_seed(seed)
    pos = torch.rand(size // 3, 3, generator=generator, dtype=torch.float64)
    pos = (24 * pos - 12).repeat_interleave(3, dim=0)
    pos[1::3, 0] += 1.5
    pos[2::3, 1] += 1.5
    first = torch.arange(size).view(-1, 3)[:, :2].reshape(-1)
    return Data(
        z=torch.randint(6, 9, (size,), generator=generator),
        pos=pos,
        residue=torch.arange(size) // 3 + 1,
        bond_index=torch.stack([first, first + 1]),
    )


def docked(poses, scores=None, **kwargs):
    """A set of these positions in the receptor."""
    scores = range(len(poses)) if scores is None else scores
    ligands = [
        molecule(pos, float(score))
        for pos, score in zip(poses, scores, strict=True)
    ]
    kwargs.setdefault('name', 'A')
    kwargs.setdefault('receptor', receptor())
    return PoseSet.from_complex(
        kwargs.pop('receptor'), ligands, pose_attrs=['score'], **kwargs
    )


@pytest.fixture(scope='session')
def make():
    return SimpleNamespace(
        bonds=BONDS,
        docked=docked,
        molecule=molecule,
        positions=positions,
        receptor=receptor,
        swapped=SWAPPED,
        z=Z,
    )
