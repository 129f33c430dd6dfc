"""What one backward pass tells of each atom."""

import pytest
import torch

from pyg_multipose.explain import explain
from pyg_multipose.nn import MultiPoseReadout


@pytest.mark.parametrize('gradient', ['full', 'recompute', 'auto'])
def test_gradient_of_positions(make, gradient):
    readout = MultiPoseReadout(make.Model(), 'free_energy', gradient)
    batch = make.batch()
    explained = explain(readout, batch, atoms='pos')
    atoms = explained.atoms
    step = 1e-5
    for atom in (0, 7, 30, batch.num_nodes - 1):
        for axis in range(3):
            moved = []
            for sign in (1, -1):
                again = batch.clone()
                again.pos[atom, axis] += sign * step
                moved.append(readout(again).detach())
            slope = (moved[0] - moved[1]) / (2 * step)
            expected = torch.zeros_like(slope)
            expected[atoms.set_index[atom]] = atoms.gradient[atom, axis]
            torch.testing.assert_close(slope, expected, atol=1e-8, rtol=1e-6)
    torch.testing.assert_close(atoms.contribution, atoms.gradient.norm(dim=1))
    # Nothing depends on where the whole complex is: forces cancel.
    for number in range(3):
        total = atoms.gradient[atoms.set_index == number].sum(dim=0)
        torch.testing.assert_close(total, torch.zeros_like(total))
    assert not batch.pos.requires_grad
    assert all(p.grad is None for p in readout.parameters())


def test_atoms_know_their_pose(make):
    readout = MultiPoseReadout(make.Model(), 'mean')
    atoms = explain(readout, make.batch((2, 1)), atoms='pos').atoms
    assert atoms.pose.tolist() == (
        [-1] * 5 + [0] * 4 + [1] * 4 + [-1] * 5 + [2] * 4
    )
    assert atoms.set_index.tolist() == [0] * 13 + [1] * 9
    last = atoms.rows_of(1, 2)
    assert last.pose.tolist() == [-1] * 5 + [0] * 4
    assert torch.equal(last.gradient, atoms.gradient[13:])


def test_gradient_times_input_of_a_linear_model(make):
    class Sum(torch.nn.Module):
        def forward(self, batch):
            out = batch.charge.new_zeros(batch.num_graphs)
            return out.index_add(0, batch.batch, batch.charge)

    batch = make.batch((2, 3))
    explained = explain(MultiPoseReadout(Sum(), 'mean'), batch, atoms='charge')
    atoms = explained.atoms
    for number, size in enumerate((2, 3)):
        rows = atoms.set_index == number
        of_poses = rows & (atoms.pose >= 0)
        torch.testing.assert_close(
            atoms.contribution[of_poses], batch.charge[of_poses] / size
        )
        # A linear model is the sum of its atoms.
        torch.testing.assert_close(
            atoms.contribution[rows].sum(), explained.prediction[number]
        )


def test_a_pose_without_weight_has_none(make):
    readout = MultiPoseReadout(make.Model(), 'MaxAggregation')
    explained = explain(readout, make.batch((4,)), atoms='pos')
    for pose, weight in enumerate(explained.weight.tolist()):
        of_pose = explained.atoms.contribution[explained.atoms.pose == pose]
        assert bool((of_pose > 0).any()) is (weight > 0)


def test_what_cannot_be_differentiated_by(make):
    batch = make.batch()
    readout = MultiPoseReadout(make.Model(), 'mean')
    for key in ('z', 'name', 'nothing', 'set_size'):
        with pytest.raises(ValueError, match=r"'atoms'.*\['pos', 'charge'\]"):
            explain(readout, batch, atoms=key)

    class Blind(torch.nn.Module):
        def forward(self, batch):
            return batch.charge.new_zeros(batch.num_graphs)

    with pytest.raises(ValueError, match="do not depend on 'pos'"):
        explain(MultiPoseReadout(Blind(), 'mean'), batch, atoms='pos')
    sampled = MultiPoseReadout(make.Model(), 'mean', backward_poses=2)
    with pytest.raises(ValueError, match="'backward_poses' is 2"):
        explain(sampled, batch, atoms='pos')
    explain(sampled, batch)
    assert torch.equal(
        sampled.generator.get_state(),
        torch.Generator().manual_seed(0).get_state(),
    )
    streamed = MultiPoseReadout(make.Model(), 'mean', 'stream')
    with pytest.raises((ValueError, RuntimeError), match='stream'):
        explain(streamed, batch, atoms='pos')


def test_where_there_is_no_gradient(make):
    readout = MultiPoseReadout(make.Model(), 'mean')
    batch = make.batch()
    with torch.no_grad():
        assert explain(readout, batch, atoms='pos').atoms.gradient.any()
    with torch.inference_mode():
        assert len(explain(readout, batch)) == 3
        with pytest.raises(ValueError, match='inference mode has none'):
            explain(readout, batch, atoms='pos')
    with pytest.raises(ValueError, match='MultiPoseReadout.*got a Model'):
        explain(readout.model, batch)
    with pytest.raises(ValueError, match='several of them .got a int'):
        explain(readout, 5)
