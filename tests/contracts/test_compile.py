"""torch.compile of the single-pose model."""

from __future__ import annotations

import copy

import pytest
import torch


@pytest.mark.parametrize(
    'mode', ['full', 'store', 'stream', 'recompute', 'auto']
)
def test_compiled_model(kit, mode):
    model = kit.make_model('tiny').module
    batch = kit.make_batch()
    tensors = list(model.parameters())
    combined = kit.combine(
        kit.MultiPoseReadout(model, 'mean').combination,
        kit.plain(model, batch),
        batch,
    )
    expected = kit.gradients(combined.sum(), tensors)
    compiled = torch.compile(model, backend='aot_eager', dynamic=True)
    # (A compiled backward runs once: several poses a chunk, each with a
    # backward pass of its own, are not for `store`.)
    readout = kit.MultiPoseReadout(
        compiled,
        'mean',
        gradient=mode,
        max_nodes_per_chunk=None if mode == 'store' else 30,
    )
    out = readout(batch)
    out.sum().backward()
    got = [parameter.grad for parameter in tensors]
    assert kit.relative_error([out], [combined], mode) <= 1e-10
    assert kit.relative_error(got, expected, mode) <= 1e-10


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_compiled_model_that_draws(kit, mode):
    """Masks of compiled dropout are replayed, buffers updated once."""
    model = kit.TinyGNN(dropout=0.5, norm=torch.nn.BatchNorm1d(8)).double()
    batch = kit.make_batch(sizes=((4, 3, 5, 4),))
    tensors = list(model.parameters())
    out = []
    state = copy.deepcopy(model.state_dict())
    for other in ('full', mode):
        model.load_state_dict(state)
        readout = kit.MultiPoseReadout(
            torch.compile(model, backend='aot_eager', dynamic=True),
            'mean',
            gradient=other,
            max_nodes_per_chunk=30,
        )
        torch.manual_seed(0)
        with pytest.warns(UserWarning, match='statistics'):
            combined = readout(batch)
        assert model.norm.num_batches_tracked == 2
        random = torch.get_rng_state()
        grads = torch.autograd.grad(combined.sum(), tensors)
        assert torch.equal(random, torch.get_rng_state())
        assert model.norm.num_batches_tracked == 2
        out.append([combined, *grads, random.double()])
    assert kit.relative_error(*out, mode) <= 1e-10
