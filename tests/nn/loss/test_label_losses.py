"""Losses of labels, against plain numbers one by one."""

import math
import warnings
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from pyg_multipose.nn.loss import (
    GaussianNLLLoss,
    HuberLoss,
    LabeledPredictions,
    LabelLoss,
    MSELoss,
)

CODES = {'=': 0, '~': 0, '<': -1, '<=': -1, '>': 1, '>=': 1}
number = st.floats(-20, 20).map(lambda x: round(x, 3))
#: Prediction, label (or none), relation, standard deviation, weight.
row = st.tuples(
    number,
    st.one_of(st.none(), number),
    st.sampled_from(list(CODES)),
    st.floats(0.1, 5),
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
rows = st.lists(row, min_size=1, max_size=6)
DELTA = 1.5
LOSSES = {
    'mse': MSELoss,
    'huber': lambda reduction='mean': HuberLoss(DELTA, reduction),
    'gaussian': GaussianNLLLoss,
}
losses = pytest.mark.parametrize('name', LOSSES)
lenient = settings(max_examples=40, deadline=None)


def double(values):
    return torch.tensor(
        [math.nan if value is None else value for value in values],
        dtype=torch.float64,
    )


def columns(of_rows):
    pred, y, relation, scale, weight = zip(*of_rows, strict=True)
    return SimpleNamespace(
        pred=double(pred).requires_grad_(),
        y=double(y),
        relation=list(relation),
        codes=torch.tensor([CODES[sign] for sign in relation]),
        scale=double(scale),
        weight=double(weight),
    )


def call(name, c, reduction='mean', relation='codes', weight=True):
    """The loss of columns; a batch without labels warns."""
    loss = LOSSES[name](reduction=reduction)
    options = {
        'relation': None if relation is None else getattr(c, relation),
        'weight': c.weight if weight else None,
    }
    if name == 'gaussian':
        options['scale'] = c.scale
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        return loss(c.pred, c.y, **options)


def plain(name, of_row):
    """The loss of one label, by numbers."""
    pred, y, relation, scale, _ = of_row
    sign = CODES[relation]
    if name == 'gaussian':
        noise = stats.norm(pred, scale)
        if sign == 0:
            return -noise.logpdf(y)
        return -(noise.logcdf(y) if sign < 0 else noise.logsf(y))
    error = abs(pred - y)
    if (sign < 0 and pred < y) or (sign > 0 and pred > y):
        error = 0.0
    if name == 'mse':
        return error**2
    if error <= DELTA:
        return error**2 / 2
    return DELTA * (error - DELTA / 2)


@losses
@lenient
@given(rows)
def test_against_numbers(name, of_rows):
    c = columns(of_rows)
    known = [one for one in of_rows if one[1] is not None and one[4] > 0]
    total = sum(one[4] * plain(name, one) for one in known)
    weight = sum(one[4] for one in known)
    mean = call(name, c)
    assert mean.item() == pytest.approx(
        total / weight if known else 0, 1e-9, 1e-9
    )
    assert call(name, c, 'sum').item() == pytest.approx(total, 1e-9, 1e-9)
    each = call(name, c, 'none')
    assert each.shape == c.pred.shape
    for one, value in zip(of_rows, each.tolist(), strict=True):
        counts = one[1] is not None and one[4] > 0
        expected = one[4] * plain(name, one) if counts else 0
        assert value == pytest.approx(expected, 1e-9, 1e-9)
    assert call(name, c, relation='relation').equal(mean)


@losses
@lenient
@given(rows, st.lists(st.sampled_from([math.nan, math.inf, -math.inf, 1e308]),
                      min_size=6, max_size=6))  # fmt: skip
def test_missing_labels_do_not_exist(name, of_rows, wild):
    """Whatever is predicted there, and whatever else is said of them."""
    c = columns(of_rows)
    gone = c.y.isnan() | (c.weight == 0)
    wild = double(wild[: len(of_rows)])
    c.pred = torch.where(gone, wild, c.pred.detach()).requires_grad_()
    c.scale = torch.where(gone, wild, c.scale).requires_grad_()
    c.weight = torch.where(c.y.isnan(), wild, c.weight)
    out = call(name, c)
    grad, of_scale = torch.autograd.grad(
        out, (c.pred, c.scale), allow_unused=True
    )
    assert grad[gone].eq(0).all() and out.isfinite()
    assert of_scale is None or of_scale[gone].eq(0).all()
    rest = [one for one, no in zip(of_rows, gone, strict=True) if not no]
    if not rest:
        assert out == 0
        return
    r = columns(rest)
    expected = call(name, r)
    torch.testing.assert_close(out, expected)
    (grad_of_rest,) = torch.autograd.grad(expected, r.pred)
    torch.testing.assert_close(grad[~gone], grad_of_rest)


@losses
@lenient
@given(rows)
def test_relations_turn_over_with_the_scale(name, of_rows):
    """An IC50 above is a pIC50 below: the same loss, seen in the mirror."""
    c = columns(of_rows)
    out = call(name, c)
    c.pred, c.y, c.codes = -c.pred, -c.y, -c.codes
    torch.testing.assert_close(call(name, c), out)


@losses
@lenient
@given(rows, st.randoms(use_true_random=False))
def test_order_and_copies(name, of_rows, random):
    """Weight 3 is three of them, and the order does not matter."""
    of_rows = [(*one[:4], 3.0) for one in of_rows]
    copies = [one for one in of_rows for _ in range(3)]
    random.shuffle(copies)
    torch.testing.assert_close(
        call(name, columns(of_rows)), call(name, columns(copies), weight=False)
    )


@pytest.mark.parametrize('name, reference', [
    ('mse', functional.mse_loss),
    ('huber', lambda *a, **k: functional.huber_loss(*a, delta=DELTA, **k)),
])  # fmt: skip
@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
@pytest.mark.parametrize('shape', [(5,), (5, 3)])
def test_as_torch(name, reference, reduction, shape):
    generator = torch.Generator().manual_seed(0)
    pred, y = 3 * torch.randn(2, *shape, generator=generator)
    out = LOSSES[name](reduction=reduction)(pred, y)
    torch.testing.assert_close(out, reference(pred, y, reduction=reduction))


@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
def test_gaussian_as_torch(reduction):
    generator = torch.Generator().manual_seed(0)
    pred, y, scale = torch.randn(3, 5, 2, generator=generator)
    scale = scale.exp()
    out = GaussianNLLLoss(reduction)(pred, y, scale)
    torch.testing.assert_close(
        out,
        functional.gaussian_nll_loss(
            pred, y, scale**2, full=True, reduction=reduction
        ),
    )
    one = GaussianNLLLoss(reduction)(pred, y, 0.7)
    for scale in (torch.tensor(0.7), torch.full_like(y, 0.7)):
        assert GaussianNLLLoss(reduction)(pred, y, scale).equal(one)


def test_a_small_deviation_is_not_another_one():
    pred, y = torch.zeros(1).double(), torch.full((1,), 2e-5).double()
    out = GaussianNLLLoss()(pred, y, 1e-5).item()
    assert out == pytest.approx(-stats.norm(0, 1e-5).logpdf(2e-5))


def example(shape=(6,), missing=True):
    """Away from where bounds begin to cost; all relations on both sides."""
    pred = torch.tensor([3.0, 5.0, 4.0, 6.0, 4.5, 8.0])
    y = torch.tensor([4.0, 4.0, 5.0, 5.0, 3.0, 5.0])
    codes = torch.tensor([-1, -1, 1, 1, 0, 0])
    pred = torch.stack([pred, pred.flip(0) + 0.3], 1).double()
    y = torch.stack([y, y.flip(0)], 1).double()
    codes = torch.stack([codes, codes.roll(1)], 1)
    if missing:
        y[1, 1] = y[4, 0] = math.nan
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 0.0]).double()
    if len(shape) == 1:
        pred, y, codes = pred[:, 0], y[:, 0], codes[:, 0]
    return SimpleNamespace(
        pred=pred.clone().requires_grad_(),
        y=y.clone(),
        codes=codes.clone(),
        scale=(0.5 + 0.1 * pred).detach().requires_grad_(),
        weight=weight,
    )


@losses
@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
@pytest.mark.parametrize('shape', [(6,), (6, 2)])
def test_gradcheck(name, reduction, shape):
    c = example(shape)
    loss = LOSSES[name](reduction=reduction)

    def function(pred, scale):
        extra = {'scale': scale} if name == 'gaussian' else {}
        return loss(
            pred, c.y, relation=c.codes, weight=c.weight, **extra
        ) + 0 * (scale[~c.y.isnan()].sum())

    assert gradcheck(function, (c.pred, c.scale))
    assert gradgradcheck(function, (c.pred, c.scale))


@losses
def test_features(name):
    """A label of its own for each feature, and one mean over all of them."""
    c = example((6, 2))
    each = call(name, c, 'none')
    for feature in (0, 1):
        one = SimpleNamespace(
            pred=c.pred[:, feature],
            y=c.y[:, feature],
            codes=c.codes[:, feature],
            scale=c.scale[:, feature],
            weight=c.weight,
        )
        assert each[:, feature].equal(call(name, one, 'none'))
    known = ~c.y.isnan()
    mass = (c.weight.unsqueeze(1) * known).sum()
    torch.testing.assert_close(call(name, c), each.sum() / mass)


@losses
@pytest.mark.parametrize('shape', [(3,), (3, 2), (0,), (0, 2)])
@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
def test_no_label_at_all(name, shape, reduction):
    """A number that goes backward, and a warning."""
    pred = torch.full(shape, math.inf, requires_grad=True)
    y = torch.full(shape, math.nan)
    scale = {'scale': y} if name == 'gaussian' else {}
    loss = LOSSES[name](reduction=reduction)
    with pytest.warns(UserWarning, match='None of these predictions has a'):
        out = loss(pred, y, **scale)
    assert out.eq(0).all()
    out.sum().backward()
    assert pred.grad.shape == shape and pred.grad.eq(0).all()


@losses
def test_no_weight_at_all(name):
    c = example()
    loss = LOSSES[name]()
    scale = {'scale': 1.0} if name == 'gaussian' else {}
    with pytest.warns(UserWarning, match='has a label that counts'):
        out = loss(c.pred, c.y, weight=torch.zeros(6), **scale)
    assert out == 0


@losses
def test_a_prediction_that_is_nan_is_not_hidden(name):
    c = example(missing=False)
    c.pred = c.pred.detach().clone()
    c.pred[2] = math.nan
    assert call(name, c).isnan()
    c.codes[2] = -1
    assert call(name, c).isnan()


@losses
@pytest.mark.parametrize(
    'dtype, expected',
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
     (torch.float32, torch.float32), (torch.float64, torch.float64)],
)  # fmt: skip
@pytest.mark.parametrize('y_dtype', [torch.float32, torch.float64])
def test_precision(name, dtype, expected, y_dtype):
    """That of the predictions, but not below float32."""
    c = example()
    c.pred = c.pred.detach().to(dtype).requires_grad_()
    c.y = c.y.to(y_dtype)
    out = call(name, c)
    assert out.dtype == expected
    out.backward()
    assert c.pred.grad.dtype == dtype
    assert out.item() == pytest.approx(call(name, example()).item(), rel=1e-2)


def test_half_precision_does_not_overflow():
    pred = torch.tensor([300.0], dtype=torch.float16)
    out = MSELoss()(pred, torch.zeros(1))
    assert out == 90000


@losses
def test_nothing_is_changed(name):
    c = example()
    before = [t.detach().clone() for t in (c.pred, c.y, c.codes, c.weight)]
    state = torch.random.get_rng_state()
    call(name, c).backward()
    for old, new in zip(before, (c.pred, c.y, c.codes, c.weight), strict=True):
        torch.testing.assert_close(new, old, equal_nan=True)
    assert torch.random.get_rng_state().equal(state)


def test_gradients_of_bounds():
    """Where it is met, a one-sided loss rests, and a likelihood nearly."""
    pred = torch.tensor([3.0, 5.0, 3.0, 5.0], requires_grad=True)
    y = torch.full((4,), 4.0)
    relation = ['<', '<', '>', '>']
    MSELoss('sum')(pred, y, relation).backward()
    assert pred.grad.tolist() == [0, 2, -2, 0]
    pred.grad = None
    GaussianNLLLoss('sum')(pred, y, 1.0, relation).backward()
    met, missed = 0.2876, 1.5251  # phi(1) / Phi(1), phi(1) / Phi(-1)
    assert pred.grad.tolist() == pytest.approx(
        [met, missed, -missed, -met], abs=1e-4
    )


def test_shown():
    assert repr(MSELoss()) == 'MSELoss()'
    assert repr(HuberLoss(2.0, 'sum')) == "HuberLoss(delta=2.0, 'sum')"
    assert repr(GaussianNLLLoss('none')) == "GaussianNLLLoss('none')"


def test_far_from_a_bound():
    """Where an untrained model is: the gradient of a line in float32."""
    pred = torch.tensor([1e4, -1e5], requires_grad=True)
    y = torch.zeros(2)
    GaussianNLLLoss('sum')(pred, y, 1.0, ['<', '>']).backward()
    torch.testing.assert_close(pred.grad, pred.detach())


def test_one_of_your_own_may_divide():
    """By labels that are 0 where there is none."""

    class Relative(LabelLoss):
        def each(self, labels):
            return (labels.residual / labels.y).square()

    pred = torch.tensor([3.0, 5.0], requires_grad=True)
    out = Relative()(pred, torch.tensor([2.0, math.nan]))
    out.backward()
    assert out == 0.25 and pred.grad.tolist() == [0.5, 0]


def test_what_is_missing_is_zero():
    wild = torch.tensor([1.0, math.nan, math.inf])
    labels = LabeledPredictions.of(
        wild, torch.tensor([2.0, math.nan, math.nan])
    )
    assert labels.known.tolist() == [True, False, False]
    assert labels.pred.tolist() == [1, 0, 0]
    assert labels.y.tolist() == [2, 0, 0]
    assert labels.codes is None and labels.weight is None


def test_one_of_your_own():
    class Absolute(LabelLoss):
        def each(self, labels):
            return labels.residual.abs()

    pred, y = torch.tensor([1.0, 5.0, 2.0]), torch.tensor([2.0, 2.0, math.nan])
    assert Absolute()(pred, y) == 2
    assert Absolute()(pred, y, ['=', '>', '=']) == 0.5
    with pytest.raises(NotImplementedError):
        LabelLoss()(pred, y)


def test_compiled():
    """One graph: nothing looks at values there."""
    c = example()
    loss = GaussianNLLLoss()

    def step(pred, scale):
        return loss(pred, c.y, scale, c.codes, c.weight)

    compiled = torch.compile(step, fullgraph=True, backend='aot_eager')
    out, expected = (f(c.pred, c.scale) for f in (compiled, step))
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(
        torch.autograd.grad(out, (c.pred, c.scale)),
        torch.autograd.grad(expected, (c.pred, c.scale)),
    )
