#!/usr/bin/env bash
# e3nn 0.6.0, torch 2.13.0: edges from an atom to itself make the forces of all
# their atoms zero, though they add nothing to the energy.
#
# Spherical harmonics of the zero vector with normalize=True are zero for l = 1,
# so one would expect the forces to be as without such edges, or not a number,
# which one would see. But torch.nn.functional.normalize divides by 1e-12 there,
# and so is the gradient multiplied. The two ends of such an edge get opposite
# gradients of about 1e13, in which those of other edges are lost before they
# cancel:
#
#   without, float32:    energy 69.2762, largest force 3.176
#   with loops, float32: energy 69.2762, largest force 0
#   with loops, float64: energy 69.2762, largest error of a force 0.000863
#
# (The energy is a sum over atoms of squares, of Y for l = 1 of all neighbours.)
# So drop edges of no length before the spherical harmonics.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 e3nn==0.6.0

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import e3nn
import torch
from e3nn import o3

PLACES = [[0.0, 0.0, 0.0], [1.5, 0.1, 0.0], [0.3, 1.2, 0.4], [-0.7, 0.2, 1.1]]


def energy_and_forces(loops, dtype):
    pos = torch.tensor(PLACES, dtype=dtype, requires_grad=True)
    edges = torch.ones(4, 4) if loops else 1 - torch.eye(4)
    row, col = edges.nonzero().t()
    y = o3.spherical_harmonics([1], pos[row] - pos[col], normalize=True,
                               normalization='component')
    h = torch.zeros(4, 3, dtype=dtype).index_add(0, col, y)
    energy = h.square().sum()
    return energy.item(), -torch.autograd.grad(energy, pos)[0]


print(e3nn.__version__, torch.__version__)
energy, forces = energy_and_forces(False, torch.float32)
print(f'without, float32: energy {energy:.4f}, largest force '
      f'{forces.abs().max():.4g}')
assert forces.abs().max() > 1

other, none = energy_and_forces(True, torch.float32)
print(f'with loops, float32: energy {other:.4f}, largest force '
      f'{none.abs().max():.4g}')
assert abs(other - energy) < 1e-4
assert not none.any()

exact = energy_and_forces(False, torch.float64)[1]
assert torch.allclose(exact.float(), forces, rtol=1e-4, atol=1e-4)
double, rough = energy_and_forces(True, torch.float64)
error = (rough - exact).abs().max()
print(f'with loops, float64: energy {double:.4f}, largest error of a force '
      f'{error:.3g}')
assert 1e-6 < error < 1e-1
PYTHON
