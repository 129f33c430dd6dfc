import copy
import doctest
import pickle

import pytest
import torch
from torch import nn

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.adapters import (
    DictModel,
    MACEModel,
    NequIPModel,
    dict_model,
)


class Taken(nn.Module):
    """Keeps what it was called with, and derives by positions as MACE does."""

    def __init__(self, key='positions', output='energy'):
        super().__init__()
        self.key, self.output = key, output
        self.scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.seen = {}

    def forward(self, data, **arguments):
        self.seen = {**data, **arguments}
        pos = data[self.key].requires_grad_()
        data['written'] = pos
        each = self.scale * pos.square().sum(dim=1)
        out = torch.zeros(int(data['batch'].max()) + 1, dtype=pos.dtype)
        return {self.output: out.index_add(0, data['batch'], each)}


NAMES = {'positions': 'pos', 'batch': 'batch'}


def test_examples():
    found = doctest.testmod(dict_model)
    assert found.attempted and not found.failed


def test_names_output_and_arguments(kit):
    poses, model = kit.poses(), Taken(output='total')
    adapter = DictModel(model, NAMES, 'total', training=True)
    out = adapter(poses)
    size = poses.pos.square().sum(dim=1)
    expected = [2 * size[poses.batch == i].sum() for i in range(3)]
    torch.testing.assert_close(out, torch.stack(expected))
    assert set(model.seen) == {'positions', 'batch', 'training'}
    assert not poses.pos.requires_grad and 'written' not in poses


def test_positions_get_their_gradient(kit):
    pose_set = kit.pose_set()
    pose_set.pos.requires_grad_()
    model = Taken()
    for mode in ('full', 'recompute'):
        readout = MultiPoseReadout(DictModel(model, NAMES), 'mean', mode)
        (grad,) = torch.autograd.grad(readout(pose_set).sum(), pose_set.pos)
        expected = 4 * pose_set.pos.detach()  # of 3 poses, the receptor in all
        expected[8:] /= 3
        torch.testing.assert_close(grad, expected)


@pytest.mark.parametrize(
    ('adapter', 'message'),
    [
        (DictModel(Taken(), NAMES, 'Energy'), r"keys \['energy'\], expected"),
        (DictModel(nn.Identity(), {'a': 'pos'}, 'b'), r"'a'\], expected"),
        (DictModel(Taken(), {'positions': 'xyz'}), "inputs names 'xyz'"),
    ],
)
def test_what_does_not_fit(kit, adapter, message):
    with pytest.raises(ValueError, match=message):
        adapter(kit.poses())


def test_no_dictionary(kit):
    class Number(nn.Module):
        def forward(self, data):
            return data['pos'].sum()

    with pytest.raises(ValueError, match='returned a Tensor, expected'):
        DictModel(Number(), {'pos': 'pos'})(kit.poses())


def test_no_names():
    with pytest.raises(ValueError, match="names='z, pos' is a str, expected"):
        DictModel(Taken(), 'z, pos')


@pytest.mark.parametrize('off', [torch.no_grad, torch.inference_mode])
def test_without_gradient(kit, off):
    """MACE asks for one of positions all the same."""
    readout = MultiPoseReadout(DictModel(Taken(), NAMES), 'mean')
    with off():
        out = readout(kit.pose_set())
    torch.testing.assert_close(readout(kit.pose_set()).detach(), out.clone())


def test_mace(kit):
    poses, model = kit.poses(), Taken()
    model.register_buffer('atomic_numbers', torch.tensor([7, 1, 6, 8]))
    MACEModel(model)(poses)
    seen = model.seen
    assert seen.pop('compute_force') is False
    one_hot = seen['node_attrs']
    assert one_hot.dtype == torch.float64 and one_hot.shape[1] == 4
    kinds = torch.tensor([7, 1, 6, 8])[one_hot.argmax(dim=1)]
    assert torch.equal(kinds, poses.z) and (one_hot.sum(dim=1) == 1).all()
    assert seen['shifts'].shape == (poses.num_edges, 3)
    assert seen['cell'].shape == (9, 3) and not seen['cell'].any()
    assert torch.equal(seen['edge_index'], poses.edge_index)
    assert torch.equal(seen['ptr'], poses.ptr)


def test_nequip(kit):
    poses, model = kit.poses(), Taken('pos', 'total_energy')
    NequIPModel(model, [6, 1, 7])(poses)
    seen = model.seen
    kinds = torch.tensor([6, 1, 7])[seen['atom_types']]
    assert torch.equal(kinds, poses.z)
    assert seen['num_atoms'].tolist() == [11, 10, 12]
    # NequIP sums over the first row.
    assert torch.equal(seen['edge_index'][0], poses.edge_index[1])


def test_elements_that_a_model_does_not_know(kit):
    adapters = [
        MACEModel(Taken(), elements=[1, 7]),
        NequIPModel(Taken('pos', 'total_energy'), [1, 7]),
    ]
    for adapter in adapters:
        with pytest.raises(ValueError, match=r'elements \[6\], and the model'):
            adapter(kit.poses())
    with pytest.raises(ValueError, match='Taken has no atomic_numbers'):
        MACEModel(Taken())


def test_copies(kit):
    poses = kit.poses()
    adapter = MACEModel(Taken(), elements=[1, 6, 7])
    for same in (copy.deepcopy(adapter), pickle.loads(pickle.dumps(adapter))):
        assert torch.equal(same(poses), adapter(poses))
