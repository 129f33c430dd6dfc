#!/usr/bin/env bash
# torch-geometric 2.8.1: two models SchNet with the same weights, both in
# double precision, predict numbers that differ by 7e-9, if one of them was
# made while float64 was the default type and the other was cast by .double().
#
# Casting usually leaves nothing behind where weights are set afterwards. But
# the shift of the activation, ln 2, is a plain number that is rounded to the
# default type when the model is made: no cast and no state dict reaches it.
#
#   made in float64: shift off by 0
#   cast to float64: shift off by 1.9e-09
#   predictions differ by 7e-09
#
# So beside a reference in double precision, both have to be made in it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torch-geometric==2.8.1

"$folder/venv/bin/python" - <<'PYTHON'
import math

import torch
import torch_geometric
from torch_geometric.nn.models import SchNet

SIZES = {'hidden_channels': 8, 'num_filters': 8, 'num_interactions': 2}


def graph(pos, batch):
    """All pairs, so that no extension has to find neighbors."""
    source, target = torch.ones(len(pos), len(pos)).fill_diagonal_(0).nonzero().T
    edges = torch.stack([source, target])
    return edges, (pos[source] - pos[target]).norm(dim=-1)


torch.manual_seed(0)
cast = SchNet(**SIZES, interaction_graph=graph).double()
torch.set_default_dtype(torch.float64)
made = SchNet(**SIZES, interaction_graph=graph)
made.load_state_dict(cast.state_dict())

print('torch-geometric', torch_geometric.__version__)
for name, model in (('made in', made), ('cast to', cast)):
    off = abs(model.act.shift - math.log(2.0))
    print(f'{name} float64: shift off by {off:.2g}')
    assert (off == 0) == (model is made), off

z, pos = torch.tensor([6, 7, 8]), torch.eye(3)
one, two = (model(z, pos).item() for model in (made, cast))
print(f'predictions differ by {abs(one - two):.1g}')
assert 1e-12 < abs(one - two) < 1e-6
PYTHON
