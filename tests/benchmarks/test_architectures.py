"""The table of architectures: every row is a test."""

import copy
import pickle

import pytest
import torch
from torch_geometric.data import Batch

from benchmarks import architectures
from benchmarks.architecture_rows import ROWS
from benchmarks.architectures import MODES, bare, compared, in_double, timed

IDS = [row.name for row in ROWS]
TRAINED = [row for row in ROWS if row.trains]


@pytest.mark.parametrize('row', ROWS, ids=IDS)
def test_every_mode_is_plain_autograd(row):
    found = compared(row)
    assert found.keys() == set(MODES)
    for mode, (error, receptor) in found.items():
        assert error < 1e-11, mode  # float64; it is not NaN
        assert row.because in receptor, mode
        assert row.shares == ('encoded' in receptor), mode


def test_errors_are_seen():
    """The comparison is none that cannot fail."""
    row = ROWS[0]
    grads = {'a': torch.ones(2), 'b': torch.zeros(2)}
    wrong = {**grads, 'b': torch.tensor([1e-6, 0.0])}
    assert max(architectures._errors(wrong, grads)) > 1e-3
    with in_double():
        torch.manual_seed(0)
        model = row.build(8, 2.5)
        readout = row.readout(model, combination='mean')
        pose_set = architectures.small_set()
        whole = Batch.from_data_list(pose_set.to_poses())
        expected = bare(readout, whole)  # of another combination
        assert abs(float((readout(pose_set) - expected).detach())) > 1e-6


def called(readout, batch):
    names = (readout.inputs or '').split(', ')
    given = [batch[name] for name in names] if readout.inputs else [batch]
    out = readout.model(*given)
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize('row', TRAINED, ids=[row.name for row in TRAINED])
def test_weights_go_in_and_out_unchanged(row):
    with in_double(), torch.random.fork_rng():
        torch.manual_seed(1)
        trained, model = row.build(8, 2.5), row.build(8, 2.5)
        weights = trained.state_dict()
        readout = row.readout(model)
        inner = readout.model if row.as_it_is else readout.model.model
        assert inner is model
        inner.load_state_dict(weights)  # strict
        back = inner.state_dict()
        assert list(back) == list(weights)
        whole = Batch.from_data_list(architectures.small_set().to_poses())
        with row.ready(model):
            out = called(readout, whole.clone()).detach()
            expected = called(row.readout(trained), whole.clone()).detach()
            assert torch.equal(out, expected)
            copies = [copy.deepcopy(readout)]
            # Of these, torch and PyG pickle none themselves.
            if 'low-rank' not in row.name and row.name != 'DimeNet++':
                copies.append(pickle.loads(pickle.dumps(readout)))
            for same in copies:
                again = called(same, whole.clone()).detach()
                assert torch.equal(again, out)


def test_frozen_parameters_get_no_gradient():
    names = ('all but its head frozen', 'low-rank')
    rows = [row for row in ROWS if any(name in row.name for name in names)]
    assert len(rows) == 2
    for row in rows:
        torch.manual_seed(0)
        model = row.build(8, 2.5).double()
        before = copy.deepcopy(model.state_dict())
        frozen = [p for p in model.parameters() if not p.requires_grad]
        assert frozen
        readout = row.readout(model, combination='mean')
        optimizer = torch.optim.SGD(
            (p for p in model.parameters() if p.requires_grad), 0.1
        )
        for _ in range(2):
            optimizer.zero_grad()
            readout(architectures.small_set()).sum().backward()
            optimizer.step()
        assert all(p.grad is None for p in frozen)
        moved = {
            name
            for name, value in model.state_dict().items()
            if not torch.equal(value, before[name])
        }
        assert moved and all(
            'lin2' in name or '.up' in name or '.down' in name
            for name in moved
        )


def test_a_figure():
    pose_set = architectures.small_set()
    pose_set.pos = pose_set.pos.float()
    (row,) = (row for row in ROWS if row.name == 'GIN')
    found = timed(row, 1, pose_set)
    assert found['min'] == found['median'] == found['max'] > 0
    assert found['seconds'] > 0 and 'encoded' in found['receptor']


def test_the_command(tmp_path, monkeypatch):
    def fake(row, rounds, pose_set):
        receptor = 'whole complexes, composed: too many atoms'
        if row.shares:
            receptor = '1 encoded, each once'
        return {
            **dict.fromkeys(('median', 'min', 'max', 'seconds'), 0.5),
            'receptor': receptor,
        }

    monkeypatch.setattr(architectures, 'ROWS', ROWS[-2:])
    monkeypatch.setattr(architectures, 'timed', fake)
    architectures.main(['--docs', str(tmp_path), '--rounds', '1'])
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    assert path.name == architectures.TABLE
    assert text.startswith('---\norphan: true')
    lines = [line for line in text.splitlines() if line.startswith('| ')]
    assert len(lines) == 4
    assert '`MultiPoseReadout(Scorer(model))`' in lines[-1]
    assert f'**{ROWS[-1].name}**: too many atoms' in text


def test_the_page_has_every_row():
    text = (architectures.DOCS / architectures.TABLE).read_text()
    rows = [line for line in text.splitlines() if line.startswith('| ')][2:]
    assert len(rows) == len(ROWS)
    for row, line in zip(ROWS, rows, strict=True):
        assert row.name in line
        assert all(f'`{code}`' in line for code in row.lines)
        assert ('| shared' in line) == row.shares
