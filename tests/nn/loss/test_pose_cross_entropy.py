"""Which pose is right: against plain numbers, set by set."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from pyg_multipose.nn import MaxCombination
from pyg_multipose.nn.loss import PoseCrossEntropyLoss, soft_pose_labels

#: Energies and distances of the poses of a set, and whether it has a label.
pose_sets = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.floats(-40, 40), st.floats(0, 12)),
            min_size=1,
            max_size=5,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)
lenient = settings(max_examples=40, deadline=None)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def columns(sets):
    energy = double([pose[0] for poses, _ in sets for pose in poses])
    rmsd = [
        pose[1] if known else math.nan
        for poses, known in sets
        for pose in poses
    ]
    size = torch.tensor([len(poses) for poses, _ in sets])
    return energy.requires_grad_(), double(rmsd), size


def plain(energies, shares, scale, negate):
    """The cross-entropy of one set by dense torch."""
    logits = scale * (-energies if negate else energies)
    return functional.cross_entropy(logits, shares)


@lenient
@given(pose_sets, st.sampled_from([0.5, 1.0, 30.0]), st.booleans())
def test_soft_labels(sets, scale, negate):
    energy, rmsd, size = columns(sets)
    share = soft_pose_labels(rmsd, size, 1.5)
    loss = PoseCrossEntropyLoss(scale, negate, 'none')
    expected = []
    for e, d, (_, known) in zip(
        energy.split(size.tolist()), rmsd.split(size.tolist()), sets,
        strict=True,
    ):  # fmt: skip
        soft = torch.softmax(-d / 1.5, 0)
        expected.append(plain(e, soft, scale, negate) if known else e[0] * 0)
    expected = torch.stack(expected)
    if not any(known for _, known in sets):
        with pytest.warns(UserWarning, match='has a label'):
            assert loss(energy, share, size).eq(0).all()
        return
    out = loss(energy, share, size)
    torch.testing.assert_close(out, expected)
    (grad,) = torch.autograd.grad(out.sum(), energy)
    (by_torch,) = torch.autograd.grad(expected.sum(), energy)
    torch.testing.assert_close(grad, by_torch)
    mean = PoseCrossEntropyLoss(scale, negate)(energy, share, size)
    known = torch.tensor([known for _, known in sets])
    torch.testing.assert_close(mean, expected[known].mean())


@lenient
@given(pose_sets, st.data())
def test_three_ways_to_say_it(sets, data):
    energy, _, size = columns(sets)
    right = [
        data.draw(st.integers(0, len(poses) - 1)) if known else -1
        for poses, known in sets
    ]
    right[0] = 0
    index = torch.tensor(right)
    mask = torch.cat(
        [torch.arange(n) == i for n, i in zip(size, index, strict=True)]
    )
    loss = PoseCrossEntropyLoss(0.7)
    out = loss(energy, index, size)
    (grad,) = torch.autograd.grad(out, energy)
    known = (index >= 0).repeat_interleave(size)
    share = mask.double().masked_fill(~known, math.nan)
    for target in (mask, share, index.int()):
        if target.dtype == torch.int32:
            torch.testing.assert_close(loss(energy, target, size), out)
        again = loss(energy, target, size)
        torch.testing.assert_close(again, out)
        torch.testing.assert_close(torch.autograd.grad(again, energy)[0], grad)
    each = [
        functional.cross_entropy(-0.7 * e, i)
        for e, i in zip(energy.split(size.tolist()), index, strict=True)
        if i >= 0
    ]
    torch.testing.assert_close(out, torch.stack(each).mean())


ENERGY = [-9.0, -8.0, -7.0, -5.0, -6.0, -4.0]
SIZE = torch.tensor([3, 2, 1])


@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
@pytest.mark.parametrize('negate', [True, False])
def test_gradcheck(reduction, negate):
    loss = PoseCrossEntropyLoss(0.8, negate, reduction)
    energy = double(ENERGY).requires_grad_()
    share = double([0.2, 0.5, 0.3, math.nan, math.nan, 1.0])
    weight = double([2.0, 1.0, 0.5])

    def function(pred):
        return loss(pred, share, SIZE, weight)

    assert gradcheck(function, energy) and gradgradcheck(function, energy)


def test_gradient():
    """n t (p - q): what the page says."""
    energy = double(ENERGY).requires_grad_()
    share = double([0.2, 0.5, 0.3, 1.0, 0.0, 1.0])
    PoseCrossEntropyLoss(0.8, reduction='sum')(energy, share, SIZE).backward()
    p = torch.cat([torch.softmax(-0.8 * e, 0) for e in
                   energy.detach().split([3, 2, 1])])  # fmt: skip
    torch.testing.assert_close(energy.grad, -0.8 * (p - share))


@pytest.mark.parametrize('scale, negate', [(1.0, True), (3.0, False)])
def test_weights_of_the_combination(scale, negate):
    """p is how much a pose counts in the smooth extremum."""
    energy = double(ENERGY).requires_grad_()
    index = torch.arange(3).repeat_interleave(SIZE)
    combined = MaxCombination(scale, negate)(energy, index, dim_size=3, dim=0)
    (p,) = torch.autograd.grad(combined.sum(), energy)
    loss = PoseCrossEntropyLoss(scale, negate, 'none')
    out = loss(energy, torch.tensor([1, 0, 0]), SIZE)
    torch.testing.assert_close(out, -p[[1, 3, 5]].log())


def test_weights_of_sets():
    energy, index = double(ENERGY), torch.tensor([1, 0, 0])
    loss = PoseCrossEntropyLoss(reduction='none')(energy, index, SIZE)
    weight = double([1.0, 3.0, 0.0])
    out = PoseCrossEntropyLoss()(energy, index, SIZE, weight)
    torch.testing.assert_close(out, (loss[0] + 3 * loss[1]) / 4)
    index[2] = -1
    weight[2] = math.nan  # of a set that has no label
    assert PoseCrossEntropyLoss()(energy, index, SIZE, weight).equal(out)


@pytest.mark.parametrize('wild', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('kind', ['index', 'mask', 'share'])
def test_a_set_without_label_does_not_exist(wild, kind):
    energy = double([*ENERGY[:3], wild, wild, -4.0]).requires_grad_()
    target = {
        'index': torch.tensor([1, -1, 0]),
        'mask': torch.tensor([0, 1, 0, 0, 0, 1]).bool(),
        'share': double([0, 1, 0, math.nan, math.nan, 1]),
    }[kind]
    out = PoseCrossEntropyLoss()(energy, target, SIZE)
    expected = PoseCrossEntropyLoss()(
        double(ENERGY), torch.tensor([1, -1, 0]), SIZE
    )
    assert out.isfinite() and out.equal(expected)
    (grad,) = torch.autograd.grad(out, energy)
    assert grad.isfinite().all() and grad[3:5].eq(0).all()


@pytest.mark.parametrize('negate', [True, False])
def test_a_pose_that_is_out(negate):
    """Of infinite energy: neither a value nor a gradient comes from it."""
    sign = 1 if negate else -1
    energy = double([-9.0, math.inf, -7.0]).mul(sign).requires_grad_()
    loss = PoseCrossEntropyLoss(1.0, negate)
    size = torch.tensor([3])
    out = loss(energy, torch.tensor([2]), size)
    rest = loss(double([-9.0, -7.0]) * sign, torch.tensor([1]), size - 1)
    torch.testing.assert_close(out, rest)
    (grad,) = torch.autograd.grad(out, energy)
    assert grad.isfinite().all() and grad[1] == 0
    assert loss(energy, torch.tensor([1]), size) == math.inf
    energy = energy.detach().clone()
    energy[1] = math.nan  # is not hidden
    assert loss(energy, torch.tensor([2]), size).isnan()


def test_one_pose():
    energy = torch.tensor([3.0], requires_grad=True)
    out = PoseCrossEntropyLoss()(energy, torch.tensor([0]), torch.tensor([1]))
    out.backward()
    assert out == 0 and energy.grad == 0


def test_large_energies():
    """Differences count, not values; scale comes after the best is off."""
    energy = torch.tensor([-3000.0, -2999.0])
    out = PoseCrossEntropyLoss(100.0)(
        energy, torch.tensor([1]), torch.tensor([2])
    )
    assert out.item() == pytest.approx(100)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_precision(dtype):
    energy = torch.tensor([-9.0, -8.0], dtype=dtype, requires_grad=True)
    out = PoseCrossEntropyLoss()(energy, torch.tensor([0]), torch.tensor([2]))
    assert out.dtype == torch.float32
    assert out.item() == pytest.approx(math.log1p(math.exp(-1)), rel=1e-6)
    assert soft_pose_labels(-energy, torch.tensor([2])).dtype == torch.float32


def test_no_label_at_all():
    energy = torch.zeros(3, requires_grad=True)
    size = torch.tensor([2, 1])
    with pytest.warns(UserWarning, match='None of these predictions has a'):
        out = PoseCrossEntropyLoss()(energy, torch.tensor([-1, -1]), size)
    out.backward()
    assert out == 0 and energy.grad.eq(0).all()


def test_soft_labels_of_the_reference_itself():
    """RMSD 0 is no pole; far poses count nothing, near ones are equal."""
    share = soft_pose_labels(
        double([0.0, 0.0, 1e4, 2.0, 4.0]), torch.tensor([3, 2]), 2.0
    )
    e = math.exp(-1)
    assert share.tolist() == pytest.approx(
        [0.5, 0.5, 0, 1 / (1 + e), e / (1 + e)]
    )


def test_soft_labels_far_from_any():
    share = soft_pose_labels(torch.tensor([1e5, 1e5 + 1]), torch.tensor([2]))
    assert share.tolist() == pytest.approx([0.7311, 0.2689], abs=1e-2)
    assert share.sum().item() == pytest.approx(1)


TARGETS = {
    'index too large': (torch.tensor([3, 0, 0]), r'has 3 at \[0\], expected'),
    'index of another set': (torch.tensor([0, 2, 0]), r'has 2 at \[1\]'),
    'index below -1': (torch.tensor([-2, 0, 0]), r'has -2 at \[0\].*-1 if'),
    'too few': (torch.tensor([0, 0]), r'\[2\], expected \[3\].*each set'),
    'mask as integers': (
        torch.tensor([1, 0, 0, 1, 0, 1]), r'shape \[6\].*booleans',
    ),
    'mask of sets': (
        torch.tensor([True, True, True]), r'\[3\], expected \[6\].*each pose',
    ),
    'two are right': (
        torch.tensor([1, 1, 0, 1, 0, 1]).bool(), r'has 2 at \[0\].*at most',
    ),
    'a column': (torch.zeros(6, 1), r'shape \[6, 1\], expected \[6\]'),
    'sum is not one': (
        torch.tensor([0.5, 0, 0, 1, 0, 1]), r'has 0.5 at \[0\].*sum to one',
    ),
    'no label as zeros': (
        torch.tensor([1.0, 0, 0, 0, 0, 1]), r'has 0.0 at \[1\].*sum to one',
    ),
    'negative': (
        torch.tensor([1.5, -0.5, 0, 1, 0, 1]), r'has -0.5 at \[1\]',
    ),
    'infinite': (
        torch.tensor([math.inf, 0, 0, 1, 0, 1]), 'has inf at',
    ),
    'partly missing': (
        torch.tensor([1, 0, math.nan, 1, 0, 1]), r'has nan at \[2\].*whole',
    ),
    'complex': (torch.zeros(6) * 1j, 'complex64, expected'),
    'a list': ([0, 0, 0], "'target' is list"),
    'none': (None, "'target' is NoneType"),
    'elsewhere': (torch.zeros(3, device='meta').long(), 'on meta'),
}  # fmt: skip


@pytest.mark.parametrize('case', TARGETS)
def test_bad_targets(case):
    target, message = TARGETS[case]
    with pytest.raises(ValueError, match=message):
        PoseCrossEntropyLoss()(torch.tensor(ENERGY), target, SIZE)


SIZES = {
    'a list': ([3, 2, 1], "'set_size' is list"),
    'floats': (torch.tensor([3.0, 2, 1]), 'torch.float32 of shape'),
    'a number': (torch.tensor(6), r'shape \[\]'),
    'an empty set': (torch.tensor([3, 0, 3]), r'has 0 at \[1\]'),
    'too few poses': (torch.tensor([3, 2]), 'counts 5 poses in 2 sets.*has 6'),
    'the set of each pose': (
        torch.tensor([0, 0, 0, 1, 1, 2]),
        r'has 0 at \[0\], expected at least',
    ),
}


@pytest.mark.parametrize('case', SIZES)
def test_bad_sizes(case):
    size, message = SIZES[case]
    with pytest.raises(ValueError, match=message):
        PoseCrossEntropyLoss()(
            torch.tensor(ENERGY), torch.tensor([0, 0, 0]), size
        )
    with pytest.raises(ValueError, match=message):
        soft_pose_labels(torch.tensor(ENERGY).abs(), size)


@pytest.mark.parametrize(
    'pred, message',
    [
        (torch.zeros(6, 1), r"'pred' has shape \[6, 1\], expected \[S\]"),
        (torch.zeros(6).long(), "'pred' is a tensor of torch.int64"),
        ([0.0] * 6, "'pred' is list"),
    ],
)
def test_bad_predictions(pred, message):
    with pytest.raises(ValueError, match=message):
        PoseCrossEntropyLoss()(pred, torch.tensor([0, 0, 0]), SIZE)


@pytest.mark.parametrize(
    'weight, message',
    [
        (torch.ones(6), r'\[6\], expected \[3\], a weight for each set'),
        (torch.tensor([1.0, -1, 1]), r"'weight' has -1.0 at \[1\]"),
        (torch.tensor([math.nan, 1, 1]), "'weight' has nan"),
        ([1.0, 1.0, 1.0], "'weight' is list"),
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        PoseCrossEntropyLoss()(
            torch.tensor(ENERGY), torch.tensor([0, 0, 0]), SIZE, weight
        )


@pytest.mark.parametrize(
    'rmsd, message',
    [
        (torch.tensor([1.0, -0.1, 1]), r"'rmsd' has -0.1.* at \[1\]"),
        (torch.tensor([1.0, math.inf, 1]), "'rmsd' has inf"),
        (torch.tensor([1.0, math.nan, 1]), r"'rmsd' has nan at \[1\].*whole"),
        (torch.tensor([1, 2, 3]), 'torch.int64'),
        (torch.ones(3, 1), r'shape \[3, 1\]'),
    ],
)
def test_bad_distances(rmsd, message):
    with pytest.raises(ValueError, match=message):
        soft_pose_labels(rmsd, torch.tensor([2, 1]))


@pytest.mark.parametrize('scale', [0.0, -1, math.nan, math.inf, True, None])
def test_bad_scales(scale):
    with pytest.raises(ValueError, match="'scale' is .*, expected a positive"):
        PoseCrossEntropyLoss(scale)
    with pytest.raises(ValueError, match='positive, finite number of Angstr'):
        soft_pose_labels(torch.ones(1), torch.tensor([1]), scale)


def test_shown():
    assert repr(PoseCrossEntropyLoss(2.0, False, 'sum')) == (
        "PoseCrossEntropyLoss(scale=2.0, negate=False, reduction='sum')"
    )
