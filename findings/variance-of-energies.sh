#!/usr/bin/env bash
# torch 2.13.0, torch-geometric 2.8.1: VarAggregation is the mean of squares
# less the square of the mean, in the precision of its input, and
# StdAggregation cuts it at 1e-5, below which it is zero without a gradient.
#
# One would expect the spread of three energies to be that of numpy, or at
# least not to be negative. In float32 it depends on where zero is:
#
#   0.0, 0.1, 0.2:           variance about 0.0067, as it should be
#   10000.0, 10000.1, 10000.2: variance -16.0, deviation 0.0, no gradient
#   0.000, 0.004, 0.008:     deviation about 0.0033
#   0.000, 0.003, 0.006:     deviation 0.0 where numpy has 0.0024, no gradient
#
# The spread of docked poses in kcal/mol, or of energies of atoms in eV, is of
# that kind: take the mean off first, or use float64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torch-geometric==2.8.1

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import torch
import torch_geometric
from torch_geometric.nn.aggr import StdAggregation, VarAggregation

print(torch.__version__, torch_geometric.__version__)


def spread(*energies):
    x = torch.tensor(energies).view(-1, 1).requires_grad_()
    index = torch.zeros(len(energies), dtype=torch.long)
    variance = VarAggregation()(x, index)
    deviation = StdAggregation()(x, index)
    deviation.sum().backward()
    exact = np.std(np.array(energies))
    got = variance.item(), deviation.item(), x.grad.abs().max().item()
    print(energies, 'variance %.4g, deviation %.4g, gradient %.4g' % got,
          'numpy: deviation %.4g' % exact)
    return (*got, exact)


variance, deviation, gradient, exact = spread(0.0, 0.1, 0.2)
assert abs(deviation - exact) < 1e-4 and gradient > 0
variance, deviation, gradient, exact = spread(10000.0, 10000.1, 10000.2)
assert variance < -1 and deviation == 0 and gradient == 0
variance, deviation, gradient, exact = spread(0.0, 0.004, 0.008)
assert abs(deviation - exact) < 1e-4 and gradient > 0
variance, deviation, gradient, exact = spread(0.0, 0.003, 0.006)
assert deviation == 0 and gradient == 0 and exact > 2e-3
PYTHON
