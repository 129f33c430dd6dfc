r"""Energies that are known, planted into poses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data.datapipes import functional_transform

from pyg_multipose.data import PoseSet
from pyg_multipose.data.rows import ligand_rows
from pyg_multipose.transforms.arguments import (
    check_length,
    check_set,
    set_name,
)
from pyg_multipose.transforms.pose_set_transform import PoseSetTransform
from pyg_multipose.transforms.search import exact

#: Elements that have an energy with each other.
_ELEMENTS = 120


@functional_transform('planted_energy')
class PlantedEnergy(PoseSetTransform):
    r"""Gives every pose an energy that is known, and the set its free energy.

    (functional name: :obj:`planted_energy`).

    Pairs of a ligand and a receptor atom have an energy by their elements,
    which fades with their distance (:eq:`eq-planted-energy`):

    .. math::
        E_p = s \sum_{i \in \mathrm{ligand}} \sum_{j \in \mathrm{receptor}}
        \epsilon_{z_i z_j} \, u(d_{ij}), \qquad
        y = - \ln \sum_p e^{-E_p}

    with normal random numbers :math:`\epsilon`, and :math:`u(d) = 1/2
    + 1/2 \cos (\pi d / d_{\max})` up to :math:`d_{\max}`.
    A model that is trained on :math:`y` alone can then be asked which pose
    has the lowest :math:`E_p`: nobody knows that of measured labels.
    Sets get a key :obj:`planted_energy` of their poses, in kT (low is good),
    and :obj:`y` is the free energy in kT.

    Args:
        cutoff: The distance :math:`d_{\max}` in Angstrom.
            (default: :obj:`4.5`)
        scale: The factor :math:`s` in kT; see :meth:`spread_to`.
            (default: :obj:`1.0`)
        seed: Which random numbers :math:`\epsilon` are. (default: :obj:`0`)

    Raises:
        ValueError: If an argument is invalid, or a set has no receptor,
            elements or positions.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.transforms import PlantedEnergy
        >>> train, test = MproMoonshot('train'), MproMoonshot('test')
        >>> plant = PlantedEnergy(seed=1).spread_to(train, 3.0)
        >>> pose_set = plant(test[0])
        >>> pose_set.planted_energy.shape, pose_set.y.shape
        (torch.Size([8]), torch.Size([1]))
        >>> bool(pose_set.y < pose_set.planted_energy.min())
        True
        >>> plant.energies(test[0]).dtype
        torch.float64
    """

    def __init__(
        self, cutoff: float = 4.5, scale: float = 1.0, seed: int = 0
    ) -> None:
        self.cutoff = check_length(cutoff, 'cutoff')
        self.scale, self.seed = _check_kt(scale, 'scale'), seed
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(
                f"'seed' has to be an integer of at least 0, got {seed!r}"
            )
        shape = _ELEMENTS, _ELEMENTS
        table = np.random.default_rng(seed).normal(size=shape)
        self._table = torch.from_numpy(table)

    def spread_to(
        self, pose_sets: Iterable[PoseSet], spread: float = 3.0
    ) -> PlantedEnergy:
        r"""Chooses the scale by how far the poses of sets are apart.

        Args:
            pose_sets: Sets, of which those with several poses count.
            spread: The standard deviation of the energies of the poses of a
                set, on average, in kT. (default: :obj:`3.0`)

        Returns:
            A transform with this scale.

        Raises:
            ValueError: If no set has several poses whose energies differ, or
                the spread is not positive.
        """
        spread = _check_kt(spread, 'spread')
        unit = PlantedEnergy(self.cutoff, 1.0, self.seed)
        found = [unit.energies(one) for one in pose_sets if one.num_poses > 1]
        if not found:
            raise ValueError('No set has several poses, whose energies differ')
        mean = float(torch.stack([energy.std() for energy in found]).mean())
        if mean == 0:
            raise ValueError(
                'The poses of all sets have equal energies, so no scale '
                'spreads them; are ligand and receptor in one frame?'
            )
        return PlantedEnergy(self.cutoff, spread / mean, self.seed)

    def energies(self, pose_set: PoseSet) -> Tensor:
        r"""The energies of the poses of a set in kT, :math:`(P)`.

        Args:
            pose_set: A set with a receptor.
        """
        for key in ('z', 'pos'):
            if key not in pose_set:
                raise ValueError(
                    f"{set_name(pose_set)} has no '{key}', by which energies "
                    f'are planted'
                )
        if pose_set.receptor is None:
            raise ValueError(
                f'{set_name(pose_set)} has no receptor, with which its atoms '
                f'could have an energy; build it by PoseSet.from_complex'
            )
        pos, z = exact(pose_set.pos), pose_set.z.cpu()
        if z.min() < 0 or z.max() >= _ELEMENTS:
            raise ValueError(
                f"{set_name(pose_set)}: 'z' has {int(z.min())} to "
                f'{int(z.max())}, expected atomic numbers below {_ELEMENTS}'
            )
        if pose_set.get('moved_index', z.new_empty(2, 0)).numel():
            # Every pose has a receptor of its own.
            poses = pose_set.to_poses()
            each = [
                self._of_ligand(exact(one.pos), one.z.cpu(), one.is_ligand)
                for one in poses
            ]
            return self.scale * torch.stack([one.sum() for one in each])
        of_atom = self._of_ligand(pos, z, ligand_rows(pose_set))
        pose = torch.arange(pose_set.num_poses).repeat_interleave(
            pose_set.pose_size.cpu()
        )
        out = of_atom.new_zeros(pose_set.num_poses)
        return self.scale * out.index_add(0, pose, of_atom)

    def _of_ligand(self, pos: Tensor, z: Tensor, ligand: Tensor) -> Tensor:
        """The energy of every ligand atom among those of receptors."""
        ligand = ligand.cpu()
        distance = torch.cdist(pos[ligand], pos[~ligand])
        fades = 0.5 + 0.5 * (math.pi / self.cutoff * distance).cos()
        fades = fades.masked_fill(distance > self.cutoff, 0.0)
        pairs = self._table[z[ligand]][:, z[~ligand]] * fades
        return pairs.sum(dim=1)

    def forward(self, data: Any) -> PoseSet:
        r"""Plants the energies.

        Args:
            data: A pose set; :meth:`__call__` hands in a shallow copy.
        """
        pose_set = check_set(data, self.__class__.__name__)
        energy = self.energies(pose_set)
        like = pose_set.pos
        pose_set.put('planted_energy', energy.to(like), 'pose')
        # Equation (eq-planted-energy):
        pose_set.y = -(-energy).logsumexp(0, keepdim=True).to(like)
        return pose_set

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.cutoff}, scale={self.scale}, '
            f'seed={self.seed})'
        )


def _check_kt(energy: Any, name: str) -> float:
    number = isinstance(energy, Real) and not isinstance(energy, bool)
    if not number or not 0 < float(energy) < math.inf:
        raise ValueError(
            f"'{name}' has to be a positive, finite number of kT, got "
            f'{energy!r}'
        )
    return float(energy)
