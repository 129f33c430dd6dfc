import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient import Counts, Gate, negligible
from pyg_multipose.gradient.modes.gate import epsilon


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


@pytest.mark.parametrize('features', [1, 3])
@pytest.mark.parametrize('tolerance', [1e-7, 1e-3, 0.2])
def test_bound_holds(tolerance, features):
    """Equation eq-mass-bound of the documentation, set by set."""
    sizes, generator = [40, 1, 25], torch.Generator().manual_seed(0)
    count, double = sum(sizes), torch.float64
    derivative = torch.randn(
        count, features, 20, generator=generator, dtype=double
    )
    c = torch.randn(count, features, generator=generator, dtype=double)
    # Over many decades, pose by pose: the same poses are small in all
    # features. The last set is weak.
    c *= 10 ** (-12 * torch.rand(count, 1, generator=generator, dtype=double))
    c[41:] *= 1e-6
    drop = negligible(c, layout(sizes), tolerance)
    for mask, of_set, rows in zip(
        drop.split(sizes), c.split(sizes), derivative.split(sizes), strict=True
    ):
        assert not mask.all()
        assert len(mask) == 1 or mask.any()
        lost = torch.einsum('pf,pfk->k', of_set[mask], rows[mask]).norm()
        steepest = rows[mask].norm(dim=2).amax(0) if mask.any() else 0.0
        assert lost <= tolerance * (of_set.abs().sum(0) * steepest).sum()


def test_bound_is_attained():
    """No smaller constant would do."""
    c = torch.tensor([0.75, 0.25])
    assert negligible(c, layout([2]), 0.25).tolist() == [False, True]
    assert not negligible(c, layout([2]), 0.249).any()


def test_no_bound_relative_to_the_gradient():
    """Two kept poses that cancel, a dropped one that does not: all is lost."""
    derivative = torch.tensor([[1.0], [1.0], [1.0]])
    c = torch.tensor([1.0, -1.0, 1e-4])
    drop = negligible(c, layout([3]), 1e-3)
    assert drop.tolist() == [False, False, True]
    kept = c.masked_fill(drop, 0) @ derivative
    assert (kept - c @ derivative).norm() / (c @ derivative).norm() == 1.0


def test_no_bound_by_the_derivatives_of_kept_poses():
    """A dropped pose may be as steep as it likes."""
    for steep in (1.0, 1e4, 1e8):
        derivative = torch.tensor([[1.0], [steep]], dtype=torch.float64)
        c = torch.tensor([1.0, 1e-6], dtype=torch.float64)
        drop = negligible(c, layout([2]), 1e-5)
        assert drop.tolist() == [False, True]
        lost = (c[drop] @ derivative[drop]).norm()
        assert lost == pytest.approx(1e-6 * steep)
        # Only by its own norm: past any multiple of what is kept.
        assert lost <= 1e-5 * c.abs().sum() * steep


def test_gate_orders_pieces_and_skips_what_does_not_matter():
    first = torch.tensor([1.0, 3.0], requires_grad=True)
    second = torch.tensor([2.0], requires_grad=True)
    where, poses = layout([3]), [np.array([0, 2]), np.array([1])]
    out = Gate.apply(where, 1e-6, None, Counts(), poses, first, second)
    assert out.tolist() == [1.0, 2.0, 3.0]
    out.backward(torch.tensor([1.0, 1e-9, 2.0]))
    assert first.grad.tolist() == [1.0, 2.0]
    assert second.grad is None  # nothing to do for its graph
    again = Gate.apply(where, 1e-6, None, Counts(), poses, first, second)
    again.backward(torch.zeros(3))
    assert second.grad.tolist() == [0.0]  # zeros as in plain autograd


def test_gate_differentiates_twice():
    leaf = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    where, poses = layout([3]), [np.arange(3)]

    def gradient(values):
        return torch.autograd.grad(
            values.pow(3).sum(), leaf, create_graph=True
        )[0]

    got = gradient(Gate.apply(where, 1e-6, None, Counts(), poses, leaf * 1))
    expected = gradient(leaf * 1)
    assert torch.equal(got, expected)
    (second,) = torch.autograd.grad(got.sum(), leaf)
    assert second.tolist() == [6.0, 12.0, 18.0]


def test_zeros_beside_what_is_not_finite_are_dropped():
    for bad in (float('nan'), float('inf')):
        c = torch.tensor([0.0, bad, 1.0, 0.0])
        drop = negligible(c, layout([4]), 1e-6)
        assert drop[[0, 3]].all() and not drop[1]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_combined_in_float32(dtype):
    assert epsilon(dtype) == torch.finfo(torch.float32).eps
    assert epsilon(torch.float64) == torch.finfo(torch.float64).eps
    c = torch.tensor([1.0, 1e-5], dtype=dtype)
    assert not negligible(c, layout([2])).any()


def test_pieces_in_any_order():
    first = torch.tensor([3.0, 1.0], requires_grad=True)
    second = torch.tensor([4.0, 2.0], requires_grad=True)
    poses = [np.array([2, 0]), np.array([3, 1])]
    counts = Counts()
    out = Gate.apply(layout([4]), 0.0, None, counts, poses, first, second)
    assert out.tolist() == [1.0, 2.0, 3.0, 4.0]
    out.backward(torch.tensor([10.0, 20.0, 30.0, 0.0]))
    assert first.grad.tolist() == [30.0, 10.0]
    assert second.grad.tolist() == [0.0, 20.0]
    assert counts.mattered == 3


def test_pieces_that_were_not_drawn():
    first = torch.tensor([1.0], requires_grad=True)
    second = torch.tensor([2.0], requires_grad=True)
    poses, draws = [np.array([0]), np.array([1])], torch.zeros(1, 1).double()
    counts = Counts()
    out = Gate.apply(layout([2]), 0.0, draws, counts, poses, first, second)
    out.backward(torch.tensor([1.0, 3.0]))
    assert first.grad.tolist() == [4.0] and second.grad is None
    assert counts.mattered == 2
