"""Models of others, given a shared receptor by a short adapter."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.nn import MessagePassing, SchNet
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout, RadiusInteractionGraph
from pyg_multipose.nn.messages.interaction import InteractionLayer
from pyg_multipose.nn.sharing.shared_receptor import SharedReceptor

PAGE = Path(__file__).parents[3] / 'docs' / 'shared_receptor.md'
MODES = ['full', 'stream', 'recompute', 'auto']
F, RADIAL = 4, 5


class PaiNNLayer(MessagePassing):
    """Scalars and vectors; the messages of PaiNN."""

    def __init__(self):
        super().__init__(node_dim=0)
        self.phi = nn.Sequential(
            nn.Linear(F, F), nn.SiLU(), nn.Linear(F, 3 * F)
        )
        self.filter = nn.Linear(RADIAL, 3 * F)
        self.mix = nn.Linear(F, 2 * F, bias=False)
        self.gate = nn.Sequential(
            nn.Linear(2 * F, F), nn.SiLU(), nn.Linear(F, 3 * F)
        )

    def forward(self, s, v, edge_index, radial, unit):
        phi = self.phi(s)
        out = self.propagate(
            edge_index, phi=phi, v=v, w=self.filter(radial), unit=unit
        )
        return self.mixed(s + out[:, 0], v + out[:, 1:])

    def message(self, phi_j, v_j, w, unit):
        a, b, c = (phi_j * w).split(F, dim=-1)
        vector = v_j * b.unsqueeze(1) + unit.unsqueeze(-1) * c.unsqueeze(1)
        return torch.cat([a.unsqueeze(1), vector], dim=1)

    def mixed(self, s, v):
        left, right = self.mix(v).chunk(2, dim=-1)
        norm = (right.square().sum(1) + 1e-6).sqrt()
        a, b, c = self.gate(torch.cat([s, norm], dim=-1)).split(F, dim=-1)
        s = s + a + b * (left * right).sum(1)
        return s, v + left * c.unsqueeze(1)


class PaiNN(nn.Module):
    """It knows nothing of sets, poses or receptors."""

    def __init__(self, num_layers, cutoff):
        super().__init__()
        self.embedding = nn.Embedding(20, F)
        self.layers = nn.ModuleList(PaiNNLayer() for _ in range(num_layers))
        self.head = nn.Linear(F, 1)
        self.cutoff = cutoff

    def geometry(self, pos, edge_index):
        vector = pos[edge_index[0]] - pos[edge_index[1]]
        length = (vector.square().sum(-1, keepdim=True) + 1e-12).sqrt()
        waves = torch.arange(1, RADIAL + 1) * torch.pi * length / self.cutoff
        fades = (1 - length / self.cutoff).clamp(min=0).square()
        return waves.sin() * fades, vector / length

    def forward(self, z, pos, edge_index, batch, num_graphs):
        radial, unit = self.geometry(pos, edge_index)
        s = self.embedding(z)
        v = s.new_zeros(len(s), 3, F)
        for layer in self.layers:
            s, v = layer(s, v, edge_index, radial, unit)
        return scatter(self.head(s), batch, 0, num_graphs)


class Layer(InteractionLayer):
    """One layer in pieces. What is sent: phi, and v times a part of it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def edge_filters(self, geometry):
        radial, unit = geometry
        return self.layer.filter(radial), unit

    def source(self, x):
        s, v = x[:, :F], x[:, F:].view(-1, 3, F)
        a, b, c = self.layer.phi(s).split(F, dim=-1)
        return torch.cat([a, c, (v * b.unsqueeze(1)).flatten(1)], dim=-1)

    def aggregate(self, source, edge_index, filters, dim_size, rows=None):
        w, unit = [f if rows is None else f[rows] for f in filters]
        sent = source[edge_index[0]]
        a, b, c = w.split(F, dim=-1)
        vector = sent[:, 2 * F :].view(-1, 3, F) * b.unsqueeze(1)
        vector = vector + unit.unsqueeze(-1) * (
            sent[:, F : 2 * F] * c
        ).unsqueeze(1)
        message = torch.cat([sent[:, :F] * a, vector.flatten(1)], dim=-1)
        return scatter(message, edge_index[1], 0, dim_size)

    def update(self, x, aggregated):
        s, v = (x + aggregated)[:, :F], (x + aggregated)[:, F:]
        s, v = self.layer.mixed(s, v.view(-1, 3, F))
        return torch.cat([s, v.flatten(1)], dim=-1)


class SharedPaiNN(SharedReceptor):
    """The adapter."""

    atoms = 'all'

    def __init__(self, model):
        super().__init__()
        self.model = model

    @property
    def layers(self):
        return [Layer(layer) for layer in self.model.layers]

    def embed(self, z):
        s = self.model.embedding(z)
        return torch.cat([s, s.new_zeros(len(s), 3 * F)], dim=-1)

    def edge_geometry(self, pos, edge_index):
        return self.model.geometry(pos, edge_index)

    def readout(self, x, z=None):
        return self.model.head(x[:, :F])

    def pool_atoms(self, contribution, index, dim_size, is_ligand=None):
        return scatter(contribution, index, 0, dim_size)

    def forward(self, batch):
        return self.model(
            batch.z, batch.pos, batch.edge_index, batch.batch, batch.num_graphs
        )


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('num_layers', [1, 2, 3])
def test_painn(kit, mode, num_layers):
    """Whole complexes run the model's own forward."""
    torch.manual_seed(0)
    model = SharedPaiNN(PaiNN(num_layers, kit.CUTOFF)).double()
    kit.compare(model, kit.make_batch(), mode)
    kit.compare(model, kit.make_batch(), mode, 'max', max_nodes_per_chunk=9)


@pytest.fixture
def page():
    """What the examples of the page define."""
    scope = {}
    blocks = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.S)
    assert len(blocks) == 4
    torch.manual_seed(0)
    for block in blocks:
        exec(compile(block, str(PAGE), 'exec'), scope)
    return scope


@pytest.mark.parametrize('mode', MODES)
def test_adapter_of_the_page(kit, page, mode):
    """PyG's SchNet, against its own forward too."""
    graph = RadiusInteractionGraph(kit.CUTOFF)
    schnet = SchNet(8, 8, 3, 6, kit.CUTOFF, graph).double()
    model, batch = page['Adapter'](schnet), kit.make_batch()
    kit.compare(model, batch, mode)
    poses = Batch.from_data_list(
        [p for s in batch.to_data_list() for p in s.to_poses()]
    )
    plain = schnet(poses.z, poses.pos, poses.batch).squeeze(1)
    readout = MultiPoseReadout(model, 'mean', mode, share_receptor=True)
    if mode != 'stream':
        _, of_poses = readout(batch, return_poses=True)
        assert torch.allclose(of_poses, plain, rtol=1e-11)
    assert [name for name, _ in model.named_parameters()] == [
        f'model.{name}' for name, _ in schnet.named_parameters()
    ]


def test_moved_atoms_of_the_page(page):
    """They are where the page says, in the first pose only."""
    flexible, receptor = page['flexible'], page['receptor']
    first, second = flexible.pose(0), flexible.pose(1)
    assert len(first.pos) == len(second.pos) + len(page['ligands'][0].pos) - (
        len(page['ligands'][1].pos) + 1
    )
    assert first.pos[[7, 8]].equal(receptor.pos[[7, 8]] + 0.5)
    assert second.pos[: len(receptor.pos)].equal(receptor.pos)


def test_layers_of_the_page(kit, page):
    kit.compare(page['attention'].double(), kit.make_batch(), 'recompute')
