"""Kind 6: an argument that has no say is refused, and never ignored."""

import pytest
import torch
from torch import nn

from pyg_multipose.nn import MultiPoseReadout, RadiusInteractionGraph
from pyg_multipose.nn.models import SchNet

SHARES = [False, 'auto', True]


def own_graph(pos, batch):
    edges = torch.cartesian_prod(*[torch.arange(len(pos))] * 2).T
    keep = (batch[edges[0]] == batch[edges[1]]) & (edges[0] != edges[1])
    edges = edges[:, keep]
    return edges, (pos[edges[0]] - pos[edges[1]]).norm(dim=1)


class OwnGraph(nn.Module):
    def forward(self, pos, batch):
        return own_graph(pos, batch)


class Inherited(SchNet):
    pass


def refused(silent, model, poses, words, **settings):
    for share in SHARES:
        for mode in ('full', 'recompute'):
            readout = MultiPoseReadout(
                model, 'mean', gradient=mode, share_receptor=share, **settings
            )
            for grad in (True, False):
                with (
                    torch.set_grad_enabled(grad),
                    pytest.raises((ValueError, RuntimeError), match=words),
                ):
                    readout(poses)


@pytest.mark.parametrize(
    ('kind', 'most'), [(SchNet, 2), (SchNet, 31), (Inherited, 1)]
)
def test_cap_on_neighbours(silent, kind, most):
    model = kind(8, 8, 2, 6, cutoff=2.0, max_num_neighbors=most)
    refused(silent, model, silent.complexes(), 'max_num_neighbors')


@pytest.mark.parametrize(
    'graph', [own_graph, OwnGraph(), RadiusInteractionGraph(1.0)]
)
def test_graph_of_ones_own(silent, graph):
    model = SchNet(8, 8, 2, 6, cutoff=2.0, interaction_graph=graph)
    refused(silent, model, silent.complexes(), 'interaction_graph')


@pytest.mark.parametrize('share', SHARES)
def test_graph_that_is_exchanged_between_calls(silent, share):
    model, poses = SchNet(8, 8, 2, 6, cutoff=1.5), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', share_receptor=share)
    silent.agrees(readout, poses)
    model.interaction_graph = OwnGraph()
    with pytest.raises((ValueError, RuntimeError), match='interaction_graph'):
        readout(poses)


@pytest.mark.parametrize('share', ['auto', False])
@pytest.mark.parametrize('argument', ['max_num_neighbors', 'graph'])
def test_arguments_count_where_the_model_finds_its_edges(
    silent, share, argument
):
    settings = {'max_num_neighbors': 2}
    if argument == 'graph':
        settings = {'interaction_graph': OwnGraph()}
    model = SchNet(8, 8, 2, 6, cutoff=2.0, **settings)
    poses = silent.complexes()
    readout = MultiPoseReadout(
        model, 'mean', inputs='z, pos, batch', share_receptor=share
    )
    _, each = readout(poses, return_poses=True)
    graphs = silent.whole(poses)
    expected = model(graphs.z, graphs.pos, graphs.batch)
    silent.same('predictions', each, expected.reshape(-1))


def test_sharing_with_inputs_is_refused(silent):
    model = SchNet(8, 8, 2, 6, cutoff=2.0)
    with pytest.raises(ValueError, match='inputs'):
        MultiPoseReadout(
            model, 'mean', inputs='z, pos, batch', share_receptor=True
        )(silent.complexes())


def test_cutoff_below_the_edges_of_the_set(silent):
    """Edges that are too long count for nothing, in both ways."""
    model = SchNet(8, 8, 1, 6, cutoff=1.2)
    silent.shares_right(model, silent.complexes(), words=None)


@pytest.mark.parametrize('name', ['shift', 'atomref', 'pool'])
def test_scale_of_predictions(silent, name):
    """What PyG's SchNet does to its sum of atoms."""
    settings = {
        'shift': {'mean': 0.5, 'std': 2.0},
        'atomref': {'atomref': torch.randn(100, 1)},
        'pool': {'readout': 'mean'},
    }[name]
    model = SchNet(8, 8, 1, 6, cutoff=1.5, **settings)
    silent.shares_right(model, silent.complexes(), words=None)
