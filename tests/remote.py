"""A device that is not there: the CPU plays it, and notes what is asked.

Tensors on it say that they are on :obj:`meta`, the one kind of device beside
the CPU that autograd serves without hardware. Whoever mixes devices is
refused, as a GPU would, and whatever makes the host wait is noted: answers,
and copies that do not come from pinned memory.
"""

import copy
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

from pyg_multipose.data import transfer

DEVICE = torch.device('meta')
#: What a GPU has to finish before the host can go on.
ASKING = {
    *('_local_scalar_dense', 'equal', 'is_nonzero', 'nonzero', '_unique2'),
    *('masked_select', 'bincount', 'unique_dim', 'unique_consecutive'),
}
#: What takes indices from the host as well.
INDEXING = ('index', 'index_put', 'index_put_', '_index_put_impl_')


class Remote(torch.Tensor):
    """A tensor of the device; its values lie in a tensor of the CPU."""

    @staticmethod
    def __new__(cls, values):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=DEVICE,
        )

    def __init__(self, values):
        self.values = values

    def __repr__(self):
        return f'Remote({self.values})'

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return play(func, args, kwargs or {})


class Factories(TorchDispatchMode):
    """Makes tensors on the device where one is asked for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return play(func, args, kwargs or {})


#: What the host waited for, in order; within :func:`device`.
asked = []
#: What the package sends, from memory that would be pinned.
pinned = []


def play(func, args, kwargs):
    """Runs an operation on the CPU, as the device would."""
    name = func.overloadpacket.__name__
    tensors = list(tensors_of(args))
    if kwargs:
        tensors += tensors_of(kwargs.values())
    remote = [leaf for leaf in tensors if isinstance(leaf, Remote)]
    there = bool(remote)
    plain = kwargs
    if kwargs.get('device') is not None:
        there = torch.device(kwargs['device']) == DEVICE
        plain = {**kwargs, 'device': torch.device('cpu')}
    elif remote and name != 'copy_':
        if name in INDEXING:  # indices may come from the host, no more
            tensors = [args[0], *args[2:3]]
        here = [t for t in tensors if not isinstance(t, Remote)]
        if name in INDEXING and here[:1] == [args[0]]:
            raise RuntimeError(f'{func}: a table of the host, indexed there')
        if any(isinstance(t, torch.Tensor) and t.dim() for t in here):
            raise RuntimeError(f'{func}: tensors on two devices')
    if remote or there:
        note(name, args, kwargs, remote, there)
    out = func(*local(args), **local(plain))
    if not there:
        return out
    known = {id(tensor.values): tensor for tensor in remote}

    def there_again(tensor):
        tensor_there = known.get(id(tensor))
        return Remote(tensor) if tensor_there is None else tensor_there

    out = mapped(torch.Tensor, there_again, out)
    if remote and torch.Tag.inplace_view in func.tags:
        with no_dispatch():  # the shape of the tensor itself, too
            func(*args, **kwargs)
    return out


def note(name, args, kwargs, remote, there):
    """Notes what makes the host wait for the device."""
    if name == 'copy_' and len(remote) == 1:
        asked.append(name)
    if name == '_to_copy' and (bool(remote) != there) and not pinned:
        asked.append(name)
    masks = name in INDEXING and any(
        index is not None and index.dtype == torch.bool for index in args[1]
    )
    counts = name == 'repeat_interleave' and (
        kwargs.get('output_size') is None
    )
    if remote and (name in ASKING or masks or counts):
        asked.append(name)


def local(tree):
    """What holds the values."""
    return mapped(Remote, lambda tensor: tensor.values, tree)


def mapped(kind, function, tree):
    """The tree with leaves of the kind exchanged.

    Arguments and results of operations are lists and tuples; torch's pytree
    takes ten times as long, which is most of what the device costs.
    """
    if isinstance(tree, kind):
        return function(tree)
    if isinstance(tree, dict):
        return {k: mapped(kind, function, v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([mapped(kind, function, leaf) for leaf in tree])
    return tree


def tensors_of(tree):
    """The tensors in it."""
    for leaf in tree:
        if isinstance(leaf, torch.Tensor):
            yield leaf
        elif isinstance(leaf, (list, tuple)):
            yield from tensors_of(leaf)


@contextmanager
def device():
    """Within, the device is there."""

    def on_cpu(function):
        def call(kind, *args, **kwargs):
            kind = 'cpu' if kind == DEVICE.type else kind
            return function(kind, *args, **kwargs)

        return call

    def tensor(*args, device=None, make=torch.tensor, **kwargs):
        out = make(*args, **kwargs)
        return out if device is None else out.to(device)

    def sent(tensor, device, send=transfer._sent):
        pinned.append(tensor)
        try:
            return send(tensor, device)
        finally:
            pinned.pop()

    fork_rng = torch.random.fork_rng
    asked.clear()
    with pytest.MonkeyPatch.context() as patch, Factories():
        for name in ('get_autocast_dtype', 'is_autocast_enabled', 'autocast'):
            patch.setattr(torch, name, on_cpu(getattr(torch, name)))
        patch.setattr(torch, 'tensor', tensor)
        patch.setattr(transfer, '_sent', sent)
        patch.setattr(torch.random, 'fork_rng', lambda _: fork_rng([]))
        yield asked


def moved(thing):
    """A copy of a module or of a batch on the device."""
    if isinstance(thing, torch.Tensor):
        return Remote(thing.detach().clone())
    if not isinstance(thing, nn.Module):
        out = copy.copy(thing)
        for key in list(out.keys()):
            if isinstance(out[key], torch.Tensor):
                out[key] = moved(out[key])
        return out
    out = copy.deepcopy(thing)
    for module in out.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(
                    moved(parameter), parameter.requires_grad
                )
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = moved(buffer)
    return out
