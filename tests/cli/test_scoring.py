"""validate, test, explain, export."""

import shutil

import pytest
import torch

from pyg_multipose.cli import main
from pyg_multipose.train import MultiPoseModule

from .conftest import prepare_args, write_campaign
from .test_commands import rows


def parts_of(run):
    return {row['ligand_id']: row['part'] for row in rows(run / 'split.csv')}


def test_the_part_of_the_run_is_scored(fitted, tmp_path, capsys):
    """As it was at the end of the training; the data are those of the run."""
    out = tmp_path / 'scores.csv'
    argv = ['--checkpoint', str(fitted / 'last.ckpt'), '--out', str(out)]
    assert main(['test', *argv]) == 0
    assert out.read_text() == (fitted / 'test_scores.csv').read_text()
    text = capsys.readouterr().out
    count = list(parts_of(fitted).values()).count('test')
    assert f"{count} sets, the part 'test' of the run" in text
    assert '95 % interval' in text
    assert main(['validate', *argv, '--resamples', '0']) == 0
    found = rows(out)
    valid = list(parts_of(fitted).values()).count('valid')
    assert {row['sets'] for row in found} <= {str(valid), str(valid - 1)}
    assert all(not row['low'] for row in found)
    assert main(['validate', *argv, '--part', 'tset']) == 1
    assert "did you mean 'test'" in capsys.readouterr().err


def test_sets_of_the_training_are_not_scored_in_silence(
    fitted, files, campaign, tmp_path, capsys
):
    """Another data set, with some of the molecules of the training."""
    new = write_campaign(tmp_path / 'new', first=10, count=12)
    shutil.copy(files / 'receptor.pdb', new / 'receptor.pdb')
    data = tmp_path / 'data'
    argv = prepare_args(new, data, '--pocket', '6')
    assert main(argv) == 0
    # Names are others, molecules are not.
    table = data / 'sets.csv'
    names = [row['ligand_id'] for row in rows(table)]
    parts = parts_of(fitted)
    inside = [one for one in names if parts.get(one) in ('train', 'valid')]
    own = [one for one in names if parts.get(one) == 'test']
    assert inside
    capsys.readouterr()
    checkpoint = ['--checkpoint', str(fitted / 'last.ckpt')]
    assert main(['test', *checkpoint, '--data', str(data)]) == 0
    text = capsys.readouterr()
    if own:
        assert 'no longer, the data set of the training' in text.err
    else:
        left = len(names) - len(inside)
        assert f'{left} sets, none of them in the training' in text.out
        assert f'{len(inside)} sets are left out' in text.err
        assert inside[0] in text.err


def test_data_that_were_made_otherwise_are_refused(
    fitted, files, tmp_path, capsys
):
    data = tmp_path / 'data'
    assert main(prepare_args(files, data, '--pocket', '7')) == 0
    capsys.readouterr()
    argv = ['--checkpoint', str(fitted / 'last.ckpt'), '--data', str(data)]
    for command in ('test', 'predict'):
        out = ['--out', str(tmp_path / 'out.csv')]
        assert main([command, *argv, *out]) == 1
        text = capsys.readouterr().err
        assert 'the radius of the pocket in Angstrom: 7.0 here, 6.0' in text


def test_explain(fitted, campaign, tmp_path, capsys):
    pytest.importorskip('matplotlib')
    from rdkit import Chem

    out = tmp_path / 'why'
    argv = ['explain', '--checkpoint', str(fitted / 'last.ckpt')]
    argv += ['--out', str(out), '--compounds', 'CPD-3', 'CPD-5']
    assert main(argv) == 0
    assert {path.name for path in out.iterdir()} == {
        'poses.csv', 'atoms.csv', 'CPD-3.png', 'CPD-5.png', 'CPD-3.sdf',
        'CPD-5.sdf',
    }  # fmt: skip
    table = rows(out / 'poses.csv')
    assert [row['set'] for row in table] == ['CPD-3'] * 2 + ['CPD-5'] * 4
    predicted = {
        row['id']: row
        for part in ('train', 'valid', 'test')
        for row in rows(fitted / f'{part}_predictions.csv')
    }
    assert float(table[0]['prediction_pIC50']) == pytest.approx(
        float(predicted['CPD-3']['prediction']), abs=1e-4
    )
    mols = list(Chem.SDMolSupplier(str(out / 'CPD-5.sdf')))
    assert len(mols) == 4
    weights = [float(one.GetProp('multipose_weight')) for one in mols]
    assert sum(weights) == pytest.approx(1, abs=1e-4)
    atom = mols[0].GetAtomWithIdx(0)
    assert atom.GetDoubleProp('multipose_contribution') >= 0
    atoms = [row for row in rows(out / 'atoms.csv') if row['set'] == 'CPD-5']
    ligand = [row for row in atoms if row['pose'] == '0']
    assert len(ligand) == mols[0].GetNumAtoms()
    assert float(ligand[0]['contribution']) == pytest.approx(
        atom.GetDoubleProp('multipose_contribution'), rel=1e-3, abs=1e-9
    )
    argv[-1] = 'CPD-51'
    argv[argv.index(str(out))] = str(tmp_path / 'more')
    assert main(argv) == 1
    assert "no compound 'CPD-51'; did you mean" in capsys.readouterr().err


def test_export_is_equal_to_the_bit(fitted, tmp_path, capsys):
    pytest.importorskip('safetensors')
    out = tmp_path / 'model.safetensors'
    argv = ['export', '--checkpoint', str(fitted / 'last.ckpt'), '--out']
    assert main([*argv, str(out)]) == 0
    one = MultiPoseModule.load_from_checkpoint(fitted / 'last.ckpt')
    two = MultiPoseModule.load_from_checkpoint(out)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name
    assert two.inputs == one.inputs and two.unit == one.unit
    assert dict(two.hparams) == dict(one.hparams)
    assert two.data.fingerprint == one.data.fingerprint
    assert torch.equal(two.data.sets['train'], one.data.sets['train'])
    assert main(['test', '--checkpoint', str(out)]) == 1  # no config beside
    assert 'give --data' in capsys.readouterr().err
    assert main([*argv, str(tmp_path / 'model.bin')]) == 1
    assert 'has to end in .safetensors' in capsys.readouterr().err
    out.write_bytes(out.read_bytes()[:-5])
    with pytest.raises(ValueError, match='or is damaged'):
        MultiPoseModule.load_from_checkpoint(out)
