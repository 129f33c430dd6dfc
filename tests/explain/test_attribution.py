"""Weights, entropy and what one pose changes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.explain import (
    Attribution,
    explain,
    leave_one_out,
    measures,
    weight_entropy,
)
from pyg_multipose.nn import MaxCombination, MeanCombination, MultiPoseReadout

COMBINATIONS = {
    'mean': True,
    'max': True,
    'free_energy': True,
    'MeanAggregation': True,
    'MaxAggregation': True,
    'MinAggregation': True,
    'MedianAggregation': True,
    'SumAggregation': False,
    'StdAggregation': False,
}


@pytest.mark.parametrize('combination', COMBINATIONS)
@pytest.mark.parametrize('receptor', [True, False])
def test_leaving_out_is_what_a_smaller_set_predicts(
    make, combination, receptor
):
    readout = MultiPoseReadout(make.Model(), combination)
    batch = make.batch(receptor=receptor)
    explained = explain(readout, batch)
    for number, of_set in enumerate(explained):
        pose_set = batch[number]
        whole = readout(pose_set)
        torch.testing.assert_close(of_set.prediction, whole.detach())
        for pose in range(pose_set.num_poses):
            others = [k for k in range(pose_set.num_poses) if k != pose]
            if not others:
                assert of_set.change.isnan().all()
                continue
            less = readout(pose_set.select(others))
            torch.testing.assert_close(
                of_set.change[pose : pose + 1],
                (less - whole).detach(),
                atol=1e-12,
                rtol=1e-10,
            )


@pytest.mark.parametrize('combination', COMBINATIONS)
def test_where_weights_are_a_distribution(make, combination):
    batch = make.batch((3, 4))
    explained = explain(MultiPoseReadout(make.Model(), combination), batch)
    assert (
        bool(explained.entropy.isfinite().all()) is COMBINATIONS[combination]
    )
    if combination in ('mean', 'MeanAggregation'):
        torch.testing.assert_close(
            explained.num_effective, torch.tensor([3.0, 4.0]).double()
        )
    if combination in ('MaxAggregation', 'MinAggregation'):
        assert explained.num_effective.tolist() == [1.0, 1.0]


def test_negative_weights_have_no_entropy():
    # The Boltzmann mean: d y / d y_i = w_i (1 + t (y_i - y)).
    index = torch.zeros(2, dtype=torch.long)
    weights = torch.tensor([1.25, -0.25])
    assert weight_entropy(weights, index, 1).isnan().all()
    assert weight_entropy(torch.tensor([0.5, 0.4]), index, 1).isnan().all()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=9),
    st.sampled_from([0.01, 1.0, 1000.0]),
    st.integers(1, 30),
)
def test_any_set(values, scale, rows):
    y = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    combination = MaxCombination(scale, normalize=True)
    together = combination(y.unsqueeze(1))
    (weights,) = torch.autograd.grad(together.sum(), y)
    index = torch.zeros(len(values), dtype=torch.long)
    entropy = float(weight_entropy(weights, index, 1))
    assert -1e-9 <= entropy <= math.log(len(values)) + 1e-9
    before, measures.ROWS = measures.ROWS, rows
    try:  # in blocks of any size
        change = leave_one_out(combination, y.detach()[:, None], [len(values)])
    finally:
        measures.ROWS = before
    for pose in range(len(values)):
        others = torch.cat([y[:pose], y[pose + 1 :]]).unsqueeze(1)
        expected = combination(others) - together
        torch.testing.assert_close(change[pose], expected[0].detach())


def test_the_model_runs_once(make):
    model = make.Model().train()
    readout = MultiPoseReadout(model, 'max', max_nodes_per_chunk=1)
    batch = make.batch()
    with torch.no_grad():
        readout(batch)
        model.calls = 0
        readout(batch)
    once, model.calls = model.calls, 0
    state = torch.get_rng_state()
    explain(readout, batch)
    assert model.calls == once == 9
    assert model.training and readout.training
    assert torch.equal(state, torch.get_rng_state())
    model.calls = 0
    explain(readout, batch, atoms='pos')
    assert model.calls <= 2 * once  # one backward pass evaluates again


def test_masked_poses_change_nothing():
    values = torch.tensor([1.0, math.nan, 3.0])
    poses = [Data(x=v.view(1, 1)) for v in values]
    alone = [Data(x=torch.full((1, 1), v)) for v in (math.nan, 2.0)]
    batch = Batch.from_data_list(
        [PoseSet.from_poses(poses), PoseSet.from_poses(alone)]
    )

    class Features(torch.nn.Module):
        def forward(self, batch):
            return batch.x.flatten()

    readout = MultiPoseReadout(Features(), 'mean', nonfinite='mask')
    with pytest.warns(UserWarning):
        explained = explain(readout, batch)
    assert explained.weight.tolist() == [0.5, 0, 0.5, 0, 1]
    assert explained.change[:4].tolist() == [1, 0, -1, 0]
    assert explained.change[4].isnan()
    assert explained.rank.tolist() == [1, 3, 1, 2, 1]
    row = explained.to_table()[1]
    assert row['pose_prediction'] is None and row['change'] == 0


def test_several_features(make):
    readout = MultiPoseReadout(make.Model(2), 'free_energy')
    batch = make.batch()
    with pytest.raises(ValueError, match='one of the 2 predictions.*None'):
        explain(readout, batch)
    with pytest.raises(ValueError, match='one of the 2 predictions.*2'):
        explain(readout, batch, feature=2)
    explained = explain(readout, batch, feature=1, atoms='pos')
    prediction, poses, weights = readout(batch, True, True)
    assert torch.equal(explained.weight, weights[:, 1])
    assert torch.equal(explained.prediction, prediction[:, 1].detach())
    less = readout(batch[2].select([1, 2, 3, 4])) - prediction[2:]
    torch.testing.assert_close(
        explained[2].change[0], less[0, 1].detach(), atol=1e-12, rtol=0
    )
    explained.check(batch, readout)


def test_sets_and_parts(make):
    readout = MultiPoseReadout(make.Model(), 'free_energy')
    sets = [make.set(n, f'set-{n}', n) for n in (2, 4, 3)]
    together = explain(readout, Batch.from_data_list(sets), atoms='pos')
    joined = explain(readout, iter(sets), atoms='pos')
    assert joined.names == ('set-2', 'set-4', 'set-3')
    for one, other in ((together, joined), (together[1], joined['set-4'])):
        for name in ('weight', 'change', 'entropy', 'set_size', 'place'):
            torch.testing.assert_close(
                getattr(one, name), getattr(other, name)
            )
        for name in ('gradient', 'contribution', 'pose', 'set_index'):
            torch.testing.assert_close(
                getattr(one.atoms, name), getattr(other.atoms, name)
            )
    of_set = explain(readout, sets[1], atoms='pos')
    assert torch.equal(of_set.atoms.pose, joined[1].atoms.pose)
    torch.testing.assert_close(of_set.change, joined[-2].change)
    assert len(list(joined)) == len(joined) == 3
    assert 'sets, 9 poses' in repr(joined)
    with pytest.raises(IndexError, match='Set 3 was not explained.*are 3'):
        joined[3]
    with pytest.raises(LookupError, match="0 sets named 'X'.*'set-4'"):
        joined['X']
    twice = Attribution.join([joined, joined])
    with pytest.raises(LookupError, match="2 sets named 'set-3'"):
        twice['set-3']
    with pytest.raises(ValueError, match='cannot be joined'):
        Attribution.join([joined, explain(readout, sets[0])])
    with pytest.raises(ValueError, match='no attributions'):
        Attribution.join([])
    with pytest.raises(ValueError, match='no pose sets'):
        explain(readout, [])
    with pytest.raises(ValueError, match='MultiPoseReadout got a Data'):
        explain(readout, [Data()])


def test_outputs_of_one_call(make):
    readout = MultiPoseReadout(make.Model(), 'max')
    batch, other = make.batch(), make.batch((2, 2, 5))
    out = readout(batch, True, True)
    explained = Attribution.from_outputs(readout.combination, batch, *out)
    assert torch.equal(explained.weight, explain(readout, batch).weight)
    last = make.batch((3, 1))
    with pytest.raises(ValueError, match='has 2 sets; is it of another'):
        Attribution.from_outputs(readout.combination, last, *out)
    with pytest.raises(ValueError, match=r"'set-0' combine to .* one call"):
        Attribution.from_outputs(readout.combination, other, *out)
    with torch.no_grad():
        readout.model.weight += 1
    stale = readout(batch, True, True)
    with pytest.raises(ValueError, match=r"'set-0' combine to .* one call"):
        Attribution.from_outputs(
            readout.combination, batch, out[0], *stale[1:]
        )
    with pytest.raises(ValueError, match='as many features'):
        Attribution.from_outputs(
            readout.combination, batch, out[0], out[1], out[2][:, None]
        )
    with pytest.raises(ValueError, match='got a Data'):
        Attribution.from_outputs(readout.combination, Data(), *out)


def test_stale_or_of_another_batch(make):
    readout = MultiPoseReadout(make.Model(), 'mean')
    batch = make.batch()
    explained = explain(readout, batch)
    explained.check(batch, readout)
    with pytest.raises(ValueError, match="'set-0', 'set-1', .*got a batch"):
        explained.check(batch[0])
    with pytest.raises(ValueError, match="'set-0' was .* 3 poses and has 2"):
        explained.check(make.batch((2, 1, 6)))
    swapped = batch.to_data_list()
    swapped[2] = swapped[2].select([0, 2, 1, 3, 4])
    with pytest.raises(ValueError, match="set 'set-2', pose 1 is not where"):
        explained.check(Batch.from_data_list(swapped))
    with torch.no_grad():
        readout.model.weight[0] += 1e-3
    explained.check(batch)
    with pytest.raises(ValueError, match='no longer predicts'):
        explained.check(batch, readout)


def test_ranks_and_ties(make):
    explained = explain(MultiPoseReadout(make.Model(), 'mean'), make.batch())
    assert explained.rank.tolist() == [1] * 9
    sharp = explain(MultiPoseReadout(make.Model(), 'max'), make.batch())
    for of_set in sharp:
        best = of_set.pose_prediction.argmin()
        assert of_set.rank[best] == 1 and of_set.weight[best] > 0.5


def test_leave_one_out_of_a_constant():
    poses = torch.full((4, 1), 7.0)
    change = leave_one_out(MeanCombination(), poses, [4])
    assert change.abs().max() == 0
