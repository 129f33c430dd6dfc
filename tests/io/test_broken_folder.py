"""A folder with all kinds of broken files, read to the end.

What is whole is read, and the report says of everything else where it is and
why it was left out, exactly.
"""

import gzip
import json
import os
import zlib
from collections import defaultdict
from pathlib import Path

import pytest
import torch

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import (  # noqa: E402
    read_labels,
    read_poses,
    read_receptor,
)

SMILES = 'OCc1ccncc1'
#: More than a ligand has, and more than V2000 can count.
HUGE = 10_000


def table(rows, folder):
    """What a report says, by file and record."""
    cells = [
        (
            Path(row.file).relative_to(folder).as_posix(),
            row.record,
            row.title,
            row.reason,
        )
        for row in rows
    ]
    return sorted(cells, key=lambda row: (row[0], row[1] or 0))


def huge_record():
    """A record of V3000 with atoms on a grid."""
    atoms = '\n'.join(
        f'M  V30 {i + 1} C {i % 100} {i // 100} {i % 3} 0'
        for i in range(HUGE)
    )  # fmt: skip
    return (
        f'HUGE\n\n\n  0  0  0     0  0            999 V3000\n'
        f'M  V30 BEGIN CTAB\nM  V30 COUNTS {HUGE} 0 0 0 0\n'
        f'M  V30 BEGIN ATOM\n{atoms}\nM  V30 END ATOM\nM  V30 END CTAB\n'
        f'M  END\n> <vina_score>\n-9\n\n$$$$\n'
    )


@pytest.fixture
def folder(tmp_path, make):
    """The folder; every file that can hold good records holds some."""
    count = iter(range(1, 100))

    def good(title, smiles=SMILES, **kwargs):
        number = next(count)
        mol = kwargs.pop('mol', None) or make.embedded(smiles, seed=number)
        items = [('vina_score', -number / 10)]
        return make.sdf(mol, title, items, **kwargs)

    def changed(title, change):
        mol = make.embedded(SMILES, seed=next(count))
        conformer = mol.GetConformer()
        for atom in range(mol.GetNumAtoms()):
            conformer.SetAtomPosition(
                atom, change(conformer.GetAtomPosition(atom))
            )
        return good(title, mol=mol)

    def flat(point):
        point.z = 0.0
        return point

    nan = good('NAN').splitlines(keepends=True)
    nan[5] = '       nan' + nan[5][10:]
    zero = (
        'ZERO\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n'
        '> <vina_score>\n-9\n\n$$$$\n'
    )
    same = make.embedded(SMILES, seed=next(count))
    noise = bytes(range(256)) * 20
    cut = good('CUT')
    packed = gzip.compress(''.join(good('PACKED') for _ in range(40)).encode())
    accent = good('CAF\u00c9').encode('latin-1')
    files = {
        'binary.sdf': noise,
        'binary_record.sdf': good('BIN').encode()
        + noise + b'\n$$$$\n' + good('BIN').encode(),
        'blank.sdf': b'\n \r\n\n',
        'cut.sdf': (good('CUT') + good('CUT') + cut[: len(cut) // 2]).encode(),
        'cut_gzip.sdf.gz': packed[: 2 * len(packed) // 3],
        'dir.sdf/inside.sdf': good('INSIDE') + good('INSIDE'),
        'duplicates.sdf': good('TWICE', mol=same) + good('TWICE', mol=same)
        + good('TWICE'),
        'duplicates_again.sdf': good('TWICE'),
        'empty.sdf': b'',
        'empty.sdf.gz': b'',
        'flat.sdf': good('FLAT') + changed('FLAT', flat) + good('FLAT'),
        'huge.sdf': huge_record() + good('HUGE') + good('HUGE'),
        'latin.sdf': accent + good('LATIN').encode(),
        'mixed.sdf': good('MIXED').replace('\n', '\r\n') + good('MIXED')
        + good('MIXED').replace('\n', '\r'),
        'nan.sdf': ''.join(nan) + good('NAN') + good('NAN'),
        'noise.sdf.gz': b'\x1f\x8b' + noise,
        'not_gzip.sdf.gz': good('PLAIN') + good('PLAIN'),
        'notes.txt': 'docked on Monday',
        'other.sdf': good('OTHER') + good('OTHER', 'OCc1cccnc1')
        + good('OTHER') + good('OTHER', 'OCc1cc[nH+]cc1'),
        'untitled.sdf': good('') + good('UNTITLED'),
        'zero.sdf': zero + good('ZERO') + good('ZERO'),
    }  # fmt: skip
    root = tmp_path / 'campaign'
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_bytes = isinstance(content, bytes)
        path.write_bytes(content if is_bytes else content.encode())
    (root / 'none.sdf').mkdir()
    (tmp_path / 'secret.sdf').write_text(good('SECRET'))
    (root / 'link.sdf').symlink_to(tmp_path / 'secret.sdf')
    if hasattr(os, 'mkfifo'):
        os.mkfifo(root / 'pipe.sdf')
    return root


def test_report_is_exact(folder):
    poses = read_poses(folder)
    report = poses.report
    packed = (folder / 'cut_gzip.sdf.gz').read_bytes()
    whole = zlib.decompressobj(wbits=31).decompress(packed).count(b'$$$$')
    pipe = [('pipe.sdf', None, '', 'not a regular file')]
    dropped = [
        ('binary.sdf', 1, '????????', 'binary'),
        ('binary_record.sdf', 2, '????????', 'binary'),
        ('blank.sdf', None, '', 'no records'),
        ('cut.sdf', 3, 'CUT', 'incomplete mol block'),
        ('cut_gzip.sdf.gz', whole + 1, 'PACKED', 'incomplete mol block'),
        ('empty.sdf', None, '', 'no records'),
        ('empty.sdf.gz', None, '', 'no records'),
        ('flat.sdf', 2, 'FLAT', 'no 3-D coordinates'),
        ('huge.sdf', 1, 'HUGE', 'too many atoms'),
        ('link.sdf', None, '', 'a link out of the folder'),
        ('nan.sdf', 1, 'NAN', 'unreadable coordinates'),
        ('noise.sdf.gz', None, '', 'no records'),
        ('none.sdf', None, '', 'empty folder'),
        ('notes.txt', None, '', 'not a pose'),
        ('other.sdf', 2, 'OTHER', 'another molecule under one id'),
        (
            'other.sdf',
            4,
            'OTHER',
            'another charge or protonation state under one id',
        ),
        *(pipe if (folder / 'pipe.sdf').exists() else []),
        ('untitled.sdf', 1, '', 'empty title'),
        ('zero.sdf', 1, 'ZERO', 'no atoms'),
    ]
    nul = 'NUL bytes at the ends of lines removed'
    flagged = [
        ('binary.sdf', None, '', nul),
        ('binary_record.sdf', None, '', nul),
        ('cut_gzip.sdf.gz', None, '', 'cut file'),
        ('duplicates.sdf', None, 'TWICE', 'one set from several files'),
        ('duplicates.sdf', 2, 'TWICE', 'duplicate pose'),
        ('latin.sdf', 1, 'CAF\u00c9', 'not UTF-8'),
        ('not_gzip.sdf.gz', None, '', 'not gzip in spite of its name'),
    ]
    assert table(report.dropped, folder) == dropped
    assert table(report.flagged, folder) == flagged
    detail = {row.reason: row.detail for row in report.rows}
    assert detail['too many atoms'].startswith('10000, but a ligand has at')
    assert detail['unreadable coordinates'] == "atom 2 has 'nan'"
    assert detail['no 3-D coordinates'].startswith('flat')
    assert 'end before their end' in detail['cut file']
    assert "duplicates_again.sdf': 1" in detail['one set from several files']
    content = json.loads(report.to_json())
    assert len(content['rows']) == len(dropped) + len(flagged)
    assert content['seen'] == content['kept'] + content['dropped']


def test_good_records_survive(folder):
    poses = read_poses(folder)
    packed = (folder / 'cut_gzip.sdf.gz').read_bytes()
    whole = zlib.decompressobj(wbits=31).decompress(packed).count(b'$$$$')
    # Of each file, the records that became poses.
    expected = {
        'binary_record.sdf': [1, 3],
        'cut.sdf': [1, 2],
        'cut_gzip.sdf.gz': list(range(1, whole + 1)),
        'dir.sdf/inside.sdf': [1, 2],
        'duplicates.sdf': [1, 2, 3],
        'duplicates_again.sdf': [1],
        'flat.sdf': [1, 3],
        'huge.sdf': [2, 3],
        'latin.sdf': [1, 2],
        'mixed.sdf': [1, 2, 3],
        'nan.sdf': [2, 3],
        'not_gzip.sdf.gz': [1, 2],
        'other.sdf': [1, 3],
        'untitled.sdf': [2],
        'zero.sdf': [2, 3],
    }
    assert whole > 20
    found = defaultdict(list)
    for file, record in (pair for of_set in poses.records for pair in of_set):
        found[Path(file).relative_to(folder).as_posix()].append(record)
    assert {file: sorted(found[file]) for file in sorted(found)} == expected
    kept = {name: count for name, count in poses.report.kept.items() if count}
    assert len(kept) == len(expected) and sum(kept.values()) == sum(
        map(len, expected.values())
    )
    names = 'BIN CUT PACKED INSIDE TWICE FLAT HUGE CAF\u00c9 LATIN MIXED NAN'
    assert set(poses.names) == {
        *names.split(), 'PLAIN', 'OTHER', 'UNTITLED', 'ZERO'
    }  # fmt: skip


def test_poses_are_those_of_their_records(folder):
    """Neither coordinates nor scores come from a neighbour."""
    poses = read_poses(folder)
    for pose_set, records in zip(poses, poses.records, strict=True):
        assert pose_set.pos.isfinite().all()
        for number, (file, record) in enumerate(records):
            text = Path(file).read_bytes()
            if text.startswith(b'\x1f\x8b'):
                text = zlib.decompressobj(wbits=31).decompress(text)
            lines = text.split(b'$$$$')[record - 1].lstrip().splitlines()
            block = lines.index(b'M  END')
            (score,) = (
                float(lines[i + 1])
                for i in range(block, len(lines))
                if b'vina_score' in lines[i]
            )
            counts = next(i for i, s in enumerate(lines) if b'V2000' in s)
            atoms = lines[counts + 1 :][: int(lines[counts][:3])]
            pos = torch.tensor(
                [[float(line[a : a + 10]) for a in (0, 10, 20)]
                 for line in atoms]
            )  # fmt: skip
            pose = pose_set.pose(number)
            assert torch.equal(pose.pos, pos)
            assert torch.equal(pose.vina_score, torch.tensor([score]))


def test_reading_twice_is_the_same(folder):
    first, again = read_poses(folder), read_poses(folder)
    assert first.report.rows == again.report.rows
    assert first.names == again.names


@pytest.mark.parametrize('name', ['dir.sdf', 'none.sdf', 'empty.sdf'])
def test_other_readers_name_what_is_no_file_of_theirs(folder, name):
    """A receptor or a table that cannot be read is an error."""
    pytest.importorskip('gemmi')
    path = folder / name
    suffix = {'receptor': '.pdb', 'labels': '.csv'}
    for what, end in suffix.items():
        path = path.rename(path.with_suffix(end))
        with pytest.raises((ValueError, OSError), match=path.name):
            if what == 'receptor':
                read_receptor(path)
            else:
                read_labels(path, unit='nM', target_id='T')
