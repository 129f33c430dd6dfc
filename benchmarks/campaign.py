r"""Peak memory and time of a campaign, as it grows.

``python -m benchmarks.campaign --ligands 10000 1000000`` writes that many
generated ligands to disk, prepares and predicts them by the command line, and
says what that took: the time, and the largest memory of one of its processes
(read from /proc, on Linux). A tenth more memory for a hundred times as many
ligands is too much.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.campaign_model import write_checkpoint
from pyg_multipose.cli.data_set import open_data

#: How much more memory the largest campaign may take than the smallest one.
ALLOWED = 1.1
#: Substituents of a chain, so that most molecules are different.
_ENDS = ('C', 'N', 'O', 'F', 'Cl', 'Br')


def write_ligands(path: Path, count: int, seed: int = 0) -> None:
    r"""Writes ligands of one or two poses to an SDF file, one by one.

    Args:
        path: The file.
        count: How many ligands.
        seed: Which ones. (default: :obj:`0`)
    """
    with open(path, 'w', encoding='utf-8') as file:
        for number in range(count):
            rng = random.Random(f'{seed} {number}')
            elements = [
                rng.choice('CCCCNOS') for _ in range(rng.randint(6, 12))
            ]
            elements = [
                rng.choice(_ENDS),
                'C',
                *elements,
                'C',
                rng.choice(_ENDS),
            ]
            for _ in range(1 + number % 2):
                file.write(_record(f'LIG-{number:08d}', elements, rng))


def _record(name: str, elements: list[str], rng: random.Random) -> str:
    """A chain of atoms somewhere near the origin."""
    x, y, z = (rng.uniform(-2.0, 2.0) for _ in range(3))
    size = len(elements)
    atoms = [
        f'{x + 1.25 * (i - size / 2):10.4f}{y + 0.6 * (i % 2):10.4f}'
        f'{z + 0.4 * (i == 0):10.4f} {element:<3} 0  0'
        for i, element in enumerate(elements)
    ]
    bonds = [f'{i:3d}{i + 1:3d}  1  0' for i in range(1, size)]
    return '\n'.join(
        [
            name, '', '',
            f'{size:3d}{size - 1:3d}  0  0  0  0            999 V2000',
            *atoms, *bonds, 'M  END', '> <minimizedAffinity>',
            f'{rng.uniform(-9.0, -3.0):.2f}', '', '$$$$\n',
        ]
    )  # fmt: skip


def write_receptor(path: Path, residues: int = 40) -> None:
    r"""Writes glycines on a sphere around the ligands.

    Args:
        path: The PDB file.
        residues: How many. (default: :obj:`40`)
    """
    rng = random.Random(1)
    lines: list[str] = []
    for residue in range(1, residues + 1):
        place = [rng.gauss(0.0, 1.0) for _ in range(3)]
        norm = sum(one * one for one in place) ** 0.5
        x, y, z = (13.0 * one / norm for one in place)
        for name, shift in (('N', 0.0), ('CA', 1.46)):
            lines.append(
                f'ATOM  {len(lines) + 1:5d}  {name:<3} GLY A{residue:4d}    '
                f'{x + shift:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           '
                f'{name[0]}'
            )
    path.write_text('\n'.join([*lines, 'END\n']))


def measured(argv: list[str]) -> dict[str, float]:
    r"""Runs a command, and measures it and the processes that it starts.

    Args:
        argv: The command.

    Returns:
        Its time, and the largest memory of one of the processes.
    """
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max([peak, *map(_peak, _family(process.pid))])
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return {'seconds': round(seconds, 1), 'peak_mb': round(peak / 1e6, 1)}


def _family(pid: int) -> list[int]:
    """A process and all that it has started; a server of them is one, too."""
    try:
        tasks = Path(f'/proc/{pid}/task').iterdir()
        text = ' '.join((task / 'children').read_text() for task in tasks)
    except OSError:  # it has ended meanwhile
        return []
    below = [one for child in text.split() for one in _family(int(child))]
    return [pid, *below]


def _peak(pid: int) -> int:
    """The most memory that a process had up to now, in bytes."""
    try:
        status = Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return 0
    found = re.search(r'VmHWM:\s+(\d+) kB', status)
    return 1024 * int(found[1]) if found else 0


def main() -> None:
    r"""Runs campaigns of some sizes, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--ligands', type=int, nargs='+', default=[10_000])
    parser.add_argument('--folder', type=Path, default=Path('campaign'))
    parser.add_argument('--processes', default='1')
    parser.add_argument('--keep', action='store_true')
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    receptor = options.folder / 'receptor.pdb'
    write_receptor(receptor)
    table = options.folder / 'campaign.json'
    results = []
    for count in sorted(options.ligands):
        poses = options.folder / f'{count}.sdf'
        write_ligands(poses, count)
        data = options.folder / f'{count}'
        prepared = measured(
            [
                sys.executable, '-m', 'pyg_multipose.cli', 'prepare',
                '--poses', str(poses), '--receptor', str(receptor),
                '--out', str(data), '--processes', options.processes,
            ]
        )  # fmt: skip
        checkpoint = options.folder / 'model.ckpt'
        if not checkpoint.is_file():
            write_checkpoint(checkpoint, open_data(str(data)).sets)
        predicted = measured(
            [
                sys.executable, '-m', 'pyg_multipose.cli', 'predict',
                '--checkpoint', str(checkpoint), '--data', str(data),
                '--out', str(options.folder / f'{count}.csv'),
                '--processes', options.processes, '--device', 'cpu',
            ]
        )  # fmt: skip
        results.append(
            {'ligands': count, 'prepare': prepared, 'predict': predicted}
        )
        print(json.dumps(results[-1]), flush=True)
        table.write_text(json.dumps(results, indent=1))
        if not options.keep:
            shutil.rmtree(data)
            poses.unlink()
    worst = 0.0
    for command in ('prepare', 'predict'):
        peaks = [one[command]['peak_mb'] for one in results]
        worst = max(worst, max(peaks) / peaks[0])
        print(
            f'{command}: the memory of the largest is '
            f'{max(peaks) / peaks[0]:.3f} of that of the smallest'
        )
    sys.exit(worst > ALLOWED)


if __name__ == '__main__':
    main()
