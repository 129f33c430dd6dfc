"""multipose prepare, killed at any moment, ends as if it had not been."""

import random
import sqlite3
from pathlib import Path

from .predict import NUM_SETS, poses
from .runs import Outcome, killed_runs

#: Of ten kills, so many are of a pocket, and of one file.
OF_POCKETS, OF_ONE_FILE = 4, 2


def make(folder: Path) -> None:
    """Files of poses, some of them bad, a receptor and labels."""
    texts = [poses(number) for number in range(NUM_SETS)]
    texts[5] = texts[5].replace('M  END', 'M  AND', 1)
    (folder / 'docked').mkdir(parents=True)
    half = len(texts) // 2
    # The poses of some compounds are in both files.
    for name, part in (('a', texts[: half + 9]), ('b', texts[half - 9 :])):
        (folder / 'docked' / f'{name}.sdf').write_text(''.join(part))
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
    rows = [f'CPD-{number},{1 + number}' for number in range(3, NUM_SETS)]
    (folder / 'a.csv').write_text('\n'.join(['ligand_id,value', *rows, '']))


def result(run: Path) -> dict:
    """The bytes of tables, and what databases hold; nothing else is left."""
    out = {}
    for path in sorted(run.rglob('*')):
        name = path.relative_to(run).as_posix()
        assert not name.endswith('.part') and '.shards.json' not in name
        if path.suffix in ('.sqlite', '.db'):
            connection = sqlite3.connect(path)
            out[name] = '\n'.join(connection.iterdump())
            connection.close()
        elif path.is_file() and not path.name.startswith('shard-'):
            out[name] = path.read_bytes()
    return out


def kill(folder: Path, count: int, seed: int) -> Outcome:
    """Kills runs until it has been done so often."""
    make(folder)
    total = Outcome(0, 0)
    pockets, ones = OF_POCKETS * count // 10, OF_ONE_FILE * count // 10
    for name, number, options in (
        ('pocket', pockets, ['--pocket', '5', '--shard-size', '20']),
        ('one', ones, ['--pocket', '5']),
        ('many', count - pockets - ones, ['--shard-size', '20']),
    ):

        def argv(run: Path, options=options) -> list[str]:
            return [
                'prepare', '--poses', str(folder / 'docked'),
                '--receptor', str(folder / 'receptor.pdb'),
                '--labels', str(folder / 'a.csv'), '--unit', 'nM',
                '--kind', 'IC50', '--processes', '1', '--out', str(run),
                *options,
            ]  # fmt: skip

        if number:
            found = killed_runs(
                argv, result, folder / name, number, random.Random(seed)
            )
            total = Outcome(total.kills + found.kills, total.runs + found.runs)
    return total
