#!/usr/bin/env bash
# torch 2.13.0, torch-geometric 2.8.1: a full backward hook of a message
# passing layer is given a "gradient" of edge_index, zeros of type int64.
#
# One would expect None, as for every input that cannot have a gradient. It is
# None only if no input of the layer requires grad. A hook that scales all
# gradients but None, as to clip them, then ends in an error that names neither
# the layer nor edge_index.
#
#   features require grad: float32 (3, 2), int64 (2, 2) of zeros
#   nothing requires grad: None, None
#   scaled: RuntimeError: hook 'hook' has changed the type of value (was
#           torch.LongTensor got torch.FloatTensor)
#
# So hooks have to leave gradients alone that are not of a floating type.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torch-geometric==2.8.1

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import torch_geometric
from torch_geometric.nn import SAGEConv

edge_index = torch.tensor([[0, 1], [1, 2]])


def seen(x, hook=lambda grads: None):
    found = []
    conv = SAGEConv(2, 2)

    def note(module, grads, _):
        found.append([None if g is None else g.clone() for g in grads])
        return hook(grads)

    conv.register_full_backward_hook(note)
    conv(x, edge_index).sum().backward()
    return found[0]


x = torch.randn(3, 2, requires_grad=True)
print(torch.__version__, torch_geometric.__version__)
of_x, of_edges = seen(x)
print('features require grad:', of_x.dtype, tuple(of_x.shape), of_edges.dtype,
      of_edges.tolist())
assert of_edges.dtype == torch.int64 and not of_edges.any()
frozen = seen(x.detach())
print('nothing requires grad:', *frozen)
assert frozen == [None, None]
try:
    seen(x, lambda grads: tuple(None if g is None else 0.5 * g for g in grads))
except RuntimeError as error:
    print(f'scaled: RuntimeError: {error}')
    assert 'was torch.LongTensor got torch.FloatTensor' in str(error)
else:
    raise AssertionError('no error any more')
PYTHON
