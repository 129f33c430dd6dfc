"""A readout inside the single-pose model of another one."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
INNER = ['full', 'store', 'stream', 'recompute', 'auto']


class Jitters(nn.Module):
    """Scores a pose by a set of copies of it, each moved a little."""

    def __init__(self, readout, stretches):
        super().__init__()
        self.readout = readout
        if stretches:  # gradients go through the inner positions
            self.size = nn.Parameter(torch.full((3,), 0.1).double())

    def forward(self, batch):
        sets = []
        for number in range(batch.num_graphs):
            nodes = batch.batch == number
            edges = nodes[batch.edge_index[0]]
            first = int(batch.ptr[number])
            pos = batch.pos[nodes]
            if hasattr(self, 'size'):
                pos = pos * self.size
            sets.append(
                PoseSet.from_poses(
                    [
                        Data(
                            x=batch.x[nodes],
                            pos=pos * scale,
                            edge_index=batch.edge_index[:, edges] - first,
                        )
                        for scale in (0.9, 1.0, 1.2)
                    ]
                )
            )
        return self.readout(Batch.from_data_list(sets))


def model_of(kit, inner, stretches):
    torch.manual_seed(0)
    return Jitters(
        kit.MultiPoseReadout(
            kit.TinyGNN().double(),
            'free_energy',
            gradient=inner,
            max_nodes_per_chunk=20,
        ),
        stretches,
    )


@pytest.mark.parametrize('inner', INNER)
@pytest.mark.parametrize('mode', MODES)
def test_exact(kit, mode, inner):
    batch = kit.make_batch()
    stretches = inner not in ('store', 'stream')  # which refuse it
    model = model_of(kit, inner, stretches)
    plain = model_of(kit, 'full', stretches)
    readout = kit.MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=30
    )
    combined = kit.combine(readout.combination, kit.plain(plain, batch), batch)
    combined.pow(2).sum().backward()
    expected = [p.grad for p in plain.parameters()]
    out = readout(batch)
    out.pow(2).sum().backward()
    got = [p.grad for p in model.parameters()]
    assert kit.relative_error([out], [combined], mode) <= 1e-10
    assert kit.relative_error(got, expected, mode) <= 1e-10


def test_poses_are_no_sets(kit):
    """What the model is given is a batch of poses."""

    class Wrong(nn.Module):
        def __init__(self, readout):
            super().__init__()
            self.readout = readout

        def forward(self, batch):
            return self.readout(batch)

    inner = kit.MultiPoseReadout(kit.TinyGNN().double())
    readout = kit.MultiPoseReadout(Wrong(inner))
    with pytest.raises(ValueError, match='expected a PoseSet'):
        readout(kit.make_batch())
