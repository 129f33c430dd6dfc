#!/usr/bin/env bash
# torch 2.13.0: a torch.autograd.Function with a setup_context, as torch.func
# asks for, looks its own signature up in every call, and one without does not.
#
# setup_context is recommended, and reads like another way to write the same:
# one would expect its cost to be that of one more call. But before anything
# else, apply() binds the arguments by inspect.signature(forward), which nobody
# keeps, so that each call takes the signature of a Python function apart again:
#
#   with setup_context:    100 signatures in 100 calls
#   with ctx in forward:     0 signatures in 100 calls
#   with __signature__ set: 100 signatures in 100 calls, 0 taken apart
#
# That is tens of microseconds, several times what the rest of a small function
# takes: graph networks that call one for each layer and chunk notice. It is so
# without any transform of torch.func, and also under torch.no_grad(). Setting
# forward.__signature__ once leaves the binding only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy

"$folder/venv/bin/python" - <<'PYTHON'
import inspect

import torch

CALLS = 100
asked = taken_apart = 0
signature, of_function = inspect.signature, inspect._signature_from_function


def count_asked(*args, **kwargs):
    global asked
    asked += 1
    return signature(*args, **kwargs)


def count_taken_apart(*args, **kwargs):
    global taken_apart
    taken_apart += 1
    return of_function(*args, **kwargs)


class Apart(torch.autograd.Function):
    @staticmethod
    def forward(x, factor):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


class Together(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    backward = Apart.backward


class Told(Apart):
    @staticmethod
    def forward(x, factor):
        return x * factor


Told.forward.__signature__ = signature(Told.forward)
inspect.signature = count_asked
inspect._signature_from_function = count_taken_apart
x = torch.ones(3, requires_grad=True)
found = {}
for kind in (Apart, Together, Told):
    for grad in (True, False):
        asked = taken_apart = 0
        with torch.set_grad_enabled(grad):
            for _ in range(CALLS):
                kind.apply(x, 2.0)
        found[kind.__name__, grad] = asked, taken_apart
print(torch.__version__)
for (name, grad), (a, b) in found.items():
    print(f'{name}, gradients {grad}: {a} signatures, {b} taken apart')
for grad in (True, False):
    assert found['Apart', grad] == (CALLS, CALLS)
    assert found['Together', grad] == (0, 0)
    assert found['Told', grad] == (CALLS, 0)
PYTHON
