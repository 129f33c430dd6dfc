"""The bundled data and the bundled run, by their names."""

import pytest
import torch
import yaml

from pyg_multipose.cli import main
from pyg_multipose.cli.data_set import open_data
from pyg_multipose.cli.fit import parser
from pyg_multipose.cli.parser import bundled
from pyg_multipose.cli.training import data_module, multi_pose_module
from pyg_multipose.datasets import MproMoonshot


def test_settings_change_the_bundled_data():
    data = open_data('MproMoonshot:pocket=5,poses=1')
    assert data.sets[3].num_poses == 1
    assert data.sets[3].receptor.num_nodes == 150
    assert data.about['pocket'] == 5.0 and data.about['poses'] == 1
    assert open_data('MproMoonshot').sets[3].receptor.num_nodes == 487
    few = open_data('MproMoonshot:sets=2')
    assert len(few.sets) == len(few.names) == 6
    assert [one.name for one in few.sets] == few.names
    assert sorted(few.columns['date_part'])[::2] == ['test', 'train', 'valid']
    test = [
        name
        for name, part in zip(
            data.names, data.columns['date_part'], strict=True
        )
        if part == 'test'
    ]
    assert test == MproMoonshot('test').names


@pytest.mark.parametrize(
    'name, text',
    [
        ('MproMoonshot:pocke=5', "did you mean 'pocket'"),
        ('MproMoonshot:pocket=a', "pocket is 'a', expected a number"),
    ],
)
def test_settings_that_are_none(name, text, capsys):
    assert main(['inspect', '--data', name]) == 1
    assert text in capsys.readouterr().err


def test_the_bundled_run_is_that_of_the_demo():
    """The parts, the network and its weights, the steps of an epoch."""
    options = parser().read(['--config', 'mpro_moonshot'])
    data = data_module(options, open_data(options.data))
    torch.manual_seed(options.seed)
    module = multi_pose_module(options, data)
    sizes = {part: len(sets) for part, sets in data.parts.items()}
    assert sizes == {'train': 160, 'valid': 40, 'test': 40}
    loader = data.train_dataloader()
    assert len(loader) == 20
    assert {len(batch) for batch in loader.batch_sampler} == {8}
    assert module.readout.model.mean == pytest.approx(-12.3088, abs=1e-4)
    assert module.readout.max_nodes_per_chunk == 2048
    module.readout(next(iter(loader)))
    assert 'encoded' in str(module.readout.last_plan)


def test_configurations_have_names(capsys):
    for name, file in bundled().items():
        known = {action.dest for action in parser()._actions}
        assert set(yaml.safe_load(file.read_text())) <= known, name
    assert main(['fit', '--config', 'mpro_monshot']) == 2
    assert "did you mean 'mpro_moonshot'" in capsys.readouterr().err
    assert main(['fit', '--help']) == 0
    assert 'mpro_moonshot' in capsys.readouterr().out
