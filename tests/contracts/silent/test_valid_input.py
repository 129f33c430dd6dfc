"""What plain autograd takes is taken, or an error says what to do."""

import copy
import pickle
import re

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, jacrev, vmap
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from tests.contracts.silent.models import TwoParts

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
WAYS = [(m, s) for m in MODES for s in (False, 'auto')]
WAYS.remove(('store', 'auto'))
#: What an error has to say.
CLEAR = re.compile(r'gradient=|MultiPoseReadout|share_receptor')


def schnet():
    return SchNet(8, 8, 1, 6, cutoff=2.0)


def batch_of(silent):
    return Batch.from_data_list(
        [silent.complexes(), silent.complexes((2, 5), seed=1)]
    )


# Forces inside ###############################################################


class Forces(nn.Module):
    """Energies, and forces that are taken inside."""

    def __init__(self, how='requires_grad_'):
        super().__init__()
        self.embed, self.lin = nn.Embedding(100, 8), nn.Linear(8, 8)
        self.out, self.how = nn.Linear(8, 1), how

    def energy(self, b, pos):
        i, j = b.edge_index
        d = (pos[i] - pos[j]).square().sum(1, keepdim=True)
        h = self.lin(self.embed(b.z))
        h = scatter(h[i] * (-d).exp(), j, 0, len(h)).tanh()
        return scatter(self.out(h), b.batch, 0, b.num_graphs).squeeze(1)

    def forward(self, b):
        if self.how == 'detached':
            pos = b.pos.detach().requires_grad_()
        elif self.how == 'enabled':
            pos = b.pos.clone().requires_grad_()
        else:
            pos = b.pos.requires_grad_()
        with torch.enable_grad():
            energy = self.energy(b, pos)
            force = torch.autograd.grad(
                energy.sum(),
                pos,
                create_graph=self.training,
                retain_graph=True,
            )[0]
        if self.how == 'in the prediction':
            size = force.square().sum(1)
            return energy + scatter(size, b.batch, 0, b.num_graphs)
        return energy, -force


HOWS = ['requires_grad_', 'detached', 'enabled', 'in the prediction']


def trained(silent, model, call, steps=4):
    optimizer, out = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(steps):
        optimizer.zero_grad()
        poses = silent.complexes((4,) * 12, 12, 2.5)
        loss = call(poses).sum() ** 2
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return torch.tensor(out)


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize(
    ('mode', 'combination'),
    [*[(mode, 'max') for mode in MODES], ('auto', 'mean')],
)
def test_forces_inside(silent, how, mode, combination):
    def plain(poses):
        y = silent.predictions_of(model(silent.whole(poses)))
        return silent.combined(y, poses, combination == 'max')

    first = Forces(how)
    model = copy.deepcopy(first)
    expected = trained(silent, model, plain)
    model = copy.deepcopy(first)
    readout = MultiPoseReadout(
        model, combination, gradient=mode, max_nodes_per_chunk=64
    )
    try:
        got = trained(silent, model, readout)
    except (ValueError, RuntimeError) as error:
        assert mode not in ('full', 'auto'), error
        assert CLEAR.search(str(error)), error
        return
    silent.same('losses', got, expected, 1e-9)
    model.eval()
    with torch.no_grad():
        poses = silent.complexes((4,) * 3, 12, 2.5)
        value = readout(poses)
    silent.same('a value', value, plain(poses).detach())


# Scripted ####################################################################


class Scripted(nn.Module):
    def __init__(self, make=torch.jit.script):
        super().__init__()
        layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.lin = make(layers)

    def forward(self, b):
        return scatter(self.lin(b.x), b.batch, 0, b.num_graphs)


def traced(layers):
    return torch.jit.trace(layers, torch.randn(3, 4))


def symbolic(layers):
    return torch.fx.symbolic_trace(layers)


def compiled(layers):
    return torch.compile(layers, backend='eager')


@pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')
@pytest.mark.parametrize(
    'make', [torch.jit.script, traced, symbolic, compiled]
)
@pytest.mark.parametrize('mode', MODES)
def test_scripted_layer(silent, make, mode):
    model, poses = Scripted(make), silent.complexes()
    try:
        readout = MultiPoseReadout(
            model, 'mean', gradient=mode, max_nodes_per_chunk=40
        )
    except ValueError as error:
        assert "'lin'" in str(error) and 'script' in str(error)
        assert make in (torch.jit.script, traced)
        return
    for _ in range(2):
        silent.agrees(readout, poses)


class LateScript(Scripted):
    """Scripted after the readout was built."""

    def __init__(self):
        super().__init__(lambda layers: layers)


@pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')
@pytest.mark.parametrize('mode', ['recompute', 'auto'])
def test_layer_that_is_scripted_later(silent, mode):
    model, poses = LateScript(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', gradient=mode)
    silent.agrees(readout, poses)
    model.lin = torch.jit.script(model.lin)
    silent.agrees(readout, poses, 'script')


# Set afterwards ##############################################################


@pytest.mark.parametrize(
    ('share', 'other'),
    [('auto', False), (False, 'auto'), (True, False), (False, True)],
)
def test_sharing_that_is_set_afterwards(silent, share, other):
    model, poses = schnet(), silent.complexes(radius=1.5)
    readout = MultiPoseReadout(model, 'mean', share_receptor=share)
    silent.agrees(readout, poses)
    readout.share_receptor = other
    silent.agrees(readout, poses)
    fixed = MultiPoseReadout(model, 'mean', share_receptor=other)
    fixed(poses)
    assert readout.last_plan.receptor == fixed.last_plan.receptor


@pytest.mark.parametrize('mode', MODES)
def test_mode_that_is_set_afterwards(silent, mode):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', gradient='full')
    silent.agrees(readout, poses)
    readout.gradient = mode
    silent.agrees(readout, poses)
    if mode != 'auto':
        assert readout.last_plan.mode == mode


VALUES = {
    'combination': 'max',
    'max_nodes_per_chunk': 40,
    'memory_budget': 10**7,
    'tolerance': 0.0,
    'nonfinite': 'mask',
    'best_first': None,
    'backward_poses': None,
    'inputs': None,
}


@pytest.mark.parametrize('name', VALUES)
def test_argument_that_is_set_afterwards(silent, name):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    silent.agrees(readout, poses)
    setattr(readout, name, VALUES[name])
    silent.agrees(readout, poses)


WRONG = {
    'gradient': 'ful',
    'combination': 'median of all',
    'share_receptor': 'maybe',
    'nonfinite': 'ignore',
    'tolerance': -1.0,
    'max_nodes_per_chunk': 0,
    'memory_budget': -5,
    'backward_poses': 0,
}


@pytest.mark.parametrize('name', WRONG)
def test_wrong_argument_that_is_set_afterwards(silent, name):
    model, poses = schnet(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean')
    with pytest.raises(ValueError, match=re.escape(str(WRONG[name]))):
        setattr(readout, name, WRONG[name])
    silent.agrees(readout, poses)


def test_model_that_is_set_afterwards(silent):
    readout = MultiPoseReadout(schnet(), 'mean')
    poses = silent.complexes(radius=1.5)
    silent.agrees(readout, poses)
    readout.model = TwoParts()
    silent.agrees(readout, poses)
    readout.model = nn.Sequential(schnet())
    silent.agrees(readout, poses)
    assert not silent.shared(readout)


@pytest.mark.parametrize('copied', [copy.deepcopy, copy.copy])
def test_copies_and_files(silent, copied):
    readout = MultiPoseReadout(schnet(), 'mean')
    poses = silent.complexes()
    silent.agrees(readout, poses)
    for other in (copied(readout), pickle.loads(pickle.dumps(readout))):
        silent.agrees(other, poses)
        other.share_receptor = False
        silent.agrees(other, poses)
        assert not silent.shared(other)
    silent.agrees(readout, poses)


# Many gradients at once ######################################################


class Small(nn.Module):
    """What vmap can take."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(100, 8), nn.Linear(8, 1)

    def forward(self, b):
        h = scatter(self.embed(b.z), b.batch, 0, b.num_graphs)
        return self.out(h.tanh()).squeeze(1)


@pytest.mark.parametrize(
    ('make', 'chunk'),
    [(Small, None), (Small, 40), (TwoParts, 40), (schnet, None)],
)
@pytest.mark.parametrize(('mode', 'share'), WAYS)
def test_gradients_of_all_sets_at_once(silent, make, mode, share, chunk):
    model, batch = make(), batch_of(silent)
    parameters = list(model.parameters())
    y = silent.predictions_of(model(silent.whole(batch)))
    rows = [
        torch.autograd.grad(
            v, parameters, retain_graph=True, allow_unused=True
        )
        for v in silent.combined(y, batch, False)
    ]
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        max_nodes_per_chunk=chunk,
    )
    try:
        got = torch.autograd.grad(
            readout(batch),
            parameters,
            torch.eye(2),
            is_grads_batched=True,
            allow_unused=True,
        )
    except (ValueError, RuntimeError) as error:
        assert CLEAR.search(str(error)), error
        assert mode != 'full' or make is not Small
        return
    total = sum(g.norm().item() for r in rows for g in r if g is not None)
    for one, *two in zip(got, *rows, strict=True):
        two = None if two[0] is None else torch.stack(two)
        silent.same('rows', one, two, total=total)


@pytest.mark.parametrize(('mode', 'share'), WAYS)
def test_one_set_after_the_other(silent, mode, share):
    model, batch = TwoParts(), batch_of(silent)
    parameters = list(model.parameters())
    y = silent.predictions_of(model(silent.whole(batch)))
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, share_receptor=share
    )
    out = readout(batch)
    for value, expected in zip(
        out, silent.combined(y, batch, False), strict=True
    ):
        got = torch.autograd.grad(value, parameters, retain_graph=True)
        want = torch.autograd.grad(expected, parameters, retain_graph=True)
        for one, two in zip(got, want, strict=True):
            silent.same('a row', one, two)


# Transforms ##################################################################


@pytest.mark.parametrize('transform', ['grad', 'jacrev', 'vmap', 'twice'])
@pytest.mark.parametrize(('mode', 'share'), WAYS)
def test_transform(silent, transform, mode, share):
    model, batch = Small(), batch_of(silent)
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, share_receptor=share
    )
    values = {n: p.detach() for n, p in readout.named_parameters()}
    graphs = silent.whole(batch)

    def plain(v):
        v = {n.removeprefix('model.'): value for n, value in v.items()}
        y = functional_call(model, v, (graphs,))
        return silent.combined(y, batch, False)

    def own(v):
        return functional_call(readout, v, (batch,))

    def apply(function):
        def loss(v):
            return function(v).square().sum()

        if transform == 'grad':
            return grad(loss)(values)
        if transform == 'jacrev':
            return jacrev(function)(values)
        if transform == 'twice':
            return grad(
                lambda v: sum(g.square().sum() for g in grad(loss)(v).values())
            )(values)
        many = {n: torch.stack([v, 2 * v]) for n, v in values.items()}
        return vmap(grad(loss))(many)

    expected = apply(plain)
    try:
        got = apply(own)
    except (ValueError, RuntimeError) as error:
        assert CLEAR.search(str(error)), error
        assert mode != 'full' or transform == 'vmap'
        return
    for name, one in expected.items():
        silent.same(name, got[name], one)


# Compiled ####################################################################


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
@pytest.mark.parametrize('what', ['readout', 'step', 'model'])
def test_compiled(silent, mode, what):
    torch._dynamo.reset()
    model, batch = Small(), batch_of(silent)
    y = silent.combined(model(silent.whole(batch)), batch, False)
    parameters = list(model.parameters())
    expected = torch.autograd.grad(y.square().sum(), parameters)
    used = torch.compile(model, backend='eager') if what == 'model' else model
    readout = MultiPoseReadout(used, 'mean', gradient=mode)
    if what == 'readout':
        readout = torch.compile(readout, backend='eager')

    def loss():
        return readout(batch).square().sum()

    if what == 'step':
        loss = torch.compile(loss, backend='eager')
    for _ in range(2):
        got = torch.autograd.grad(loss(), parameters)
        for one, two in zip(got, expected, strict=True):
            silent.same('a gradient', one, two)


# Optimizers ##################################################################


@pytest.mark.parametrize(('mode', 'share'), WAYS)
def test_line_search(silent, mode, share):
    """LBFGS calls again and again, and backward without grad mode."""
    batch = batch_of(silent)

    def train(model, call):
        optimizer = torch.optim.LBFGS(
            model.parameters(),
            lr=0.5,
            max_iter=3,
            line_search_fn='strong_wolfe',
        )

        def closure():
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = (call(batch) - 0.3).square().sum()
            with torch.no_grad():
                loss.backward()
            return loss.detach()

        for _ in range(2):
            optimizer.step(closure)
        return [p.detach().clone() for p in model.parameters()]

    first = TwoParts()
    model = copy.deepcopy(first)
    expected = train(
        model,
        lambda b: silent.combined(model(silent.whole(b)), b, False),
    )
    model = copy.deepcopy(first)
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, share_receptor=share
    )
    for one, two in zip(train(model, readout), expected, strict=True):
        silent.same('a parameter', one, two, 1e-7)


@pytest.mark.parametrize('mode', ['recompute', 'auto'])
@pytest.mark.parametrize('share', [False, 'auto'])
def test_prediction_that_is_older_than_a_step(silent, mode, share):
    model, batch = TwoParts(), batch_of(silent)
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, share_receptor=share
    )
    out = readout(batch)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    out.square().sum().backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match='chang|modified'):
        out.square().sum().backward()
