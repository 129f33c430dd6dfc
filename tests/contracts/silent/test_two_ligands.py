"""Kind 2: what is the ligand is one thing, whichever way it is found."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.nn import GATv2Conv

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers


def schnet():
    return SchNet(8, 8, 1, 6, cutoff=1.5, atoms='ligand')


def layers(pool='sum'):
    return SharedLayers(
        nn.Embedding(100, 8),
        [GATv2Conv(8, 8)],
        nn.Linear(8, 1),
        atoms='ligand',
        pool=pool,
    )


def equivariant():
    return EquivariantGNN(
        '4x0e+2x1o', num_layers=1, cutoff=1.5, lmax=1, atoms='ligand'
    )


def cofactor(mask):
    mask[:2] = True


def no_first_atom(mask):
    mask[30] = False


def one_pose_only(mask):
    mask[30:33] = False
    mask[0] = True


def only_receptor(mask):
    mask[:] = ~mask


def exchanged(mask):
    """As many atoms as before, but other ones."""
    mask[30], mask[29] = False, True


def last_pose(mask):
    mask[-1] = False


def far_atom(mask):
    """An atom that no pose reaches."""
    mask[7] = True


MASKS = [
    *(cofactor, no_first_atom, one_pose_only, only_receptor, exchanged),
    *(last_pose, far_atom),
]
WORDS = 'is_ligand'


@pytest.mark.parametrize('mask', MASKS)
@pytest.mark.parametrize('make', [schnet, layers])
def test_another_mask(silent, mask, make):
    poses = silent.complexes()
    poses.is_ligand = poses.is_ligand.clone()
    mask(poses.is_ligand)
    silent.shares_right(make(), poses, WORDS)


@pytest.mark.parametrize('mask', [cofactor, exchanged])
def test_another_mask_of_a_mean(silent, mask):
    poses = silent.complexes()
    poses.is_ligand = poses.is_ligand.clone()
    mask(poses.is_ligand)
    silent.shares_right(layers('mean'), poses, WORDS)


def test_another_mask_of_an_equivariant_model(silent):
    poses = silent.complexes()
    poses.is_ligand = poses.is_ligand.clone()
    cofactor(poses.is_ligand)
    silent.shares_right(equivariant(), poses, WORDS)


@pytest.mark.parametrize('first', [0, 1])
def test_another_mask_in_one_set_of_a_batch(silent, first):
    sets = [silent.complexes(), silent.complexes(sizes=(4, 3, 5))]
    sets[first].is_ligand = sets[first].is_ligand.clone()
    cofactor(sets[first].is_ligand)
    batch = Batch.from_data_list(sets)
    silent.shares_right(schnet(), batch, WORDS)


def test_mask_that_changes_between_calls(silent):
    poses = silent.complexes()
    poses.is_ligand = poses.is_ligand.clone()
    readout = MultiPoseReadout(schnet(), 'mean')
    silent.agrees(readout, poses)
    cofactor(poses.is_ligand)
    silent.agrees(readout, poses)
    poses.is_ligand.numpy()[:2] = False
    silent.agrees(readout, poses)
    assert silent.shared(readout)


@torch.no_grad()
def test_mask_that_changes_between_calls_without_gradient(silent):
    poses = silent.complexes()
    poses.is_ligand = poses.is_ligand.clone()
    readout = MultiPoseReadout(schnet(), 'mean')
    for mask in (lambda _: None, cofactor, far_atom):
        mask(poses.is_ligand)
        silent.agrees(readout, poses)


class Marked(nn.Module):
    """Reads the mask in whole complexes, and rows where poses share."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 1)

    def forward(self, b):
        out = self.lin(b.x).tanh().squeeze(1) * b.is_ligand
        return out.new_zeros(b.num_graphs).index_add(0, b.batch, out)

    def encode_receptor(self, receptor):
        return receptor.x.new_zeros(())

    def forward_poses(self, poses, state):
        size = poses.pose_size
        at = torch.arange(len(size)).repeat_interleave(size)
        out = self.lin(poses.x[int(poses.receptor_size) :]).tanh().squeeze(1)
        return out.new_zeros(len(size)).index_add(0, at, out) + state


@pytest.mark.parametrize('mask', MASKS)
def test_another_mask_of_a_model_of_ones_own(silent, mask):
    poses = silent.complexes()
    poses.is_ligand = poses.is_ligand.clone()
    silent.shares_right(Marked(), poses, words=None)
    mask(poses.is_ligand)
    silent.shares_right(Marked(), poses, 'share_receptor=True')
