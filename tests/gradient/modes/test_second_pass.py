"""What is evaluated again, in which chunks, and what comes of it."""

import copy

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import Evaluation, evaluate
from pyg_multipose.gradient.modes import second_pass
from pyg_multipose.gradient.modes.store import store
from pyg_multipose.nn import MultiPoseReadout


class Net(nn.Module):
    """It notes how many atoms it is called with."""

    def __init__(self, dropout=0.0, mixes=False):
        super().__init__()
        self.lin = nn.Sequential(
            nn.Linear(3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1)
        )
        self.mixes, self.sizes = mixes, []

    def forward(self, batch):
        self.sizes.append(len(batch.pos))
        h = self.lin(batch.pos)
        h = h - h.mean(0) if self.mixes else h
        return scatter(h, batch.batch, 0, batch.num_graphs).squeeze(1)


class Frozen(Net):
    def forward(self, batch):
        return super().forward(batch).detach()


class Wide(nn.Module):
    """A parameter in half precision, a prediction that is not."""

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.ones((), dtype=torch.bfloat16))

    def forward(self, batch):
        return self.level.float() * torch.ones(batch.num_graphs)


def poses_of(count=6, atoms=2):
    generator = torch.Generator().manual_seed(0)
    return PoseSet.from_poses(
        [
            Data(pos=torch.randn(atoms, 3, generator=generator).double())
            for _ in range(count)
        ]
    )


def make(model=None, nodes=4, count=6):
    torch.manual_seed(0)
    model = (model or Net()).double()
    return model, Evaluation(model, poses_of(count), max_nodes=nodes)


def gradients(model):
    out = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    return torch.cat([grad.flatten() for grad in out])


def plain(model, evaluation, weights):
    """Of the same chunks, by plain autograd."""
    state = torch.get_rng_state()
    torch.manual_seed(1)
    parts = [evaluation.predict(poses) for poses in evaluation.chunks]
    torch.cat(parts).backward(weights)
    torch.set_rng_state(state)
    return gradients(model)


def weights_of(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


SOME = weights_of(1, 0, 0, 0, 2, 3)
ALL = weights_of(1, 2, 3, 4, 5, 6)


def test_chunks_are_no_larger_than_before():
    model, evaluation = make()
    out = evaluate(evaluation, keep=0)
    model.sizes.clear()
    out.backward(ALL)
    assert model.sizes == [4, 4, 4]
    gradients(model)


def test_poses_without_weight_are_left_out():
    model, evaluation = make()
    out = evaluate(evaluation, keep=0)
    model.sizes.clear()
    out.backward(SOME)
    assert model.sizes == [4, 2] and evaluation.counts.backward == 3
    found = gradients(model)
    assert torch.allclose(found, plain(model, make(model)[1], SOME))
    assert evaluation.counts.mattered == 3


def test_poses_that_depend_on_their_chunk_stay_in_it():
    model, evaluation = make(Net(mixes=True))
    out = evaluate(evaluation, keep=0)
    out.backward(SOME)
    found = gradients(model)
    expected = plain(model, make(model)[1], SOME)
    assert torch.allclose(found, expected, rtol=1e-10)


def test_a_model_that_draws_is_called_once_more():
    model, evaluation = make(Net(dropout=0.5))
    torch.manual_seed(1)
    out = evaluate(evaluation, keep=0)
    model.sizes.clear()
    out.backward(SOME)
    assert model.sizes == [4, 4]
    found = gradients(model)
    assert torch.allclose(found, plain(model, make(model)[1], SOME))


@pytest.mark.parametrize('keep', [1, 2, 3])
def test_backward_twice(keep):
    """Chunks that were evaluated again the first time, and are not now."""
    model, evaluation = make(nodes=6)
    out = evaluate(evaluation, keep=keep)
    for weights in (weights_of(0, 0, 1, 0, 0, 1), ALL, SOME):
        out.backward(weights, retain_graph=True)
        found = gradients(model)
        expected = plain(model, make(model, 6)[1], weights)
        assert torch.allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_graphs_of_which_little_matters(dropout):
    """Its poses are evaluated again, if that gives the same."""
    model, evaluation = make(Net(dropout=dropout), nodes=12)
    torch.manual_seed(1)
    out = evaluate(evaluation, keep=1)
    model.sizes.clear()
    weights = weights_of(0, 0, 1, 0, 0, 0)
    out.backward(weights)
    assert model.sizes == ([] if dropout else [2])
    assert evaluation.counts.backward == (6 if dropout else 1)
    found = gradients(model)
    assert torch.allclose(found, plain(model, make(model, 12)[1], weights))


@pytest.mark.parametrize('keep', [0, 1, 3, None])
def test_what_matters_is_counted(keep):
    model, evaluation = make()
    out = evaluate(evaluation, keep=keep)
    assert evaluation.counts.mattered is None
    out.backward(weights_of(1, 0, 1e-30, 0, 2, 3))
    assert evaluation.counts.mattered == 3


@pytest.mark.parametrize('mode', ['full', 'store', 'stream', 'recompute'])
def test_predictions_that_depend_on_nothing(mode):
    readout = MultiPoseReadout(Frozen().double(), 'mean', mode)
    assert not readout(poses_of()).requires_grad
    _, evaluation = make(Frozen())
    assert not evaluate(evaluation, keep=1).requires_grad


def test_stored_gradients_are_summed_in_float32():
    """200 times 1.003, which bfloat16 does not have."""
    poses = PoseSet.from_poses([Data(pos=torch.ones(1, 3))] * 200)
    model = Wide()
    out = store(Evaluation(model, poses))
    out.backward(torch.full_like(out, 1.003))
    assert model.level.grad.item() == 201


def test_an_error_of_autograd_is_its_own():
    for run in (store, lambda evaluation: evaluate(evaluation, keep=0)):
        model, evaluation = make()
        out = run(evaluation)
        out.backward(ALL)
        with pytest.raises(RuntimeError, match='^Trying to backward'):
            out.backward(ALL)
        model, evaluation = make()
        out = run(evaluation)
        with torch.no_grad():
            model.lin[0].weight += 1
        with pytest.raises(RuntimeError, match='changed between'):
            out.backward(ALL)


def test_all_chunks_are_compared(monkeypatch):
    """On a GPU not before the last one."""
    looked = []

    class Noted:
        def __init__(self, *args):
            pass

        def add(self, *args):
            looked.append('add')

        def check(self):
            looked.append('check')

    monkeypatch.setattr(second_pass, 'Comparison', Noted)
    _, evaluation = make()
    evaluate(evaluation, keep=0).backward(ALL)
    assert looked == ['add', 'add', 'add', 'check']


class Forces(Net):
    """A model that takes forces inside."""

    def forward(self, batch):
        batch = copy.copy(batch)
        batch.pos = batch.pos.detach().requires_grad_()
        energy = super().forward(batch)
        (force,) = torch.autograd.grad(
            energy.sum(), batch.pos, create_graph=True
        )
        norm = force.square().sum(1)
        return energy + scatter(norm, batch.batch, 0, batch.num_graphs)


def test_forces_inside():
    """From the first call on, in every chunk."""
    torch.manual_seed(0)
    model = Forces().double()
    found = []
    for mode in ('full', 'recompute'):
        readout = MultiPoseReadout(
            model, 'mean', mode, max_nodes_per_chunk=4, share_receptor=False
        )
        readout(poses_of()).sum().backward()
        found.append(gradients(model))
    assert torch.allclose(*found)
