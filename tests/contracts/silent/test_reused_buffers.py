"""Kind 8: a prediction stays what it was when it was made."""

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout
from tests.contracts.silent.models import TwoParts

MODES = ['full', 'store', 'stream', 'recompute', 'auto']


class Reused(nn.Module):
    """Without gradient, predictions are views of a buffer."""

    def __init__(self):
        super().__init__()
        self.lin, self.buffer = nn.Linear(4, 1), torch.zeros(100)
        self.array, self.last = np.zeros(100), None

    def compute(self, b):
        return scatter(self.lin(b.x), b.batch, 0, b.num_graphs).squeeze(1)

    def forward(self, b):
        y = self.compute(b)
        return y if torch.is_grad_enabled() else self.kept(y)

    def kept(self, y):
        return self.buffer[: len(y)].copy_(y)


class Registered(Reused):
    def __init__(self):
        super().__init__()
        del self.buffer
        self.register_buffer('buffer', torch.zeros(100))


class Column(Reused):
    def kept(self, y):
        return super().kept(y).unsqueeze(1)


class FromNumpy(Reused):
    def kept(self, y):
        self.array[: len(y)] = y.numpy()
        return torch.from_numpy(self.array)[: len(y)]


class Detached(Reused):
    """The storage is the same, but no view of the other."""

    def kept(self, y):
        return super().kept(y).detach().view_as(y)


class Cleared(Reused):
    """The last output is cleared by the next call."""

    def forward(self, b):
        y = self.compute(b)
        if self.last is not None and not self.last.requires_grad:
            self.last.zero_()
        self.last = y
        return y


class Grown(Reused):
    """All calls into one buffer, which the next ones scale."""

    def kept(self, y):
        self.buffer.mul_(2)
        return super().kept(y)


class InGrad(Reused):
    """With gradient too: values in a buffer, gradients by a function."""

    def forward(self, b):
        return Written.apply(self.compute(b), self.buffer)


class Written(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, buffer):
        return buffer[: len(y)].copy_(y).detach()

    @staticmethod
    def backward(ctx, grad):
        return grad, None


KINDS = [
    *(Reused, Registered, Column, FromNumpy, Detached, Cleared, Grown),
    InGrad,
]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('mode', MODES)
def test_output_in_a_buffer(silent, kind, mode):
    model, poses = kind(), silent.complexes()
    reference = Reused()
    reference.load_state_dict(model.state_dict(), strict=False)
    expected = reference.compute(silent.whole(poses)).detach()
    for grad in (False, True):
        for chunk in (1, 80) if grad else (1,):
            readout = MultiPoseReadout(
                model, 'mean', gradient=mode, max_nodes_per_chunk=chunk
            )
            with torch.set_grad_enabled(grad):
                value = readout(poses)
                silent.same('value', value.detach(), expected.mean()[None])
                if mode == 'stream' and grad:
                    continue
                each = readout(poses, return_poses=True)[1]
            silent.same('predictions', each.detach(), expected)


@pytest.mark.parametrize('kind', KINDS)
def test_outputs_of_two_calls(silent, kind):
    """What the user holds does not change by the next call."""
    model = kind()
    readout = MultiPoseReadout(model, 'mean')
    with torch.no_grad():
        first = readout(silent.complexes(), return_poses=True)[1]
        before = first.clone()
        readout(silent.complexes(seed=1), return_poses=True)
    silent.same('predictions', first, before)


class State(TwoParts):
    """The receptor is encoded into a buffer."""

    def __init__(self):
        super().__init__()
        self.buffer = torch.zeros(1)

    def encode_receptor(self, receptor):
        state = super().encode_receptor(receptor).reshape(1)
        return self.kept(state) if not state.requires_grad else state

    def kept(self, state):
        return self.buffer.copy_(state)


class StateOfParts(State):
    def kept(self, state):
        return {'a': (super().kept(state)[:],), 'b': 3}

    def forward_poses(self, poses, state):
        if isinstance(state, dict):
            state = state['a'][0]
        return super().forward_poses(poses, state)


class StateInNumpy(State):
    def __init__(self):
        super().__init__()
        self.array = np.zeros(1)

    def kept(self, state):
        self.array[:] = state.numpy()
        return torch.from_numpy(self.array)


class StateInGrad(State):
    """With gradient too."""

    def kept(self, state):
        return Written.apply(state, self.buffer)

    def encode_receptor(self, receptor):
        return self.kept(TwoParts.encode_receptor(self, receptor)[None])


class StateOverwritten(State):
    """Poses write into the state that they are given."""

    def forward_poses(self, poses, state):
        out = super().forward_poses(poses, state)
        if not state.requires_grad:
            state.add_(1)
        return out


STATES = [State, StateOfParts, StateInNumpy, StateInGrad, StateOverwritten]


def batch_of(silent):
    """Two receptors, one of them in two sets."""
    sets = [silent.complexes(), silent.complexes(seed=1)]
    return Batch.from_data_list([*sets, silent.complexes((2, 5))])


@pytest.mark.parametrize('kind', STATES)
@pytest.mark.parametrize(
    ('mode', 'share'),
    [
        ('full', 'auto'),
        ('stream', True),
        ('recompute', True),
        ('auto', 'auto'),
    ],
)
def test_state_in_a_buffer(silent, kind, mode, share):
    model, batch = kind(), batch_of(silent)
    readout = MultiPoseReadout(
        model,
        'mean',
        gradient=mode,
        share_receptor=share,
        max_nodes_per_chunk=40,
    )
    words = 'share_receptor=True|state' if share is True else None
    for _ in range(2):
        silent.agrees(readout, batch, words)


@torch.no_grad()
@pytest.mark.parametrize('kind', STATES)
@pytest.mark.parametrize('share', [True, 'auto'])
def test_state_in_a_buffer_without_gradient(silent, kind, share):
    model = kind()
    batches = batch_of(silent), silent.complexes(seed=2)
    readout = MultiPoseReadout(model, 'mean', share_receptor=share)
    words = 'share_receptor=True|state' if share is True else None
    for batch in (*batches, *batches, batches[0]):
        silent.agrees(readout, batch, words)
