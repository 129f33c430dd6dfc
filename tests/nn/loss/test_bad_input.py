"""What losses of labels refuse, and what they say."""

import math

import pytest
import torch

from pyg_multipose.nn.loss import GaussianNLLLoss, HuberLoss, MSELoss

LOSSES = {'mse': MSELoss, 'huber': HuberLoss, 'gaussian': GaussianNLLLoss}
BAD = {
    'pred is a list': ({'pred': [1.0, 2.0]}, "'pred' is list, expected"),
    'pred is a number': ({'pred': torch.zeros(())}, r"'pred' has shape \[\]"),
    'pred has three dimensions': (
        {'pred': torch.zeros(2, 1, 1)}, r'shape \[2, 1, 1\], expected \[S\]',
    ),
    'pred is whole': ({'pred': torch.tensor([1, 2])}, 'of torch.int64'),
    'y is whole': ({'y': torch.tensor([1, 2])}, "'y' is a tensor of .*int64"),
    'y is boolean': ({'y': torch.tensor([True, False])}, 'of torch.bool'),
    'y is complex': ({'y': torch.tensor([1j, 2j])}, 'of torch.complex'),
    'y is a list': ({'y': [1.0, 2.0]}, "'y' is list"),
    'y is a column': (
        {'y': torch.zeros(2, 1)},
        r"'y' has shape \[2, 1\], but 'pred' has \[2\].*y.view_as\(pred\)",
    ),
    'pred is a column': (
        {'pred': torch.zeros(2, 1)}, r"\[2\], but 'pred' has \[2, 1\]",
    ),
    'y is a row': ({'y': torch.zeros(1, 2)}, r"'y' has shape \[1, 2\]"),
    'y is one': ({'y': torch.zeros(1)}, r"\[1\], but 'pred' has \[2\]"),
    'y is a number': ({'y': torch.tensor(1.0)}, r"\[\], but 'pred' has"),
    'y is too long': ({'y': torch.zeros(3)}, r"\[3\], but 'pred' has \[2\]"),
    'y is infinite': (
        {'y': torch.tensor([1.0, math.inf])},
        r"'y' has inf at \[1\].*NaN where there is none.*relation",
    ),
    'y is elsewhere': (
        {'y': torch.zeros(2, device='meta')}, r'on meta.*y.to\(pred.device\)',
    ),
    'unknown relation': (
        {'relation': ['=', '=>']}, r"'=>' at 1, expected one of \['='",
    ),
    'relation is None': ({'relation': ['=', None]}, 'None at 1, expected'),
    'relation is a text': ({'relation': '<'}, "'relation' is '<', expected a"),
    'relation is a number': ({'relation': 1}, "'relation' is 1, expected a"),
    'too few relations': ({'relation': ['<']}, r"'relation' has shape \[1\]"),
    'unknown code': (
        {'relation': torch.tensor([0, 2])}, r"'relation' has 2 at \[1\]",
    ),
    'unknown code below': (
        {'relation': torch.tensor([-(2**63), 0])}, r"'relation' has -9223",
    ),
    'codes are floats': (
        {'relation': torch.zeros(2)}, 'torch.float32, expected integers',
    ),
    'codes are booleans': (
        {'relation': torch.tensor([True, False])}, 'expected integers',
    ),
    'codes are a column': (
        {'relation': torch.zeros(2, 1).long()}, r'shape \[2, 1\], but',
    ),
    'negative weight': (
        {'weight': torch.tensor([1.0, -1.0])}, r"'weight' has -1.0 at \[1\]",
    ),
    'weight is NaN': (
        {'weight': torch.tensor([math.nan, 1.0])}, "'weight' has nan at",
    ),
    'weight is infinite': (
        {'weight': torch.tensor([math.inf, 1.0])}, "'weight' has inf at",
    ),
    'too few weights': ({'weight': torch.ones(1)}, r'\[1\], expected \[2\]'),
    'weights are a column': (
        {'weight': torch.ones(2, 1)}, r"'weight' has shape \[2, 1\]",
    ),
    'weights are whole': (
        {'weight': torch.tensor([1, 1])}, "'weight' is a tensor of torch.int",
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('case', BAD)
def test_bad_input(name, case):
    given_, message = BAD[case]
    good = {'pred': torch.zeros(2), 'y': torch.ones(2)}
    if name == 'gaussian':
        good['scale'] = 1.0
    with pytest.raises(ValueError, match=message):
        LOSSES[name]()(**{**good, **given_})


@pytest.mark.parametrize(
    'scale, message',
    [
        (0.0, "'scale' is 0.0, expected a positive"),
        (-1.0, "'scale' is -1.0, expected a positive"),
        (math.nan, "'scale' is nan, expected a positive"),
        ('1', "'scale' is str"),
        (torch.tensor([1.0, math.nan]), r"nan at \[1\].*'y_std'.*is NaN"),
        (torch.tensor([0.0, 1.0]), r"'scale' has 0.0 at \[0\]"),
        (torch.tensor(math.inf), "'scale' has inf at"),
        (torch.tensor([1, 1]), "'scale' is a tensor of torch.int64"),
        (torch.ones(1), r"'scale' has shape \[1\], but 'pred'"),
        (torch.ones(2, 1), r"'scale' has shape \[2, 1\], but 'pred'"),
        (torch.ones(1, 1, 1), r"'scale' has shape \[1, 1, 1\], expected"),
        (torch.ones(2, device='meta'), "'scale' is on meta"),
    ],
)
def test_bad_deviations(scale, message):
    with pytest.raises(ValueError, match=message):
        GaussianNLLLoss()(torch.zeros(2), torch.ones(2), scale)


@pytest.mark.parametrize('delta', [0, -1.0, math.nan, math.inf, True, '1'])
def test_bad_delta(delta):
    with pytest.raises(ValueError, match="'delta' is .*, expected a positive"):
        HuberLoss(delta)


@pytest.mark.parametrize('reduction', ['avg', None, ['mean']])
def test_bad_reduction(reduction):
    for make in LOSSES.values():
        with pytest.raises(ValueError, match=r"one of \['mean', 'sum'"):
            make(reduction=reduction)
