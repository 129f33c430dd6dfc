"""A model in two parts, whose receptor is a number that poses add to."""

from __future__ import annotations

import torch
from torch import nn
from torch_geometric.utils import scatter


class TwoParts(nn.Module):
    """Subclasses say how much the receptor counts, and the ligand."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 8)
        self.out = nn.Linear(8, 1)

    def of_receptor(self):
        return 1.0

    def of_ligand(self):
        return 1.0

    def atoms(self, x, pos):
        size = pos.square().sum(1, keepdim=True)
        return self.out(self.lin(x).tanh() / (1 + size)).squeeze(1)

    def forward(self, b):
        each = self.atoms(b.x, b.pos)
        factor = each.new_ones(len(each))
        factor = torch.where(b.is_ligand, self.of_ligand(), factor)
        factor = torch.where(b.is_ligand, factor, self.of_receptor())
        return scatter(each * factor, b.batch, 0, b.num_graphs)

    def encode_receptor(self, receptor):
        out = self.atoms(receptor.x, receptor.pos).sum()
        return out * self.of_receptor()

    def forward_poses(self, poses, state):
        size, first = poses.pose_size, int(poses.receptor_size)
        at = torch.arange(len(size)).repeat_interleave(size)
        each = self.atoms(poses.x[first:], poses.pos[first:])
        return scatter(each, at, 0, len(size)) * self.of_ligand() + state
