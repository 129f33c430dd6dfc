"""What a model may return, and what is finite of it."""

from types import SimpleNamespace

import pytest
import torch

from pyg_multipose.gradient.model.finite import finite_rows, refuse
from pyg_multipose.gradient.model.predictions import checked, joined

LAYOUT = SimpleNamespace(pose_name='pose {}'.format)
NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(
    ('out', 'shape'),
    [
        (torch.ones(2), [2]),
        (torch.ones(2, 1), [2]),
        (torch.ones(2, 3), [2, 3]),
        ((torch.ones(2), None), [2]),
        ([torch.ones(2, 1)], [2]),
    ],
)
def test_shapes(out, shape):
    assert list(checked(out, LAYOUT, [4, 5]).shape) == shape


@pytest.mark.parametrize(
    ('out', 'words'),
    [
        (torch.ones(3), r'shape \[3\] for 2 poses .from pose 4'),
        (torch.ones(()), 'shape'),
        (torch.ones(2, 1, 1), 'shape'),
        (torch.ones(2).long(), 'int64'),
        ((), 'tuple'),
        (None, 'NoneType'),
    ],
)
def test_wrong_shapes(out, words):
    with pytest.raises(ValueError, match=words):
        checked(out, LAYOUT, [4, 5])


def test_it_is_a_copy():
    out = torch.zeros(2)
    found = checked(out, LAYOUT, [0, 1])
    out += 1
    assert found.tolist() == [0, 0]


def test_widths():
    parts = [torch.ones(2, 3), torch.ones(1, 3)]
    assert joined(parts).shape == (3, 3)
    assert joined(parts[:1]) is parts[0]
    with pytest.raises(ValueError, match='widths'):
        joined([torch.ones(2, 3), torch.ones(1)])
    with pytest.raises(ValueError, match='widths'):
        joined([torch.ones(2, 3), torch.ones(1, 2)])


def test_finite_rows():
    rows = torch.tensor([[1.0, 2.0], [NAN, 1.0], [1.0, -INF]])
    assert finite_rows(rows).tolist() == [True, False, False]
    assert finite_rows(rows[:, 0]).tolist() == [True, False, True]
    assert finite_rows(rows[:1]).tolist() == [True]
    # Finite, though the sum is not.
    assert finite_rows(torch.full((4,), 3e38)).all()


def test_refused():
    call = SimpleNamespace(layout=LAYOUT)
    refuse(call, torch.ones(2), [4, 5])
    words = r'pose 5 is nan, .* .1 of 2 poses'
    with pytest.raises(ValueError, match=words):
        refuse(call, torch.tensor([1.0, NAN]), [4, 5])
