"""multipose predict, killed at any moment, ends as if it had not been."""

import random
from pathlib import Path

import torch
from lightning.pytorch import Trainer

from pyg_multipose.cli import main
from pyg_multipose.datasets import PoseSetDataset
from pyg_multipose.train import InputRecord, MultiPoseModule
from pyg_multipose.transforms import RadiusGraph

from .runs import Outcome, killed_runs

FILES = ('out.csv', 'out_poses.csv', 'out.sdf', 'out.csv.json')
#: Of ten kills, so many are of poses in files, and of two processes.
OF_FILES, OF_PROCESSES = 4, 1
NUM_SETS = 60
MODEL = {
    'class_path': 'SchNet',
    'init_args': {
        'hidden_channels': 4,
        'num_filters': 4,
        'num_interactions': 1,
        'cutoff': 4.5,
    },
}


def record(name: str, rng: random.Random) -> str:
    """A chain of atoms near the origin."""
    size = rng.randint(3, 8)
    places = [[rng.uniform(-3, 3) for _ in range(3)] for _ in range(size)]
    atoms = [
        f'{x:10.4f}{y:10.4f}{z:10.4f} {rng.choice("CNO")}   0  0'
        for x, y, z in places
    ]
    bonds = [f'{i:3d}{i + 1:3d}  1  0' for i in range(1, size)]
    counts = f'{size:3d}{size - 1:3d}  0  0  0  0            999 V2000'
    return '\n'.join(
        [name, '', '', counts, *atoms, *bonds, 'M  END', '$$$$\n']
    )


def poses(number: int) -> str:
    """The poses of a compound: one molecule in several places."""
    count = 1 + number % 3
    text = record(f'CPD-{number}', random.Random(number)).split('\n')
    out = []
    for pose in range(count):
        lines = list(text)
        for at, line in enumerate(lines[4:], 4):
            if len(line) < 30:
                break
            lines[at] = f'{float(line[:10]) + 0.3 * pose:10.4f}{line[10:]}'
        out.append('\n'.join(lines))
    return ''.join(out)


def make(folder: Path) -> None:
    """Files, a data set of them, and a model."""
    text = ''.join(poses(number) for number in range(NUM_SETS))
    (folder / 'docked.sdf').write_text(text)
    rng = random.Random(7)
    lines = []
    for residue in range(1, 11):
        place = [rng.uniform(-7, 7) for _ in range(3)]
        for atom, shift in (('N', 0.0), ('CA', 1.46)):
            lines.append(
                f'ATOM  {len(lines) + 1:5d}  {atom:<3} GLY A{residue:4d}    '
                f'{place[0] + shift:8.3f}{place[1]:8.3f}{place[2]:8.3f}'
                f'  1.00  0.00           {atom[0]}'
            )
    (folder / 'receptor.pdb').write_text('\n'.join([*lines, 'END\n']))
    argv = ['prepare', '--poses', str(folder / 'docked.sdf')]
    argv += ['--receptor', str(folder / 'receptor.pdb')]
    assert main([*argv, '--out', str(folder / 'data')]) == 0
    torch.manual_seed(0)
    module = MultiPoseModule(MODEL, 'max', affinity='PIC50')
    sets = PoseSetDataset(folder / 'data')
    edges = RadiusGraph(4.5)
    module.inputs = InputRecord.of([edges(sets[n]) for n in range(20)], 4.5)
    trainer = Trainer(
        logger=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        accelerator='cpu',
    )
    trainer.strategy.connect(module)
    trainer.save_checkpoint(folder / 'model.ckpt')


def result(run: Path) -> dict:
    """The bytes of all tables; nothing else is left but the page."""
    left = {path.name for path in run.iterdir()}
    assert left == {*FILES, 'out.html'}, left
    return {name: (run / name).read_bytes() for name in FILES}


def kill(folder: Path, count: int, seed: int) -> Outcome:
    """Kills runs until it has been done so often."""
    make(folder)
    of_files, of_processes = OF_FILES * count // 10, OF_PROCESSES * count // 10
    total = Outcome(0, 0)
    for name, number, options in (
        ('files', of_files, []),
        ('processes', of_processes, ['--processes', '2']),
        ('data', count - of_files - of_processes, ['--processes', '1']),
    ):
        data = ['--data', str(folder / 'data')]
        if name == 'files':
            data = ['--poses', str(folder / 'docked.sdf')]
            data += ['--receptor', str(folder / 'receptor.pdb')]

        def argv(run: Path, data=data, options=options) -> list[str]:
            run.mkdir(parents=True, exist_ok=True)
            # That which the children are copies of begins no processes.
            more = [] if run.name == 'whole' else options
            return [
                'predict', '--checkpoint', str(folder / 'model.ckpt'), *data,
                '--out', str(run / 'out.csv'), '--sdf', str(run / 'out.sdf'),
                '--sdf-poses', 'all', '--shard-size', '24', '--max-poses',
                '8', '--device', 'cpu', *more,
            ]  # fmt: skip

        if number:
            found = killed_runs(
                argv, result, folder / name, number, random.Random(seed)
            )
            total = Outcome(total.kills + found.kills, total.runs + found.runs)
    return total
