"""Our models, and layers of PyG as they are, pass the contract of models."""

from torch import nn
from torch_geometric.nn import GIN, global_add_pool

from pyg_multipose.nn.models import EquivariantGNN, SchNet
from pyg_multipose.testing import ModelContract

CUTOFF = 3.0


class TestEquivariantGNN(ModelContract):
    invariant = True

    def model(self):
        return EquivariantGNN('4x0e+2x1o', num_layers=2, cutoff=CUTOFF, lmax=1)


class TestSchNet(ModelContract):
    invariant = True

    def model(self):
        return SchNet(8, 8, 2, 6, CUTOFF)


class Isomorphism(nn.Module):
    """Elements and neighbours; it sees no lengths."""

    def __init__(self, **kwargs):
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.gnn = GIN(6, 6, 2, act=nn.SiLU(), **kwargs)
        self.head = nn.Linear(6, 1)

    def forward(self, batch):
        x = self.gnn(self.embedding(batch.z), batch.edge_index)
        return self.head(global_add_pool(x, batch.batch, batch.num_graphs))


class TestGIN(ModelContract):
    invariant = True
    positions = False
    shares_receptor = True

    def model(self):
        return Isomorphism(norm=None)


class TestGINInTraining(ModelContract):
    """With dropout and a norm over atoms, and several features of a pose."""

    invariant = True
    positions = False
    mixes_in_training = True

    def model(self):
        model = Isomorphism(norm='batch_norm', dropout=0.3)
        model.head = nn.Linear(6, 3)
        return model
