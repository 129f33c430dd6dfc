"""What happens when memory runs out: start again with less, or say why not."""

from __future__ import annotations

import copy
import pickle
import re
import warnings
import weakref

import pytest
import torch
from torch import nn

from pyg_multipose.gradient.budget import bytes_per_node
from pyg_multipose.gradient.evaluation import Evaluation

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
RESTART = 'Out of memory; the forward pass starts again'
SECOND = 'Out of memory; the second pass starts again'


class Memory:
    """A device that holds so many atoms: of the chunk, and of graphs."""

    def __init__(self, limit):
        self.limit = limit
        self.tokens = weakref.WeakSet()
        self.most = 0

    def take(self, nodes):
        held = sum(token.nodes for token in self.tokens)
        if held + nodes > self.limit:
            raise torch.OutOfMemoryError(f'{held} held, {nodes} wanted')
        self.most = max(self.most, held + nodes)


class Token:
    def __init__(self, nodes):
        self.nodes = nodes


class Hold(torch.autograd.Function):
    """Holds a token until its backward, as a graph does."""

    @staticmethod
    def forward(ctx, x, memory, nodes):
        if x.requires_grad:
            ctx.token = Token(nodes)
            memory.tokens.add(ctx.token)
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.token = None
        return grad, None, None


class Takes(nn.Module):
    """A model on a device with little memory."""

    def __init__(self, model, limit, held=False):
        super().__init__()
        self.model = model
        self.memory = [Memory(limit)]
        self.held = held

    def forward(self, batch):
        self.memory[0].take(batch.num_nodes)
        out = self.model(batch)
        if self.held:
            out = Hold.apply(out, self.memory[0], batch.num_nodes)
        return out

    def __deepcopy__(self, memo):
        memory = self.memory[0]
        new = Takes(copy.deepcopy(self.model, memo), memory.limit, self.held)
        return new.train(self.training)


def takes(kit, limit, held=False, **kwargs):
    torch.manual_seed(0)
    return Takes(kit.TinyGNN(**kwargs).double(), limit, held)


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


@pytest.mark.parametrize('mode', MODES)
def test_first_pass_starts_again(kit, mode):
    """Exact, with a warning; the next call knows, and copies do too."""
    model, batch = takes(kit, 30), kit.make_batch()
    expected = reference(kit, model, batch)
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode)
    if mode == 'store':  # one pose at a time unless asked: nothing to cut
        got = results(kit, readout, batch)
        assert kit.relative_error(got, expected, mode) <= 1e-10
        return
    with pytest.warns(UserWarning, match=RESTART) as caught:
        got = results(kit, readout, batch)
    assert kit.relative_error(got, expected, mode) <= 1e-10
    message = str(caught[0].message)
    new, old = map(
        int, re.search(r'(\d+) atoms \(.*: (\d+)', message).groups()
    )
    first = 52 if mode == 'stream' else 90  # of a set, of the batch
    assert (new, old) == (first // 2, first)
    assert readout.last_plan.max_nodes <= 30
    assert readout.last_plan.counts.forward <= 2 * 7  # of the last attempt
    for again in (
        readout,
        copy.deepcopy(readout),
        pickle.loads(pickle.dumps(readout._planner)),
    ):
        if again is not readout and not hasattr(again, 'model'):
            readout._planner, again = again, readout
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            got = results(kit, again, batch)
        assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', MODES)
def test_without_gradient(kit, mode):
    model, batch = takes(kit, 30), kit.make_batch()
    expected = reference(kit, model, batch)[:1]
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode)
    with torch.no_grad(), pytest.warns(UserWarning, match=RESTART):
        got = readout(batch)
    assert kit.relative_error([got], expected) <= 1e-10


@pytest.mark.parametrize('mode', ['full', 'store', 'stream', 'recompute'])
def test_chunks_that_were_asked_for_stay(kit, mode):
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        takes(kit, 30), 'mean', gradient=mode, max_nodes_per_chunk=60
    )
    with pytest.raises(
        torch.OutOfMemoryError, match='their size was asked for'
    ) as error:
        readout(batch)
    assert '30 wanted' in str(error.value.__cause__) or error.value.__cause__
    advice = re.search(r'max_nodes_per_chunk=(\d+)', str(error.value))
    readout.max_nodes_per_chunk = int(advice.group(1))
    assert readout(batch).isfinite().all()


def test_auto_goes_below_what_was_asked_for(kit):
    """It is the most of a chunk, and `auto` may take less."""
    model, batch = takes(kit, 30), kit.make_batch()
    expected = reference(kit, model, batch)
    readout = kit.MultiPoseReadout(model, 'mean', max_nodes_per_chunk=60)
    with pytest.warns(UserWarning, match=RESTART):
        got = results(kit, readout, batch)
    assert kit.relative_error(got, expected) <= 1e-10
    readout.max_nodes_per_chunk = 14
    readout(batch)
    assert readout.last_plan.max_nodes <= 15  # one pose


@pytest.mark.parametrize('gradient', [True, False])
@pytest.mark.parametrize('mode', MODES)
def test_one_pose_does_not_fit(kit, mode, gradient):
    """Named with its set, number and atoms; the cause stays."""
    batch = kit.make_batch(sizes=((3, 4), (3, 20, 3)))
    readout = kit.MultiPoseReadout(takes(kit, 20), 'mean', gradient=mode)
    with torch.set_grad_enabled(gradient), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(
            torch.OutOfMemoryError,
            match="one pose, set 'cpd-1', pose 1 of 29 atoms",
        ) as error:
            readout(batch)
    assert str(error.value.__cause__) == '0 held, 29 wanted'
    if gradient and mode in ('full', 'store'):
        assert "use gradient='auto'" in str(error.value)
    else:
        assert 'smaller cut of the receptor' in str(error.value)


class Shifts(nn.Module):
    """Reads and changes a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer('steps', torch.zeros(()))

    def forward(self, h):
        self.steps += 1
        return h * self.steps


COUPLED = {
    'dropout': {'dropout': 0.5},
    'batch norm': {'norm': nn.BatchNorm1d(8)},
    'buffer': {'norm': Shifts()},
}


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.filterwarnings(f'ignore:{RESTART}')
@pytest.mark.parametrize('name', COUPLED)
@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
@pytest.mark.parametrize('gradient', [True, False])
def test_boundaries_stay_where_they_matter(kit, mode, name, gradient):
    """Memory runs out before the model has shown that it draws or couples."""
    model = takes(kit, 30, **copy.deepcopy(COUPLED[name]))
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(model, 'mean', gradient=mode)
    for _ in range(2):  # and again
        before = copy.deepcopy(model.state_dict())
        random = torch.get_rng_state()
        with torch.set_grad_enabled(gradient):
            with pytest.raises(
                torch.OutOfMemoryError, match='would give another result'
            ) as error:
                readout(batch)
        assert torch.equal(random, torch.get_rng_state())
        for key, value in model.state_dict().items():
            assert torch.equal(value, before[key]), key
        assert all(p.grad is None for p in model.parameters())
        assert 'one pose at a time, here of up to 15 atoms' in str(error.value)
        assert isinstance(error.value.__cause__, torch.OutOfMemoryError)
    message = str(error.value)
    for _ in range(3):  # until the advice does
        advice = re.search(r'max_nodes_per_chunk=(\d+)', message)
        other = kit.MultiPoseReadout(
            model, 'mean', gradient=mode,
            max_nodes_per_chunk=int(advice.group(1)),
        )  # fmt: skip
        try:
            assert other(batch).isfinite().all()
            break
        except torch.OutOfMemoryError as another:
            # Only where nothing smaller has been tried yet.
            assert name == 'batch norm' or mode == 'auto'
            message = str(another)
    else:
        pytest.fail('the advice does not help')


@pytest.mark.filterwarnings('ignore:BatchNorm1d takes its statistics')
@pytest.mark.parametrize('name', COUPLED)
def test_the_budget_that_is_advised_does(kit, name):
    norm = copy.deepcopy(COUPLED[name])
    model, batch = takes(kit, 30, **norm), kit.make_batch()
    readout = kit.MultiPoseReadout(model, 'mean', memory_budget=10**9)
    with pytest.raises(torch.OutOfMemoryError) as error:
        readout(batch)
    advice = re.search(r'memory_budget=(\d+)', str(error.value))
    other = kit.MultiPoseReadout(
        model, 'mean', memory_budget=int(advice.group(1))
    )
    assert other(batch).isfinite().all()
    assert other.last_plan.max_nodes <= 30


def test_restart_draws_nothing_twice(kit):
    """Where a model draws in some chunks only, the others decide nothing."""

    class Late(nn.Module):
        def forward(self, h):
            return h + torch.rand(()) if len(h) < 13 else h

    model = takes(kit, 30, norm=Late())
    batch = kit.make_batch(sizes=((5, 5, 5, 5, 1),))
    readout = kit.MultiPoseReadout(model, 'mean', gradient='recompute')
    random = torch.get_rng_state()
    with pytest.warns(UserWarning, match=RESTART):
        with pytest.raises(torch.OutOfMemoryError, match='another result'):
            readout(batch)
    assert torch.equal(random, torch.get_rng_state())


# Graphs that are held ########################################################


@pytest.mark.parametrize('limit', [90 + 20, 60, 40, 20])
def test_auto_holds_less(kit, limit):
    """Graphs take the memory: `auto` goes over to a plan that fits."""
    model, batch = takes(kit, limit, held=True), kit.make_batch()
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
        model = takes(kit, limit, held=True, dropout=0.5)
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
    model = takes(kit, limit, held=True, norm=nn.BatchNorm1d(8))
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
    model, batch = takes(kit, 60, held=True), kit.make_batch()
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
    model, batch = takes(kit, 30), kit.make_batch()
    record = Evaluation(model, batch)
    assert bytes_per_node(record) > 0
    assert record.counts.forward == 0
    readout = kit.MultiPoseReadout(model, 'mean', memory_budget=10**9)
    assert 'held until backward' in str(readout.plan(batch))
    readout = kit.MultiPoseReadout(takes(kit, 10), 'mean', memory_budget=10**9)
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


class TripsBackward(Takes):
    def forward(self, batch):
        hook = self.model.conv.register_forward_hook(
            lambda module, args, out: Trips.apply(
                out, self.memory[0], batch.num_nodes
            )
        )
        try:
            return self.model(batch)
        finally:
            hook.remove()


@pytest.mark.parametrize('kind', [Takes, TripsBackward])
@pytest.mark.parametrize('mode', ['recompute', 'auto'])
def test_second_pass_starts_again(kit, mode, kind):
    """All sums are thrown away; smaller chunks; the next call knows."""
    batch = kit.make_batch()
    batch.pos.requires_grad_()
    model = kind(kit.TinyGNN().double(), 10**6)
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
    readout._planner.share = 0.1
    out = readout(batch)
    assert readout.last_plan.mode == 'recompute'
    model.memory[0].limit = 30
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
@pytest.mark.parametrize('name', COUPLED)
def test_second_pass_keeps_boundaries_where_they_matter(kit, name):
    model = takes(kit, 10**6, **copy.deepcopy(COUPLED[name]))
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
    model = takes(kit, 10**6)
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


@pytest.mark.parametrize('mode', ['recompute', 'auto'])
def test_drawn_poses_stay_the_same(kit, mode):
    """A pass that failed has drawn nothing from the readout's generator."""
    batch, got = kit.make_batch(sizes=((4,) * 8,)), []
    for limit in (10**6, 60):
        model = takes(kit, limit)
        readout = kit.MultiPoseReadout(
            model, 'mean', gradient=mode, backward_poses=2
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            got.append(results(kit, readout, batch))
    assert kit.relative_error(*got, mode) <= 1e-10
    state = readout.generator.get_state()
    model.memory[0].limit = 10
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(torch.OutOfMemoryError):
            readout(batch)
    assert torch.equal(state, readout.generator.get_state())
