"""Kind 4: what a layer looks at is seen, not believed."""

import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn
from torch_geometric.utils import degree, scatter

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SharedLayers

OPEN = False


def model_of(*layers, **kwargs):
    return SharedLayers(
        nn.Embedding(100, 8), layers, nn.Linear(8, 1), **kwargs
    )


# What looks beyond the edges that arrive at an atom ##########################


class Everything(nn.Module):
    """A function of the features of all atoms."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, edge_index):
        return self.function(x)


class Edges(nn.Module):
    """A function of features and edges."""

    def __init__(self, function):
        super().__init__()
        self.lin, self.function = nn.Linear(8, 8), function

    def forward(self, x, edge_index):
        return self.function(self.lin(x), edge_index)


class Norm(nn.Module):
    """A norm that is not told which atom is in which graph."""

    def __init__(self, norm):
        super().__init__()
        self.norm, self.lin = norm, nn.Linear(8, 8)

    def forward(self, x, edge_index):
        return self.lin(self.norm(x))


def summed(x, e, weight):
    return scatter(x[e[0]] * weight[e[0], None], e[1], 0, len(x))


def source_degree(x, e):
    return summed(x, e, 1 / degree(e[1], len(x)).clamp(min=1))


def at_least(x, e):
    return summed(x, e, 1 / degree(e[1], len(x)).clamp(min=2))


def at_most(x, e):
    return summed(x, e, 1 + degree(e[1], len(x)).clamp(max=1))


def out_degree(x, e):
    return x * (1 + degree(e[0], len(x)).clamp(max=3))[:, None]


def two_hops(x, e):
    far = scatter(x[e[0]], e[1], 0, len(x))
    return scatter(far[e[0]], e[1], 0, len(x)).tanh()


def position(x, e):
    return x * torch.arange(len(x))[:, None]


def number_of_edges(x, e):
    return x / (1 + e.size(1))


def attention(x):
    return torch.softmax(x @ x.T, 1) @ x


def quantile(x):
    return x - x.median(0).values


def virtual_node(x):
    return x + x.sum(0, keepdim=True).tanh()


class Laplacian(nn.Module):
    """Symmetric normalisation written by hand."""

    def __init__(self):
        super().__init__()
        self.conv = pyg.SGConv(8, 8, K=2)

    def forward(self, x, edge_index):
        return self.conv(x, edge_index)


def pna():
    # Lower and upper scalers of a histogram of degrees.
    return pyg.PNAConv(
        8,
        8,
        ['mean', 'max'],
        ['identity', 'amplification', 'attenuation'],
        torch.tensor([1, 5, 9, 5, 2]),
    )


SPREADS = {
    'GCNConv': lambda: pyg.GCNConv(8, 8),
    'SGConv': Laplacian,
    'ChebConv': lambda: pyg.ChebConv(8, 8, 2),
    'TAGConv': lambda: pyg.TAGConv(8, 8, K=2),
    'GraphNorm': lambda: Norm(pyg.GraphNorm(8)),
    'PairNorm': lambda: Norm(pyg.PairNorm()),
    'InstanceNorm': lambda: Norm(pyg.InstanceNorm(8)),
    'DiffGroupNorm': lambda: Norm(pyg.DiffGroupNorm(8, 2)),
    'MeanSubtractionNorm': lambda: Norm(pyg.MeanSubtractionNorm()),
    'LayerNorm of a graph': lambda: Norm(pyg.LayerNorm(8)),
    'mean': lambda: Everything(lambda x: x - x.mean(0)),
    'softmax': lambda: Everything(lambda x: torch.softmax(x, 0)),
    'attention': lambda: Everything(attention),
    'median': lambda: Everything(quantile),
    'virtual node': lambda: Everything(virtual_node),
    'cumsum': lambda: Everything(lambda x: x.cumsum(0)),
    'roll': lambda: Everything(lambda x: x + x.roll(1, 0)),
    'source degree': lambda: Edges(source_degree),
    'degree at least 2': lambda: Edges(at_least),
    'degree at most 1': lambda: Edges(at_most),
    'out degree': lambda: Edges(out_degree),
    'two hops': lambda: Edges(two_hops),
    'position': lambda: Edges(position),
    'number of edges': lambda: Edges(number_of_edges),
}
LOCAL = {
    'GATv2Conv': lambda: pyg.GATv2Conv(8, 8),
    'SAGEConv': lambda: pyg.SAGEConv(8, 8),
    'SAGEConv max': lambda: pyg.SAGEConv(8, 8, aggr='max'),
    'PNAConv': pna,
    'LayerNorm of an atom': lambda: Norm(pyg.LayerNorm(8, mode='node')),
    'DiffGroupNorm in eval': lambda: Norm(pyg.DiffGroupNorm(8, 2).eval()),
    'BatchNorm1d in eval': lambda: Norm(nn.BatchNorm1d(8).eval()),
}


@pytest.mark.parametrize('name', [*SPREADS, *LOCAL])
def test_layer(silent, name):
    make = (SPREADS | LOCAL)[name]
    model = model_of(make(), pyg.GATv2Conv(8, 8))
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, silent.complexes())
    if name != 'degree at least 2':  # whose bound these poses do not reach
        assert silent.shared(readout) == (name in LOCAL)


@pytest.mark.parametrize('name', ['degree at least 2', 'degree at most 1'])
@pytest.mark.parametrize('radius', [1.0, 2.5])
def test_degree_with_a_bound(silent, name, radius):
    model = model_of(SPREADS[name](), SPREADS[name]())
    poses = silent.complexes((6,) * 4, 40, radius)
    silent.shares_right(model, poses)


# Gates #######################################################################


class Gate(nn.Module):
    """What lies behind a gate; a module decides by how much it counts."""

    def __init__(self, branch, gate):
        super().__init__()
        self.conv, self.branch, self.gate = pyg.SAGEConv(8, 8), branch, gate

    def forward(self, x, edge_index):
        x = self.conv(x, edge_index)
        return x + self.gate() * self.branch(x, edge_index).tanh()


class Value(nn.Module):
    """A parameter, and a function of it."""

    def __init__(self, value, function=lambda v: v):
        super().__init__()
        self.value = nn.Parameter(torch.as_tensor(value, dtype=torch.double))
        self.function = function

    def forward(self):
        return self.function(self.value)


class Fixed(nn.Module):
    """A buffer."""

    def __init__(self, value=0.0):
        super().__init__()
        self.register_buffer('value', torch.tensor(value))

    def forward(self):
        return self.value


class Attribute(nn.Module):
    """A number."""

    value = 0.0

    def forward(self):
        return self.value


class Flag(nn.Module):
    """A flag of this file."""

    def forward(self):
        return 1.0 if OPEN else 0.0


class Listed(nn.Module):
    """A number in a list that the closure of a function holds."""

    def __init__(self):
        super().__init__()
        self.held = held = [0.0]
        self.read = lambda: held[0]

    def forward(self):
        return self.read()


class Steps(nn.Module):
    """Opens after some calls in training."""

    def __init__(self):
        super().__init__()
        self.register_buffer('calls', torch.zeros(()))

    def forward(self):
        return (self.calls > 3).to(self.calls.dtype)


GATES = {
    'scalar': lambda: Value(0.0),
    'vector': lambda: Value([0.0] * 8),
    'vector, almost': lambda: Value([0.0] * 7 + [1e-3]),
    'tanh': lambda: Value(0.0, torch.tanh),
    'relu, negative': lambda: Value(-1.0, torch.relu),
    'relu, zero': lambda: Value(0.0, torch.relu),
    'relu, far': lambda: Value(-100.0, torch.relu),
    'relu of a vector': lambda: Value([-1.0] * 8, torch.relu),
    'square': lambda: Value(0.0, torch.square),
    'threshold': lambda: Value(0.0, lambda v: v * (v > 0.5)),
    'threshold, twice': lambda: Value(0.0, lambda v: v * (v.abs() > 1.5)),
    'exact zero': lambda: Value(0.0, lambda v: v * (v != 0)),
    'sigmoid, shut': lambda: Value(-50.0, torch.sigmoid),
    'round': lambda: Value(0.0, lambda v: v + (v.round() - v).detach()),
    'buffer': Fixed,
    'attribute': Attribute,
    'flag': Flag,
    'list': Listed,
}
BRANCHES = ['GCNConv', 'GraphNorm', 'mean', 'softmax']


@pytest.mark.parametrize(
    ('gate', 'branch'),
    [
        *[(gate, 'GCNConv') for gate in GATES],
        *[(gate, 'GraphNorm') for gate in [*GATES][:6]],
    ],
)
def test_gate_that_opens(silent, gate, branch, monkeypatch):
    """Right before, and after it was opened by hand."""
    layer = Gate(SPREADS[branch](), GATES[gate]())
    model, poses = model_of(layer), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, poses)
    for value in (0.75, 2.0):
        match gate:
            case 'flag':
                monkeypatch.setattr(f'{__name__}.OPEN', value > 0)
            case 'list':
                layer.gate.held[0] = value
            case 'attribute':
                monkeypatch.setattr(Attribute, 'value', value)
            case _:
                layer.gate.value.data.fill_(value)
        silent.agrees(readout, poses)


@pytest.mark.parametrize('branch', ['PairNorm', 'InstanceNorm', 'mean'])
@pytest.mark.parametrize('gate', ['scalar', 'tanh', 'relu, negative'])
def test_gate_before_other_branches(silent, gate, branch):
    layer = Gate(SPREADS[branch](), GATES[gate]())
    model, poses = model_of(layer), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, poses)
    layer.gate.value.data.fill_(0.5)
    silent.agrees(readout, poses)


def test_gate_that_learns_to_open(silent):
    """The gate drifts from below zero into what was never looked at."""
    layer = Gate(SPREADS['GCNConv'](), Value(-0.2, torch.relu))
    model, poses = model_of(layer), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    for _ in range(8):
        silent.agrees(readout, poses)
        with torch.no_grad():
            layer.gate.value += 0.05


@pytest.mark.parametrize('kind', ['parameter', 'buffer'])
def test_state_that_is_loaded_opens_a_gate(silent, kind):
    gate = Value(-5.0, torch.relu) if kind == 'parameter' else Fixed()
    model = model_of(Gate(SPREADS['GCNConv'](), gate))
    poses = silent.complexes()
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, poses)
    silent.agrees(readout, poses)
    state = {k: v.clone() for k, v in readout.state_dict().items()}
    for key in state:
        if key.endswith('gate.value'):
            state[key].fill_(1.5)
    readout.load_state_dict(state)
    silent.agrees(readout, poses)


class Zeroed(nn.Module):
    """A last layer of zeros, as in ReZero, FixUp or ControlNet."""

    def __init__(self, branch):
        super().__init__()
        self.branch, self.last = branch, nn.Linear(8, 8)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x, edge_index):
        return x + self.last(self.branch(x, edge_index))


@pytest.mark.parametrize('branch', BRANCHES)
def test_last_layer_of_zeros(silent, branch):
    model = model_of(Zeroed(SPREADS[branch]()))
    silent.shares_right(model, silent.complexes(), max_nodes_per_chunk=10**6)


# Randomness ##################################################################


class DropEdges(nn.Module):
    """Leaves out few edges in training."""

    def __init__(self, p=0.01):
        super().__init__()
        self.conv, self.p = pyg.SAGEConv(8, 8, aggr='sum'), p

    def forward(self, x, edge_index):
        if self.training:
            keep = torch.rand(edge_index.size(1)) >= self.p
            edge_index = edge_index[:, keep]
        return self.conv(x, edge_index)


class Rarely(nn.Module):
    """Noise in some calls only."""

    def forward(self, x, edge_index):
        if self.training and len(x) > 60:
            return x * torch.rand_like(x)
        return x


@pytest.mark.parametrize('kind', [DropEdges, Rarely])
@pytest.mark.parametrize('training', [True, False])
def test_randomness(silent, kind, training):
    model = model_of(kind(), pyg.GATv2Conv(8, 8)).train(training)
    silent.shares_right(model, silent.complexes(), max_nodes_per_chunk=10**6)


# Attributes of edges #########################################################


def lengths(pos, edge_index):
    gap = pos[edge_index[0]] - pos[edge_index[1]]
    return (gap.square().sum(-1, keepdim=True) + 1e-6).sqrt()


def by_max(pos, edge_index):
    length = lengths(pos, edge_index)
    return length / length.max()


def by_mean(pos, edge_index):
    length = lengths(pos, edge_index)
    return length / length.mean()


def by_number(pos, edge_index):
    return lengths(pos, edge_index) * edge_index.size(1) / 100


def clipped(pos, edge_index):
    """The longest edge counts only if it is long."""
    length = lengths(pos, edge_index)
    return length / length.max().clamp(min=1.3)


def rank(pos, edge_index):
    length = lengths(pos, edge_index)
    order = length.flatten().argsort().argsort()
    return length * order[:, None] / len(length)


def from_centre(pos, edge_index):
    return lengths(pos - pos.mean(0), edge_index) + (
        pos[edge_index[0]] - pos.mean(0)
    ).norm(dim=1, keepdim=True)


def of_degree(pos, edge_index):
    many = degree(edge_index[1], len(pos)).clamp(min=2)
    return lengths(pos, edge_index) / many[edge_index[0], None]


def of_rows(pos, edge_index):
    return lengths(pos, edge_index) + edge_index[0][:, None].to(pos.dtype)


def first_edges(pos, edge_index):
    length = lengths(pos, edge_index)
    return torch.where(torch.arange(len(length))[:, None] < 5, 0.0, length)


class Network(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 1), *layers)

    def forward(self, pos, edge_index):
        return self.net(lengths(pos, edge_index))


ATTRIBUTES = {
    'lengths': lambda: lengths,
    **{
        function.__name__: lambda function=function: function
        for function in (
            *(by_max, by_mean, by_number, clipped, rank, from_centre),
            *(of_degree, of_rows, first_edges),
        )
    },
    'BatchNorm': lambda: Network(nn.BatchNorm1d(1)),
    'dropout': lambda: Network(nn.Dropout(0.05)),
    'softmax': lambda: Network(nn.Softmax(0)),
}


@pytest.mark.parametrize('name', ATTRIBUTES)
def test_attributes_of_edges(silent, name):
    model = model_of(
        pyg.GATv2Conv(8, 8, edge_dim=1), edge_attr=ATTRIBUTES[name]()
    )
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, silent.complexes())
    if name == 'lengths':
        assert silent.shared(readout)


def test_attributes_of_edges_that_are_exchanged(silent):
    model = model_of(pyg.GATv2Conv(8, 8, edge_dim=1), edge_attr=lengths)
    poses = silent.complexes()
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    for function in (lengths, by_mean, lengths, by_max):
        model.edge_attr = function
        silent.agrees(readout, poses)
