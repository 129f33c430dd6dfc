#!/usr/bin/env bash
# e3nn 0.6.0, torch 2.13.0: Irreps.D_from_matrix and D_from_axis_angle lose
# small rotations about x and z, not about y.
#
# For '1o', the irrep of vectors, D is the rotation matrix itself, so one would
# expect what was put in up to rounding. But both go by Euler angles
# about y, x, y, and the angle about x is an arc cosine, which in float32 has no
# value between 0 and 0.0003 rad.
#
#   0.0001 rad about y, float32: sine 1.000e-04 of the matrix, 1.000e-04 of D
#   0.0001 rad about x, float32: sine 1.000e-04 of the matrix, 0.000e+00 of D
#   1e-09 rad about x, float64:  sine 1.000e-09 of the matrix, 0.000e+00 of D
#
# So tests of equivariance with small rotations, and steps of a rotation, need
# D in float64, which may be rounded afterwards.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 e3nn==0.6.0

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import e3nn
import torch
from e3nn import o3

VECTORS = o3.Irreps('1o')
SINE_AT = {'x': (2, 1), 'y': (0, 2), 'z': (1, 0)}


def sines(angle, axis, dtype):
    """The sine in the rotation matrix, and in D made by both ways."""
    way = torch.tensor([float(axis == name) for name in 'xyz'], dtype=dtype)
    turn = torch.tensor(angle, dtype=dtype)
    matrix = o3.axis_angle_to_matrix(way, turn)
    at = SINE_AT[axis]
    found = [m[at].item() for m in (
        matrix, VECTORS.D_from_matrix(matrix),
        VECTORS.D_from_axis_angle(way, turn),
    )]
    print(f'{angle} rad about {axis}, {dtype}: sine {found[0]:.3e} of the '
          f'matrix, {found[1]:.3e} and {found[2]:.3e} of D')
    assert abs(found[0] / math.sin(angle) - 1) < 1e-6
    return [sine / math.sin(angle) for sine in found[1:]]


print(e3nn.__version__, torch.__version__)
assert all(abs(share - 1) < 1e-3 for share in sines(0.1, 'x', torch.float32))
for axis in 'xz':
    shares = sines(1e-4, axis, torch.float32)
    assert all(abs(share) < 0.1 for share in shares), shares
assert all(abs(share - 1) < 1e-3 for share in sines(1e-4, 'y', torch.float32))
assert all(abs(share - 1) < 1e-3 for share in sines(1e-4, 'x', torch.float64))
shares = sines(1e-9, 'x', torch.float64)
assert all(abs(share) < 0.1 for share in shares), shares
PYTHON
