#!/usr/bin/env bash
# torch 2.13.0: gradients are not averaged over ranks, without a word, where
# the DistributedDataParallel wrapper is gone before backward.
#
# One would expect its hooks to live with the parameters, as other hooks do,
# so that DistributedDataParallel(model)(x).backward() is as good as with a
# name for the wrapper. What averages gradients belongs to the wrapper.
#
#   wrapper kept:   rank 0 has 1.5, rank 1 has 1.5
#   wrapper dropped: rank 0 has 1.0, rank 1 has 2.0
#
# So keep the wrapper for as long as the model is trained.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy

cat > "$folder/ranks.py" <<'PYTHON'
import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel


def gradient(keep):
    model = torch.nn.Linear(1, 1, bias=False)
    x = torch.full((1, 1), 1.0 + dist.get_rank())
    if keep:
        wrapper = DistributedDataParallel(model)
        wrapper(x).sum().backward()
    else:
        DistributedDataParallel(model)(x).sum().backward()
    return model.weight.grad.item()


def work(rank, file):
    dist.init_process_group('gloo', f'file://{file}', rank=rank, world_size=2)
    for keep in (True, False):
        found = [None, None]
        dist.all_gather_object(found, gradient(keep))
        if rank == 0:
            print('wrapper kept:' if keep else 'wrapper dropped:', found)
            assert found == ([1.5, 1.5] if keep else [1.0, 2.0]), found
    dist.destroy_process_group()


if __name__ == '__main__':
    print(torch.__version__)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (os.path.join(folder, 'meet'),), nprocs=2)
PYTHON
"$folder/venv/bin/python" "$folder/ranks.py"
