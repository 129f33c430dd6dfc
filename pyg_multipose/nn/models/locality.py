r"""Whether layers look at nothing but the edges that arrive at an atom."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import Module

#: From the number of a stage, features and edges to features.
Stage = Callable[[Tensor, Tensor], Tensor]

#: Atoms that are all neighbors of each other but the last, in Angstrom.
_POSITIONS = (
    (0.0, 0.0, 0.0),
    (1.1, 0.2, -0.1),
    (-0.3, 1.2, 0.4),
    (0.5, -0.4, 1.3),
    (1.0, -1.1, 1.9),
)
_EDGES = [(i, j) for i in range(4) for j in range(4) if i != j]
_EDGES += [(3, 4), (4, 3)]


def probe(z: Tensor, pos: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Makes a few atoms with positions and edges.

    Args:
        z: Atomic numbers to take.
        pos: Positions whose type and device to take.

    Returns:
        Atomic numbers, positions in Angstrom, and edges.
    """
    size = len(_POSITIONS)
    numbers = torch.arange(size, device=z.device) % max(z.numel(), 1)
    return (
        z[numbers] if z.numel() else z.new_ones(size),
        pos.new_tensor(_POSITIONS),
        torch.tensor(_EDGES, device=z.device).t(),
    )


def nonlocal_reason(
    module: Module, run: Stage, x: Tensor, edges: Tensor
) -> tuple[str, Tensor]:
    r"""Why an atom needs more than its own edges; empty if it does not.

    It runs a module on a few atoms, with all edges and with those of one of
    them, and compares. Random numbers and buffers are put back.

    Args:
        module: The module.
        run: Calls it with features and numbers of edges.
        x: Features of the atoms of :func:`probe`.
        edges: Their edges.

    Returns:
        The reason, and the output for all edges.
    """
    into_first = (edges[1] == 0).nonzero().squeeze(1)
    every = torch.arange(edges.size(1), device=edges.device)
    buffers = list(module.buffers())
    before = [buffer.clone() for buffer in buffers]
    devices = [x.device] if x.is_cuda else []
    reason = ''
    with torch.no_grad(), torch.random.fork_rng(devices):
        state = _random_state(x)
        whole = run(x, every)
        if not all(map(torch.equal, state, _random_state(x))):
            reason = 'draws random numbers, as dropout does in training mode'
        part = run(x[:4], into_first)
        changed = [
            (buffer, old)
            for buffer, old in zip(buffers, before, strict=True)
            if not torch.equal(buffer, old)
        ]
        if changed:
            reason = 'changes its buffers, as a batch norm does in training'
        for buffer, old in changed:
            buffer.copy_(old)
    limit = torch.finfo(whole.dtype).eps ** 0.5
    if not reason and not torch.allclose(
        part[0], whole[0], rtol=limit, atol=limit, equal_nan=True
    ):
        reason = (
            'looks at more than the edges that arrive at an atom, as norms '
            'over a graph, degrees of neighbors and global attention do'
        )
    return reason, whole


def caches(modules: Iterable[Module]) -> str:
    r"""Returns which module keeps what it made of the last graph, if any.

    Args:
        modules: The modules.
    """
    for module in modules:
        if getattr(module, 'cached', False) is True:
            return type(module).__name__
    return ''


def _random_state(x: Tensor) -> list[Tensor]:
    state = [torch.get_rng_state()]
    return [*state, torch.cuda.get_rng_state(x.device)] if x.is_cuda else state
