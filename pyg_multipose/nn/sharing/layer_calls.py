"""The calls of message-passing layers within a call of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.models import schnet

from pyg_multipose.nn.radius_interaction_graph import RadiusInteractionGraph

#: Functions that count the edges of atoms.
_DEGREES = {'gcn_norm', 'degree', 'get_laplacian', 'bincount'}
#: What a layer does in a call.
_METHODS = ('forward', 'message', 'update', 'aggregate', 'edge_update')
#: What finds edges and measures them, from positions and graphs of atoms.
SEARCHES = (RadiusInteractionGraph, schnet.RadiusInteractionGraph)


def layers_of(model: Module) -> dict[str, MessagePassing]:
    r"""The message-passing layers of a model, without those inside others.

    Args:
        model: The single-pose model.
    """
    found: dict[str, MessagePassing] = {}
    inside: set[int] = set()
    for name, module in model.named_modules():
        if isinstance(module, MessagePassing) and id(module) not in inside:
            found[name] = module
            inside.update(id(inner) for inner in module.modules())
    return found


def reads_degrees(layers: Iterable[MessagePassing]) -> bool:
    r"""Whether layers look at how many edges a *source* has, as GCN does.

    Then a message depends on what lies one edge further away. It is told by
    the functions that their code names; a layer that counts in another way
    is found by comparing with whole complexes.

    Args:
        layers: Message-passing layers.
    """
    for kind in dict.fromkeys(map(type, layers)):
        for name in _METHODS:
            code = getattr(getattr(kind, name), '__code__', None)
            if code is not None and _DEGREES.intersection(code.co_names):
                return True
    return False


@contextmanager
def replaced(
    modules: dict[str, Any],
    call: Callable[..., Any],
) -> Iterator[None]:
    r"""Within, a module is called through a function.

    Args:
        modules: Modules by name.
        call: Called with the module's :obj:`forward`, its name, and what the
            module is called with.
    """
    with ExitStack() as stack:
        for name, module in modules.items():
            own = module.__dict__
            own['forward'] = _through(call, module.forward, name)
            stack.callback(own.pop, 'forward')
        yield


def found_edges(
    model: Module, edge_index: Tensor
) -> AbstractContextManager[None]:
    r"""Within, a model that looks for its edges finds these, and lengths.

    Args:
        model: The single-pose model.
        edge_index: The edges.
    """

    def found(forward: Any, name: str, args: Any, kwargs: Any) -> Any:
        pos = args[0] if args else kwargs['pos']
        vector = pos[edge_index[0]] - pos[edge_index[1]]
        return edge_index, vector.norm(dim=-1)

    searches = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, SEARCHES)
    }
    return replaced(searches, found)


def _through(
    call: Callable[..., Any], forward: Callable[..., Any], name: str
) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        return call(forward, name, args, kwargs)

    return called
