"""torch.compile of the single-pose model."""

from __future__ import annotations

import pytest
import torch


@pytest.mark.parametrize('mode', ['full', 'store', 'stream', 'recompute'])
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
