"""A campaign in files: poses, a receptor, a table of what was measured."""

import random

import pytest

pytest.importorskip('jsonargparse')
pytest.importorskip('lightning')
pytest.importorskip('rdkit')
pytest.importorskip('gemmi')

from lightning.pytorch import callbacks  # noqa: E402

from pyg_multipose.cli import main  # noqa: E402

#: Compounds that have poses.
NUM = 14


def chain(number):
    """The heavy atoms of a compound, another molecule for each number."""
    return 'C' * (1 + number // 3) + 'NOS'[number % 3] + 'C'


def record(name, elements, score, rng):
    """A chain of atoms somewhere near the origin."""
    x, y, z = (rng.uniform(-1, 1) for _ in range(3))
    atoms = [
        f'{x + 1.25 * i:10.4f}{y + 0.6 * (i % 2):10.4f}'
        f'{z + 0.4 * (i == 0):10.4f} {e}   0  0'
        for i, e in enumerate(elements)
    ]
    bonds = [f'{i:3d}{i + 1:3d}  1  0' for i in range(1, len(elements))]
    return '\n'.join(
        [
            name, '', '',
            f'{len(atoms):3d}{len(bonds):3d}  0  0  0  0            999 V2000',
            *atoms, *bonds, 'M  END',
            '> <minimizedAffinity>', f'{score:.2f}', '', '$$$$\n',
        ]
    )  # fmt: skip


def write_campaign(folder, first=0, count=NUM):
    """Poses, a receptor of ten residues, labels."""
    rng = random.Random(first)
    folder.mkdir(exist_ok=True)
    text = ''
    for number in range(first, first + count):
        for pose in range(2 + number % 3):
            text += record(f'CPD-{number}', chain(number), -5.0 + pose, rng)
    (folder / 'docked.sdf').write_text(text)
    lines = []
    site = random.Random(7)
    for residue in range(1, 11):
        far = 5.0 if residue < 8 else 25.0
        x, y, z = (site.uniform(-1, 1) for _ in range(3))
        norm = (x * x + y * y + z * z) ** 0.5
        place = [far * one / norm for one in (x, y, z)]
        for atom, shift in (('N', 0.0), ('CA', 1.46)):
            lines.append(
                f'ATOM  {len(lines) + 1:5d}  {atom:<3} GLY A{residue:4d}    '
                f'{place[0] + shift:8.3f}{place[1]:8.3f}{place[2]:8.3f}'
                f'  1.00  0.00           {atom[0]}'
            )
    (folder / 'receptor.pdb').write_text('\n'.join([*lines, 'END\n']))
    rows = ['compound,IC50']
    for number in range(first, first + count - 1):  # the last has none
        value = '>100' if number == first + 2 else f'{1 + number / 3:.3f}'
        rows.append(f'CPD-{number},{value}')
    rows.append('CPD-99,5.0')  # has no poses
    (folder / 'activity.csv').write_text('\n'.join(rows) + '\n')
    return folder


@pytest.fixture(scope='session')
def files(tmp_path_factory):
    return write_campaign(tmp_path_factory.mktemp('files'))


def prepare_args(files, out, *more):
    return [
        'prepare', '--poses', str(files / 'docked.sdf'),
        '--receptor', str(files / 'receptor.pdb'),
        '--labels', str(files / 'activity.csv'), '--id-column', 'compound',
        '--value-column', 'IC50', '--unit', 'uM', '--kind', 'IC50',
        '--out', str(out), *more,
    ]  # fmt: skip


@pytest.fixture(scope='session')
def campaign(files, tmp_path_factory):
    out = tmp_path_factory.mktemp('data') / 'campaign'
    assert main(prepare_args(files, out, '--pocket', '6')) == 0
    return out


FIT = [
    '--device', 'cpu', '--progress', 'false', '--epochs', '2',
    '--model', 'SchNet', '--model_args',
    '{"hidden_channels": 4, "num_filters": 4, "num_interactions": 1}',
    '--lengths', '[0.6, 0.2, 0.2]', '--max-poses', '10',
]  # fmt: skip
#: Of Lightning 2.6.
EMA = ['--ema', '0.5'] if hasattr(callbacks, 'EMAWeightAveraging') else []


@pytest.fixture(scope='session')
def fitted(campaign, tmp_path_factory):
    out = tmp_path_factory.mktemp('runs') / 'run'
    argv = ['fit', '--data', str(campaign), '--out', str(out), *FIT]
    assert main([*argv, *EMA, '--accumulate', '2']) == 0
    return out
