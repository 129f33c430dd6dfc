"""Numbers that tell whether the content of tensors is still the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from xxhash import xxh3_64_intdigest

#: Elements that are multiplied with weights of their own.
_BLOCK = 2**16
#: Elements that are looked at in one go: they are copied as int64.
_MOST = 2 * _BLOCK
#: The integer type that shows the bits of an element, by its bytes.
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


def checksums(tensors: Sequence[Tensor]) -> Tensor:
    r"""A checksum of the bits of every tensor, in their order.

    On a CPU it is `XXH3 <https://xxhash.com>`_. Devices read bits as integers
    and sum them with random weights, modulo :math:`2^{64}`: swapped rows,
    other signs and the bits of a NaN are seen, and sums of integers do not
    depend on their order.

    Args:
        tensors: Any tensors, on any devices.

    Returns:
        Integers of shape :obj:`[len(tensors)]`, where the first tensor is.
    """
    if not tensors:
        return torch.zeros(0, dtype=torch.int64)
    with torch.no_grad():
        flat = [_flat(tensor.detach()) for tensor in tensors]
        digests = [_digest(part) if part.is_cpu else 0 for part in flat]
        out = torch.tensor(digests).to(tensors[0].device)
        rest = [n for n, part in enumerate(flat) if not part.is_cpu]
        if rest:
            sums = device_checksums([flat[number] for number in rest])
            out[torch.tensor(rest, device=out.device)] = sums.to(out.device)
    return out


def _flat(tensor: Tensor) -> Tensor:
    """Numbers in a row, as they are in memory."""
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    return tensor.resolve_neg().reshape(-1)


def _digest(flat: Tensor) -> int:
    digest = xxh3_64_intdigest(flat.view(torch.uint8).numpy().data)
    return digest - 2**64 if digest >> 63 else digest


def device_checksums(flat: Sequence[Tensor]) -> Tensor:
    r"""The sums of :func:`checksums`, where none is on a CPU.

    Args:
        flat: Tensors of one dimension.

    Returns:
        Integers of shape :obj:`[len(flat)]`, where the first tensor is.
    """
    home = flat[0].device
    small: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    every = [_bits(part) for part in flat]
    out = torch.zeros(len(every), dtype=torch.int64, device=home)
    for number, bits in enumerate(every):
        if bits.numel() > _BLOCK:
            out[number] = _large(bits).to(home)
        elif bits.numel():
            small.setdefault((bits.device, bits.dtype), []).append(number)
    for (device, _), numbers in small.items():
        for some in _packed(numbers, every):
            # Many at once, for most tensors of a model are small.
            parts = [every[number] for number in some]
            bits = _folded(torch.cat(parts))
            sums = (bits * _weights(device)[: bits.numel()]).cumsum(0)
            ends = np.cumsum([part.numel() for part in parts]) - 1
            sums = sums[torch.from_numpy(ends).to(device)].to(home)
            zero = sums.new_zeros(1)
            out[torch.tensor(some, device=home)] = sums.diff(prepend=zero)
    return out


def _bits(flat: Tensor) -> Tensor:
    size = flat.element_size()
    if flat.numel() * size % 8:
        return flat.view(_BITS[size])
    # Eight bytes are one integer, whatever they are of, for it takes as long.
    if flat.storage_offset() * size % 8:
        flat = flat.clone()
    return flat.view(torch.int64)


def _folded(bits: Tensor) -> Tensor:
    """Of a high bit, such as a sign, products keep little.

    The signs of two halves may not meet.
    """
    if bits.dtype != torch.int64:
        return bits
    return (bits >> 31).bitwise_and_(0x1FFFFFFFF).bitwise_xor_(bits)


def _packed(numbers: list[int], flat: list[Tensor]) -> Iterator[list[int]]:
    """Numbers of tensors that fit into a block together."""
    some: list[int] = []
    total = 0
    for number in numbers:
        size = flat[number].numel()
        if total + size > _BLOCK:
            yield some
            some, total = [], 0
        some.append(number)
        total += size
    yield some


def _large(bits: Tensor) -> Tensor:
    """The sums of blocks are mixed as elements are."""
    weights = _weights(bits.device)
    if bits.numel() <= _BLOCK:
        return (_folded(bits) * weights[: bits.numel()]).sum()
    rest = bits.numel() % _BLOCK
    sums = [
        (_folded(part).view(-1, _BLOCK) * weights).sum(1)
        for part in bits[: bits.numel() - rest].split(_MOST)
    ]
    last = bits[bits.numel() - rest :]
    sums.append((_folded(last) * weights[:rest]).sum().view(1))
    return _large(torch.cat(sums))


def _odd() -> Tensor:
    """Odd numbers, the same in every process."""
    generator = torch.Generator().manual_seed(2**31 - 1)
    limits = -(2**62), 2**62
    return 2 * torch.randint(*limits, (_BLOCK,), generator=generator) + 1


#: The weights, by device.
_made = {torch.device('cpu'): _odd()}


def _weights(device: torch.device) -> Tensor:
    if device not in _made:
        # A normal tensor, also if the first call is in inference mode.
        with torch.inference_mode(False):
            _made[device] = _made[torch.device('cpu')].to(device)
    return _made[device]
