"""What is alive during a step stays within the budget."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import LiveBytes
from pyg_multipose.gradient.receptors.verdict import Verdict
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import EquivariantGNN, SchNet
from pyg_multipose.transforms import RadiusGraph

CUTOFF = 3.0


class Peak(LiveBytes):
    """The most bytes that were alive after any operation."""

    most = 0
    #: From how many tensors on the dead ones are taken out.
    many = 100

    def __torch_dispatch__(self, *args, **kwargs):
        out = super().__torch_dispatch__(*args, **kwargs)
        size = sum(size for _, size in self._made.values())
        if size > self.most or len(self._made) > self.many:
            self._made = {
                key: made for key, made in self._made.items()
                if not made[0].expired()
            }  # fmt: skip
            self.many = 2 * len(self._made) + 100
            self.most = max(self.most, self.held())
        return out


def make_model(name):
    torch.manual_seed(0)
    if name == 'schnet':
        return SchNet(32, 32, 2, 16, CUTOFF)
    return EquivariantGNN('8x0e+4x1o', num_layers=2, cutoff=CUTOFF, lmax=1)


def atoms(count, seed, spread):
    generator = torch.Generator().manual_seed(seed)
    return Data(
        z=torch.randint(1, 10, (count,), generator=generator),
        pos=spread * torch.randn(count, 3, generator=generator),
    )


def make_batch():
    """Two sets around one receptor, which weighs more than a pose."""
    receptor = atoms(150, 0, 3.5)
    sets = [
        PoseSet.from_complex(
            receptor, [atoms(9, 100 * seed + n, 1.0) for n in range(8)]
        )
        for seed in (1, 2)
    ]
    return Batch.from_data_list([RadiusGraph(CUTOFF)(s) for s in sets])


def step(readout, batch, return_poses):
    """The most bytes of a step beside gradients and the batch."""
    parameters = list(readout.parameters())
    readout.zero_grad()
    with Peak() as live:
        out = readout(batch, return_poses)
        loss = out[0].sum() + out[1].sum() if return_poses else out.sum()
        loss.backward()
    tables = [value for value in batch.to_dict().values()]
    base = sum(
        tensor.numel() * tensor.element_size()
        for tensor in (*parameters, *filter(torch.is_tensor, tables))
    )
    return live.most - 3 * base


@pytest.mark.parametrize('name', ['schnet', 'e3nn'])
@pytest.mark.parametrize('share', [False, True])
@pytest.mark.parametrize('return_poses', [False, True])
def test_never_above_the_budget(name, share, return_poses, monkeypatch):
    """What is looked at before a receptor is shared comes on top, once."""
    model, batch = make_model(name), make_batch()
    full = MultiPoseReadout(model, 'mean', 'full', share_receptor=share)
    full(batch)  # what e3nn makes once
    monkeypatch.setattr(Verdict, 'reason', lambda *_: '')
    most = step(full, batch, return_poses)
    held = []
    for part in (0.3, 0.5, 0.8, 1.5):
        budget = int(part * most)
        readout = MultiPoseReadout(
            model, 'mean', memory_budget=budget, share_receptor=share
        )
        try:
            plan = readout.plan(batch, return_poses)
        except ValueError as error:
            assert 'is not enough' in str(error)
            continue
        held.append(plan.bytes)
        assert step(readout, batch, return_poses) <= budget
    assert len(held) >= 2  # most budgets do


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute'])
@pytest.mark.parametrize('share', [False, True])
def test_a_prediction_that_is_kept_holds_nothing(mode, share):
    """After backward: neither the batch nor what was made of a receptor."""
    model, batch = make_model('schnet'), make_batch()
    readout = MultiPoseReadout(model, 'mean', mode, share_receptor=share)
    readout(batch).sum().backward()
    kept = []
    with LiveBytes() as live:
        for _ in range(2):
            kept.append(readout(batch.clone()))
            kept[-1].sum().backward()
        assert live.held() <= 2000
        kept.append(readout(batch.clone()))
        assert live.held() > batch.pos.numel() * 4 * (mode != 'stream')
        kept[-1].sum().backward(retain_graph=True)
        first = [p.grad.clone() for p in model.parameters()]
        kept[-1].sum().backward()
    for parameter, before in zip(model.parameters(), first, strict=True):
        assert not torch.equal(parameter.grad, before)
