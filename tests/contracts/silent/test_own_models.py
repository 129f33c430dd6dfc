"""Kind 5: shipped models are looked at as any other model is."""

import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers


def schnet():
    return SchNet(8, 8, 1, 6, cutoff=1.5)


def layers():
    return SharedLayers(
        nn.Embedding(100, 8), [pyg.GATv2Conv(8, 8)], nn.Linear(8, 1)
    )


class AfterMean(nn.Module):
    """What atoms are relative to their mean."""

    def forward(self, x):
        return x - x.mean(0)


class Table(nn.Embedding):
    """A table whose rows are relative to those that are read."""

    def forward(self, z):
        x = super().forward(z)
        return x / x.norm()


class Dropped(nn.Embedding):
    """A table that forgets in training."""

    def forward(self, z):
        return nn.functional.dropout(super().forward(z), 0.1, self.training)


INSIDE = {
    'BatchNorm': lambda n: nn.BatchNorm1d(n),
    'BatchNorm of PyG': lambda n: pyg.BatchNorm(n),
    'dropout': lambda n: nn.Dropout(0.1),
    'alpha dropout': lambda n: nn.AlphaDropout(0.1),
    'GraphNorm': lambda n: pyg.GraphNorm(n),
    'LayerNorm over the graph': lambda n: pyg.LayerNorm(n),
    'PairNorm': lambda n: pyg.PairNorm(),
    'mean': lambda n: AfterMean(),
    'softmax': lambda n: nn.Softmax(0),
    'RReLU': lambda n: nn.RReLU(),
}
ATOM_BY_ATOM = {
    'LayerNorm': lambda n: nn.LayerNorm(n),
    'Dropout in eval': lambda n: nn.Dropout(0.1).eval(),
    'BatchNorm in eval': lambda n: nn.BatchNorm1d(n).eval(),
}


def into_layer(model, make):
    layer = model.interactions[0]
    layer.act = nn.Sequential(layer.act, make(8))


def into_readout(model, make):
    model.act = nn.Sequential(model.act, make(4))


def into_filters(model, make):
    layer = model.interactions[0]
    layer.mlp = nn.Sequential(layer.mlp, make(8))


PLACES = [into_layer, into_readout, into_filters]


CASES = [(name, into_layer) for name in [*INSIDE, *ATOM_BY_ATOM]]
CASES += [
    (name, place)
    for name in ['BatchNorm', 'dropout', 'GraphNorm', 'LayerNorm']
    for place in PLACES[1:]
]


@pytest.mark.parametrize(('name', 'place'), CASES)
def test_norm_inside_schnet(silent, name, place):
    model = schnet()
    place(model, (INSIDE | ATOM_BY_ATOM)[name])
    ways = silent.shares_right(
        model, silent.complexes(), max_nodes_per_chunk=10**6
    )
    assert ways['auto', 'auto'] == (name in ATOM_BY_ATOM)


@pytest.mark.parametrize(
    'name', ['BatchNorm', 'dropout', 'PairNorm', 'softmax']
)
def test_norm_inside_layers(silent, name):
    model = layers()
    model.readout = nn.Sequential(
        nn.Linear(8, 8), INSIDE[name](8), nn.Linear(8, 1)
    )
    silent.shares_right(model, silent.complexes(), max_nodes_per_chunk=10**6)


def test_table_inside_a_model(silent):
    model = schnet()
    model.embedding = Table(100, 8)
    silent.shares_right(model, silent.complexes(), max_nodes_per_chunk=10**6)


def test_table_with_a_largest_norm(silent):
    """Changes its own weights when it is read."""
    model = layers()
    model.embed = nn.Embedding(100, 8, max_norm=1.0)
    model(silent.whole(silent.complexes()))  # renormed once and for all
    silent.shares_right(model, silent.complexes())


def test_dropout_inside_an_equivariant_model(silent):
    model = EquivariantGNN('4x0e+2x1o', num_layers=1, cutoff=1.5, lmax=1)
    model.embedding.__class__ = Dropped
    silent.shares_right(model, silent.complexes(), max_nodes_per_chunk=10**6)


@pytest.mark.parametrize('name', ['BatchNorm', 'dropout'])
def test_training_and_evaluation_by_turns(silent, name):
    model, poses = schnet(), silent.complexes()
    into_layer(model, INSIDE[name])
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    for training in (False, True, True, False, True):
        readout.train(training)
        silent.agrees(readout, poses, buffers=True)
        assert not (training and silent.shared(readout))


def test_part_that_is_set_to_training(silent):
    """Only the flag of one module inside changes."""
    model, poses = schnet(), silent.complexes()
    into_layer(model, INSIDE['BatchNorm'])
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    readout.eval()
    silent.agrees(readout, poses)
    model.interactions[0].act[1].train()
    silent.agrees(readout, poses)


def test_norm_that_is_put_in_between_calls(silent):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, poses)
    into_readout(model, INSIDE['GraphNorm'])
    silent.agrees(readout, poses)


def test_probability_of_dropout_between_calls(silent):
    model, poses = schnet(), silent.complexes()
    into_layer(model, lambda n: nn.Dropout(0.0))
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    for p in (0.0, 0.0, 0.2, 0.0):
        model.interactions[0].act[1].p = p
        silent.agrees(readout, poses)


def test_statistics_that_are_not_tracked(silent):
    """BatchNorm in evaluation, by the statistics of what it is given."""
    model, poses = schnet(), silent.complexes()
    norm = nn.BatchNorm1d(8, track_running_stats=False)
    into_layer(model, lambda n: norm)
    silent.shares_right(model.eval(), poses, max_nodes_per_chunk=10**6)
    norm.affine = False
    silent.shares_right(model.train(), poses, max_nodes_per_chunk=10**6)


def test_gate_before_a_norm_inside_schnet(silent):
    """A norm that counts for nothing yet."""
    model, poses = schnet(), silent.complexes()
    norm = pyg.GraphNorm(8)
    with torch.no_grad():
        norm.weight.zero_()
        norm.mean_scale.zero_()
    into_layer(model, lambda n: norm)
    readout = MultiPoseReadout(model, 'mean', max_nodes_per_chunk=10**6)
    silent.agrees(readout, poses)
    norm.weight.data.fill_(1.0)
    silent.agrees(readout, poses)
