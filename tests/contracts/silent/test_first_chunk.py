"""Kind 3: what requires grad is a property of the call, not of a chunk."""

import pytest
import torch
from torch import nn
from torch_geometric.utils import scatter

from pyg_multipose.nn import MultiPoseReadout

MODES = ['full', 'store', 'stream', 'recompute', 'auto']


class Adapter(nn.Module):
    """A frozen trunk, and a branch for poses with a metal."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(4, 8).requires_grad_(False)
        self.out = nn.Linear(8, 1).requires_grad_(False)
        self.metal = nn.Linear(8, 1)

    def trunk_of(self, batch):
        return scatter(
            self.trunk(batch.x), batch.batch, 0, batch.num_graphs
        ).tanh()

    def metals(self, batch):
        has = (batch.z == 99).long()
        return scatter(has, batch.batch, 0, batch.num_graphs) > 0

    def forward(self, batch):
        h = self.trunk_of(batch)
        at = self.metals(batch).nonzero()[:, 0]
        out = self.out(h)
        if len(at):
            out = out.index_put((at,), out[at] + self.metal(h[at]))
        return out


class Experts(Adapter):
    """Each pose goes to one expert; only one of them learns."""

    def __init__(self):
        super().__init__()
        self.metal = nn.ModuleList([nn.Linear(8, 1) for _ in range(3)])
        for expert in self.metal[:2]:
            expert.requires_grad_(False)

    def forward(self, batch):
        h, out = self.trunk_of(batch), []
        number = scatter(batch.z, batch.batch, 0, batch.num_graphs) % 3
        number = torch.where(self.metals(batch), 2, number % 2)
        for row, expert in zip(h, number.tolist(), strict=True):
            out.append(self.metal[expert](row))
        return torch.stack(out)


class Detached(Adapter):
    """Without a metal nothing of the pose has a graph."""

    def forward(self, batch):
        h, metals = self.trunk_of(batch), self.metals(batch)
        if metals.any():
            return self.metal(h) * metals[:, None] + self.out(h)
        return self.out(h).detach()


class Constant(Adapter):
    """Without a metal the prediction is a constant of another dtype."""

    def forward(self, batch):
        metals = self.metals(batch)
        if not metals.any():
            return torch.zeros(batch.num_graphs, 1)
        return self.metal(self.trunk_of(batch)) * metals[:, None]


class NoGrad(Adapter):
    """Poses without a metal are evaluated without grad."""

    def forward(self, batch):
        metals = self.metals(batch)
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and bool(metals.any())
        ):
            h = self.trunk_of(batch)
            return self.out(h) + metals[:, None] * self.metal(h)


KINDS = [Adapter, Experts, Detached, Constant, NoGrad]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('metals', [(4,), (0,), ()])
def test_branch_that_some_poses_take(silent, kind, mode, metals):
    model, poses = kind(), silent.ligands(metals=metals)
    for chunk in (5, 10):
        readout = MultiPoseReadout(
            model, 'mean', gradient=mode, max_nodes_per_chunk=chunk
        )
        silent.agrees(readout, poses)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('mode', ['recompute', 'auto'])
def test_plans_that_change(silent, kind, mode):
    """A sharp Max: few poses matter, and not those with a metal."""
    model = kind()
    poses = silent.ligands((5,) * 20, (10, 19))
    readout = MultiPoseReadout(
        model,
        'max',
        gradient=mode,
        max_nodes_per_chunk=10,
    )
    y = silent.predictions_of(model(silent.whole(poses)))
    parameters = list(model.metal.parameters())
    parameters = [p for p in parameters if p.requires_grad]
    expected = torch.autograd.grad(y[10] + y[19], parameters)
    for step in range(4):
        other = torch.zeros((), requires_grad=True)
        _, each = readout(poses, return_poses=True)
        got = torch.autograd.grad(each[10] + each[19] + other, parameters)
        for one, two in zip(got, expected, strict=True):
            silent.same(f'step {step}', one, two)


@pytest.mark.parametrize('mode', MODES)
def test_metals_that_come_in_a_later_batch(silent, mode):
    """What earlier batches were like says nothing of the next one."""
    model = Adapter()
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=10
    )
    for seed, metals in enumerate([(), (), (5,), (), (2, 3)]):
        silent.agrees(readout, silent.ligands(metals=metals, seed=seed))


@pytest.mark.parametrize('mode', MODES)
def test_parts_that_thaw_between_calls(silent, mode):
    model, poses = Adapter(), silent.ligands(metals=(4,))
    readout = MultiPoseReadout(
        model, 'mean', gradient=mode, max_nodes_per_chunk=10
    )
    silent.agrees(readout, poses)
    model.metal.requires_grad_(False)
    silent.agrees(readout, poses)
    model.trunk.requires_grad_(True)
    silent.agrees(readout, poses)
    model.trunk.requires_grad_(False)
    model.metal.weight.requires_grad_(True)
    silent.agrees(readout, poses)


class Sharing(Adapter):
    """The same with a receptor that is evaluated once."""

    def forward(self, batch):
        size = batch.is_ligand
        whole = scatter(
            self.trunk(batch.x[~size]).tanh().sum(1),
            batch.batch[~size],
            0,
            batch.num_graphs,
        )
        return self.poses(
            batch.x[size], batch.z[size], batch.batch[size], whole
        )

    def poses(self, x, z, at, whole):
        n = len(whole)
        h = scatter(self.trunk(x), at, 0, n).tanh()
        metals = scatter((z == 99).long(), at, 0, n).nonzero()[:, 0]
        out = self.out(h)[:, 0] + whole
        if len(metals):
            more = self.metal(h[metals])[:, 0] * whole[metals].detach()
            out = out.index_put((metals,), out[metals] + more)
        return out

    def encode_receptor(self, receptor):
        return self.trunk(receptor.x).tanh().sum()

    def forward_poses(self, poses, state):
        size, first = poses.pose_size, int(poses.receptor_size)
        at = torch.arange(len(size)).repeat_interleave(size)
        return self.poses(
            poses.x[first:], poses.z[first:], at, state.expand(len(size))
        )


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
@pytest.mark.parametrize('metals', [(), (3,), (0,)])
def test_branch_that_some_poses_of_a_receptor_take(silent, mode, metals):
    poses = silent.complexes()
    for pose in metals:
        poses.z[30 + 3 * pose] = 99
    for share in ('auto', True):
        readout = MultiPoseReadout(
            Sharing(),
            'mean',
            gradient=mode,
            share_receptor=share,
            max_nodes_per_chunk=6,
        )
        silent.agrees(readout, poses)
        assert silent.shared(readout)
