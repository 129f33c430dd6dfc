import math

import pytest
import torch

from pyg_multipose.nn.combination import (
    HardMaxCombination,
    MaxCombination,
    MeanCombination,
)


@pytest.fixture
def combination(streamed):
    """Those of this file have a running form."""
    return streamed


def _stream(combination, x, chunks):
    """The weights of all predictions, by the caller's bookkeeping."""
    running = combination.running()
    total = torch.zeros(0, dtype=torch.promote_types(x.dtype, torch.float32))
    for chunk in x.split(chunks):
        rescale, weights = running.update(chunk)
        assert rescale.shape == ()
        assert weights.shape == chunk.shape
        total = torch.cat([rescale * total, weights])
        torch.testing.assert_close(running.mass, total.sum())
    return running, running.normalizer() * total


@pytest.mark.parametrize('offset', [0.0, -300.0])
@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-12), (torch.float32, 1e-6)]
)
def test_equals_batch(combination, offset, dtype, tolerance):
    assert combination.has_running_form
    mixed = torch.randn(7, dtype=dtype) * 2e-3 + offset
    rising = mixed.sort().values
    for x in (mixed, rising, rising.flip(0)):
        leaf = x.clone().requires_grad_()
        out = combination(leaf, dim=0)
        out.sum().backward()
        for chunks in ([7], [1] * 7, [3, 4], [2, 1, 4], [6, 1]):
            running, weights = _stream(combination, x, chunks)
            value = running.value()
            assert running.num_predictions == 7
            assert value.shape == ()
            assert value.dtype == weights.dtype == dtype
            torch.testing.assert_close(
                value, out[0], rtol=tolerance, atol=tolerance
            )
            torch.testing.assert_close(
                weights, leaf.grad, rtol=0, atol=tolerance
            )


def test_first_update(combination):
    rescale, weights = combination.running().update(torch.tensor([-5.0]))
    assert math.isfinite(rescale)
    assert weights.item() == 1.0


def test_one_pose_is_exact(combination):
    running = combination.running()
    _, weights = running.update(torch.tensor([0.1]))
    assert running.value() == torch.tensor(0.1)
    assert (running.normalizer() * weights).item() == 1.0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(combination, dtype):
    x = (torch.randn(7) - 60.0).to(dtype)
    running, weights = _stream(combination, x, [3, 4])
    assert running.value().dtype == weights.dtype == torch.float32
    torch.testing.assert_close(running.value(), combination(x, dim=0)[0])


def test_is_detached_and_forgets_nothing_else(combination):
    x = torch.randn(3, requires_grad=True)
    first, second = combination.running(), combination.running()
    _, weights = first.update(x)
    assert not weights.requires_grad
    assert not first.value().requires_grad
    assert second.num_predictions == 0


def test_mean_never_rescales():
    running = MeanCombination().running()
    for _ in range(3):
        rescale, weights = running.update(torch.randn(2))
        assert rescale.item() == 1.0
        assert weights.tolist() == [1.0, 1.0]
    assert running.mass.item() == 6.0


@pytest.mark.parametrize('negate', [True, False])
@pytest.mark.parametrize('chunks', [[1, 1, 1, 1], [2, 2], [3, 1], [4]])
def test_clash_counts_nothing(negate, chunks):
    bad = math.inf if negate else -math.inf
    combination = MaxCombination(negate=negate)
    x = torch.tensor([bad, bad, 1.0, 1.001])
    running, weights = _stream(combination, x, chunks)
    assert weights[:2].tolist() == [0.0, 0.0]
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    torch.testing.assert_close(running.value(), combination(x, dim=0)[0])


def test_nan_stays():
    for combination in (
        MaxCombination(),
        MeanCombination(),
        HardMaxCombination(),
    ):
        running = combination.running()
        running.update(torch.tensor([1.0, math.nan]))
        running.update(torch.tensor([2.0]))
        assert running.value().isnan()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_never_waits_for_the_device(combination):
    x = torch.randn(6, device='cuda')
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode('error')
    try:
        running = combination.running()
        for chunk in x.split(2):
            running.update(chunk)
        out = running.value(), running.normalizer(), running.mass
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    assert all(tensor.is_cuda for tensor in out)
