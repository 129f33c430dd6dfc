#!/usr/bin/env bash
# e3nn 0.6.0, torch 2.13.0: a tensor product that is made in float32 and then
# turned to float64 by .double() stays equivariant to the digits of float32.
#
# One would expect only the weights to be rounded, which does no harm, as any
# weights are equivariant. But the Wigner 3j symbols are buffers in the dtype
# that is the default when the module is made, and .double() makes float64 of
# the rounded ones. A whole state_dict brings them along.
#
#   relative difference of turning before and turning after the product
#   made in float32, then .double():    4.2e-09
#   made in float64, same weights:      2.6e-15
#   made in float64, whole state_dict:  4.2e-09
#
# So a test of equivariance in double precision has to set the default dtype
# before the model is made, and to load only the weights into it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 e3nn==0.6.0

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import e3nn
import torch
from e3nn import o3

IRREPS = o3.Irreps('4x0e+4x1o+4x2e')


def product(dtype):
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    made = o3.FullyConnectedTensorProduct(IRREPS, IRREPS, IRREPS).double()
    torch.set_default_dtype(torch.float64)
    assert all(value.dtype == torch.float64
               for value in (*made.parameters(), *made.buffers()))
    return made


def error(model):
    """Relative difference of turning before and turning after."""
    torch.manual_seed(0)
    x, y = torch.randn(2, 20, IRREPS.dim)
    turn = IRREPS.D_from_matrix(o3.rand_matrix()).t()
    after, before = model(x, y) @ turn, model(x @ turn, y @ turn)
    return ((after - before).norm() / after.norm()).item()


print(e3nn.__version__, torch.__version__)
single, double = product(torch.float32), product(torch.float64)
double.load_state_dict(
    {name: value for name, value in single.state_dict().items()
     if name.endswith('weight')}, strict=False)
assert torch.equal(single.weight, double.weight)
errors = error(single), error(double)
print(f'made in float32, then .double(): {errors[0]:.1e}')
print(f'made in float64, same weights: {errors[1]:.1e}')
assert errors[0] > 1e-9 and errors[1] < 1e-13
double.load_state_dict(single.state_dict())
print(f'made in float64, whole state_dict: {error(double):.1e}')
assert error(double) > 1e-9
PYTHON
