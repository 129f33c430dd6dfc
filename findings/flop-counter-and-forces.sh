#!/usr/bin/env bash
# torch 2.13.0: forces cannot be taken by torch.autograd.grad while a
# FlopCounterMode counts, though backward() and gradients of parameters can.
#
# One would expect a counter of operations to be a bystander. But with it comes
# a ModuleTracker, which hangs a hook on every tensor that requires grad and
# goes into a module, to know when the module's backward pass is over. If that
# tensor is a leaf, such as positions, autograd.grad refuses to run:
#
#   forces:     RuntimeError: A leaf node was passed to
#               _will_engine_execute_node but we are currently running
#               autograd.grad(). This is currently not supported.
#   copy:       192
#   backward:   288
#   parameters: 216
#
# A copy of the positions (pos.clone()) as input of the model is no leaf, and
# works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy

"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
pos = torch.randn(4, 3, requires_grad=True)


def counted(take):
    with FlopCounterMode(display=False) as counter:
        try:
            take()
        except RuntimeError as error:
            return f'RuntimeError: {error}'
    return counter.get_total_flops()


def energy(x):
    return model(x).sum()


found = {
    'forces': counted(lambda: torch.autograd.grad(energy(pos), pos)),
    'copy': counted(lambda: torch.autograd.grad(energy(pos.clone()), pos)),
    'backward': counted(lambda: energy(pos).backward()),
    'parameters': counted(
        lambda: torch.autograd.grad(energy(pos), list(model.parameters()))
    ),
}
print(torch.__version__)
for name, what in found.items():
    print(f'{name}: {what}')
assert 'A leaf node was passed' in str(found['forces'])
assert found['copy'] == 192 and found['backward'] == 288
assert found['parameters'] == 216
PYTHON
