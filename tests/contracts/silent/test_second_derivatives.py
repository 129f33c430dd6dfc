"""Kind 7: second derivatives are those of plain autograd, or an error."""

import re

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import nn
from torch.func import functional_call, jvp
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
SETTINGS = {
    'default': {},
    'budget': {'memory_budget': 10**9},
    'tolerance': {'tolerance': 0.5},
    'both': {'memory_budget': 10**9, 'tolerance': 0.5},
    'chunks': {'max_nodes_per_chunk': 20},
    'small budget': {'memory_budget': 10**5, 'max_nodes_per_chunk': 20},
}


def model_of():
    return SchNet(8, 8, 1, 6, cutoff=2.0)


def settings_of():
    for mode in MODES:
        yield mode, 'default', 'auto'
    for name in [*SETTINGS][1:]:
        yield 'auto', name, 'auto'
    yield 'auto', 'both', False
    yield 'recompute', 'tolerance', False


@pytest.fixture(params=settings_of(), ids=lambda p: ' '.join(map(str, p)))
def readout(request):
    mode, name, share = request.param
    return MultiPoseReadout(
        model_of(),
        'mean',
        gradient=mode,
        share_receptor=share,
        **SETTINGS[name],
    )


def second(loss, parameters, ray):
    """A product with the Hessian."""
    grads = torch.autograd.grad(
        loss, parameters, create_graph=True, allow_unused=True
    )
    dot = sum(
        (g * v).sum() for g, v in zip(grads, ray, strict=True) if g is not None
    )
    return torch.autograd.grad(dot, parameters, allow_unused=True)


def compare(silent, readout, loss_of_poses):
    """A product with the Hessian of a loss of the predictions of poses."""
    model, poses = readout.model, silent.complexes((3,) * 4, 15, 2.0)
    parameters = list(model.parameters())
    ray = [torch.randn_like(p) for p in parameters]
    y = silent.predictions_of(model(silent.whole(poses)))
    expected = second(loss_of_poses(y), parameters, ray)
    try:
        each = readout(poses, return_poses=True)[1]
        got = second(loss_of_poses(each), parameters, ray)
    except (ValueError, RuntimeError) as error:
        # Where all graphs are held, autograd goes through them once more.
        assert readout.last_plan.mode != 'full', error
        assert any(
            word in str(error) for word in ("'full'", 'second', 'stream')
        ), error
        return
    total = sum(e.norm().item() for e in expected if e is not None)
    for one, two in zip(got, expected, strict=True):
        silent.same('a product with the Hessian', one, two, total=total)


def test_gauss_newton(silent, readout):
    """Zero to first order."""
    compare(silent, readout, lambda y: (y - y.detach()).square().sum() / 2)


def test_one_pose_at_its_label(silent, readout):
    compare(silent, readout, lambda y: (y - y.detach()[1]).square().sum())


def test_hessian_of_a_sharp_max(silent, readout):
    """Poses of weight zero."""
    compare(silent, readout, lambda y: -torch.logsumexp(-500 * y, 0) / 500)


def test_hessian_of_a_curved_loss(silent, readout):
    compare(silent, readout, lambda y: y.exp().sum() + y[0] * y[-1])


def test_forces_in_the_loss(silent, readout):
    """Predictions exactly at their labels, forces not."""
    model, poses = readout.model, silent.complexes((3,) * 4, 15, 2.0)
    poses.pos.requires_grad_()
    parameters = list(model.parameters())

    def loss(y):
        force = torch.autograd.grad(y.sum(), poses.pos, create_graph=True)[0]
        return (y - y.detach()).square().sum() + force.square().sum()

    expected = torch.autograd.grad(
        loss(silent.predictions_of(model(silent.whole(poses)))),
        parameters,
        allow_unused=True,
    )
    try:
        each = readout(poses, return_poses=True)[1]
        got = torch.autograd.grad(loss(each), parameters, allow_unused=True)
    except (ValueError, RuntimeError) as error:
        assert readout.gradient != 'full'
        assert any(
            w in str(error) for w in ("'full'", 'second', 'stream', 'store')
        ), error
        return
    total = sum(e.norm().item() for e in expected if e is not None)
    for one, two in zip(got, expected, strict=True):
        silent.same('forces in the loss', one, two, total=total)


def test_gradient_penalty_of_the_combination(silent, readout):
    """Of what the combination of a Max gives, with poses far apart."""
    model, poses = readout.model, silent.complexes((3,) * 4, 15, 2.0)
    readout.combination = 'max'
    parameters = list(model.parameters())

    def penalty(value):
        grads = torch.autograd.grad(
            value.sum(), parameters, create_graph=True, allow_unused=True
        )
        return sum(g.square().sum() for g in grads if g is not None)

    y = silent.predictions_of(model(silent.whole(poses)))
    expected = torch.autograd.grad(
        penalty(silent.combined(y, poses, True)),
        parameters,
        allow_unused=True,
    )
    try:
        value = readout(poses)
        got = torch.autograd.grad(
            penalty(value), parameters, allow_unused=True
        )
    except (ValueError, RuntimeError) as error:
        assert readout.gradient != 'full'
        assert "'full'" in str(error) or 'second' in str(error), error
        return
    total = sum(e.norm().item() for e in expected if e is not None)
    for one, two in zip(got, expected, strict=True):
        silent.same('a penalty', one, two, limit=1e-8, total=total)


# Forward mode ################################################################


class Model(nn.Module):
    """As forward mode can take, with a receptor that may be shared."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 8)

    def parts(self, x, pos, at, n):
        h = self.lin(x).tanh() * pos.square().sum(1, keepdim=True).tanh()
        return scatter(h, at, 0, n).sum(1)

    def forward(self, b):
        return self.parts(b.x, b.pos, b.batch, b.num_graphs)

    def encode_receptor(self, receptor):
        at = torch.zeros(len(receptor.x), dtype=torch.long)
        return self.parts(receptor.x, receptor.pos, at, 1)

    def forward_poses(self, poses, state):
        size, first = poses.pose_size, int(poses.receptor_size)
        at = torch.arange(len(size)).repeat_interleave(size)
        x, pos = poses.x[first:], poses.pos[first:]
        return self.parts(x, pos, at, len(size)) + state


def forward_mode(compute):
    """What comes out, or None if the error says what to do."""
    try:
        return compute()
    except (ValueError, RuntimeError, NotImplementedError) as error:
        assert re.search('gradient=|readout|Readout', str(error)), error
    return None


WAYS = [(mode, share) for mode in MODES for share in (False, 'auto')]
WAYS.remove(('store', 'auto'))


@pytest.mark.parametrize(('mode', 'share'), WAYS)
@pytest.mark.parametrize('dual', [True, False])
def test_slope_along_parameters(silent, mode, share, dual):
    model, poses = Model(), silent.complexes()
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, share_receptor=share
    )
    along = {n: torch.randn_like(p) for n, p in model.named_parameters()}
    graphs = silent.whole(poses)

    def slope(module, prefix, *args):
        values = {prefix + n: p.detach() for n, p in model.named_parameters()}
        rays = {prefix + n: ray for n, ray in along.items()}
        if not dual:
            return jvp(
                lambda v: functional_call(module, v, args).mean(),
                (values,),
                (rays,),
            )[1]
        with forward_ad.dual_level():
            duals = {
                n: forward_ad.make_dual(p, rays[n]) for n, p in values.items()
            }
            out = functional_call(module, duals, args).mean()
            tangent = forward_ad.unpack_dual(out).tangent
            assert tangent is not None, 'the tangent was dropped'
            return tangent

    expected = slope(model, '', graphs)
    got = forward_mode(lambda: slope(readout, 'model.', poses))
    if got is not None:
        silent.same('the slope', got, expected)


@pytest.mark.parametrize(('mode', 'share'), WAYS)
@pytest.mark.parametrize('grad', [True, False])
def test_slope_along_positions(silent, mode, share, grad):
    """With and without parameters that require grad."""
    model, poses = Model(), silent.complexes()
    model.requires_grad_(grad)
    pos = poses.pos
    ray = torch.randn_like(pos)

    def slope(function):
        with forward_ad.dual_level():
            poses.pos = forward_ad.make_dual(pos, ray)
            try:
                out = forward_ad.unpack_dual(function().mean()).tangent
            finally:
                poses.pos = pos
        assert out is not None, 'the tangent was dropped'
        return out

    expected = slope(lambda: model(silent.whole(poses)))
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, share_receptor=share
    )
    got = forward_mode(lambda: slope(lambda: readout(poses)))
    if got is not None:
        silent.same('the slope', got, expected)


@torch.no_grad()
@pytest.mark.parametrize('share', [False, 'auto', True])
def test_slope_along_positions_without_gradient(silent, share):
    """The receptor that is kept must not lose, or keep, a tangent."""
    model, poses = Model(), silent.complexes()
    readout = MultiPoseReadout(model, 'mean', share_receptor=share)
    pos = poses.pos
    readout(poses)
    for _ in range(2):
        ray = torch.randn_like(pos)
        with forward_ad.dual_level():
            poses.pos = forward_ad.make_dual(pos, ray)
            expected = model(silent.whole(poses)).mean()
            expected = forward_ad.unpack_dual(expected).tangent
            got = forward_mode(lambda: readout(poses).sum())
            if got is not None:
                got = forward_ad.unpack_dual(got).tangent
                assert got is not None, 'the tangent was dropped'
                silent.same('the slope', got, expected)
        poses.pos = pos
