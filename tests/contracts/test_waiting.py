"""What waits for a GPU: asked once a call, not once a chunk.

On a CPU nothing waits, but the calls that would are the same.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pyg_multipose.nn import MultiPoseReadout

#: Operations and methods whose answer the host has to know.
OPERATIONS = {
    *('_local_scalar_dense', 'equal', 'nonzero', 'masked_select'),
    *('_unique2', 'bincount', 'repeat_interleave'),
}
METHODS = ('cpu', 'numpy', 'tolist')


class Waiting(TorchDispatchMode):
    """Notes every question about values; a random state is the host's."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.calls = []
        for name in METHODS:  # on a CPU there is nothing to dispatch
            method = getattr(torch.Tensor, name)
            monkeypatch.setattr(torch.Tensor, name, self.noted(name, method))

    def noted(self, name, method):
        def noting(tensor, *args):
            self.calls.append(name)
            return method(tensor, *args)

        return noting

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        of_host = args and getattr(args[0], 'dtype', None) == torch.uint8
        masks = name in ('index', 'index_put', 'index_put_') and any(
            index is not None and index.dtype == torch.bool
            for index in args[1]
        )
        if (name in OPERATIONS and not of_host) or masks:
            self.calls.append(name)
        return func(*args, **(kwargs or {}))


def questions(kit, combination, gradient, chunks, dropout=0.0):
    """What a step asks in forward, and in all."""
    torch.manual_seed(0)
    batch = kit.make_batch(receptor=False, sizes=((4,) * 24,))
    readout = MultiPoseReadout(
        kit.TinyGNN(dropout=dropout).double(),
        combination,
        gradient,
        max_nodes_per_chunk=batch.num_nodes // chunks,
        share_receptor=False,
    )
    with pytest.MonkeyPatch.context() as patch, Waiting(patch) as waiting:
        loss = readout(batch).sum()
        in_forward = len(waiting.calls)
        loss.backward()
    assert readout.last_plan.num_chunks == chunks
    return in_forward, waiting.calls


@pytest.mark.parametrize(
    ('combination', 'gradient'),
    [
        ('mean', 'full'),
        ('mean', 'stream'),
        ('mean', 'recompute'),
        ('max', 'recompute'),
        ('free_energy', 'recompute'),
        ('mean', 'auto'),
    ],
)
def test_nothing_is_asked_chunk_by_chunk(kit, combination, gradient):
    few = questions(kit, combination, gradient, 3)
    many = questions(kit, combination, gradient, 12)
    assert few[0] > 0 and len(few[1]) > 0  # the layout at least
    assert many == few


@pytest.mark.parametrize('combination', ['mean', 'max'])
def test_nor_in_a_second_pass_of_the_same_chunks(kit, combination):
    """With dropout they stay; without, few large ones are made."""
    few = questions(kit, combination, 'recompute', 3, dropout=0.5)
    many = questions(kit, combination, 'recompute', 12, dropout=0.5)
    assert many == few


def test_the_number_that_matters_is_asked_chunk_by_chunk(kit):
    """Else `stream` could not skip a backward pass."""
    few = questions(kit, 'max', 'stream', 3)[1]
    many = questions(kit, 'max', 'stream', 12)[1]
    assert len(many) == len(few) + 9
