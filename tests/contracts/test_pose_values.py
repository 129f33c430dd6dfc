"""Numbers of poses that a combination asks for, in every mode."""

from __future__ import annotations

import math

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.nn import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    LogMeanExpCombination,
    MaxCombination,
    TopKMeanCombination,
    TwoLevelCombination,
)

MODES = ['full', 'store', 'stream', 'recompute', 'auto']
COMBINATIONS = {
    'free energy': lambda: FreeEnergyCombination(prior='weight'),
    'max': lambda: MaxCombination(10.0, negate=False, prior='weight'),
    'normalized': lambda: LogMeanExpCombination(prior='weight'),
    'mean': lambda: BoltzmannMeanCombination(prior='weight'),
    'conformers': lambda: TwoLevelCombination(
        'free_energy', 'boltzmann_mean', key='receptor_number'
    ),
    'both': lambda: TwoLevelCombination(
        FreeEnergyCombination(prior='weight'), 'mean', key='receptor_number'
    ),
}
STREAMS = ['free energy', 'max', 'normalized']
SIZES = (4, 3, 5, 4), (6,), (2, 3)
LEAVES_OUT = [[0.4, -math.inf, -1.0, 0.3], [2.0], [-math.inf, 0.1]]


def make_batch(kit, weights=None, receptor=True):
    """Sets whose poses have weights and belong to conformers."""
    sets = []
    for number, sizes in enumerate(SIZES):
        one = kit.make_set(sizes, receptor, number, f'cpd-{number}')
        weight = torch.linspace(-1.0, 0.5, len(sizes)).cos().double()
        if weights is not None:
            weight = torch.tensor(weights[number], dtype=torch.float64)
        one.put('weight', weight, 'pose')
        conformers = torch.tensor([1, 0, 1, 0][: len(sizes)])
        one.put('receptor_number', conformers, 'pose')
        sets.append(one)
    return Batch.from_data_list(sets)


def expected_of(kit, combination, model, batch):
    values = {key: batch[key] for key in combination.pose_keys}
    return combination(
        kit.plain(model, batch).unsqueeze(1),
        index=kit.pose_index(batch),
        dim_size=batch.num_graphs,
        pose_values=values,
    ).squeeze(1)


@pytest.mark.parametrize('weights', [None, LEAVES_OUT])
@pytest.mark.parametrize('name', COMBINATIONS)
@pytest.mark.parametrize('mode', MODES)
def test_parity(kit, mode, name, weights):
    batch = make_batch(kit, weights)
    model = kit.make_model('tiny').module
    combination = COMBINATIONS[name]()
    if name == 'both' and weights is not None:
        return  # a conformer without weights, see below
    if mode == 'stream' and name not in STREAMS:
        with pytest.raises(ValueError, match='running form'):
            kit.MultiPoseReadout(model, combination, gradient=mode)
        return
    tensors = list(model.parameters())
    expected = expected_of(kit, combination, model, batch)
    slopes = kit.gradients(expected.square().sum(), tensors)
    for max_nodes in (1, 30, None):
        readout = kit.MultiPoseReadout(
            model, combination, mode, max_nodes_per_chunk=max_nodes
        )
        got, poses_weights = readout(batch, return_weights=True)
        grads = kit.gradients(got.square().sum(), tensors)
        assert kit.relative_error([got], [expected], mode) <= 1e-10
        assert kit.relative_error(grads, slopes, mode) <= 1e-10
        if weights is not None and name != 'conformers':
            assert poses_weights[[1, 5]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize('mode', ['stream', 'recompute'])
def test_any_order_and_company(kit, mode):
    model = kit.make_model('tiny').module
    tensors = list(model.parameters())
    batch = make_batch(kit)
    one = batch.get_example(0)
    results = []
    for case in (batch, one, one.select([2, 0, 3, 1])):
        readout = kit.MultiPoseReadout(
            model, COMBINATIONS['max'](), mode, max_nodes_per_chunk=25
        )
        if mode == 'stream':
            readout.best_first = 'weight'
        out = readout(case)[:1]
        results.append([out, *kit.gradients(out.sum(), tensors)])
    for other in results[1:]:
        assert kit.relative_error(other, results[0]) <= 1e-10


def test_no_backward_pass_for_what_is_left_out(kit):
    model = kit.make_model('tiny').module
    batch = make_batch(kit, LEAVES_OUT)
    for mode in ('stream', 'recompute'):
        readout = kit.MultiPoseReadout(
            model, COMBINATIONS['free energy'](), mode, max_nodes_per_chunk=1
        )
        readout(batch).sum().backward()
        assert readout.last_plan.counts.backward == 5


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_gradient_of_the_weights(kit, mode):
    """Where they come from a module upstream."""
    batch, model = make_batch(kit), kit.make_model('tiny').module
    raw = batch.weight
    upstream = torch.nn.Linear(1, 1).double()
    tensors = [*model.parameters(), *upstream.parameters()]
    for name in ('max', 'normalized', 'mean', 'both'):
        combination = COMBINATIONS[name]()

        def run(predict):
            batch.weight = upstream(raw.unsqueeze(1)).squeeze(1)
            return kit.gradients(predict().square().sum(), tensors)

        expected = run(
            lambda combination=combination: expected_of(
                kit, combination, model, batch
            )
        )
        readout = kit.MultiPoseReadout(
            model, combination, mode, max_nodes_per_chunk=20
        )
        got = run(lambda readout=readout: readout(batch))
        assert kit.relative_error(got, expected, mode) <= 1e-10


BAD = [
    (
        [[0.0, math.nan, 0.0, 0.0], [0.0], [0.0, 0.0]],
        "'weight' of set 'cpd-0', pose 1 is nan",
    ),
    (
        [[0.0] * 4, [math.inf], [0.0, 0.0]],
        "'weight' of set 'cpd-1', pose 0 is inf",
    ),
    (
        [[0.0] * 4, [0.0], [-math.inf, -math.inf]],
        "'weight' is -inf for all poses of set 'cpd-2'",
    ),
]


@pytest.mark.parametrize(('weights', 'message'), BAD)
@pytest.mark.parametrize('mode', ['full', 'stream', 'auto'])
def test_bad_weights(kit, mode, weights, message):
    model = kit.make_model('tiny').module
    readout = kit.MultiPoseReadout(model, COMBINATIONS['max'](), mode)
    with pytest.raises(ValueError, match=message):
        readout(make_batch(kit, weights))
    with pytest.raises(ValueError, match=message), torch.no_grad():
        readout(make_batch(kit, weights))


def test_bad_weights_within_conformers(kit):
    model = kit.make_model('tiny').module
    readout = kit.MultiPoseReadout(model, COMBINATIONS['both']())
    weights = [[0.0, -math.inf, 0.0, -math.inf], [0.0], [0.0, 0.0]]
    with pytest.raises(
        ValueError, match="of set 'cpd-0', receptor_number 0, which leaves"
    ):
        readout(make_batch(kit, weights))


def test_missing_key(kit):
    batch = kit.make_batch()
    readout = kit.MultiPoseReadout(
        kit.make_model('tiny').module, MaxCombination(prior='strain')
    )
    with pytest.raises(
        ValueError, match=r"key 'strain' \(got none\); the keys"
    ):
        readout(batch)
    # Neither will one on another level do.
    readout.combination = MaxCombination(prior='z')
    with pytest.raises(ValueError, match="under the key 'z'.*PoseSet.put"):
        readout(batch)


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute'])
def test_poses_that_are_masked(kit, mode):
    """Weights of poses that are left out for their prediction go too."""

    class Breaks(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, batch):
            bad = batch.weight > 1.0
            return self.model(batch).squeeze(1).masked_fill(bad, math.nan)

    model = Breaks(kit.make_model('tiny').module)
    tensors = list(model.parameters())
    weights = [[0.4, 1.5, -1.0, 0.3], [0.0], [-0.2, 0.1]]
    batch = make_batch(kit, weights)
    readout = kit.MultiPoseReadout(
        model, COMBINATIONS['max'](), mode, nonfinite='mask'
    )
    with pytest.warns(UserWarning, match='Left out 1 poses'):
        got = readout(batch)
    sets = batch.to_data_list()
    sets[0] = sets[0].select([0, 2, 3])
    kept = Batch.from_data_list(sets)
    expected = expected_of(kit, COMBINATIONS['max'](), model, kept)
    pairs = [
        kit.gradients(one.square().sum(), tensors) for one in (got, expected)
    ]
    assert kit.relative_error([got], [expected]) <= 1e-10
    assert kit.relative_error(*pairs) <= 1e-10
    weights[2] = [1.5, -math.inf]
    with (
        pytest.warns(UserWarning, match='Left out 2 poses'),
        pytest.raises(ValueError, match="'weight' is -inf .* set 'cpd-2'"),
    ):
        readout(make_batch(kit, weights))


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
@pytest.mark.parametrize('cls', [MaxCombination, BoltzmannMeanCombination])
def test_learned_scale(kit, mode, cls):
    batch = make_batch(kit)
    model = kit.make_model('tiny').module
    combination = cls(scale=3.0, learn=True, prior='weight').double()
    tensors = [*model.parameters(), *combination.parameters()]
    expected = expected_of(kit, combination, model, batch)
    slopes = kit.gradients(expected.square().sum(), tensors)
    readout = kit.MultiPoseReadout(
        model, combination, mode, max_nodes_per_chunk=20
    )
    got, _ = readout(batch, return_weights=True)
    grads = kit.gradients(got.square().sum(), tensors)
    assert kit.relative_error([got], [expected], mode) <= 1e-10
    assert kit.relative_error(grads, slopes, mode) <= 1e-10


def test_learned_scale_is_not_streamed(kit):
    model = kit.make_model('tiny').module
    with pytest.raises(ValueError, match=r'no dy/dt\)\. Use gradient='):
        kit.MultiPoseReadout(model, MaxCombination(learn=True), 'stream')
    readout = kit.MultiPoseReadout(model, MaxCombination(learn=True))
    assert readout.plan(make_batch(kit)).mode != 'stream'


def test_too_few_poses_for_the_mean_of_the_best(kit):
    readout = kit.MultiPoseReadout(
        kit.make_model('tiny').module, TopKMeanCombination(2)
    )
    with pytest.raises(ValueError, match='but group 1 has 1 .in a readout'):
        readout(kit.make_batch())
    out = readout(kit.make_batch(sizes=((4, 3, 5), (2, 3))))
    assert out.shape == (2,)
