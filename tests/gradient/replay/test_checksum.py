"""A checksum tells of every bit, and where it is."""

import pytest
import torch

from pyg_multipose.gradient.replay.checksum import (
    _BLOCK,
    _flat,
    checksums,
    device_checksums,
)


def as_on_a_device(tensors):
    """Devices sum on their own."""
    return device_checksums([_flat(tensor) for tensor in tensors])


WAYS = [checksums, as_on_a_device]


def same(one, two):
    found = {torch.equal(way([one]), way([two])) for way in WAYS}
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize(
    'size', [1, 5, _BLOCK, _BLOCK + 1, 2 * _BLOCK, 5 * _BLOCK + 3]
)
def test_every_element_counts(size, dtype):
    x = torch.randn(size, dtype=dtype)
    assert same(x, x.clone())
    for row in {0, size // 2, size - 1}:
        y = x.clone()
        y[row] = -y[row]
        assert not same(x, y)
    assert size == 1 or not same(x, x.flip(0))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_blocks_that_change_places(dtype):
    x = torch.randn(3 * _BLOCK, dtype=dtype)
    parts = x.split(_BLOCK)
    assert not same(x, torch.cat([parts[1], parts[0], parts[2]]))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_signs_that_would_cancel(dtype):
    x = torch.randn(6, dtype=dtype)
    for rows in ([0, 1], [0, 3], [1, 2, 3, 4], [0, 1, 2, 3]):
        y = x.clone()
        y[rows] *= -1
        assert not same(x, y)


@pytest.mark.parametrize('size', [3, 4])
def test_wherever_it_begins_in_memory(size):
    x = torch.randn(size + 1)
    assert same(x[1:], x[1:].clone())
    assert same(x[:size], x[:size].clone())


def test_complex_numbers():
    x = torch.randn(4, dtype=torch.complex64)
    assert not same(x, x.conj())
    assert not same(x, torch.complex(x.real, x.imag + 1))
    assert same(x.conj(), x.conj().resolve_conj())


@pytest.mark.parametrize(
    'dtype', [torch.bool, torch.uint8, torch.bfloat16, torch.int64]
)
def test_dtypes(dtype):
    x = torch.tensor([0, 1, 1, 0]).to(dtype)
    assert same(x, x.clone()) and not same(x, x.flip(0).roll(1))


@pytest.mark.parametrize('way', WAYS)
def test_many_are_told_apart(way):
    """One that changes leaves the others as they are."""
    tensors = [torch.randn(size) for size in (3, 0, _BLOCK - 2, _BLOCK, 7)]
    tensors += [torch.arange(5), torch.randn(3, 2).t(), torch.eye(2)]
    tensors += [torch.eye(3).to_sparse(), torch.randn(2 * _BLOCK)]
    before = way(tensors)
    for number, tensor in enumerate(tensors):
        changed = list(tensors)
        changed[number] = tensor + 1 if not tensor.is_sparse else -tensor
        off = (way(changed) != before).nonzero().flatten().tolist()
        assert off == [number] * bool(tensor.numel())
    assert checksums([]).shape == (0,)


def test_negative_views():
    """What is read through a sign has the numbers that it shows."""
    x = torch.randn(4, dtype=torch.complex64)
    assert same(x.conj().imag, -x.imag)


def test_what_no_array_holds():
    x, y = torch.tensor([[1.0, 2.0], [2.0, 1.0]]).to(torch.float8_e5m2)
    assert same(x, x.clone()) and not same(x, y)
    assert same(torch.tensor(2.0), torch.tensor([[2.0]]))
