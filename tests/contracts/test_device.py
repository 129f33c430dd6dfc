"""On another device than the CPU: nothing is mixed, and nobody waits."""

import copy

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GraphConv
from torch_geometric.nn.aggr import AttentionalAggregation

from pyg_multipose.data import PoseSet
from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers
from pyg_multipose.transforms import RadiusGraph
from tests import remote
from tests.trusting import trusting

MODES = ['full', 'store', 'stream', 'recompute', 'auto']


def both(readout, batch, step, on_host=False, there=None):
    """What a step gives on the CPU and on the device, by a copy if not there.

    A readout that is used again need not look at its model again, which is
    most of a first step here.
    """
    there = there or remote.moved(readout)
    expected = step(readout, batch)
    with remote.device():
        got = step(there, batch if on_host else remote.moved(batch))
    for one, other in zip(got, expected, strict=True):
        of_batch = on_host and step is forces
        assert isinstance(one, remote.Remote) != of_batch
        assert torch.allclose(remote.local(one), other, 1e-12, 1e-12)


def train(readout, batch):
    readout.zero_grad()
    out = readout(batch)
    out.pow(2).sum().backward()
    grads = [p.grad for p in readout.parameters() if p.grad is not None]
    return [out.detach(), *grads]


def with_poses(readout, batch):
    out, poses, weights = readout(batch, True, True)
    (out.pow(2).sum() + poses.pow(2).sum()).backward()
    grads = [p.grad for p in readout.parameters() if p.grad is not None]
    return [out.detach(), poses.detach(), weights, *grads]


def forces(readout, batch):
    batch = copy.copy(batch)
    batch.pos = batch.pos.detach().clone().requires_grad_()
    return torch.autograd.grad(readout(batch).sum(), [batch.pos])


def infer(readout, batch):
    with torch.no_grad():  # the second call finds the receptors encoded
        return [readout(batch), readout(batch)]


# Where tensors are ###########################################################


OPTIONS = [
    {},
    {'max_nodes_per_chunk': 30},
    {'nonfinite': 'mask'},
    {'memory_budget': 10**6},
    {'backward_poses': 2},
]


@pytest.mark.parametrize(
    ('name', 'options', 'combination'),
    [
        *[('tiny', options, combination) for options in OPTIONS
          for combination in ('mean', 'max')],
        *[(name, *both) for name in ('schnet', 'e3nn')
          for both in ((OPTIONS[0], 'mean'), (OPTIONS[1], 'max'))],
    ],
    ids=str,
)  # fmt: skip
def test_every_mode(kit, name, combination, options, subtests):
    spec = kit.make_model(name)
    readout = kit.MultiPoseReadout(
        spec.module, combination, inputs=spec.inputs, **options
    )
    there = remote.moved(readout)
    batch = kit.make_batch()
    for mode in MODES:
        if (mode, *options) != ('stream', 'backward_poses'):
            readout.gradient = there.gradient = mode
            with subtests.test(mode):
                both(readout, batch, train, there=there)


@pytest.mark.parametrize('mode', ['full', 'recompute', 'auto'])
@pytest.mark.parametrize('step', [with_poses, forces])
@pytest.mark.parametrize('on_host', [False, True])
def test_losses_on_poses_and_gradients_of_inputs(kit, mode, step, on_host):
    model = kit.make_model('tiny').module
    readout = kit.MultiPoseReadout(model, 'max', mode, max_nodes_per_chunk=30)
    both(readout, kit.make_batch(), step, on_host)


def test_embeddings(kit):
    model = kit.TinyGNN(out_channels=3).double()
    attention = AttentionalAggregation(torch.nn.Linear(3, 1)).double()
    readout = kit.MultiPoseReadout(model, attention, 'recompute')
    both(readout, kit.make_batch(), train)


@pytest.mark.parametrize('on_host', [False, True])
@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_poses_that_are_not_finite(kit, mode, on_host):
    model = kit.make_model('tiny').module
    batch = kit.make_batch(sizes=((4, 3, 5, 4), (2, 3)))
    batch.pos[-1] = torch.nan  # of the last pose
    readout = kit.MultiPoseReadout(
        model, 'mean', mode, max_nodes_per_chunk=30, nonfinite='mask'
    )
    with pytest.warns(UserWarning, match='Left out 1 poses'):
        both(readout, batch, train, on_host)
    readout = kit.MultiPoseReadout(model, 'mean', mode, max_nodes_per_chunk=30)
    there = remote.moved(readout), batch if on_host else remote.moved(batch)
    with remote.device(), pytest.raises(ValueError, match='pose 1 is nan'):
        train(*there)


@pytest.mark.parametrize('on_host', [False, True])
def test_best_first(kit, on_host):
    model = kit.make_model('tiny').module
    sets = kit.make_batch().to_data_list()
    for pose_set in sets:
        pose_set.put('score', torch.randn(pose_set.num_poses), 'pose')
    batch = Batch.from_data_list(sets)
    readout = kit.MultiPoseReadout(
        model, 'max', 'stream', best_first='score', tolerance=0.1
    )
    both(readout, batch, train, on_host)


def complexes(kit, poses=2):
    """Two sets in one receptor."""
    make = torch.Generator().manual_seed(0)

    def atoms(count, wide):
        pos = wide * torch.randn(count, 3, generator=make).double()
        return Data(z=torch.randint(1, 9, (count,), generator=make), pos=pos)

    receptor = atoms(60, 3.0)
    return Batch.from_data_list(
        [
            RadiusGraph(kit.CUTOFF)(
                PoseSet.from_complex(receptor, [atoms(5, 1.0)] * poses)
            )
            for _ in range(2)
        ]
    )


@pytest.mark.parametrize(
    ('name', 'options', 'on_host'),
    [
        ('layers', {}, False),
        ('layers', {}, True),
        ('layers', {'max_nodes_per_chunk': 10}, False),
        ('layers', {'max_nodes_per_chunk': 10}, True),
        ('schnet', {}, True),
        ('schnet', {'max_nodes_per_chunk': 10}, False),
        ('e3nn', {}, False),
    ],
    ids=str,
)
def test_a_shared_receptor(kit, on_host, name, options, subtests):
    torch.manual_seed(0)
    model = {
        'layers': lambda: SharedLayers(
            torch.nn.Embedding(10, 8),
            [GraphConv(8, 8), GraphConv(8, 8)],
            torch.nn.Linear(8, 1),
        ),
        'schnet': lambda: SchNet(8, 8, 2, 6, kit.CUTOFF),
        'e3nn': lambda: EquivariantGNN(
            '4x0e+2x1o', num_layers=2, cutoff=kit.CUTOFF, lmax=1
        ),
    }[name]().double()
    readout = kit.MultiPoseReadout(
        model, 'mean', share_receptor=True, **options
    )
    if name != 'layers':  # these look at their model, on the device too
        trusting(readout)
    there = remote.moved(readout)
    batch = complexes(kit)
    for mode in ('full', 'stream', 'recompute', 'auto'):
        readout.gradient = there.gradient = mode
        with subtests.test(mode):
            both(readout, batch, train, on_host, there)
            both(readout, batch, infer, on_host, there)
            if mode == 'recompute' and name != 'layers':
                both(readout, batch, forces, on_host, there)


# A batch that stays on the host ##############################################


@pytest.mark.parametrize('name', ['tiny', 'schnet', 'e3nn'])
def test_chunks_go_to_the_model(kit, name, subtests):
    spec = kit.make_model(name)
    readout = kit.MultiPoseReadout(
        spec.module, 'mean', inputs=spec.inputs, max_nodes_per_chunk=30
    )
    there = remote.moved(readout)
    for mode in MODES:
        readout.gradient = there.gradient = mode
        with subtests.test(mode):
            both(readout, kit.make_batch(), train, True, there)


def test_a_batch_that_is_elsewhere(kit):
    readout = kit.MultiPoseReadout(kit.make_model('tiny').module)
    batch = remote.moved(kit.make_batch())
    with remote.device(), pytest.raises(ValueError, match='on one device'):
        readout(batch)


# What waits for the device ###################################################


def questions(kit, combination, gradient, chunks, dropout=0.0, model=None):
    """What a step asks the device in forward, and in all."""
    torch.manual_seed(0)
    batch = kit.make_batch(receptor=False, sizes=((4,) * 24,))
    readout = kit.MultiPoseReadout(
        model or kit.TinyGNN(dropout=dropout).double(),
        combination,
        gradient,
        max_nodes_per_chunk=batch.num_nodes // chunks,
    )
    with remote.device() as asked:
        readout = remote.moved(readout)
        loss = readout(remote.moved(batch)).sum()
        in_forward = list(asked)
        loss.backward()
    assert readout.last_plan.num_chunks == chunks
    return in_forward, list(asked)


@pytest.mark.parametrize(
    ('combination', 'gradient'),
    [
        ('mean', 'full'),
        ('mean', 'stream'),
        ('mean', 'recompute'),
        ('max', 'recompute'),
        ('free_energy', 'recompute'),
        ('mean', 'auto'),
    ],
)
def test_nothing_is_asked_chunk_by_chunk(kit, combination, gradient):
    questions(kit, combination, gradient, 3)  # what is made once
    few = questions(kit, combination, gradient, 3)
    many = questions(kit, combination, gradient, 12)
    assert len(few[0]) > 0  # the layout at least
    assert many[0] == few[0]
    # A second pass of several chunks asks for all but the first one at once;
    # of graphs that are held, each asks once.
    most = 9 if gradient == 'auto' else 1
    assert 0 <= len(many[1]) - len(few[1]) <= most


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_nor_by_our_models(kit, name):
    """Atomic numbers are looked at there, and pairs are not looked for."""
    make = {
        'schnet': lambda: SchNet(4, 4, 2, 5, kit.CUTOFF),
        'e3nn': lambda: EquivariantGNN(
            '4x0e+2x1o', 2, kit.CUTOFF, lmax=1, radial_channels=4
        ),
    }[name]
    _, few, many = (  # the first asks for what is made once
        questions(kit, 'mean', 'recompute', chunks, model=make().double())
        for chunks in (3, 3, 12)
    )
    assert many[0] == few[0]
    assert len(many[1]) - len(few[1]) in (0, 1)


@pytest.mark.parametrize(('atoms', 'each'), [('all', 2), ('ligand', 4)])
@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
def test_reach_asks_for_its_sizes(kit, name, atoms, each):
    """In a pass over a chunk; what only the ligand needs, besides."""
    make = {
        'schnet': lambda: SchNet(4, 4, 3, 5, kit.CUTOFF, atoms=atoms),
        'e3nn': lambda: EquivariantGNN(
            '4x0e+2x1o', 3, kit.CUTOFF, lmax=1, radial_channels=4, atoms=atoms
        ),
    }[name]
    found = []
    for nodes in (40, 20):
        torch.manual_seed(0)
        batch = complexes(kit, 12)
        readout = trusting(
            kit.MultiPoseReadout(
                make().double(),
                'mean',
                'recompute',
                share_receptor=True,
                max_nodes_per_chunk=nodes,
            )
        )
        there = remote.moved(readout)
        with remote.device() as asked:  # the first asks for kinds of atoms
            there(remote.moved(batch)).sum().backward()
        with remote.device() as asked:
            loss = there(remote.moved(batch)).sum()
            forward = len(asked)
            loss.backward()
        chunks = there.last_plan.num_chunks
        found.append((chunks, forward, len(asked) - forward))
    few, many = found
    more = many[0] - few[0]
    assert more > 2
    for one, two in zip(few[1:], many[1:], strict=True):
        assert two - one <= each * more


def test_atomic_numbers_are_looked_at_there(kit):
    batch = kit.make_batch()
    batch.z[-1] = 100
    model = SchNet(4, 4, 2, 5, kit.CUTOFF).double()
    readout = kit.MultiPoseReadout(model, 'mean', 'recompute')
    with remote.device(), pytest.raises(RuntimeError, match="'z' must lie in"):
        remote.moved(readout)(remote.moved(batch))


@pytest.mark.parametrize('combination', ['mean', 'max'])
def test_nor_in_a_second_pass_of_the_same_chunks(kit, combination):
    """With dropout they stay; without, few large ones are made."""
    few = questions(kit, combination, 'recompute', 3, dropout=0.5)
    many = questions(kit, combination, 'recompute', 12, dropout=0.5)
    assert many[0] == few[0]
    assert len(many[1]) - len(few[1]) in (0, 1)


def test_the_number_that_matters_is_asked_chunk_by_chunk(kit):
    """Else `stream` could not skip a backward pass."""
    few = questions(kit, 'max', 'stream', 3)[1]
    many = questions(kit, 'max', 'stream', 12)[1]
    # And whether the gradient is finite, which a pose may spoil for others.
    assert len(few) + 9 <= len(many) <= len(few) + 2 * 9
