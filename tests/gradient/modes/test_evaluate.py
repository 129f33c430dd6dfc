"""The primitive by itself, with every number of graphs held."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import Evaluation, LiveBytes, evaluate, predict


class Net(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 1)
        )

    def forward(self, batch):
        h = self.mlp(batch.pos)
        return scatter(h, batch.batch, 0, batch.num_graphs)


def evaluation(model, batch, max_nodes=8):
    return Evaluation(model.double(), batch, max_nodes=max_nodes)


def sets():
    generator = torch.Generator().manual_seed(0)

    def pose():
        pos = torch.randn(4, 3, generator=generator, dtype=torch.float64)
        return Data(pos=pos)

    return Batch.from_data_list(
        [PoseSet.from_poses([pose() for _ in range(n)]) for n in (5, 1, 4)]
    )


def run(model, batch, keep, coefficients, seed=0):
    torch.manual_seed(seed)
    record = evaluation(model, batch)
    out = evaluate(record, keep, 1e-12)
    after = torch.get_rng_state()
    tensors = [*model.parameters(), batch.pos]
    out.backward(coefficients, retain_graph=True)
    grads = [t.grad for t in tensors]
    for tensor in tensors:
        tensor.grad = None
    assert torch.equal(after, torch.get_rng_state())
    return [out.detach(), *grads], record


@pytest.mark.parametrize('dropout', [0.0, 0.5])
@pytest.mark.parametrize('sharp', [True, False])
@pytest.mark.parametrize('keep', [0, 1, 3, 5, 99])
def test_any_number_of_graphs_held(keep, sharp, dropout):
    model, batch = Net(dropout).double(), sets()
    batch.pos.requires_grad_()
    coefficients = torch.linspace(0.1, 2, 10, dtype=torch.float64)
    if sharp:
        coefficients = torch.zeros(10, dtype=torch.float64)
        coefficients[[2, 5, 9]] = 1.5
    expected, _ = run(model, batch, None, coefficients)
    got, record = run(model, batch, keep, coefficients)
    for a, b in zip(got, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)
    held = min(keep, len(record.chunks))
    again = sum(len(record.chunks[n]) for n in range(held, 5))
    if not sharp:
        assert record.counts.forward == 10 + again


def test_memory_grows_with_the_graphs_held():
    model, batch = Net().double(), sets()
    held = []
    for keep in range(6):
        with LiveBytes() as live:
            out = evaluate(evaluation(model, batch), keep)
        held.append(live.held())
        del out
    steps = [b - a for a, b in zip(held, held[1:], strict=False)]
    assert all(step > 500 for step in steps[:4])


def test_skips_the_graphs_of_chunks_that_do_not_matter():
    model, batch, counted = Net(), sets(), []

    def note(gradient):  # torch calls hooks of skipped graphs with None
        if gradient is not None:
            counted.append(gradient)

    def count(module, inputs, out):
        out.register_hook(note)

    model.mlp[0].register_forward_hook(count)
    out = evaluate(evaluation(model, batch), 99, 1e-6)
    coefficients = torch.zeros(10, dtype=torch.float64)
    coefficients[4] = 1.0
    out.backward(coefficients)
    assert len(counted) == 1  # of five chunks
    assert model.mlp[0].weight.grad.any()


def test_differentiates_twice_if_all_graphs_are_held():
    model, batch = Net().double(), sets()
    batch.pos.requires_grad_()

    def penalty(keep):
        out = evaluate(evaluation(model, batch), keep, 1e-12)
        (force,) = torch.autograd.grad(out.sum(), batch.pos, create_graph=True)
        return torch.autograd.grad(
            force.pow(2).sum(), list(model.parameters()), allow_unused=True
        )

    for a, b in zip(penalty(99), penalty(None), strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, rtol=1e-12)
    with pytest.raises(RuntimeError, match="gradient='full'"):
        penalty(2)


def test_predict_holds_nothing():
    model, batch = Net().double(), sets()
    with LiveBytes() as live:
        out = predict(evaluation(model, batch))
    assert not out.requires_grad
    assert torch.equal(out, evaluate(evaluation(model, batch)).detach())
    assert live.held() <= 10 * 8
