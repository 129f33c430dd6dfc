"""The documentation's table of what is shared says what the code does."""

import copy
from pathlib import Path

import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn
from torch_geometric.data import Batch

from pyg_multipose.data import PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from pyg_multipose.nn.sharing.shared_layers import SharedLayers
from pyg_multipose.transforms import RadiusGraph

PAGE = Path(__file__).parents[3] / 'docs' / 'shared_receptor.md'


def rows():
    """The first cell of every row, and what follows."""
    text = PAGE.read_text().partition('## When it holds')[2]
    table = text.partition('|')[2].partition('\n\n')[0].splitlines()
    cells = [line.strip('|').split(' | ') for line in table[2:]]
    return {of.strip(): what.strip(' |') for of, what in cells}


class Whole(nn.Module):
    """Something over all atoms."""

    def __init__(self, change):
        super().__init__()
        self.conv, self.change = pyg.SAGEConv(8, 8), change

    def forward(self, x, edge_index):
        return self.conv(x, edge_index) + self.change(x)


class Counts(SchNet):
    def forward(self, *args):
        self.calls = getattr(self, 'calls', 0) + 1
        return super().forward(*args)


class NoCopy(SchNet):
    def __deepcopy__(self, memo):
        raise TypeError('there is one of it')


class OnlySingle(SchNet):
    def forward(self, *args):
        if self.embedding.weight.dtype == torch.float64:
            raise TypeError('float32 only')
        return super().forward(*args)


def schnet(kind=SchNet, **kwargs):
    return kind(8, 8, 2, 6, cutoff=1.5, **kwargs)


def layers(layer, out=1):
    return SharedLayers(nn.Embedding(100, 8), [layer], nn.Linear(8, out))


def captures():
    layer = nn.Linear(8, 8)

    class Captures(SchNet):
        def forward(self, *args):
            return super().forward(*args) + layer.bias.sum()

    return schnet(Captures)


def hooked(register, where=lambda model: model):
    model = schnet()
    getattr(where(model), register)(lambda *args: None)
    return model


def replaced():
    model = schnet()
    model.forward = model.forward
    return model


def shares(model, poses, share='auto', mode='full', **kwargs):
    """Whether it does; without sharing the numbers have to be the same."""
    readout, plain = (
        MultiPoseReadout(
            copy.copy(model), 'mean', mode, share_receptor=each, **kwargs
        )
        for each in (share, False)
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = readout(poses)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.testing.assert_close(out, plain(poses))
    return readout.last_plan.counts.encoded


def far(silent):
    poses = silent.complexes()
    pos = poses.pos.clone()
    pos[int(poses.receptor_size) :] += 100.0
    poses.pos = pos
    poses.edge_index = None
    del poses.edge_index
    return RadiusGraph(1.5)(poses)


def masked(silent):
    poses = silent.complexes()
    poses.is_ligand[0] = True
    return poses


CASES = {
    'receptor coordinates, features and edges equal': lambda s: [
        shares(schnet(), s.complexes()) == 1
    ],
    'several sets with the same receptor': lambda s: [
        shares(
            schnet(),
            Batch.from_data_list(
                [s.complexes(), s.complexes(), s.complexes(seed=1)]
            ),
        )
        == 2
    ],
    'sum or mean over all atoms': lambda s: [
        shares(schnet(readout='mean'), s.complexes()) == 1,
        shares(schnet(atoms='ligand'), s.complexes()) == 1,
        shares(layers(pyg.GATv2Conv(8, 8), 3), s.complexes()) == 1,
    ],
    'the ligand touches no atom': lambda s: [
        shares(schnet(), far(s)) == 1,
        shares(
            schnet(), RadiusGraph(20.0)(s.complexes(radius=20.0)), share=True
        )
        == 1,
    ],
    'receptors that differ from pose to pose': lambda s: [
        shares(schnet(), PoseSet.from_poses(s.complexes().to_poses())) > 0
    ],
    'a batch norm in training': lambda s: [
        shares(layers(layer), s.complexes(), max_nodes_per_chunk=10**6) > 0
        for layer in (
            Whole(nn.BatchNorm1d(8)),
            Whole(pyg.GraphNorm(8)),
            Whole(lambda x: x.mean(0)),
            Whole(lambda x: torch.softmax(x @ x.t(), 1) @ x),
            pyg.GCNConv(8, 8),
        )
    ],
    'hooks of any module': lambda s: [
        shares(model, s.complexes()) > 0
        for model in (
            hooked('register_forward_hook'),
            hooked('register_forward_pre_hook', lambda m: m.interactions[0]),
            hooked('register_full_backward_hook', lambda m: m.lin1),
            replaced(),
        )
    ],
    'a mask `is_ligand`': lambda s: [
        shares(schnet(atoms='ligand'), masked(s)) > 0
    ],
    'a model that counts its calls': lambda s: [
        shares(schnet(Counts), s.complexes()) > 0
    ],
    'a model whose code captured a module': lambda s: [
        shares(model, s.complexes()) > 0
        for model in (captures(), schnet(NoCopy), schnet(OnlySingle).float())
    ],
    'a model with these methods': lambda s: [
        shares(schnet(), s.complexes(), inputs='z, pos, batch') > 0
    ],
    '`gradient="store"`': lambda s: [
        shares(schnet(), s.complexes(), mode='store') > 0
    ],
}


def sets_without_receptor(silent):
    batch = Batch.from_data_list(
        [silent.complexes(), RadiusGraph(1.5)(bare(silent))]
    )
    return shares(schnet(), batch) == 1


def bare(silent):
    return PoseSet.from_poses(
        [
            pose.subgraph(pose.is_ligand)
            for pose in silent.complexes().to_poses()
        ]
    )


def positions(silent):
    batch = Batch.from_data_list([silent.complexes(), silent.complexes()])
    batch.pos.requires_grad_()
    assert shares(schnet(), batch) == 2
    with pytest.raises(ValueError, match='stream'):
        shares(schnet(), batch, mode='stream')


def dropout(silent):
    model = layers(Whole(nn.Dropout(0.5)))
    assert not shares(model, silent.complexes())
    assert shares(model.eval(), silent.complexes()) == 1


#: What takes more than one word.
OTHERS = {
    'sets without a receptor': sets_without_receptor,
    'positions require grad': positions,
    'dropout in training': dropout,
}


@pytest.mark.parametrize('row', rows())
def test_row(silent, row):
    answer = rows()[row]
    (case,) = [
        c for name, c in (CASES | OTHERS).items() if row.startswith(name)
    ]
    got = case(silent)
    if isinstance(got, list):
        word = 'yes' if all(got) else 'no' if not any(got) else 'both'
        assert answer.startswith(word)
    else:
        assert got is not False


def test_every_case_has_its_row():
    assert len(rows()) == len(CASES) + len(OTHERS)
