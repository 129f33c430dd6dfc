import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient import Counts, Gate, negligible


def layout(sizes):
    pose = Data(x=torch.zeros(1, 1))
    sets = [PoseSet.from_poses([pose] * size) for size in sizes]
    return Layout(Batch.from_data_list(sets))


def by_hand(weights, sizes, tolerance):
    """The mass rule, set by set, with Python floats."""
    drop, start = [], 0
    for size in sizes:
        of_set = [abs(w) for w in weights[start : start + size]]
        start += size
        total, mass, out = sum(of_set), 0.0, [False] * size
        for index in np.argsort(of_set, kind='stable'):
            mass += of_set[index]
            out[index] = mass <= tolerance * total
        drop += out
    return drop


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.sampled_from([0.0, 1e-7, 1e-3, 0.2, 0.9]),
    st.data(),
)
def test_mass_rule(sizes, tolerance, data):
    numbers = st.integers(-6, 6).map(lambda e: 10.0**e) | st.sampled_from(
        [0.0, -1.0, -1e-8]
    )
    count = sum(sizes)
    weights = data.draw(st.lists(numbers, min_size=count, max_size=count))
    drop = negligible(torch.tensor(weights), layout(sizes), tolerance)
    kept = (~drop).tolist()
    # Never more than the tolerance, set by set, and never the largest.
    start = 0
    for size in sizes:
        mass = [abs(w) for w in weights[start : start + size]]
        lost = sum(
            m
            for m, k in zip(mass, kept[start : start + size], strict=True)
            if not k
        )
        assert lost <= tolerance * sum(mass) * (1 + 1e-6)
        if any(mass):
            assert any(kept[start : start + size])
        start += size
    exact = negligible(
        torch.tensor(weights, dtype=torch.float64), layout(sizes), tolerance
    )
    expected = by_hand(weights, sizes, tolerance)
    # Sums in another order may differ in the last digit.
    differ = sum(a != b for a, b in zip(exact.tolist(), expected, strict=True))
    assert differ <= 1


def test_zero_tolerance_drops_zeros_only():
    drop = negligible(
        torch.tensor([0.0, 1e-30, 1.0, 0.0]), layout([3, 1]), 0.0
    )
    assert drop.tolist() == [True, False, False, True]


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
def test_nonfinite_is_never_dropped(bad):
    drop = negligible(
        torch.tensor([1.0, bad, 1.0, 1e-12]), layout([2, 2]), 1e-6
    )
    assert drop.tolist()[1] is False
    assert drop.tolist()[2:] == [False, True]  # the other set as always


def test_weak_set_is_not_lost_beside_a_strong_one():
    drop = negligible(
        torch.tensor([1e10, 1e10, 1e-10, 1e-10]), layout([2, 2]), 1e-6
    )
    assert not drop.any()


def test_features_count_by_their_norm():
    c = torch.tensor([[3.0, 4.0], [0.0, 1e-9], [0.0, 0.0]])
    assert negligible(c, layout([3]), 1e-6).tolist() == [False, True, True]


def test_bound_holds_and_no_stronger_one():
    """The error is within the bound; relative to the gradient it is not."""
    tolerance = 1e-3
    generator = torch.Generator().manual_seed(0)
    jacobian = torch.randn(50, 20, generator=generator, dtype=torch.float64)
    c = torch.rand(50, generator=generator, dtype=torch.float64) ** 20
    drop = negligible(c, layout([50]), tolerance)
    assert 0 < drop.sum() < 50
    error = (c[drop] @ jacobian[drop]).norm()
    steepest = jacobian[drop].norm(dim=1).max()
    assert error <= tolerance * c.sum() * steepest
    # Two kept poses that cancel, a dropped one that does not: all is lost.
    jacobian = torch.tensor([[1.0], [1.0], [1.0]])
    c = torch.tensor([1.0, -1.0, 1e-4])
    drop = negligible(c, layout([3]), tolerance)
    assert drop.tolist() == [False, False, True]
    kept = c.masked_fill(drop, 0) @ jacobian
    assert (kept - c @ jacobian).norm() / (c @ jacobian).norm() == 1.0


def test_gate_orders_pieces_and_skips_what_does_not_matter():
    first = torch.tensor([1.0, 3.0], requires_grad=True)
    second = torch.tensor([2.0], requires_grad=True)
    where, poses = layout([3]), [np.array([0, 2]), np.array([1])]
    out = Gate.apply(where, 1e-6, Counts(), poses, first, second)
    assert out.tolist() == [1.0, 2.0, 3.0]
    out.backward(torch.tensor([1.0, 1e-9, 2.0]))
    assert first.grad.tolist() == [1.0, 2.0]
    assert second.grad is None  # nothing to do for its graph
    again = Gate.apply(where, 1e-6, Counts(), poses, first, second)
    again.backward(torch.zeros(3))
    assert second.grad.tolist() == [0.0]  # zeros as in plain autograd


def test_gate_differentiates_twice():
    leaf = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    where, poses = layout([3]), [np.arange(3)]

    def gradient(values):
        return torch.autograd.grad(
            values.pow(3).sum(), leaf, create_graph=True
        )[0]

    got = gradient(Gate.apply(where, 1e-6, Counts(), poses, leaf * 1))
    expected = gradient(leaf * 1)
    assert torch.equal(got, expected)
    (second,) = torch.autograd.grad(got.sum(), leaf)
    assert second.tolist() == [6.0, 12.0, 18.0]
