"""Superposition against scipy's, and its limits."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip('rdkit')

from pyg_multipose.io.cofolding.superposition import (  # noqa: E402
    best_reference,
    pocket,
    superpose,
)
from pyg_multipose.io.report import Rejected  # noqa: E402


@pytest.fixture
def points():
    return 5 * np.random.default_rng(0).normal(size=(12, 3))


def test_finds_a_motion(points):
    turn = Rotation.random(random_state=1)
    target = turn.apply(points) + [3.0, -40.0, 7.0]
    frame = superpose(points, target)
    assert frame.rmsd < 1e-12
    assert np.allclose(frame.place(points), target)
    assert np.allclose(frame.rotation, turn.as_matrix())


def test_like_scipy(points):
    noisy = points + 0.5 * np.random.default_rng(1).normal(size=points.shape)
    frame = superpose(noisy, points)
    turn, off = Rotation.align_vectors(
        points - points.mean(0), noisy - noisy.mean(0)
    )
    assert np.allclose(frame.rotation, turn.as_matrix())
    assert frame.rmsd == pytest.approx(off / np.sqrt(len(points)))
    placed = frame.place(noisy)
    rmsd = np.sqrt(((placed - points) ** 2).sum(1).mean())
    assert rmsd == pytest.approx(frame.rmsd)


def test_no_mirror_images(points):
    mirrored = points * [1.0, 1.0, -1.0]
    frame = superpose(mirrored, points)
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
    assert frame.rmsd > 1.0
    flat = points * [1.0, 1.0, 0.0]
    turn = Rotation.random(random_state=2)
    frame = superpose(flat, turn.apply(flat))
    assert frame.rmsd < 1e-12
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)


def test_points_on_a_line(points):
    line = np.outer(np.arange(9.0), [1.0, 2.0, 3.0])
    for mobile, target in ((line, points[:9]), (points[:9] * 0, line)):
        with pytest.raises(Rejected, match='on a line'):
            superpose(mobile, target)


def test_pocket():
    """Residues with a backbone atom within the distance, all its atoms."""
    names = ['N', 'CA', 'C', 'O', 'CB'] * 4 + ["C3'", "C4'", "C5'"] + ['ZN']
    residues = [n for n in range(4) for _ in range(5)] + [4] * 3 + [5]
    pos = np.zeros((24, 3))
    pos[:, 0] = [3.0 * n + k for n in range(4) for k in range(5)] + [
        13, 14, 15, 0
    ]  # fmt: skip
    ligand = np.array([[0.0, 1.0, 0.0]])
    assert pocket(names, residues, pos, ligand, 7.0) == [
        0, 1, 2, 5, 6, 7, 10, 11, 12
    ]  # fmt: skip
    assert pocket(names, residues, pos, ligand, 13.1)[-3:] == [20, 21, 22]
    with pytest.raises(Rejected, match=r'2 residues.*nearest is 1\.0'):
        pocket(names, residues, pos, ligand, 5.0)
    without = ['X'] * len(names)
    with pytest.raises(Rejected, match='0 residues'):
        pocket(without, residues, pos, ligand, 5.0)


def test_reference_is_what_most_fit(points):
    other = 5 * np.random.default_rng(9).normal(size=points.shape)
    rows = list(range(len(points)))
    turn = Rotation.random(random_state=3)
    like = turn.apply(points) + 1.0
    number, frames = best_reference(
        [other, points, like], [rows, rows, rows], 1.0
    )
    assert number == 1
    assert frames[0].rmsd > 1 and frames[1].rmsd == 0
    assert frames[2].rmsd < 1e-12
    # One without a pocket is none.
    number, _ = best_reference([points, like], [None, rows], 1.0)
    assert number == 1
    # In a tie, the first.
    assert best_reference([points, other], [rows, rows], 1.0)[0] == 0
