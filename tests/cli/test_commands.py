"""From files to predictions, as a user would go."""

import csv
import json
from pathlib import Path

import pytest
import torch

from pyg_multipose.cli import main
from pyg_multipose.datasets import PoseSetDataset
from pyg_multipose.train import MultiPoseModule

from .conftest import FIT, NUM, prepare_args, write_campaign

pytestmark = pytest.mark.filterwarnings('ignore:.*LeafSpec')


def rows(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


# prepare and inspect #########################################################


def test_prepare_writes_what_the_files_say(campaign):
    dataset = PoseSetDataset(campaign)
    assert dataset.names == [f'CPD-{n}' for n in range(NUM - 1)]
    sets = {one.name: one for one in dataset}
    assert sets['CPD-1'].num_poses == 3
    assert sets['CPD-0'].y == pytest.approx(6.0)  # 1 uM
    assert (sets['CPD-2'].y, sets['CPD-2'].y_relation) == (4.0, -1)
    assert sets['CPD-0'].y_relation == 0
    assert sets['CPD-0'].receptor.num_nodes == 14  # of 20: the pocket
    assert sets['CPD-0'].receptor_name == 'receptor'
    about = json.loads((campaign / 'prepared.json').read_text())
    assert about['unit'] == 'pIC50' and about['pocket'] == 6.0
    table = rows(campaign / 'sets.csv')
    assert table[1]['smiles'] == 'COC' and table[1]['poses'] == '3'
    report = (campaign / 'report.txt').read_text()
    assert 'CPD-13' in report and 'CPD-99' in report


def test_inspect_says_what_there_is(campaign, capsys):
    assert main(['inspect', '--data', str(campaign)]) == 0
    text = capsys.readouterr().out
    assert '13 sets with 38 poses' in text
    assert 'labels: 13 of 13 sets, 1 of them bounds, in pIC50' in text
    assert 'exact labels: 5.30 to 6.00' in text
    assert 'receptor of the first set: 14 atoms' in text


def test_a_dry_run_writes_nothing(files, tmp_path, capsys):
    out = tmp_path / 'new'
    assert main(prepare_args(files, out, '--dry-run')) == 0
    assert not out.exists()
    text = capsys.readouterr().out
    assert '13 of 14 pose sets have a label' in text
    assert f"13 sets would be written to '{out}'" in text


def test_sets_without_a_label(files, tmp_path, capsys):
    kept = tmp_path / 'kept'
    assert main(prepare_args(files, kept, '--unlabeled', 'keep')) == 0
    sets = {one.name: one for one in PoseSetDataset(kept)}
    assert len(sets) == NUM
    assert sets['CPD-13'].y.isnan() and not sets['CPD-3'].y.isnan()
    out = tmp_path / 'refused'
    assert main(prepare_args(files, out, '--unlabeled', 'refuse')) == 1
    assert "have no label, such as ['CPD-13']" in capsys.readouterr().err
    assert not (out / 'processed').exists()


def test_labels_are_not_needed(files, tmp_path):
    out = tmp_path / 'bare'
    argv = ['prepare', '--poses', str(files / 'docked.sdf'), '--out', str(out)]
    assert main(argv) == 0
    first = PoseSetDataset(out)[0]
    assert 'y' not in first and first.receptor is None


def test_other_scales(files, tmp_path):
    out = tmp_path / 'kt'
    assert main(prepare_args(files, out, '--scale', 'dG_kT')) == 0
    one = PoseSetDataset(out)[0]
    assert one.y == pytest.approx(-13.8155, abs=1e-3)
    assert json.loads((out / 'prepared.json').read_text())['unit'] == 'kT'


# fit #########################################################################


def test_fit_leaves_a_run(fitted, campaign):
    names = {path.name for path in fitted.iterdir()}
    assert names >= {
        'config.yaml', 'last.ckpt', 'best.ckpt', 'metrics.csv', 'split.csv',
        'test_predictions.csv', 'test_predictions_poses.csv',
    }  # fmt: skip
    parts = [row['part'] for row in rows(fitted / 'split.csv')]
    assert {p: parts.count(p) for p in ('train', 'valid', 'test')} == {
        'train': len(parts) - parts.count('valid') - parts.count('test'),
        'valid': parts.count('valid'), 'test': parts.count('test'),
    }  # fmt: skip
    assert len(parts) == 13 and parts.count('test') >= 1
    module = MultiPoseModule.load_from_checkpoint(fitted / 'last.ckpt')
    assert module.unit == 'pIC50' and module.inputs.cutoff == 4.5
    arguments = module.hparams.model['init_args']
    # About the mean label: combined predictions begin where labels are.
    assert arguments['cutoff'] == 4.5 and arguments['mean'] < 0
    assert not torch.are_deterministic_algorithms_enabled()
    losses = [row for row in rows(fitted / 'metrics.csv') if row['valid_loss']]
    assert len(losses) == 2 and all(float(r['valid_mae']) for r in losses)


def test_a_configuration_repeats_a_run_to_the_bit(fitted, tmp_path):
    again = tmp_path / 'again'
    argv = ['fit', '--config', str(fitted / 'config.yaml'), '--out']
    assert main([*argv, str(again)]) == 0
    one = torch.load(fitted / 'last.ckpt', weights_only=True)
    two = torch.load(again / 'last.ckpt', weights_only=True)
    assert one['hyper_parameters'] == two['hyper_parameters']
    for name, value in one['state_dict'].items():
        assert torch.equal(value, two['state_dict'][name]), name
    for name in ('metrics.csv', 'split.csv', 'test_predictions_poses.csv'):
        assert (fitted / name).read_text() == (again / name).read_text()
    other = tmp_path / 'other'
    assert main([*argv, str(other), '--seed', '5']) == 0
    three = torch.load(other / 'last.ckpt', weights_only=True)
    assert not torch.equal(
        one['state_dict']['readout.model.lin2.weight'],
        three['state_dict']['readout.model.lin2.weight'],
    )


def test_split_by_a_table(campaign, tmp_path, capsys):
    table = tmp_path / 'dates.csv'
    table.write_text(
        'ligand_id,day\n'
        + ''.join(f'CPD-{n},2024-01-{30 - n}\n' for n in range(13))
    )
    argv = ['fit', '--data', str(campaign), *FIT, '--epochs', '1']
    argv += ['--split', 'date', '--column', 'day', '--out']
    by_date = [*argv, str(tmp_path / 'a'), '--table', str(table)]
    assert main(by_date) == 0
    of = {row['ligand_id']: row['part']
          for row in rows(tmp_path / 'a' / 'split.csv')}  # fmt: skip
    assert of['CPD-0'] == 'test' and of['CPD-12'] == 'train'
    capsys.readouterr()
    assert main([*argv, str(tmp_path / 'b')]) == 1
    assert "has no column 'day', it has" in capsys.readouterr().err
    table.write_text('ligand_id,day\nCPD-0,2024-01-01\n')
    by_date[by_date.index(str(tmp_path / 'a'))] = str(tmp_path / 'c')
    assert main(by_date) == 1
    assert "has no 'day' for 12 of 13 sets" in capsys.readouterr().err


def test_plan_says_what_a_step_takes(campaign, capsys):
    argv = ['plan', '--data', str(campaign), '--device', 'cpu']
    argv += ['--lengths', '[0.6, 0.2, 0.2]']
    assert main(argv) == 0
    text = capsys.readouterr().out
    assert 'sets to train on' in text and "gradient '" in text
    assert 'cpu: ' in text and 'for an epoch' in text


# predict #####################################################################


def test_predict_a_data_set(fitted, campaign, tmp_path):
    out = tmp_path / 'out.parquet'
    argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
            '--data', str(campaign), '--out', str(out)]  # fmt: skip
    assert main(argv) == 0
    parquet = pytest.importorskip('pyarrow.parquet')
    table = parquet.read_table(out).to_pylist()
    assert sorted(row['rank'] for row in table) == list(range(1, 14))
    # As the run has predicted its own test sets.
    of = {row['id']: row['prediction'] for row in table}
    for row in rows(fitted / 'test_predictions.csv'):
        assert of[row['id']] == pytest.approx(
            float(row['prediction']), abs=1e-4
        )
    poses = parquet.read_table(tmp_path / 'out_poses.parquet').to_pylist()
    assert len(poses) == 38 and {row['unit'] for row in poses} == {'pIC50'}


def test_predict_new_poses_in_the_same_pocket(
    fitted, campaign, tmp_path, capsys
):
    """The receptor of the data set: no warning, no other pocket."""
    new = write_campaign(tmp_path / 'new', first=6, count=3)
    out = tmp_path / 'out.csv'
    argv = ['predict', '--checkpoint', str(fitted / 'best.ckpt'),
            '--data', str(new / 'docked.sdf'), '--receptor', str(campaign),
            '--out', str(out)]  # fmt: skip
    assert main(argv) == 0
    table = rows(out)
    assert [row['id'] for row in table] == ['CPD-6', 'CPD-7', 'CPD-8']
    assert {row['receptor'] for row in table} == {'receptor'}
    assert all(4 < float(row['prediction']) < 8 for row in table)
    assert 'was trained on' not in capsys.readouterr().err


def test_poses_are_predicted_as_they_are_in_a_data_set(
    fitted, campaign, files, tmp_path
):
    """By way of a data set, or straight from the files."""
    tables = []
    for number, data in enumerate((campaign, files / 'docked.sdf')):
        out = tmp_path / f'{number}.csv'
        argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
                '--data', str(data), '--out', str(out)]  # fmt: skip
        if number:
            argv += ['--receptor', str(campaign)]
        assert main(argv) == 0
        tables.append({row['id']: row for row in rows(out)})
    assert set(tables[1]) - set(tables[0]) == {'CPD-13'}
    for name, row in tables[0].items():
        assert float(row['prediction']) == pytest.approx(
            float(tables[1][name]['prediction']), abs=1e-4
        )


def test_another_receptor_is_warned_of(fitted, files, tmp_path, capsys):
    """The whole receptor instead of the pocket."""
    argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
            '--data', str(files / 'docked.sdf'),
            '--receptor', str(files / 'receptor.pdb'),
            '--out', str(tmp_path / 'out.csv')]  # fmt: skip
    assert main(argv) == 0
    assert 'warning: set ' in capsys.readouterr().err


def test_another_featuriser_is_refused(fitted, campaign, tmp_path, capsys):
    argv = ['predict', '--checkpoint', str(fitted / 'last.ckpt'),
            '--data', 'MproMoonshot',
            '--out', str(tmp_path / 'out.csv')]  # fmt: skip
    assert main(argv) == 1
    assert "has no 'aromatic'" in capsys.readouterr().err
    no_receptor = Path(tmp_path, 'out.csv')
    assert not no_receptor.exists()
