"""Receptors that outlive a call without gradient: never a stale number."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch_geometric.data import Batch, Data
from torch_geometric.nn import BatchNorm, GINEConv

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet, SharedLayers
from pyg_multipose.transforms import RadiusGraph
from tests.trusting import trusting

CUTOFF = 2.5
NAMES = ['schnet', 'e3nn', 'layers']


class Lengths(nn.Module):
    """Attributes of edges; the buffer is a unit of length."""

    def __init__(self):
        super().__init__()
        self.register_buffer('unit', torch.ones(()))
        self.power = 1

    def forward(self, pos, e):
        length = (pos[e[0]] - pos[e[1]]).norm(dim=-1, keepdim=True)
        return (length / self.unit) ** self.power


def make_model(name):
    torch.manual_seed(0)
    if name == 'schnet':
        return SchNet(8, 8, 2, 6, CUTOFF).double()
    if name == 'e3nn':
        return EquivariantGNN(
            '4x0e+2x1o', num_layers=2, cutoff=CUTOFF, lmax=1
        ).double()
    mlps = [
        nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 6))
        for _ in range(2)
    ]
    return SharedLayers(
        nn.Embedding(10, 6),
        [GINEConv(mlp, edge_dim=1) for mlp in mlps],
        nn.Linear(6, 1),
        Lengths(),
    ).double()


def atoms(count, seed, spread=1.5):
    generator = torch.Generator().manual_seed(seed)
    pos = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    z = torch.randint(1, 10, (count,), generator=generator)
    return Data(z=z, pos=spread * pos)


def complexes(receptor=1, ligands=1, count=3):
    poses = [atoms(4, 10 * ligands + number, 0.8) for number in range(count)]
    made = PoseSet.from_complex(atoms(30, receptor), poses)
    return RadiusGraph(CUTOFF)(made)


def check(readout, batch, encoded=None):
    """Against whole complexes; and how often a receptor was encoded."""
    out = readout(batch)
    plain = MultiPoseReadout(
        readout.model, readout.combination, share_receptor=False
    )
    assert torch.allclose(out, plain(batch), rtol=1e-11, atol=1e-12)
    counts = readout.last_plan.counts
    if encoded is not None:
        assert counts.encoded == encoded
    return out


def make_readout(model, share_receptor=True):
    return trusting(
        MultiPoseReadout(model, 'mean', share_receptor=share_receptor)
    )


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('mode', [torch.no_grad, torch.inference_mode])
def test_a_campaign_encodes_once(name, mode):
    readout = make_readout(make_model(name))
    with mode():
        check(readout, complexes(), 1)
        for ligands in (2, 3, 4):
            check(readout, complexes(1, ligands), 0)
        both = [complexes(1, 5), complexes(2, 6), complexes(1, 7)]
        check(readout, Batch.from_data_list(both), 1)
        check(readout, complexes(2, 8), 0)


def weight_of(model):
    return next(p for p in model.parameters() if p.numel() > 1)


def buffer_of(model):
    """One that distances go through."""
    names = ('distance_expansion.offset', 'basis.order', 'edge_attr.unit')
    return next(b for n, b in model.named_buffers() if n in names)


def other_embedding(model):
    name = 'embed' if isinstance(model, SharedLayers) else 'embedding'
    size = getattr(model, name).weight.shape
    setattr(model, name, nn.Embedding(*size).double())


CHANGES = {
    'weight': lambda m: weight_of(m).mul_(1.1),
    'weight.data': lambda m: weight_of(m).data.mul_(1.1),
    'buffer': lambda m: buffer_of(m).mul_(1.1),
    'buffer.data': lambda m: buffer_of(m).data.mul_(1.1),
    'load_state_dict': lambda m: m.load_state_dict(
        {name: 1.1 * tensor for name, tensor in m.state_dict().items()}
    ),
    'other module': other_embedding,
}


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('change', list(CHANGES))
@pytest.mark.parametrize('mode', [torch.no_grad, torch.inference_mode])
def test_model_that_changes(name, change, mode):
    model, batch = make_model(name), complexes()
    readout = make_readout(model)
    with mode():
        before = check(readout, batch, 1)
        CHANGES[change](model)
        after = check(readout, batch, 1)
        assert not torch.allclose(after, before, rtol=1e-6)
        check(readout, batch, 0)


@pytest.mark.parametrize('name', NAMES)
def test_settings_that_change(name):
    model, batch = make_model(name), complexes()
    readout = make_readout(model)
    with torch.no_grad():
        before = check(readout, batch, 1)
        if name == 'layers':
            model.edge_attr.power = 2
        else:
            model.atoms = 'ligand'
        after = check(readout, batch, 1)
        assert not torch.allclose(before, after, rtol=1e-6)
        model.cutoff = (
            2 * CUTOFF
        )  # which nothing reads after the model is made
        check(readout, batch, 1)
        check(readout, batch, 0)


@pytest.mark.parametrize('what', ['pos', 'pos.data', 'z', 'edge_index'])
def test_receptor_that_is_edited(what):
    readout, batch = make_readout(make_model('schnet')), complexes()
    other = complexes()
    with torch.no_grad():
        check(readout, batch, 1)
        if what == 'pos':
            batch.pos[:3] += 0.1
        elif what == 'pos.data':
            batch.pos.data[:3] += 0.1
        elif what == 'z':
            batch.z[:3] = batch.z[:3] % 9 + 1
        else:
            batch.edge_index[:, :2] = batch.edge_index[:, :2].flip(0)
        check(readout, batch, 1)
        check(readout, batch, 0)
        check(readout, other, 1)  # as it was before


def test_train_and_eval():
    """A batch norm that changes its statistics is not shared in training."""
    torch.manual_seed(0)
    mlp = nn.Sequential(nn.Linear(6, 6), BatchNorm(6), nn.SiLU())
    model = SharedLayers(
        nn.Embedding(10, 6),
        [GINEConv(mlp, edge_dim=1)],
        nn.Linear(6, 1),
        Lengths(),
    ).double()
    readout, batch = MultiPoseReadout(model, 'mean'), complexes(count=16)
    model.eval()
    with torch.no_grad():
        check(readout, batch, 1)
        check(readout, batch, 0)
        model.train()
        whole = copy.deepcopy(model)
        out = readout(batch)
        assert readout.last_plan.counts.encoded == 0
        plain = MultiPoseReadout(whole, 'mean', share_receptor=False)
        assert torch.equal(out, plain(batch))
        model.eval()  # with other statistics than before
        check(readout, batch, 1)


@pytest.mark.parametrize('name', NAMES)
def test_the_flag_alone(name):
    """Nothing here depends on it, but something of yours may."""
    readout, batch = make_readout(make_model(name)), complexes()
    with torch.no_grad():
        check(readout, batch, 1)
        readout.eval()
        check(readout, batch, 1)
        check(readout, batch, 0)


@pytest.mark.parametrize('name', NAMES)
def test_autocast(name):
    model, batch = make_model(name).float(), complexes()
    batch.pos = batch.pos.float()
    readout, fresh = make_readout(model), lambda: make_readout(model)
    with torch.no_grad():
        exact = readout(batch)
        for encoded in (1, 0):
            with torch.autocast('cpu', torch.bfloat16):
                low = readout(batch)
                assert torch.equal(low, fresh()(batch))
            assert readout.last_plan.counts.encoded == encoded
        assert torch.equal(readout(batch), exact)
        assert readout.last_plan.counts.encoded == 1


def test_other_dtype():
    model, batch = make_model('e3nn'), complexes()
    readout = make_readout(model)
    with torch.no_grad():
        exact = readout(batch)
        model.float()
        batch.pos = batch.pos.float()
        single = readout(batch)
        assert single.dtype == torch.float32
        assert readout.last_plan.counts.encoded == 1
        assert torch.allclose(single.double(), exact, rtol=1e-4)


def test_two_readouts_of_one_model():
    model, batch = make_model('schnet'), complexes()
    one, two = make_readout(model), make_readout(model)
    with torch.no_grad():
        check(one, batch, 1)
        check(two, batch, 1)
        weight_of(model).mul_(1.1)
        check(two, batch, 1)
        check(one, batch, 1)
        check(one, batch, 0)


@pytest.mark.parametrize('name', NAMES)
def test_inference_mode_then_no_grad_then_gradient(name):
    model, batch = make_model(name), complexes()
    readout = make_readout(model)
    plain = MultiPoseReadout(model, 'mean', share_receptor=False)
    with torch.inference_mode():
        check(readout, batch, 1)
    with torch.no_grad():
        check(readout, batch, 0)
    grads = []
    for way in (plain, readout):
        model.zero_grad()
        way(batch).square().sum().backward()
        grads.append([p.grad for p in model.parameters()])
    assert readout.last_plan.counts.encoded == 1
    for one, two in zip(*grads, strict=True):
        assert (one is None) == (two is None)
        assert one is None or torch.allclose(one, two, rtol=1e-9, atol=1e-12)
    with torch.no_grad():
        check(readout, batch, 1)  # let go of
        weight_of(model).sub_(0.1 * weight_of(model).grad)
        check(readout, batch, 1)


# Without SchNet: torch does not put a module back that has two names.
@pytest.mark.parametrize('name', ['e3nn', 'layers'])
def test_functional_call(name):
    model, batch = make_model(name), complexes()
    readout = make_readout(model)
    other = {n: 1.1 * p.detach() for n, p in readout.named_parameters()}
    with torch.no_grad():
        before = check(readout, batch, 1)
        out = functional_call(readout, other, (batch,))
        assert readout.last_plan.counts.encoded == 1
        assert torch.equal(readout(batch), before)
        for p, value in zip(readout.parameters(), other.values(), strict=True):
            p.copy_(value)
        assert torch.allclose(check(readout, batch, 1), out, rtol=1e-12)


def test_hooks_run_in_every_call():
    """On whole complexes: a hook may look at anything."""
    model, batch, seen = make_model('schnet'), complexes(), []
    readout = MultiPoseReadout(model, 'max')
    with torch.no_grad():
        check(readout, batch, 1)
        model.embedding.register_forward_hook(lambda *args: seen.append(1))
        readout(batch)
        first = len(seen)
        readout(batch)
    assert readout.last_plan.counts.encoded == 0
    assert first and len(seen) == 2 * first


def test_copies_and_files_are_without_it():
    readout, batch = make_readout(make_model('schnet')), complexes()

    def size():
        file = io.BytesIO()
        torch.save(readout, file)
        return len(file.getvalue()), sorted(readout.state_dict())

    before = size()
    with torch.no_grad():
        check(readout, batch, 1)
        assert size()[1] == before[1]
        assert abs(size()[0] - before[0]) < 1000
        for made in (
            copy.deepcopy(readout),
            pickle.loads(pickle.dumps(readout)),
        ):
            check(made, batch, 1)
        check(readout, batch, 0)


def test_a_model_that_writes_to_the_state():
    class Writing(SchNet):
        def forward_poses(self, poses, state):
            out = super().forward_poses(poses, state)
            state.contribution.zero_()
            return out

    torch.manual_seed(0)
    model = Writing(8, 8, 2, 6, CUTOFF).double()
    batch = complexes()
    for mode in (torch.no_grad, torch.inference_mode):
        with mode(), pytest.raises(ValueError, match='writes to the state'):
            make_readout(model)(batch)
        readout = make_readout(model, share_receptor='auto')
        plain = make_readout(model, share_receptor=False)
        with mode():
            for _ in range(2):
                out = readout(batch)
                torch.testing.assert_close(
                    out, plain(batch), rtol=1e-12, atol=0
                )
                assert readout.last_plan.counts.encoded == 0
