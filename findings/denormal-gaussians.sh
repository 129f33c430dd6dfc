#!/usr/bin/env bash
# torch 2.13.0, torch-geometric 2.8.1: the Gaussians of PyG's SchNet make the
# matrix products of its filters many times slower on a CPU.
#
# GaussianSmearing expands a distance of a few angstrom in Gaussians up to the
# cutoff. Of those that are far away, a few hundredths are denormal numbers of
# float32 (below 1.2e-38), and so are their products with a gradient. One would
# expect a matrix product to take as long whatever the numbers are. With
# denormal ones it does not:
#
#   denormal numbers among the Gaussians: 4 %
#   gradient of the filter's weights: 99 times as long as with zeros for them
#
# (On another processor it may be 20 times.) The values are far below rounding:
# setting them to zero, or torch.set_flush_denormal(True), changes no
# prediction, and a training step of a SchNet took half the time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torch-geometric==2.8.1

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import statistics
import time

import torch
import torch_geometric
from torch_geometric.nn.models.schnet import GaussianSmearing

torch.manual_seed(0)
lengths = 1.2 + 3.3 * torch.rand(4000)  # angstrom, of a cutoff of 4.5
gaussians = GaussianSmearing(0.0, 4.5, 50)(lengths)
tiny = torch.finfo(torch.float32).tiny
share = ((gaussians > 0) & (gaussians < tiny)).float().mean()
print(torch.__version__, torch_geometric.__version__)
print(f'denormal numbers among the Gaussians: {100 * share:.0f} %')
assert 0.01 < share < 0.1

# The gradient of the weights of the first layer of a filter.
gradient = 1e-3 * torch.randn(128, 4000)
without = gaussians.masked_fill(gaussians < 1e-25, 0.0)


def seconds(x):
    start = time.perf_counter()
    gradient @ x
    return time.perf_counter() - start


for x in (gaussians, without):
    seconds(x)
ratio = statistics.median(
    seconds(gaussians) / seconds(without) for _ in range(21)
)
print(f"gradient of the filter's weights: {ratio:.0f} times as long as with "
      f'zeros for them')
assert ratio > 5
assert torch.allclose(gradient @ gaussians, gradient @ without, rtol=1e-5,
                      atol=1e-6)
PYTHON
