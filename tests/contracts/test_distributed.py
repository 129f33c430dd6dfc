"""DistributedDataParallel around the readout: two processes, gloo."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout


class Net(nn.Module):
    """A small model; one layer is unused."""

    def __init__(self, unused):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))
        if unused:
            self.unused = nn.Linear(2, 2)

    def forward(self, batch):
        h = self.mlp(batch.pos)
        return scatter(h, batch.batch, 0, batch.num_graphs, 'mean')


def batch_of(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    return Batch.from_data_list(
        [
            PoseSet.from_poses(
                [
                    Data(pos=torch.randn(4, 3, generator=generator).double())
                    for _ in range(size)
                ]
            )
            for size in sizes
        ]
    )


MODES = ['full', 'store', 'stream', 'recompute', 'auto']
#: Uneven numbers of sets; two micro-batches for each rank.
SETS = {0: [(3, 1), (2,)], 1: [(4,), (1, 2, 3)]}


def readout_of(mode, unused):
    torch.manual_seed(0)
    model = Net(unused).double()
    return MultiPoseReadout(
        model, 'free_energy', gradient=mode, max_nodes_per_chunk=8
    )


def loss_of(readout, rank, step):
    return readout(batch_of(SETS[rank][step], 10 * rank + step)).pow(2).sum()


#: Every case runs in the same two processes: starting them is what takes long.
CASES = {
    f'{mode}-{name}-{"no_sync" if accumulate else "one step"}': (
        mode,
        options,
        accumulate,
    )
    for mode in MODES
    for name, options in {
        'plain': {},
        'find_unused': {'find_unused_parameters': True},
        'static_graph': {'static_graph': True},
    }.items()
    for accumulate in (False, True)
    if not (accumulate and name == 'static_graph')  # fails in plain DDP too
}


def gradients(rank, mode, options, accumulate):
    """The gradients of one rank after one or two micro-batches."""
    unused = bool(options.get('find_unused_parameters'))
    readout = readout_of(mode, unused)
    ddp = DistributedDataParallel(readout, **options)
    for step in (0, 1) if accumulate else (1,):
        with nullcontext() if step else ddp.no_sync():
            loss_of(ddp, rank, step).backward()
    return [
        None if p.grad is None else p.grad.tolist()
        for p in readout.parameters()
    ]


def without_sets(rank, mode):
    """Gradients of one step, in which the second rank has no sets."""
    readout = readout_of(mode, False)
    ddp = DistributedDataParallel(readout)
    with Join([ddp]):
        for step in (0, 1)[: 1 - rank]:
            loss_of(ddp, rank, step).backward()
    return [p.grad if p.grad is None else p.grad.tolist()
            for p in readout.parameters()]  # fmt: skip


def refused():
    """Why a model that is distributed by itself is refused."""
    inner = DistributedDataParallel(Net(False).double())
    try:
        MultiPoseReadout(inner)
    except ValueError as error:
        return str(error)
    return None


def work(rank, file, out):
    """One rank: all cases, then its gradients to the parent."""
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo', init_method=f'file://{file}', rank=rank, world_size=2
    )
    try:
        out[rank] = {
            **{name: gradients(rank, *case) for name, case in CASES.items()},
            **{mode: without_sets(rank, mode) for mode in MODES},
            'refused': refused(),
        }
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope='module')
def of_ranks(tmp_path_factory):
    """What both ranks found."""
    file = tmp_path_factory.mktemp('gloo') / 'store'
    with mp.Manager() as manager:
        out = manager.dict()
        mp.get_context('forkserver').set_forkserver_preload([__name__])
        mp.start_processes(work, (file, out), 2, start_method='forkserver')
        return dict(out)


@pytest.mark.parametrize('name', CASES)
def test_gradients_equal_one_process(of_ranks, name):
    """DDP averages over ranks: half of the sum that one process has."""
    _, options, accumulate = CASES[name]
    readout = readout_of('full', 'find_unused_parameters' in options)
    for rank in (0, 1):
        for step in (0, 1) if accumulate else (1,):
            (loss_of(readout, rank, step) / 2).backward()
    for rank in (0, 1):
        got_all = of_ranks[rank][name]
        for got, parameter in zip(got_all, readout.parameters(), strict=True):
            if parameter.grad is None:
                assert got is None or not torch.tensor(got).any()
                continue
            got = torch.tensor(got, dtype=torch.float64)
            assert torch.allclose(got, parameter.grad, rtol=1e-10)


@pytest.mark.parametrize('mode', MODES)
def test_rank_without_sets(of_ranks, mode):
    """It joins: the others' gradients, averaged over both."""
    readout = readout_of('full', False)
    (loss_of(readout, 0, 0) / 2).backward()
    got_all = of_ranks[0][mode]
    for got, parameter in zip(got_all, readout.parameters(), strict=True):
        got = torch.tensor(got, dtype=torch.float64)
        assert torch.allclose(got, parameter.grad, rtol=1e-10)


def test_distributed_model_inside_is_refused(of_ranks):
    for rank in (0, 1):
        assert 'Wrap the whole MultiPoseReadout' in of_ranks[rank]['refused']
