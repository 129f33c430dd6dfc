"""Ensembles and dropout through one interface."""

import doctest
import importlib

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GATConv

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from pyg_multipose.uncertainty import DeepEnsemble, MCDropout, spread
from tests.moved_sets import CUTOFF, make_batch, make_sets


class Model(torch.nn.Module):
    def __init__(self, seed, p=0.0, num_features=1):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = torch.nn.Linear(3, 16).double()
            self.last = torch.nn.Linear(16, num_features).double()
        self.norm = torch.nn.BatchNorm1d(16).double()
        self.early, self.late = torch.nn.Dropout(p), torch.nn.Dropout(p)

    def forward(self, batch):
        out = self.early(self.norm(self.first(batch.x)).tanh())
        return self.last(self.late(out))


def batch_of(sizes=(3, 1, 4)):
    generator = torch.Generator().manual_seed(0)
    sets = []
    for number, size in enumerate(sizes):
        x = torch.randn(size, 1, 3, generator=generator).double()
        poses = [Data(x=row) for row in x]
        sets.append(PoseSet.from_poses(poses, name=f'set-{number}'))
    return Batch.from_data_list(sets)


@pytest.mark.parametrize('combination', ['mean', 'free_energy', 'max'])
def test_law_of_total_variance(combination):
    readouts = [MultiPoseReadout(Model(s), combination) for s in range(4)]
    batch = batch_of()
    out = DeepEnsemble(readouts)(batch)
    for number in range(3):
        # Draw a member, then a pose: all outcomes and their probabilities.
        values, chances = [], []
        for readout in readouts:
            readout.eval()
            y, poses, weights = readout(batch[number], True, True)
            off = poses - (weights * poses).sum()
            values += [y + off]
            chances += [weights / 4]
        value, chance = torch.cat(values).detach(), torch.cat(chances)
        mean = (chance * value).sum()
        variance = (chance * (value - mean).square()).sum()
        torch.testing.assert_close(out.mean[number], mean)
        torch.testing.assert_close(out.variance[number], variance)
        torch.testing.assert_close(out.std[number], variance.sqrt())
    assert (out.epistemic > 0).all()
    assert out.conformational[1].abs() < 1e-12  # one pose
    assert 'members, 3 sets' in repr(out)


def test_weights_that_are_no_distribution():
    readouts = [MultiPoseReadout(Model(s), 'SumAggregation') for s in (0, 1)]
    out = DeepEnsemble(readouts)(batch_of())
    assert out.epistemic.isfinite().all()
    # A single pose has the weight 1, whatever the combination.
    assert out.conformational.isnan().tolist() == [True, False, True]
    assert out.variance.isnan().tolist() == [True, False, True]


def test_masked_poses_and_several_features():
    index = torch.zeros(3, dtype=torch.long)
    poses = torch.tensor([1.0, torch.nan, 3.0])
    weights = torch.tensor([0.5, 0.0, 0.5])
    assert spread(poses, weights, index, 1).tolist() == [1.0]
    readouts = [
        MultiPoseReadout(Model(s, num_features=2), 'free_energy')
        for s in (0, 1)
    ]
    out = DeepEnsemble(readouts)(batch_of())
    assert out.mean.shape == out.conformational.shape == (3, 2)
    one, two = (r.eval()(batch_of()).detach() for r in readouts)
    torch.testing.assert_close(out.epistemic, (one - two).square() / 4)


@pytest.mark.parametrize('where', ['all', 'last'])
def test_dropout_leaves_everything_as_it_was(where):
    readout = MultiPoseReadout(Model(0, 0.3), 'free_energy')
    model, batch = readout.model.train(), batch_of()
    model.early.eval()
    flags = [m.training for m in readout.modules()]
    buffers = {k: v.clone() for k, v in readout.state_dict().items()}
    state = torch.get_rng_state()
    dropout = MCDropout(readout, num_members=5, where=where, seed=3)
    out = dropout(batch)
    assert torch.equal(state, torch.get_rng_state())
    assert flags == [m.training for m in readout.modules()]
    for key, value in readout.state_dict().items():
        assert torch.equal(value, buffers[key])
    assert (out.epistemic > 0).all() and not out.mean.requires_grad
    torch.rand(7)
    assert torch.equal(out.members, dropout(batch).members)
    other = MCDropout(readout, num_members=5, where=where, seed=4)(batch)
    assert torch.equal(out.members[1:], other.members[:-1])
    assert not torch.equal(out.members, other.members)


def test_the_last_dropout_alone():
    readout = MultiPoseReadout(Model(0, 0.5), 'mean')
    readout.model.last.weight.data.zero_()  # hides nothing of the late mask
    out = MCDropout(readout, 4, where='last')(batch_of())
    assert out.epistemic.abs().max() < 1e-30
    readout = MultiPoseReadout(Model(0, 0.5), 'mean')
    model = readout.model
    noisy = {}
    for where in ('all', 'last'):
        seen = noisy[where] = []
        hook = model.early.register_forward_hook(
            lambda module, args, out, seen=seen: seen.append(
                bool((out == 0).any())
            )
        )
        MCDropout(readout, 4, where=where)(batch_of())
        hook.remove()
    assert any(noisy['all']) and not any(noisy['last'])


def test_dropout_within_layers():
    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = GATConv(3, 1, dropout=0.5).double()

        def forward(self, batch):
            edge = torch.arange(batch.num_nodes).expand(2, -1)
            return self.conv(batch.x, edge)

    out = MCDropout(MultiPoseReadout(Attention(), 'mean'), 8)(batch_of())
    assert (out.epistemic > 0).any()


def test_what_cannot_be_done():
    readout = MultiPoseReadout(Model(0, 0.0), 'mean')
    with pytest.raises(ValueError, match='at least 2 readouts .got 1'):
        DeepEnsemble([readout])
    with pytest.raises(ValueError, match='MultiPoseReadout.*got a Model'):
        DeepEnsemble([readout, Model(0)])
    with pytest.raises(ValueError, match='no module with dropout'):
        MCDropout(readout)
    readout = MultiPoseReadout(Model(0, 0.1), 'mean')
    with pytest.raises(ValueError, match="'num_members' .*got 1"):
        MCDropout(readout, 1)
    with pytest.raises(ValueError, match="'where' .*got 'first'"):
        MCDropout(readout, where='first')
    wide = MultiPoseReadout(Model(0, num_features=2), 'mean')
    with pytest.raises(ValueError, match=r'Member 1 .*\[3, 2\].*\[3\]'):
        DeepEnsemble([readout, wide])(batch_of())

    class Fails(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dropout = torch.nn.Dropout(0.5)

        def forward(self, batch):
            raise ArithmeticError

    readout = MultiPoseReadout(Fails(), 'mean').train()
    state = torch.get_rng_state()
    with pytest.raises(ArithmeticError):
        MCDropout(readout)(batch_of())
    assert all(m.training for m in readout.modules())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    'name', ['members', 'variance', 'intervals', 'coverage']
)
def test_examples(name):
    module = importlib.import_module(f'pyg_multipose.uncertainty.{name}')
    failed, tried = doctest.testmod(module)
    assert tried and not failed


def test_atoms_that_have_moved():
    """As of the same complexes, each with a receptor of its own."""
    readouts = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = SchNet(6, 6, 2, 5, CUTOFF).double()
        readouts.append(MultiPoseReadout(model, 'free_energy'))
    whole = [PoseSet.from_poses(one.complexes) for one in make_sets()]
    ensemble = DeepEnsemble(readouts)
    out, expected = (
        ensemble(make_batch()),
        ensemble(Batch.from_data_list(whole)),
    )
    torch.testing.assert_close(out.members, expected.members)
    torch.testing.assert_close(out.within, expected.within)
