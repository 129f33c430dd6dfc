"""Explanations where atoms of the receptor have moved."""

import gzip

import pytest
import torch
from torch_geometric.data import Batch

from pyg_multipose.data import PoseSet
from pyg_multipose.explain import Attribution, explain, scene, write_sdf
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.models import SchNet
from tests.moved_sets import CUTOFF, graphs_of, make_batch, make_sets

FIELDS = [
    *('set_size', 'prediction', 'pose_prediction', 'weight', 'change'),
    *('entropy', 'place'),
]


@pytest.fixture
def readout():
    torch.manual_seed(0)
    model = SchNet(6, 6, 2, 5, CUTOFF).double()
    return MultiPoseReadout(model, 'free_energy')


def whole_batch():
    """The same sets, each pose a complex of its own."""
    return Batch.from_data_list(
        [
            PoseSet.from_poses(one.complexes, name=name)
            for one, name in zip(make_sets(), 'abcd', strict=True)
        ]
    )


def test_attribution(readout):
    batch, whole = make_batch(), whole_batch()
    found, expected = explain(readout, batch), explain(readout, whole)
    for name in FIELDS:
        torch.testing.assert_close(
            getattr(found, name), getattr(expected, name), equal_nan=True
        )
    found.check(batch, readout)
    found.check(whole, readout)
    assert isinstance(found['b'], Attribution)


def test_atoms(readout):
    """A moved atom has the gradient of its pose, the receptor's that of all.

    Against plain autograd on positions of plain complexes.
    """
    batch, found = make_batch(), explain(readout, make_batch(), atoms='pos')
    graphs, number = graphs_of(make_sets())
    pos = graphs.pos.detach().requires_grad_()
    graphs.pos = pos
    poses = readout.model(graphs).squeeze(1)
    loss = sum(-(-poses[number == n]).logsumexp(0) for n in range(4))
    (grad,) = torch.autograd.grad(loss, pos)
    # Which row of the batch each atom of a complex is.
    rows = batch.clone()
    rows.z = torch.arange(rows.num_nodes)
    row = torch.cat([pose.z for pose in rows.to_poses()])
    expected = torch.zeros_like(batch.pos).index_add(0, row, grad)
    torch.testing.assert_close(found.atoms.gradient, expected)
    of_pose = torch.arange(10).repeat_interleave(batch.pose_size)
    pose = found.atoms.pose
    assert torch.equal(pose[pose >= 0], of_pose)
    assert torch.equal(pose[batch.moved_index[0]], torch.full((16,), -1))
    one = found['c'].atoms
    assert one.gradient.size(0) == batch[2].num_nodes


def test_scene(readout):
    """The receptor where it is stored; ligands without its atoms."""
    batch = make_batch()
    receptor, *poses = scene(explain(readout, batch)['a'], batch[0])
    assert receptor.text.count('HETATM') == 36
    # An xyz file begins with how many atoms there are.
    assert [pose.text.split()[0] for pose in poses] == ['5', '3', '6']


def record(ligand):
    """An SDF record with nothing but atoms."""
    symbols = 'H He Li Be B C N O F'.split()
    lines = [f'{ligand.num_nodes:3}  0  0  0  0  0  0  0  0  0999 V2000']
    for z, place in zip(ligand.z.tolist(), ligand.pos.tolist(), strict=True):
        x, y, z_place = place
        lines.append(
            f'{x:10.4f}{y:10.4f}{z_place:10.4f} {symbols[z - 1]:3} 0  0'
        )
    return '\n'.join(['\n\n', *lines, 'M  END', '$$$$', ''])


def test_sdf(readout, tmp_path):
    """A record is where the ligand of its pose is."""
    batch = make_batch()
    found = explain(readout, batch)
    text = ''.join(map(record, batch.ligands()))
    file = tmp_path / 'poses.sdf'
    file.write_text(text)
    write_sdf(found, file, tmp_path / 'out.sdf.gz')
    with gzip.open(tmp_path / 'out.sdf.gz', 'rt') as out:
        assert out.read().count('<multipose_weight>') == 10
