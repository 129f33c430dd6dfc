import copy
import doctest
import itertools
import pickle
import sys
import warnings

import pytest
import torch
import torch_geometric.nn
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch_geometric.nn import SchNet, radius_graph
from torch_geometric.nn.models import DimeNetPlusPlus, dimenet, schnet

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.adapters import extensions, without_extensions

HERE = sys.modules[__name__]
#: Whether PyG finds neighbours without us: by pyg-lib, or before PyG 2.8 by
#: torch-cluster.
RADIUS = (
    torch_geometric.typing.WITH_RADIUS
    if hasattr(torch_geometric.typing, 'WITH_RADIUS')
    else torch_geometric.typing.WITH_TORCH_CLUSTER
)


class Contacts(nn.Module):
    """It says radius_graph, which is what this module imported."""

    def forward(self, pos, batch):
        source, target = radius_graph(pos, 2.0, batch, max_num_neighbors=99)
        length = (pos[source] - pos[target]).norm(dim=1)
        out = pos.new_zeros(int(batch.max()) + 1)
        return out.index_add(0, batch[target], length)


def model(cutoff=2.0):
    torch.manual_seed(0)
    return SchNet(4, 4, 2, 5, cutoff).double()


def test_examples():
    found = doctest.testmod(extensions)
    assert found.attempted and not found.failed


def test_it_is_undone():
    before = schnet.radius_graph
    assert HERE.radius_graph is before
    with without_extensions(model()):
        assert schnet.radius_graph is extensions.radius_graph
        assert dimenet.radius_graph is before  # no class of the model
        with without_extensions(model()):  # it is there already
            pass
        assert schnet.radius_graph is extensions.radius_graph
    assert schnet.radius_graph is before
    with pytest.raises(ZeroDivisionError), without_extensions(model()):
        _ = 1 / 0
    assert schnet.radius_graph is before
    handle = without_extensions(model())
    handle.undo()
    handle.undo()
    assert schnet.radius_graph is before


def test_where_the_name_is():
    with without_extensions(Contacts(), torch_geometric.nn):
        assert HERE.radius_graph is extensions.radius_graph
        assert torch_geometric.nn.radius_graph is extensions.radius_graph
    assert torch_geometric.nn.radius_graph is HERE.radius_graph


def test_nothing_to_replace():
    with pytest.raises(ValueError, match='No code of Linear names'):
        without_extensions(nn.Linear(1, 1))
    with pytest.raises(ValueError, match='No code of nothing names'):
        without_extensions()
    with pytest.raises(ValueError, match='Got a str, expected'):
        without_extensions('schnet')


def test_weights_copies_and_pickles_are_as_ever(kit):
    made, poses = model(), kit.poses()
    given_ = poses.z, poses.pos, poses.batch
    with without_extensions(made):
        expected = made(*given_)
        pickled = pickle.dumps(made)
        assert torch.equal(copy.deepcopy(made)(*given_), expected)
    again = pickle.loads(pickled)
    assert again.state_dict().keys() == model().state_dict().keys()
    if not RADIUS:
        with pytest.raises(ImportError, match='requires'):
            again(*given_)
    with without_extensions(again):
        assert torch.equal(again(*given_), expected)


@pytest.mark.skipif(RADIUS, reason='PyG has an extension that does it')
def test_undone_before_backward(kit):
    """The second pass says what it misses, and gives no other gradient."""
    made = model()
    readout = MultiPoseReadout(made, 'mean', 'recompute', 'z, pos, batch')
    with without_extensions(made):
        out = readout(kit.pose_set())
    with pytest.raises(ImportError, match='radius_graph'):
        out.sum().backward()


def test_own_code_shares_nothing_by_chance(kit):
    made = Contacts()
    with without_extensions(made):
        poses = kit.poses()
        each = made(poses.pos, poses.batch)
        readout = MultiPoseReadout(made, 'mean', inputs='pos, batch')
        torch.testing.assert_close(
            readout(kit.pose_set()), each.mean().view(1)
        )


@given(
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([None, 1, 2, 32]),
    st.sampled_from(['source_to_target', 'target_to_source']),
)
def test_radius_graph(size, loop, cap, flow):
    generator = torch.Generator().manual_seed(size)
    pos = torch.rand(size, 3, generator=generator, dtype=torch.float64)
    batch = (torch.arange(size) * 2) // size
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        found = extensions.radius_graph(pos, 0.7, batch, loop, cap, flow)
    if flow == 'target_to_source':
        found = found.flip(0)
    expected, cut = set(), False
    for target in range(size):
        near = [
            (float((pos[source] - pos[target]).norm()), source)
            for source in range(size)
            if batch[source] == batch[target] and source != target
        ]
        near = sorted(pair for pair in near if pair[0] <= 0.7)
        cut |= cap is not None and len(near) > cap
        expected |= {(source, target) for _, source in near[:cap]}
        if loop:
            expected.add((target, target))
    assert set(zip(*found.tolist(), strict=True)) == expected
    assert found.size(1) == len(expected)
    assert bool(caught) == cut


@given(st.integers(0, 99))
def test_triplets(seed):
    generator = torch.Generator().manual_seed(seed)
    size = 1 + seed % 6
    dense = torch.rand(size, size, generator=generator) < 0.5
    edges = dense.nonzero().t()[:, torch.randperm(int(dense.sum()))]
    i, j, *found = extensions.triplets(edges, size)
    assert torch.equal(torch.stack([j, i]), edges)
    pairs = list(enumerate(zip(*edges.tolist(), strict=True)))
    expected = {
        (i, j, k, kj, ji)
        for (ji, (j, i)), (kj, (k, end)) in itertools.product(pairs, pairs)
        if end == j and k != i
    }
    rows = list(zip(*[row.tolist() for row in found], strict=True))
    assert set(rows) == expected and len(rows) == len(expected)


def test_dimenet_by_hand():
    """Two atoms have no angles; three have, and turning changes nothing."""
    torch.manual_seed(0)
    made = DimeNetPlusPlus(
        *(8, 1, 1, 4, 4, 8, 2, 2),
        cutoff=3.0,
        output_initializer='glorot_orthogonal',
    )
    z, batch = torch.tensor([6, 7, 8]), torch.zeros(3, dtype=torch.long)
    pos = torch.tensor([[0.0, 0, 0], [1.5, 0, 0], [1.5, 1.2, 0]])
    turn = torch.linalg.qr(torch.randn(3, 3))[0]
    straight = pos.clone()
    straight[2] = torch.tensor([2.7, 0.0, 0.0])
    with without_extensions(made):
        energy = made(z, pos, batch)
        torch.testing.assert_close(made(z, pos @ turn, batch), energy)
        order = torch.tensor([2, 0, 1])
        moved = made(z[order], pos[order], batch)
        torch.testing.assert_close(moved, energy)
        assert abs(float((made(z, straight, batch) - energy).detach())) > 1e-6
