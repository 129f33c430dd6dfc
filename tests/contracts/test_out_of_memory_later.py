"""Memory that runs out for graphs that are held, and in the second pass."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.plan.budget import bytes_per_node

RESTART = 'Out of memory; the forward pass starts again'
SECOND = 'Out of memory; the second pass starts again'


def reference(kit, model, batch, combination='mean'):
    combination = kit.MultiPoseReadout(model, combination).combination
    combined = kit.combine(combination, kit.plain(model.model, batch), batch)
    tensors = list(model.parameters())
    return [combined, *kit.gradients(combined.pow(2).sum(), tensors)]


def results(kit, readout, batch):
    out = readout(batch)
    grads = torch.autograd.grad(
        out.pow(2).sum(), list(readout.model.parameters())
    )
    return [out.detach(), *grads]


@pytest.mark.parametrize('limit', [90 + 20, 60, 40, 20])
def test_auto_holds_less(kit, limit):
    """Graphs take the memory: `auto` goes over to a plan that fits."""
    model, batch = kit.takes(limit, held=True), kit.make_batch()
    expected = reference(kit, model, batch)
    batch.pos.requires_grad_()  # so it is not `stream`
    readout = kit.MultiPoseReadout(model, 'mean', max_nodes_per_chunk=40)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        got = results(kit, readout, batch)
    assert kit.relative_error(got, expected, 'auto') <= 1e-10
    assert model.memory[0].most <= limit
    caught = [w for w in caught if RESTART in str(w.message)]
    assert bool(caught) == (limit < 90)
    if caught:
        assert 'graphs of at most' in str(caught[0].message)
        assert readout.last_plan.mode != 'full'
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            readout(batch).sum().backward()
    assert not model.memory[0].tokens  # nothing of failed passes is left


def test_auto_holds_less_of_a_model_that_draws(kit):
    """Same boundaries and masks, without the graphs."""
    batch = kit.make_batch()
    batch.pos.requires_grad_()
    out = []
    for limit in (1000, 50):
        model = kit.takes(limit, held=True, dropout=0.5)
        readout = kit.MultiPoseReadout(model, 'mean', max_nodes_per_chunk=40)
        torch.manual_seed(1)
        if limit == 50:
            with pytest.warns(UserWarning, match='graphs of at most'):
                out.append(results(kit, readout, batch))
        else:
            out.append(results(kit, readout, batch))
            assert readout.last_plan.mode == 'full'
    assert readout.last_plan.mode in ('mixed', 'recompute')
    assert kit.relative_error(*out, 'auto') <= 1e-10


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.parametrize('limit', [1000, 60, 52])
def test_auto_holds_less_of_a_model_that_couples(kit, limit):
    """Chunks end where sets end, which the plan did not cut."""
    model = kit.takes(limit, held=True, norm=nn.BatchNorm1d(8))
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        model, 'mean', memory_budget=10**9, max_nodes_per_chunk=100
    )
    batch.pos.requires_grad_()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        out = readout(batch)
    assert readout.last_plan.num_chunks == 3
    restarts = [w for w in caught if RESTART in str(w.message)]
    assert bool(restarts) == (limit < 90)
    assert readout.last_plan.mode == ('recompute' if restarts else 'full')
    out.sum().backward()


def test_full_cannot_hold_less(kit):
    model, batch = kit.takes(60, held=True), kit.make_batch()
    readout = kit.MultiPoseReadout(model, 'mean', gradient='full')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(
            torch.OutOfMemoryError, match="'full' holds .* gradient='auto'"
        ):
            readout(batch)
    assert not model.memory[0].tokens


def test_measuring_takes_less_too(kit):
    """The plan is made on as many poses as fit."""
    model, batch = kit.takes(30), kit.make_batch()
    record = Evaluation(model, batch)
    assert bytes_per_node(record) > 0
    assert record.counts.forward == 0
    readout = kit.MultiPoseReadout(model, 'mean', memory_budget=10**9)
    assert 'held until backward' in str(readout.plan(batch))
    readout = kit.MultiPoseReadout(kit.takes(10), 'mean', memory_budget=10**9)
    with pytest.raises(torch.OutOfMemoryError, match="'cpd-0', pose 0 of 13"):
        readout.plan(batch)


# The second pass #############################################################


class Trips(torch.autograd.Function):
    """Runs out of memory in backward, with half of the gradients done."""

    @staticmethod
    def forward(ctx, x, memory, nodes):
        ctx.memory, ctx.nodes = memory, nodes
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.memory.take(ctx.nodes)
        return grad, None, None


def trips_backward(model, memory):
    """Lets a model run out of memory in its backward pass."""
    nodes = []
    model.register_forward_pre_hook(
        lambda module, args: nodes.append(args[0].num_nodes)
    )
    model.conv.register_forward_hook(
        lambda module, args, out: Trips.apply(out, memory, nodes[-1])
    )


@pytest.mark.parametrize('where', ['forward', 'backward'])
@pytest.mark.parametrize('mode', ['recompute', 'auto'])
def test_second_pass_starts_again(kit, mode, where):
    """All sums are thrown away; smaller chunks; the next call knows."""
    batch = kit.make_batch()
    batch.pos.requires_grad_()
    model = kit.takes(10**6)
    memory = model.memory[0]
    if where == 'backward':
        memory = copy.copy(memory)
        trips_backward(model.model, memory)
    tensors = [*model.parameters(), batch.pos]

    combination = kit.MultiPoseReadout(model).combination
    combined = kit.combine(combination, kit.plain(model.model, batch), batch)
    expected = kit.gradients(combined.sum(), tensors)

    budget = None
    if mode == 'auto':
        record = Evaluation(model, batch)
        budget = int(bytes_per_node(record) * 94)  # a chunk, and no more
    readout = kit.MultiPoseReadout(
        model, gradient=mode, tolerance=0.0, memory_budget=budget
    )
    readout._planner.lately.share = 0.1
    out = readout(batch)
    assert readout.last_plan.mode == 'recompute'
    memory.limit = 30
    with pytest.warns(UserWarning, match=SECOND):
        got = kit.gradients(out.sum(), tensors)
    assert kit.relative_error(got, expected, mode) <= 1e-10
    assert all(tensor.grad is None for tensor in tensors)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        out = readout(batch)
        got = kit.gradients(out.sum(), tensors)
    assert readout.last_plan.max_nodes <= 30
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.parametrize(
    'kwargs', [{'dropout': 0.5}, {'norm': nn.BatchNorm1d(8)}]
)
def test_second_pass_keeps_boundaries_where_they_matter(kit, kwargs):
    model = kit.takes(10**6, **copy.deepcopy(kwargs))
    readout = kit.MultiPoseReadout(model, 'mean', gradient='recompute')
    out = readout(kit.make_batch())
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    model.memory[0].limit = 60
    with pytest.raises(
        torch.OutOfMemoryError, match='max_nodes_per_chunk=45 or less'
    ) as error:
        out.sum().backward()
    assert str(error.value.__cause__) == '0 held, 90 wanted'
    assert torch.equal(random, torch.get_rng_state())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(p.grad is None for p in model.parameters())


def test_one_pose_does_not_fit_the_second_pass(kit):
    model = kit.takes(10**6)
    out = kit.MultiPoseReadout(model, 'mean', gradient='recompute')(
        kit.make_batch()
    )
    model.memory[0].limit = 14
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(
            torch.OutOfMemoryError, match="set 'cpd-0', pose 2 of 14"
        ):
            model.memory[0].limit = 13
            out.sum().backward()
    assert all(p.grad is None for p in model.parameters())
