"""What holds for any predictions, groups and chunks."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.nn.combination import (
    BoltzmannMeanCombination,
    FreeEnergyCombination,
    HardMaxCombination,
    LogMeanExpCombination,
    MaxCombination,
    MeanCombination,
    TopKMeanCombination,
)

energies = st.floats(-300.0, 300.0, width=32)
scales = st.sampled_from([1.0, 10.0, 1000.0])
streamed = st.one_of(
    st.builds(MeanCombination),
    st.builds(HardMaxCombination, negate=st.booleans()),
    st.builds(FreeEnergyCombination),
    st.builds(
        MaxCombination,
        scale=scales,
        negate=st.booleans(),
        normalize=st.booleans(),
    ),
)
combinations = st.one_of(
    streamed,
    st.builds(LogMeanExpCombination, scale=scales),
    st.builds(BoltzmannMeanCombination, scale=scales, negate=st.booleans()),
    st.builds(TopKMeanCombination, k=st.just(1), negate=st.booleans()),
)
few = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def group_values(draw):
    """Predictions that are far apart, close together or equal."""
    size = draw(st.integers(1, 6))
    center = draw(energies)
    width = draw(st.sampled_from([0.0, 1e-3, 1.0, 100.0]))
    offsets = draw(
        st.lists(st.floats(-1.0, 1.0), min_size=size, max_size=size)
    )
    return [center + width * offset for offset in offsets]


def _run(combination, groups, dtype=torch.float64):
    x = torch.tensor([y for group in groups for y in group], dtype=dtype)
    index = torch.tensor([i for i, g in enumerate(groups) for _ in g])
    return x, index, _grad(combination, x, index, len(groups))


def _grad(combination, x, index, size):
    x = x.clone().requires_grad_()
    out = combination(x, index, dim_size=size, dim=0)
    # Another upstream gradient for each group.
    weight = torch.arange(1, size + 1, dtype=out.dtype)
    (out * weight).sum().backward()
    return out.detach(), x.grad / weight[index]


@few
@given(
    combinations, st.lists(group_values(), min_size=1, max_size=4), st.data()
)
def test_permutation(combination, groups, data):
    x, index, (out, grad) = _run(combination, groups)
    perm = torch.tensor(data.draw(st.permutations(range(len(x)))))
    again, moved = _grad(combination, x[perm], index[perm], len(groups))
    torch.testing.assert_close(again, out, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(moved, grad[perm], rtol=1e-9, atol=1e-12)


@few
@given(combinations, st.lists(group_values(), min_size=1, max_size=4))
def test_company_does_not_matter(combination, groups):
    _, index, (out, grad) = _run(combination, groups, torch.float32)
    for number, group in enumerate(groups):
        _, _, (alone, weights) = _run(combination, [group], torch.float32)
        torch.testing.assert_close(out[number], alone[0], rtol=1e-6, atol=0)
        torch.testing.assert_close(
            grad[index == number], weights, rtol=1e-6, atol=1e-7
        )


@few
@given(combinations, st.lists(group_values(), min_size=1, max_size=4))
def test_index_and_ptr(combination, groups):
    x, index, (out, _) = _run(combination, groups)
    sizes = torch.tensor([0] + [len(group) for group in groups])
    again = combination(x, ptr=sizes.cumsum(0), dim=0)
    torch.testing.assert_close(again, out, rtol=1e-12, atol=1e-12)


@few
@given(combinations, group_values())
def test_weights_and_bounds(combination, group):
    x, _, (out, grad) = _run(combination, [group], torch.float32)
    mean = isinstance(combination, BoltzmannMeanCombination)
    assert mean or (grad >= 0).all()
    assert abs(grad.sum().item() - 1.0) <= 1e-6
    low, high = x.min().item(), x.max().item()
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    if mean or isinstance(combination, MeanCombination):
        assert low - slack <= out.item() <= high + slack
        return
    if not hasattr(combination, 'scale'):
        assert out.item() == (low if combination.negate else high)
        return
    bias = torch.tensor(float(len(group))).log().item() / combination.scale
    best, sign = (low, -1) if combination.negate else (high, 1)
    beyond = sign * (out.item() - best) + bias * combination.normalize
    assert -slack <= beyond <= bias + slack


@few
@given(
    streamed,
    group_values(),
    st.lists(st.integers(1, 6), min_size=6, max_size=6),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_running_form_in_any_chunks(combination, group, chunks, dtype):
    x, _, (out, grad) = _run(combination, [group], dtype)
    running = combination.running()
    total = torch.zeros(0, dtype=dtype)
    start = 0
    for size in chunks:
        chunk = x[start : start + size]
        start += size
        if len(chunk) == 0:
            break
        rescale, weights = running.update(chunk)
        total = torch.cat([rescale * total, weights])
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(
        running.value(), out[0], rtol=tolerance, atol=tolerance
    )
    torch.testing.assert_close(
        running.normalizer() * total, grad, rtol=0, atol=tolerance
    )
    torch.testing.assert_close(running.mass, total.sum())
