"""A reading in parts says what a reading of all at once says."""

import gzip
import random
import warnings
from pathlib import Path

import pytest
import torch

pytest.importorskip('rdkit')
pytest.importorskip('gemmi')

from pyg_multipose.io import read_receptor  # noqa: E402
from pyg_multipose.io.poses.index import Index  # noqa: E402
from pyg_multipose.io.poses.reading import Reading  # noqa: E402
from pyg_multipose.io.poses.streams import Streams  # noqa: E402
from pyg_multipose.io.tally import Tally  # noqa: E402

DATA = Path(__file__).parents[3] / 'tutorials' / 'data'
SMILES = ['CCO', 'c1ccccc1O', 'CC(N)C(=O)O', 'C1CCNCC1', 'CC(F)Cl', 'OCCS']


def at_once(paths, **kwargs):
    with warnings.catch_warnings(record=True):
        warnings.simplefilter('always')
        poses, texts = Reading(**kwargs).read(paths, False)
    return list(poses), poses.smiles, str(poses.report), texts


def look_through(reading, paths, path, size):
    report = Tally()
    sources = reading.sources(paths, report)
    reading.index(sources, report, path, size, False)


def in_parts(paths, folder, size, **kwargs):
    """The same, from one shard after another, and how many there are."""
    path = folder / f'{size}.index'
    look_through(Reading(**kwargs), paths, path, size)
    reading = Reading(**kwargs)
    index = Index(path, reading.formats)
    again = folder / f'{size}.again'
    look_through(Reading(**kwargs), paths, again, size)
    assert again.read_bytes() == path.read_bytes()
    again.unlink()
    path.unlink()
    streams, whole = Streams(index), reading.whole(index)
    sets, smiles = [], []
    for shard in range(len(index.shards)):
        part = reading.part(index, streams, shard)
        sets += list(part.poses)
        smiles += part.poses.smiles
        whole.add(part.values, set(part.names) - set(part.poses.names))
    texts = whole.close()
    text = str(whole.report)
    assert str(whole.report.to_part()) and len(index.shards) >= 1
    return (sets, smiles, text, texts), len(index.shards)


def same(one, other):
    """Whether two sets hold the same, to the bit."""
    assert list(one.keys()) == list(other.keys())
    for key, value in one.to_dict().items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == other[key].dtype
            assert torch.equal(value.nan_to_num(7), other[key].nan_to_num(7))
        else:
            assert value == other[key], key


def compare(paths, folder, sizes, **kwargs):
    expected = at_once(paths, **kwargs)
    for size in sizes:
        got, shards = in_parts(paths, folder, size, **kwargs)
        assert [s.name for s in got[0]] == [s.name for s in expected[0]]
        for one, other in zip(got[0], expected[0], strict=True):
            same(one, other)
        assert got[1:] == expected[1:]
    return expected, shards


def test_the_bundled_files(tmp_path):
    receptor = read_receptor(DATA / 'receptor.pdb.gz')
    text = gzip.decompress((DATA / 'poses.sdf.gz').read_bytes())
    some = b'$$$$\n'.join(text.split(b'$$$$\n')[:200])
    path = tmp_path / 'poses.sdf.gz'
    path.write_bytes(gzip.compress(some + b'$$$$\n'))
    expected, shards = compare(
        [path],
        tmp_path,
        [60],
        receptor=receptor,
        receptor_name='Mpro',
    )
    assert shards > 3 and len(expected[0]) > 20


def pieces(make, rng, count):
    """Records of all formats, some of them bad."""
    out = {'sdf': [], 'mol2': [], 'pdbqt': [], 'dlg': [], 'mae': []}
    for _ in range(count):
        number = rng.randrange(len(SMILES))
        mol = make.embedded(SMILES[number], rng.randrange(9))
        title = rng.choice([f'L{number}', f'L{number}', f'l{number}', ''])
        items = [('minimizedAffinity', f'{rng.uniform(-9, 0):.2f}')]
        items += [('CNNscore', rng.choice(['0.5', 'x', '7']))]
        items = items[: rng.randrange(3)]
        text = make.sdf(mol, title, items)
        bad = rng.random()
        if bad < 0.1:
            text = text.replace('M  END', 'M  BND')
        elif bad < 0.2:
            text = text.replace(' C  ', ' Xx ', 1)
        elif bad < 0.3:
            text = text.replace('\n', '\r\n')
        elif bad < 0.35:
            text = text.replace('$$$$\n', '')
        out['sdf'].append(text)
        out['mol2'].append(make.mol2(mol, title or 'none'))
    return out


@pytest.mark.parametrize('seed', range(6))
def test_folders_of_all_kinds(make, tmp_path, seed):
    rng = random.Random(seed)
    folder = tmp_path / 'in'
    for name in ('a/1.sdf', 'a/2.sdf.gz', 'b/3.mol2', 'b/4.sdf', '5.sdf'):
        made = pieces(make, rng, rng.randrange(12))
        text = ''.join(made['mol2' if 'mol2' in name else 'sdf'])
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name[-1] == 'z' else data)
    for number in range(3):
        mol = make.embedded(SMILES[number])
        model = make.pdbqt(mol)
        (folder / f'L{number}.pdbqt').write_text(make.models(model, model))
        (folder / f'{number}.dlg').write_text(
            make.dlg((-7.0, model), (None, model))
        )
        (folder / f'{number}_pv.mae').write_text(
            make.mae_head
            + make.mae(mol, 'receptor')
            + make.mae(mol, f'L{number}', [('r_i_docking_score', -7)])
        )
    (folder / 'notes.log').write_text('nothing')
    (folder / 'empty.sdf').write_text('')
    receptor = read_receptor_of(make, tmp_path) if seed % 2 else None
    group_by = rng.choice([None, 'title', 'file'])
    compare([folder], tmp_path, [1, 3, 7, 1000], receptor=receptor,
            group_by=group_by, hydrogens=bool(seed % 3))  # fmt: skip


def read_receptor_of(make, folder):
    """A few residues, one of which is where poses are."""
    lines = []
    for row, x in enumerate((0.0, 1.5, 4.0, 30.0), start=1):
        lines.append(
            f'ATOM  {row:5d}  CA  GLY A{row:4d}    {x:8.3f}{0:8.3f}{0:8.3f}'
            f'  1.00  0.00           C'
        )
    path = folder / 'receptor.pdb'
    path.write_text('\n'.join([*lines, 'END\n']))
    return read_receptor(path)


def test_a_file_that_was_changed(make, tmp_path):
    path = tmp_path / 'a.sdf'
    records = [make.sdf(make.embedded('CCO', n), f'L{n}') for n in range(4)]
    path.write_text(''.join(records))
    index_path = tmp_path / 'index'
    reading = Reading()
    look_through(reading, [path], index_path, 1)
    index = Index(index_path, reading.formats)
    path.write_text(''.join(records[:2] + records[3:]))
    streams = Streams(index)
    assert reading.part(index, streams, 1).poses.names == ['L1']
    with pytest.raises(ValueError, match="a.sdf' was changed since"):
        reading.part(index, streams, 3)
    with pytest.raises(ValueError, match="a.sdf' was changed since"):
        reading.part(index, streams, 2)


def test_a_file_that_is_no_index(tmp_path):
    path = tmp_path / 'index'
    path.write_text('nothing')
    with pytest.raises(ValueError, match='is no index of poses'):
        Index(path, [])
