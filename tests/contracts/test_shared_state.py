"""A receptor that is encoded once, through every gradient mode."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.utils import scatter

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 2.5
MODES = ['full', 'stream', 'recompute', 'auto']


class TwoTower(nn.Module):
    """The receptor's atoms hear each other; the ligand's hear them."""

    def __init__(self, out_channels=1, dropout=0.0):
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.within = nn.Sequential(
            nn.Linear(1, 8), nn.SiLU(), nn.Linear(8, 6)
        )
        self.across = nn.Sequential(
            nn.Linear(1, 8), nn.SiLU(), nn.Linear(8, 6)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, out_channels)

    def lengths(self, pos, edges):
        return (pos[edges[0]] - pos[edges[1]]).norm(dim=-1, keepdim=True)

    def tower(self, z, pos, edges):
        h = self.embedding(z)
        message = self.within(self.lengths(pos, edges)) * h[edges[0]]
        return torch.tanh(h + scatter(message, edges[1], 0, len(z)))

    def encode_receptor(self, receptor):
        h = self.tower(receptor.z, receptor.pos, receptor.edge_index)
        h = self.dropout(h)
        return {
            'atoms': [h],
            'size': h.size(0),
            'whole': (self.head(h).sum(0),),
        }

    def ligands(self, z, pos, edges, h, first, index, num):
        """Ligand rows begin at `first`; `h` are features of receptor rows."""
        own = self.embedding(z)
        to_ligand = edges[:, ~first[edges[1]] & first[edges[0]]]
        message = self.across(self.lengths(pos, to_ligand)) * h[to_ligand[0]]
        own = torch.tanh(own + scatter(message, to_ligand[1], 0, len(z)))
        return scatter(self.head(own)[~first], index[~first], 0, num)

    def forward_poses(self, poses, state):
        size = int(poses.receptor_size)
        assert size == state['size'] and poses.num_nodes == len(poses.z)
        assert poses.receptor.num_nodes == size
        first = torch.arange(len(poses.z)) < size
        index = torch.arange(poses.num_poses).repeat_interleave(
            poses.pose_size
        )
        index = torch.cat([index.new_zeros(size), index])
        (h,) = state['atoms']
        h = torch.cat([h, h.new_zeros(len(poses.z) - size, h.size(1))])
        out = self.ligands(
            poses.z, poses.pos, poses.edge_index, h, first, index,
            poses.num_poses,
        )  # fmt: skip
        return out + state['whole'][0]

    def forward(self, batch):
        first = ~batch.is_ligand
        edges = batch.edge_index
        within = edges[:, first[edges[0]] & first[edges[1]]]
        h = self.tower(batch.z, batch.pos, within)
        num = batch.num_graphs
        whole = scatter(self.head(h)[first], batch.batch[first], 0, num)
        out = self.ligands(
            batch.z, batch.pos, edges, h, first, batch.batch, num
        )
        return out + whole


def complexes(kit, seed, sizes, name):
    """Ligands around the receptor of a seed."""
    around = kit.make_set([3], True, seed, 'x').receptor
    del around.edge_index
    ligands = []
    for number, size in enumerate(sizes):
        made = kit.make_set([size], True, 100 * seed + number, 'y')
        ligand = made.pose(0)
        keep = ligand.is_ligand
        ligands.append(ligand.subgraph(keep))
        del ligands[-1].is_ligand, ligands[-1].edge_index
    made = PoseSet.from_complex(around, ligands, name=name)
    return RadiusGraph(CUTOFF)(made)


def make_batch(kit):
    """Two receptors; one has the poses of three sets, not side by side."""
    return Batch.from_data_list(
        [
            complexes(kit, 1, (4, 3, 5), 'a'),
            complexes(kit, 2, (4, 4), 'b'),
            complexes(kit, 1, (2,), 'c'),
            complexes(kit, 1, (6, 2), 'd'),
        ]
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TwoTower().double()


def step(kit, model, mode, batch, combination='max', loss=None, **kwargs):
    readout = kit.MultiPoseReadout(model, combination, gradient=mode, **kwargs)
    model.zero_grad()
    out = readout(batch, return_poses=mode != 'stream')
    both = out if isinstance(out, tuple) else (out, None)
    (loss or (lambda y, _: y.square().sum()))(*both).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return readout, both[0].detach(), grads


def check(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        scale = value.abs().max() + 1e-12
        assert ((got[name] - value).abs().max() / scale) < 1e-10, name


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('combination', ['mean', 'max', 'free_energy'])
@pytest.mark.parametrize('nodes', [None, 1, 7])
def test_parity(kit, model, mode, combination, nodes):
    batch = make_batch(kit)
    _, y, expected = step(
        kit, model, 'full', batch, combination, share_receptor=False
    )
    readout, out, grads = step(
        kit, model, mode, batch, combination, max_nodes_per_chunk=nodes
    )
    assert torch.allclose(out, y, rtol=1e-12)
    check(grads, expected)
    assert readout.last_plan.counts.encoded == 2
    assert '2 encoded' in str(readout.last_plan)


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
@pytest.mark.parametrize('budget', [None, 60_000])
def test_positions_and_loss_on_poses(kit, model, mode, budget):
    """Equal receptors of several sets have gradients of their own."""

    def loss(y, poses):
        return y.square().sum() + poses.sin().sum()

    grads = []
    for share in (False, True):
        batch = make_batch(kit)
        batch.pos.requires_grad_()
        budget = budget if mode == 'auto' else None
        step(
            kit, model, mode if share else 'full', batch, 'mean', loss,
            share_receptor=share, max_nodes_per_chunk=7,
            memory_budget=budget,
        )  # fmt: skip
        grads.append({'pos': batch.pos.grad})
    check(*grads)


def test_auto_holds_some_graphs(kit, model):
    batch = make_batch(kit)
    _, _, expected = step(kit, model, 'full', batch, share_receptor=False)
    readout, _, grads = step(
        kit, model, 'auto', batch, memory_budget=20_000,
        max_nodes_per_chunk=7,
    )  # fmt: skip
    assert readout.last_plan.mode == 'mixed', readout.last_plan
    check(grads, expected)


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
def test_vectors(kit, mode):
    torch.manual_seed(0)
    model, batch = TwoTower(3).double(), make_batch(kit)
    _, y, expected = step(
        kit, model, 'full', batch, 'SoftmaxAggregation', share_receptor=False
    )
    _, out, grads = step(kit, model, mode, batch, 'SoftmaxAggregation')
    assert torch.allclose(out, y, rtol=1e-12)
    check(grads, expected)


@pytest.mark.parametrize('mode', MODES)
def test_sets_with_and_without_a_receptor(kit, model, mode):
    lone = complexes(kit, 3, (4, 2), 'lone')
    poses = [pose.subgraph(pose.is_ligand) for pose in lone.to_poses()]
    lone = RadiusGraph(CUTOFF)(PoseSet.from_poses(poses, name='lone'))
    batch = Batch.from_data_list([lone, complexes(kit, 1, (4, 3), 'a')])
    _, y, expected = step(kit, model, 'full', batch, share_receptor=False)
    readout, out, grads = step(kit, model, mode, batch)
    assert readout.last_plan.counts.encoded == 1
    assert torch.allclose(out, y, rtol=1e-12)
    check(grads, expected)


@pytest.mark.parametrize('mode', ['stream', 'recompute'])
def test_memory_is_flat(kit, model, mode):
    held = []
    for number in (4, 64):
        batch = Batch.from_data_list([complexes(kit, 1, [4] * number, 'a')])
        readout = kit.MultiPoseReadout(
            model, 'mean', gradient=mode, max_nodes_per_chunk=8
        )
        readout(batch)  # so that nothing is made for the first time
        with LiveBytes() as live:
            out = readout(batch)
        held.append(live.held() - 5 * 8 * number)
        del out
    assert held[1] <= 1.05 * held[0]


@pytest.mark.parametrize('mode', MODES)
def test_dropout_on_the_receptor(kit, mode):
    """One mask for all poses; the generator ends where `full` leaves it."""
    torch.manual_seed(0)
    model, batch = TwoTower(dropout=0.5).double(), make_batch(kit)
    results = []
    for way in ('full', mode):
        torch.manual_seed(5)
        _, out, grads = step(kit, model, way, batch, max_nodes_per_chunk=7)
        results.append((out, grads, torch.rand(1)))
    assert torch.allclose(results[0][0], results[1][0], rtol=1e-12)
    check(results[1][1], results[0][1])
    assert torch.equal(results[0][2], results[1][2])


@pytest.mark.parametrize('mode', MODES)
def test_accumulates_and_retains(kit, model, mode):
    batch = make_batch(kit)
    _, _, once = step(kit, model, mode, batch)
    once = {name: grad.clone() for name, grad in once.items()}
    readout = kit.MultiPoseReadout(model, 'max', gradient=mode)
    model.zero_grad()
    loss = readout(batch).square().sum()
    loss.backward(retain_graph=True)
    loss.backward()
    check(
        {name: p.grad for name, p in model.named_parameters()},
        {name: 2 * grad for name, grad in once.items()},
    )


def test_what_changed_between_the_passes(kit, model):
    batch = make_batch(kit)
    readout = kit.MultiPoseReadout(model, 'max', gradient='recompute')
    loss = readout(batch).sum()
    with torch.no_grad():
        model.head.weight.mul_(2)
    with pytest.raises(RuntimeError, match='changed'):
        loss.backward()


def test_an_error_leaves_no_trace(kit, model):
    class Failing(TwoTower):
        def encode_receptor(self, receptor):
            torch.rand(3)
            raise RuntimeError('broken receptor')

    model, batch = Failing().double(), make_batch(kit)
    state = torch.get_rng_state()
    forced = kit.MultiPoseReadout(model, 'max', share_receptor=True)
    with pytest.raises(ValueError, match='broken receptor'):
        forced(batch)
    readout = kit.MultiPoseReadout(model, 'max')
    assert readout(batch).isfinite().all()  # by whole complexes
    assert 'broken receptor' in str(readout.last_plan)
    assert torch.equal(state, torch.get_rng_state())


def test_no_gradient(kit, model):
    batch = make_batch(kit)
    readout = kit.MultiPoseReadout(model, 'max')
    with torch.no_grad():
        plain = kit.MultiPoseReadout(model, 'max', share_receptor=False)(batch)
        assert torch.allclose(readout(batch), plain, rtol=1e-12)
    assert readout.last_plan.counts.encoded == 2


def test_who_shares_and_why_not(kit, model):
    batch = make_batch(kit)
    with pytest.raises(ValueError, match="gradient='store'"):
        kit.MultiPoseReadout(model, gradient='store', share_receptor=True)
    store = kit.MultiPoseReadout(model, gradient='store')
    assert 'whole complexes' in str(store.plan(batch))
    lone = Batch.from_data_list([complexes(kit, 1, (4,), 'a')])
    plan = kit.MultiPoseReadout(model).plan(lone)
    assert 'no receptor has several poses' in str(plan)
    forced = kit.MultiPoseReadout(model, share_receptor=True).plan(lone)
    assert '1 encoded' in str(forced)
    model.register_forward_hook(lambda *args: None)
    assert 'has hooks' in str(kit.MultiPoseReadout(model).plan(batch))
    with pytest.raises(ValueError, match='has hooks'):
        kit.MultiPoseReadout(model, share_receptor=True)(batch)


def test_one_name_for_two_receptors(kit, model):
    sets = make_batch(kit).to_data_list()
    for number in (0, 1):
        sets[number].put('receptor_name', 'mpro', 'set')
    sets = sets[:2]
    with pytest.raises(ValueError, match='mpro'):
        kit.MultiPoseReadout(model)(Batch.from_data_list(sets))


def test_copies(kit, model):
    batch = make_batch(kit)
    readout = kit.MultiPoseReadout(model, 'max')
    expected = readout(batch)
    for other in (copy.deepcopy(readout), pickle.loads(pickle.dumps(readout))):
        assert torch.equal(other(batch), expected)
