"""Small pose sets, and a small model with dropout."""

import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet


class WithDropout(nn.Module):
    """An energy from the atoms alone."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.out = nn.Sequential(
            nn.Linear(5, 4), nn.SiLU(), nn.Dropout(0.3), nn.Linear(4, 1)
        )

    def forward(self, z, pos, batch):
        far = pos.norm(dim=1, keepdim=True)
        each = self.out(torch.cat([self.embedding(z), far], dim=1))
        size = int(batch.max()) + 1
        return scatter(each, batch, 0, size, reduce='mean') - 12.0


def pose_sets(count):
    """Sets with labels."""
    out = []
    for number in range(count):
        generator = torch.Generator().manual_seed(number)
        size = 3 + number % 4
        z = torch.randint(6, 9, (size,), generator=generator)
        poses = [
            Data(z=z, pos=2 * torch.randn(size, 3, generator=generator))
            for _ in range(2 + number % 3)
        ]
        y = torch.tensor([5.0 + number % 5])
        out.append(PoseSet.from_poses(poses, y=y, name=f'CPD-{number}'))
    return out
