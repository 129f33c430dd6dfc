"""What a difference between the two ways is called."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.model.twin import perturb
from pyg_multipose.gradient.receptors import agreement
from pyg_multipose.gradient.receptors.agreement import _off, disagreement

NAN = float('nan')


class Net(nn.Module):
    """A receptor is a number that poses add to."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 4)
        self.out = nn.Linear(4, 1)
        self.spare = nn.Parameter(torch.ones(1))
        self.register_buffer('calls', torch.zeros(()))

    def atoms(self, pos):
        return self.out(self.lin(pos).tanh()).squeeze(1)

    def forward(self, b):
        each = self.atoms(b.pos)
        return self.whole(scatter(each, b.batch, 0, b.num_graphs))

    def encode_receptor(self, receptor):
        return self.atoms(receptor.pos).sum()

    def forward_poses(self, poses, state):
        size, first = poses.pose_size, int(poses.receptor_size)
        at = torch.arange(len(size)).repeat_interleave(size)
        each = self.atoms(poses.pos[first:])
        return self.shared(scatter(each, at, 0, len(size)) + state)

    def whole(self, out):
        return out

    def shared(self, out):
        return out


class Differs(Net):
    def shared(self, out):
        return out * (1 + 1e-6)


class DiffersAlone(Net):
    """As a model that looks at the longest edge: together a pose has it."""

    def shared(self, out):
        return out * (1 + 1e-6) if len(out) == 1 else out


class NoGradient(Net):
    def shared(self, out):
        return out.detach()


class HalfOfGradient(Net):
    def shared(self, out):
        return out / 2 + out.detach() / 2


class OtherPose(Net):
    """The gradient of another pose, of the same sum."""

    def shared(self, out):
        return out.detach() + (out - out.detach()).flip(0)


class Spare(Net):
    """A gradient where there should be none, and the other way round."""

    def shared(self, out):
        return out + self.spare * 0 + (self.spare - self.spare.detach())


class LacksSpare(Net):
    def whole(self, out):
        return out + (self.spare - self.spare.detach())


class Draws(Net):
    def whole(self, out):
        torch.rand(1)
        return out


class SharingDraws(Net):
    def shared(self, out):
        torch.rand(1)
        return out


class Counts(Net):
    def whole(self, out):
        self.calls += 1
        return out


class SharingCounts(Net):
    def shared(self, out):
        self.calls += 1
        return out


class CountsMany(Net):
    def whole(self, out):
        if len(out) > 1:
            self.calls += 1
        return out


class CountsInAttribute(Net):
    number = 0

    def shared(self, out):
        self.number = self.number + 1
        return out


class Mixes(Net):
    """Where there are many, with a shared receptor and without."""

    def whole(self, out):
        return out if len(out) < 3 else out + out.mean() * 1e-3

    shared = whole


class MixesInBatch(Net):
    def whole(self, out):
        return out if len(out) == 1 else out + out.mean() * 1e-3


class Shape(Net):
    def shared(self, out):
        return out.unsqueeze(1).repeat(1, 2)


class Infinite(Net):
    def whole(self, out):
        return out / 0

    shared = whole


class InfiniteFarAway(Net):
    """Not finite where parameters are turned, or perturbed."""

    def whole(self, out):
        return out if self.spare.item() == 1 else out / 0

    shared = whole


class Fails(Net):
    def whole(self, out):
        raise KeyError('of a model')


class SharingFails(Net):
    def shared(self, out):
        raise KeyError('of sharing')


class Double(Net):
    """What it makes inside is in float32."""

    def whole(self, out):
        return out.float() * 1.1

    shared = whole


REASONS = {
    Net: '',
    InfiniteFarAway: '',
    DiffersAlone: 'predictions differ by 1.0e-06',
    Differs: 'predictions differ by 1.0e-06',
    NoGradient: "the gradient of input 'pos' differs",
    HalfOfGradient: "the gradient of input 'pos' differs by 5.0e-01",
    OtherPose: "the gradient of input 'pos' differs",
    Spare: "the gradient of parameter 'spare' differs by 1.0e+00",
    LacksSpare: "the gradient of parameter 'spare' differs by 1.0e+00",
    Draws: 'the model draws random numbers',
    SharingDraws: 'the model draws random numbers',
    Counts: "the model changes its buffer 'calls'",
    SharingCounts: "the model changes its buffer 'calls'",
    CountsMany: "the model changes its buffer 'calls'",
    CountsInAttribute: "the model changes attribute 'number'",
    MixesInBatch: 'predictions differ by',
    Mixes: 'the model mixes the poses of a chunk (by ',
    Shape: 'predictions have shapes [2] and [2, 2]',
    Infinite: 'predictions are not finite',
    Fails: "in float64, whole complexes raised KeyError: 'of a model'",
    SharingFails: "in float64, sharing raised KeyError: 'of sharing'",
}


def values():
    generator = torch.Generator().manual_seed(0)

    def atoms(count):
        return Data(pos=torch.randn(count, 3, generator=generator))

    poses = PoseSet.from_complex(atoms(4), [atoms(2) for _ in range(3)])
    layout = Layout(poses)
    levels = layout.levels.items()
    tables = {k: poses[k] for k, level in levels if level != 'set'}
    return {
        **layout.select(tables, [0, 1, 2], 0),
        'levels': str(layout.levels),
    }


@pytest.mark.parametrize('kind', REASONS)
def test_reason(kind):
    torch.manual_seed(0)
    model = kind()
    found = disagreement(model, values(), 1, first=2)
    assert found.startswith(REASONS[kind]) if REASONS[kind] else not found
    assert model.calls == 0 and not hasattr(model, '_seen')
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize('where', ['turned', 'open'])
def test_far_away(where):
    """Predictions only; and nothing is said where these are not finite."""
    assert not disagreement(Infinite(), values(), 1, [where], 2)
    assert not disagreement(HalfOfGradient(), values(), 1, [where], 2)
    assert 'predictions differ' in disagreement(
        Differs(), values(), 1, [where]
    )


def test_every_place_is_near_the_model(monkeypatch):
    """Not near the place that was looked at before."""
    torch.manual_seed(0)
    model, starts = Net(), []

    def spy(copied, generator, where):
        starts.append((where, [p.clone() for p in copied.parameters()]))
        perturb(copied, generator, where)

    monkeypatch.setattr(agreement, 'perturb', spy)
    places = ['near', 'turned', 'open', 'near']
    assert not disagreement(model, values(), 1, places, 2)
    assert [where for where, _ in starts] == places
    for _, start in starts:
        for one, other in zip(start, model.parameters(), strict=True):
            assert torch.equal(one, other.double())


def test_off():
    one = torch.tensor([1.0, 2.0])
    zero = torch.zeros(2)
    assert _off(None, None, 0.0) == 0
    assert _off(one, one.clone(), 0.0) == 0
    assert _off(one, None, 0.0) == _off(None, one, 0.0) == 1
    assert _off(zero, None, 0.0) == _off(None, zero, 0.0) == 0
    assert _off(one, one[:1], 0.0) == 1
    nan = torch.tensor([1.0, NAN])
    for odd in (nan, torch.tensor([1.0, torch.inf])):
        assert _off(odd, odd.clone(), 0.0) == 0
        assert _off(odd, one, 0.0) > 1 and _off(one, odd, 0.0) > 1
    far = torch.tensor([2.0, torch.inf])  # beside what is infinite
    assert _off(far, torch.tensor([1.0, torch.inf]), 0.0) == 0.5
    assert _off(zero, zero + 1e-11, 1.0) == 0
    assert _off(zero, zero + 1e-9, 1.0) == 1
    assert _off(torch.arange(2), torch.arange(2), 0.0) == 0
    assert _off(torch.arange(2), torch.arange(2) + 1, 0.0) == 1
