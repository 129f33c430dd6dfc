"""The code on the page about training runs; commands are as they are shown."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip('lightning')
pytest.importorskip('jsonargparse')

import yaml  # noqa: E402

from pyg_multipose.cli.parser import with_data  # noqa: E402
from tests.trusting import Trusting  # noqa: E402

READOUT = 'pyg_multipose.nn.multi_pose_readout'
DOCS = Path(__file__).parents[1] / 'docs'


def blocks(page, language):
    text = (DOCS / page).read_text(encoding='utf-8')
    return re.findall(rf'```{language}\n(.*?)```', text, re.DOTALL)


@pytest.mark.filterwarnings('ignore:.*does not have many workers')
@pytest.mark.filterwarnings('ignore:.*LeafSpec')
def test_code_blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Other tests compare all ways; here that would be most of the time.
    monkeypatch.setattr(f'{READOUT}.Verdict', Trusting)
    names = {}
    for block in blocks('training.md', 'python'):
        exec(block, names)
    assert names['module'].unit == 'pIC50'
    assert len(names['table'].sets) == len(names['data'].indices['test'])
    assert {path.name for path in tmp_path.iterdir()} == {
        'model.ckpt', 'predictions.csv', 'predictions_poses.csv', 'run'
    }  # fmt: skip


@pytest.mark.filterwarnings('ignore:.*does not have many workers')
def test_code_of_several_processes():
    """In one process; the page says that it runs there too."""
    names = {}
    for block in blocks('several_processes.md', 'python')[1:]:
        exec(block, names)
    assert names['loss'].total > 0
    (command,) = blocks('several_processes.md', 'console')
    _, _, name, *argv = shlex.split(command)
    bench = importlib.import_module(f'pyg_multipose.cli.{name}')
    assert bench.parser().read(argv).processes == 2


def test_commands(tmp_path):
    """They are read, not run."""
    count = 0
    commands = blocks('command_line.md', 'console')
    for line in ''.join(commands).replace('\\\n', ' ').splitlines():
        start, program, command, *argv = shlex.split(line, comments=True)
        assert start == '$'
        if program != 'multipose' or '...' in argv:
            assert program in ('multipose', 'sbatch', 'torchrun', 'dask')
            continue
        module = importlib.import_module(f'pyg_multipose.cli.{command}')
        assert module.parser().read(with_data(argv)).as_dict()
        count += 1
    assert count == 14
    (text,) = blocks('command_line.md', 'yaml')
    file = tmp_path / 'a.yaml'
    file.write_text(text)
    fit = importlib.import_module('pyg_multipose.cli.fit')
    options = fit.parser().read(['--config', str(file)])
    told = yaml.safe_load(text)
    graph = told['model_args'].pop('interaction_graph')
    found = options.model_args.pop('interaction_graph')
    assert {**found, 'init_args': graph['init_args']} == graph
    assert found['init_args']['cutoff'] == 4.5
    for key, value in told.items():
        assert getattr(options, key) == value
