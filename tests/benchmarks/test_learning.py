"""The experiment with poses whose energies are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from benchmarks.learning import complexes, report, scores
from benchmarks.learning.__main__ import QUICK, main
from benchmarks.learning.generated import APART, generated_set
from benchmarks.learning.network import ContactEnergies
from benchmarks.learning.predictions import of_baselines, of_way
from benchmarks.learning.scores import Predicted
from benchmarks.learning.settings import Settings
from benchmarks.learning.training import Job, Task, one_pose, sets, train
from benchmarks.learning.ways import COMPARED, THROUGH, Training, Way
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.testing import ModelContract

SETTINGS = replace(Settings(), **QUICK)
PLANTED = Task('planted')


class TestContactEnergies(ModelContract):
    invariant = True

    def model(self):
        torch.manual_seed(0)
        return ContactEnergies(4, 6, 4.5)


def test_generated_poses_fit_the_pocket():
    docked = MproMoonshot('train')[0]
    one, same = (
        generated_set(docked, 4, np.random.default_rng(3)) for _ in range(2)
    )
    assert torch.equal(one.pos, same.pos) and one.num_poses == 4
    assert one.name == docked.name
    receptor = docked.receptor.pos.double().numpy()
    poses = [pose.pos.double().numpy() for pose in one.ligands()]
    start = [pose.pos.double().numpy() for pose in docked.ligands()]
    shapes = [cdist(pos, pos) for pos in start]
    for pos in poses:
        near = cdist(pos, receptor).min(axis=1)
        assert near.min() >= 2.58 and (near < 4.5).mean() >= 0.6
        # A conformer that docking found, moved as a whole.
        shape = cdist(pos, pos)
        assert min(np.abs(shape - other).max() for other in shapes) < 1e-3
        others = (np.sqrt(((pos - o) ** 2).sum(1).mean()) for o in poses)
        assert sum(rmsd < APART - 1e-3 for rmsd in others) == 1  # itself


def test_what_a_model_is_shown():
    (one,) = complexes.measured('train', 'date', replace(SETTINGS, max_sets=1))
    assert float(one.y) == pytest.approx(
        -complexes.LN10 * float(MproMoonshot('train')[0].y)
    )
    contacts = complexes.seen(one, 'contacts', SETTINGS)
    size = int(contacts.receptor_size)
    ends = contacts.edge_index < size
    assert size < int(one.receptor_size) and (ends[0] != ends[1]).all()
    shape = complexes.seen(one, 'shape', SETTINGS)
    assert torch.equal(shape.edge_index, contacts.edge_index)
    assert (shape.z[size:] == 6).all()
    assert torch.equal(shape.z[:size], contacts.z[:size])
    alone = complexes.seen(one, 'ligand', SETTINGS)
    assert not alone.receptor_size.any() and alone.edge_index.size(1)
    assert torch.equal(alone.y, one.y)


def test_labels_of_a_seed_are_the_same_everywhere():
    first = sets(PLANTED, 'test', 0, SETTINGS)
    again = sets(PLANTED, 'test', 0, SETTINGS)
    other = sets(PLANTED, 'test', 1, SETTINGS)
    for one, same, differs in zip(first, again, other, strict=True):
        assert torch.equal(one.planted_energy, same.planted_energy)
        assert not torch.equal(one.planted_energy, differs.planted_energy)
    made = sets(Task('planted', generated=8), 'train', 0, SETTINGS)
    assert len(made) == 8 and made[0].name == made[6].name
    assert not torch.equal(made[0].pos[-9:], made[6].pos[-9:])


@pytest.mark.parametrize(
    'training',
    [
        Training('set', 'free energy'),
        Training('each'),
        Training('random', network='SchNet'),
        Training('set', sight='ligand'),
    ],
    ids=str,
)
def test_a_training_repeats(training):
    job = Job(PLANTED, training, 0, SETTINGS)
    out, same = train(job), train(job)
    test = sets(PLANTED, 'test', 0, SETTINGS)
    assert [len(o) for o in out] == [one.num_poses for one in test]
    for one, other in zip(out, same, strict=True):
        assert np.isfinite(one).all() and np.array_equal(one, other)


def test_which_poses_count():
    test = sets(PLANTED, 'test', 0, SETTINGS)
    energies = [one.planted_energy.double().numpy() for one in test]
    perfect = of_way(
        Way('', Training('set'), 'free energy'), energies, test, 0
    )
    rows = np.arange(len(test))
    assert scores.top_1(perfect, rows) == 1
    assert scores.error(perfect, rows) < 1e-5
    assert scores.rank(perfect, rows) == pytest.approx(1)
    best = of_way(Way('', Training('best'), 'Mean', 'best'), energies, test, 0)
    assert best.affinity == pytest.approx([e[0] for e in energies])
    assert best.hit.tolist() == [float(e.argmin() == 0) for e in energies]
    some = of_way(
        Way('', Training('random'), 'Mean', 'random'), energies, test, 5
    )
    chosen = [
        e[one_pose(one, 5)] for e, one in zip(energies, test, strict=True)
    ]
    assert some.affinity == pytest.approx(chosen)


def test_intervals_hold_the_mean_and_grow_with_the_spread():
    rng = np.random.default_rng(0)
    hits = [(rng.random(40) < 0.5).astype(float) for _ in range(3)]
    seeds = [Predicted(hit, hit, hit) for hit in hits]
    found = scores.estimate(scores.top_1, seeds, 500)
    assert found.low < found.value < found.high
    # That of 40 compounds and of 3 seeds: wider than of 120 compounds.
    assert 0.15 < found.high - found.low < 0.5
    sure = [Predicted(hit, hit, np.ones(40)) for hit in hits]
    assert str(scores.estimate(scores.top_1, sure, 50)) == '1.00 [1.00, 1.00]'


def test_tables_have_all_rows(tmp_path):
    pytest.importorskip('rdkit')
    ways = [THROUGH[0], COMPARED[-4]]
    settings = replace(SETTINGS, steps=1)
    for task in (PLANTED, Task('measured', 'scaffold')):
        jobs = report.jobs(task, ways, settings)
        assert len(set(jobs)) == 4
        outcomes = {job: train(job) for job in jobs}
        text = report.table(task, ways, outcomes, settings)
        names = ['Mean', COMPARED[-4].name, 'nearest fingerprint']
        assert all(f'| {name} ' in text for name in names)
        assert ('top-1' in text) == (task is PLANTED)
        nothing = of_baselines(task, 0, settings)['mean label (pocket alone)']
        assert np.ptp(nothing.affinity) == 0
    jobs = report.jobs(PLANTED, ways[:1], settings)
    found = report.curve(
        [PLANTED], ways[:1], {job: train(job) for job in jobs}, settings
    )
    assert '| 4 sets ' in report.curve_table(['4 sets'], found)
    picture = report.draw((4,), found, (6, found), tmp_path / 'curve.svg')
    assert 'docked sets' in picture.read_text()


def test_bad_arguments(capsys):
    for given in (['--seeds', '0'], ['--steps=-3'], ['--processes', 'two']):
        with pytest.raises(SystemExit):
            main(given)
        assert given[0].split('=')[0] in capsys.readouterr().err
