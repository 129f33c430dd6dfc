"""Whether the best pose by prediction is right."""

import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.train import MultiPoseModule, PoseMetrics, Scores

from .conftest import TINY


def test_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    size = torch.randint(1, 7, (50,), generator=generator)
    count = int(size.sum())
    poses = torch.randn(count, generator=generator)
    rmsd = 4 * torch.rand(count, generator=generator)
    for strong in (False, True):
        metrics = PoseMetrics(top=2)
        found = [0, 0, 0]
        for values, far in zip(
            poses.split(size.tolist()), rmsd.split(size.tolist()), strict=True
        ):
            pairs = sorted(zip(values.tolist(), far.tolist(), strict=True))
            right = [d <= 2 for _, d in (pairs[::-1] if strong else pairs)]
            for place, one in enumerate((right[:1], right[:2], right)):
                found[place] += any(one)
        metrics.update(poses, rmsd, size, high_is_strong=strong)
        out = metrics.compute()
        assert [float(v) for v in out.values()] == pytest.approx(
            [one / 50 for one in found]
        )


def test_sets_without_a_reference_do_not_count():
    metrics = PoseMetrics()
    poses = torch.tensor([-9.0, -8.0, -7.0])
    rmsd = torch.tensor([torch.nan, torch.nan, 1.0])
    metrics.update(poses, rmsd, torch.tensor([2, 1]), high_is_strong=False)
    assert metrics.count == 1 and metrics.compute()['top1'] == 1
    assert PoseMetrics().count == 0


def test_energies_below_zero_count(connected, trainer):
    """What torchmetrics' retrieval leaves out; and as tables have it."""
    sets = []
    module = MultiPoseModule(TINY, 'mean', affinity='PIC50')
    for one in connected[:8]:
        _, poses, _ = module.predict_poses(one)
        one = one.clone()
        # The best pose is the only right one.
        rmsd = torch.full_like(poses, 5.0)
        rmsd[poses.argmax()] = 1.0  # pIC50: high is strong
        sets.append(one.put('rmsd', rmsd, 'pose'))
    maker = trainer()
    maker.validate(module, DataLoader(sets, 4), verbose=False)
    logged = maker.callback_metrics
    assert logged['valid_pose_top1'] == logged['valid_pose_possible'] == 1
    rows = {row['metric']: row for row in Scores.of(module, sets).rows}
    assert rows['pose_top1']['value'] == 1
    assert rows['pose_top1']['sets'] == 8
    assert 0 < rows['pose_top1']['low'] < 1
