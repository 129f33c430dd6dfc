import copy
import warnings

import pytest
import torch
from torch_geometric.nn import SchNet

from pyg_multipose.nn.radius_interaction_graph import RadiusInteractionGraph


class AllPairs(torch.nn.Module):
    def __init__(self, cutoff):
        super().__init__()
        self.cutoff = cutoff

    def forward(self, pos, batch):
        distance = torch.cdist(pos.double(), pos.double())
        near = (distance <= self.cutoff) & (batch[:, None] == batch[None])
        near.fill_diagonal_(False)
        source, target = near.nonzero().t()
        return torch.stack([source, target]), (pos[source] - pos[target]).norm(
            dim=-1
        )


def molecules(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    batch = torch.repeat_interleave(torch.tensor([12, 1, 30]))
    pos = torch.rand(len(batch), 3, generator=generator, dtype=dtype) * 8
    z = torch.randint(1, 9, (len(batch),), generator=generator)
    return z, pos, batch


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_schnet(dtype):
    z, pos, batch = molecules(dtype)
    args = dict(hidden_channels=16, num_filters=16, num_interactions=2)
    torch.manual_seed(0)
    ours = SchNet(
        **args, cutoff=4.0, interaction_graph=RadiusInteractionGraph(4.0)
    ).to(dtype)
    reference = copy.deepcopy(ours)
    reference.interaction_graph = AllPairs(4.0)
    grads = []
    values = []
    for model in (ours, reference):
        leaf = pos.clone().requires_grad_()
        value = model(z, leaf, batch)
        value.sum().backward()
        values.append(value)
        grads.append([leaf.grad, *[p.grad for p in model.parameters()]])
    torch.testing.assert_close(*values)
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_lengths(dtype):
    _, pos, batch = molecules(dtype)
    edge_index, edge_weight = RadiusInteractionGraph(3.0)(pos, batch)
    expected, lengths = AllPairs(3.0)(pos, batch)
    found = {tuple(edge) for edge in edge_index.t().tolist()}
    assert found == {tuple(edge) for edge in expected.t().tolist()}
    assert edge_index.size(1) == len(found)
    assert edge_weight.dtype == dtype
    source, target = edge_index
    torch.testing.assert_close(
        edge_weight, (pos[source] - pos[target]).square().sum(1).sqrt()
    )
    assert edge_weight.sum() == pytest.approx(lengths.sum().item(), rel=1e-5)
    one, _ = RadiusInteractionGraph(3.0)(pos[:12])
    assert torch.equal(one, edge_index[:, batch[source] == 0])


def test_gradient():
    _, pos, batch = molecules(torch.float64)
    pos = pos[:16].requires_grad_()
    graph = RadiusInteractionGraph(3.0)
    assert torch.autograd.gradcheck(lambda p: graph(p, batch[:16])[1], pos)
    assert torch.autograd.gradgradcheck(lambda p: graph(p, batch[:16])[1], pos)


def test_coincident_atoms_have_finite_gradients():
    pos = torch.tensor([[0.0, 0, 0], [0, 0, 0], [1, 0, 0]]).double()
    pos.requires_grad_()
    _, edge_weight = RadiusInteractionGraph(2.0)(pos)
    assert edge_weight.tolist().count(0) == 2
    energy = (edge_weight * edge_weight.cos()).sum()
    (force,) = torch.autograd.grad(energy, pos, create_graph=True)
    assert force.isfinite().all()
    force.square().sum().backward()
    assert pos.grad.isfinite().all()


def test_no_cap_unless_asked():
    pos = torch.rand(60, 3)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        edge_index, _ = RadiusInteractionGraph(2.0)(pos)
        assert edge_index.size(1) == 60 * 59
        edge_index, _ = RadiusInteractionGraph(2.0, 59)(pos)
        assert edge_index.size(1) == 60 * 59
    batch = torch.arange(60) // 30
    with pytest.warns(UserWarning, match='graph 0: 30 .*graph 1: 30 atoms'):
        edge_index, edge_weight = RadiusInteractionGraph(2.0, 5)(pos, batch)
    assert edge_index.size(1) == len(edge_weight) == 60 * 5
    with pytest.warns(UserWarning, match='the graph: 60 atoms'):
        RadiusInteractionGraph(2.0, 5)(pos)


def test_empty():
    edge_index, edge_weight = RadiusInteractionGraph(2.0)(torch.zeros(0, 3))
    assert edge_index.shape == (2, 0)
    assert edge_weight.shape == (0,)


def test_compile():
    _, pos, batch = molecules()
    graph = RadiusInteractionGraph(3.0)
    compiled = torch.compile(graph, backend='eager', dynamic=True)
    for a, b in zip(compiled(pos, batch), graph(pos, batch), strict=True):
        assert torch.equal(a, b)


def test_errors_and_repr():
    with pytest.raises(ValueError, match='positive'):
        RadiusInteractionGraph(0.0)
    with pytest.raises(ValueError, match="'max_num_neighbors'"):
        RadiusInteractionGraph(5.0, 0)
    with pytest.raises(ValueError, match='Atom 1 .*nan'):
        RadiusInteractionGraph()(torch.tensor([[0.0] * 3, [torch.nan] * 3]))
    assert repr(RadiusInteractionGraph(5)) == (
        'RadiusInteractionGraph(cutoff=5.0, max_num_neighbors=None)'
    )
