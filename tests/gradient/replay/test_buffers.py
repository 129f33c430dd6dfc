import pytest
import torch
from torch import nn

from pyg_multipose.gradient.replay.buffers import Buffers


class Holder(nn.Module):
    def __init__(self, **buffers):
        super().__init__()
        for name, value in buffers.items():
            self.register_buffer(name, value)


def passed(model, *changes):
    """A first pass in which each chunk makes a change."""
    buffers = Buffers(model.modules())
    for chunk, change in enumerate(changes):
        change()
        buffers.watch(chunk, keep=True)
    buffers.settle()
    return buffers


def test_each_chunk_finds_what_it_found():
    model = Holder(a=torch.zeros(2), b=torch.ones(2), none=None)
    objects = dict(model._buffers)
    buffers = passed(
        model,
        lambda: model.a.add_(1),
        lambda: None,
        lambda: model.a.add_(1),
        lambda: setattr(model, 'none', torch.ones(1)),
    )
    now = dict(model._buffers)
    with buffers.set_aside():
        for chunk, value in ((3, 2), (0, 0), (2, 1), (1, 1)):
            buffers.enter(chunk)
            assert model.a.eq(value).all() and model.a is not objects['a']
            assert model.b is objects['b'] and model.none is None
            model.a.fill_(9)  # a second pass changes copies
        buffers.enter(4)
        assert model.none.eq(1).all()
    assert all(model._buffers[key] is now[key] for key in now)
    assert model.a.eq(2).all()
    assert [len(history) for history in buffers._history] == [3, 0, 2]


@pytest.mark.parametrize('keep', [True, False])
def test_rewind(keep):
    model = Holder(
        a=torch.tensor([1.0, float('nan')]), b=torch.ones(2), none=None
    )
    objects = dict(model._buffers)
    buffers = Buffers(model.modules())
    model.a.fill_(5)
    model.b = torch.zeros(3)
    model.none = torch.ones(1)
    buffers.watch(0, keep)
    buffers.rewind()
    assert all(model._buffers[key] is objects[key] for key in objects)
    assert model.a[0] == 1 and model.a[1].isnan() and model.b.eq(1).all()
    assert buffers.changed  # which stays known


@pytest.mark.parametrize('value', [float('nan'), 3, True, 1j])
def test_what_did_not_change(value):
    model = Holder(a=torch.tensor([value]))
    buffers = passed(model, lambda: model.a.copy_(model.a.clone()))
    assert not buffers.changed
    assert buffers.constant()[0][1] is model.a


def test_changes_behind_version_counters():
    model = Holder(a=torch.zeros(2), b=torch.zeros(2))
    buffers = passed(
        model,
        lambda: model.a.data.add_(1),
        lambda: model.a.data.add_(1),
        lambda: model.b.data.add_(1),  # later than the first chunk
    )
    assert buffers.changed and not buffers.constant()
    with buffers.set_aside():
        buffers.enter(1)
        assert model.a.eq(1).all() and model.b.eq(0).all()


def test_one_buffer_in_two_places():
    model = Holder(a=torch.zeros(2))
    model.inner = Holder(a=model.a)
    buffers = passed(model, lambda: model.a.add_(1))
    with buffers.set_aside():
        for chunk in (0, 1):
            buffers.enter(chunk)
            assert model.a is model.inner.a and model.a.eq(chunk).all()


def test_batch_statistics_are_not_read():
    model = nn.BatchNorm1d(3)
    buffers = passed(model, *[lambda: model(torch.randn(4, 3))] * 5)
    assert buffers.changed
    assert [len(history) for history in buffers._history] == [1, 1, 1]
    model.eval()
    assert not passed(model, lambda: model(torch.randn(4, 3))).changed


def test_buffers_of_inference_mode():
    with torch.inference_mode():
        model = Holder(a=torch.zeros(2))
        buffers = passed(
            model, lambda: model.a.add_(1), lambda: model.a.add_(1)
        )
        assert buffers.changed
        buffers.rewind()
        assert model.a.eq(0).all()


def test_what_came_before_all_chunks():
    model = Holder(a=torch.zeros(2))
    buffers = Buffers(model.modules())
    model.a.add_(1)
    buffers.watch(-1, True)
    model.a.add_(1)
    buffers.watch(0, True)
    buffers.settle()
    with buffers.set_aside():
        buffers.enter(0)
        assert model.a.eq(1).all()
    assert model.a.eq(2).all()
    buffers.rewind()
    assert model.a.eq(0).all()
