"""Energies that are planted into poses."""

import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import PlantedEnergy


def element_table(seed=0):
    """Of what is documented: normal numbers of this generator."""
    return np.random.default_rng(seed).normal(size=(120, 120))


def test_energies_are_sums_over_pairs(make):
    pose_set = make.docked([make.positions(i) + i for i in range(3)])
    plant = PlantedEnergy(4.0, scale=0.5, seed=7)
    table, expected = element_table(7), []
    receptor = pose_set.receptor
    for ligand in pose_set.ligands():
        energy = 0.0
        for z, pos in zip(ligand.z, ligand.pos, strict=True):
            for other, at in zip(receptor.z, receptor.pos, strict=True):
                d = float((pos - at).norm())
                if d <= 4.0:
                    fades = 0.5 + 0.5 * math.cos(math.pi * d / 4.0)
                    energy += 0.5 * table[z, other] * fades
        expected.append(energy)
    planted = plant(pose_set)
    assert 'planted_energy' not in pose_set
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(planted.planted_energy.double(), expected)
    free = -torch.logsumexp(-expected, 0)
    torch.testing.assert_close(planted.y.double().squeeze(), free)
    assert planted.y.shape == (1,) and planted.y.dtype == pose_set.pos.dtype


def test_energies_follow_their_poses(make):
    pose_set = make.docked([make.positions(i) + i for i in range(4)])
    plant = PlantedEnergy()
    energy = plant(pose_set).planted_energy
    assert energy.unique().numel() == 4
    some = plant(pose_set.select([2, 0]))
    assert torch.equal(some.planted_energy, energy[[2, 0]])
    batch = Batch.from_data_list([plant(pose_set), some])
    assert torch.equal(batch.planted_energy[4:], energy[[2, 0]])


def test_without_contacts_there_is_no_energy(make):
    pose_set = make.docked([make.positions() + 500.0] * 3)
    planted = PlantedEnergy()(pose_set)
    assert not planted.planted_energy.any()
    assert float(planted.y) == pytest.approx(-math.log(3))


def test_the_spread_is_as_wanted(make):
    sets = [
        make.docked([make.positions(i + k) + i for i in range(4)])
        for k in range(3)
    ]
    plant = PlantedEnergy(seed=3).spread_to([*sets, sets[0].select([0])], 3.0)
    stds = [float(plant(one).planted_energy.std()) for one in sets]
    assert np.mean(stds) == pytest.approx(3.0, rel=1e-5)
    assert plant.seed == 3 and plant.cutoff == 4.5


def test_refusals(make):
    pose_set = make.docked([make.positions()])
    for energy in (0.0, -1.0, math.nan, math.inf, 'big', True):
        with pytest.raises(ValueError, match="'scale' has to be a positive"):
            PlantedEnergy(scale=energy)
        with pytest.raises(ValueError, match="'spread' has to be a positive"):
            PlantedEnergy().spread_to([pose_set], energy)
    for seed in (-1, 0.5, None):
        with pytest.raises(ValueError, match="'seed' has to be an integer"):
            PlantedEnergy(seed=seed)
    with pytest.raises(ValueError, match='Angstrom'):
        PlantedEnergy(0.0)
    with pytest.raises(ValueError, match='has no receptor'):
        poses = [Data(z=torch.tensor([6]), pos=torch.zeros(1, 3))]
        PlantedEnergy()(PoseSet.from_poses(poses))
    with pytest.raises(ValueError, match='No set has several poses'):
        PlantedEnergy().spread_to([pose_set])
    with pytest.raises(ValueError, match='equal energies'):
        PlantedEnergy().spread_to([make.docked([make.positions() + 500] * 2)])
    odd = pose_set.clone()
    odd.z = odd.z + 200
    with pytest.raises(ValueError, match='atomic numbers below 120'):
        PlantedEnergy()(odd)
    with pytest.raises(ValueError, match='works on a PoseSet'):
        PlantedEnergy()(pose_set.pose(0))
    for key in ('z', 'pos'):
        without = pose_set.clone()
        del without[key]
        with pytest.raises(ValueError, match=f"has no '{key}'"):
            PlantedEnergy()(without)
