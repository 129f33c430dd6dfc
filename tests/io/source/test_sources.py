import os

import pytest

from pyg_multipose.io.ligand.formats import FORMATS
from pyg_multipose.io.ligand.sdf import Record
from pyg_multipose.io.poses.grouping import Grouping
from pyg_multipose.io.report import Rejected, Report
from pyg_multipose.io.source.diffdock import parse_name
from pyg_multipose.io.source.sources import find_sources


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('')


def found(paths):
    report = Report()
    return find_sources(paths, report, FORMATS), report


@pytest.mark.parametrize(
    'name, rank, confidence',
    [
        ('rank1.sdf', 1, None),
        ('rank1_confidence0.34.sdf', 1, '0.34'),
        ('rank10_confidence-2.10.sdf', 10, '-2.10'),
        ('rank3_confidence_-1.5.sdf.gz', 3, '-1.5'),
        ('rank3_confidencenan.sdf', 3, 'nan'),
        ('rank3_confidence.sdf', 3, ''),
        ('rank3_confidence-1.5.sdfgz', 3, '-1.5'),
        ('rank3_confidence-1.5.sdz', 3, '-1.5'),
    ],
)
def test_names_of_diffdock(name, rank, confidence):
    got = parse_name(name)
    assert (got.rank, got.confidence) == (rank, confidence)


@pytest.mark.parametrize(
    'name', ['ranked.sdf', 'rank1.pdb', 'xrank1.sdf', 'rank.sdf', 'a.sdf']
)
def test_names_of_others(name):
    assert parse_name(name) is None


def test_a_folder_is_read_in_natural_order(tmp_path):
    touch(
        tmp_path,
        'b/rank10_confidence-2.sdf',
        'b/rank2_confidence-1.sdf',
        'b/rank1_confidence0.5.sdf',
        'b/rank1.sdf',
        'b/rank1_reverseprocess.pdb',
        'a/x.sdf.gz',
        'notes.txt',
        'y.PDBQT',
    )
    sources, report = found(tmp_path)
    names = [
        source.path.relative_to(tmp_path).as_posix() for source in sources
    ]
    assert names == [
        'y.PDBQT',
        'a/x.sdf.gz',
        'b/rank1.sdf',
        'b/rank1_confidence0.5.sdf',
        'b/rank2_confidence-1.sdf',
        'b/rank10_confidence-2.sdf',
    ]
    assert [source.folder for source in sources] == [
        tmp_path.name, 'a', *['b'] * 4
    ]  # fmt: skip
    assert [source.is_copy for source in sources] == [
        False, False, True, False, False, False
    ]  # fmt: skip
    assert [source.stem for source in sources[:2]] == ['y', 'x']
    assert sorted((row.file[-10:], row.reason) for row in report.dropped) == [
        ('/notes.txt', 'not a pose'),
        ('rocess.pdb', 'not a pose'),
    ]


def test_ends_of_gzip_files(tmp_path):
    ends = ['sdf.gz', 'sdfgz', 'sdz', 'SDFGZ', 'mol2gz', 'pdbqtgz', 'molz']
    touch(tmp_path, *(f'{n}.{end}' for n, end in enumerate(ends)))
    touch(tmp_path, 'x.gz', 'y.z', 'z.xyz', 'gz', 'sdfgz', 'a.sdf.z')
    sources, report = found(tmp_path)
    assert [source.stem for source in sources] == list('0123456')
    assert [source.format.name for source in sources] == [
        *['sdf'] * 4, 'mol2', 'pdbqt', 'sdf'
    ]  # fmt: skip
    assert len(report.dropped) == 6
    assert all('gz or z' in row.detail for row in report.dropped)


def test_without_confidences_rank_one_is_a_pose(tmp_path):
    touch(tmp_path, 'c/rank1.sdf', 'c/rank2.sdf')
    sources, _ = found(tmp_path)
    assert [source.is_copy for source in sources] == [False, False]


def test_complexes_without_poses_are_said(tmp_path):
    touch(tmp_path, 'a/rank1.sdf')
    (tmp_path / 'b').mkdir()
    _, report = found(tmp_path)
    (row,) = report.dropped
    assert row.file == f'{tmp_path}/b' and row.reason == 'empty folder'


def test_two_runs_in_one_folder(tmp_path):
    touch(tmp_path, 'rank1_confidence0.1.sdf', 'rank1_confidence-0.1.sdf')
    _, report = found(tmp_path)
    (row,) = report.flagged
    assert row.reason == 'two runs in one folder' and 'rank' in row.detail


def test_links_do_not_lead_out_of_a_folder(tmp_path):
    touch(tmp_path, 'in/a.sdf', 'out/b.sdf', 'out/d/c.sdf')
    os.symlink(tmp_path / 'out/b.sdf', tmp_path / 'in/b.sdf')
    os.symlink(tmp_path / 'out/d', tmp_path / 'in/d')
    os.symlink(tmp_path / 'in', tmp_path / 'in/loop')
    os.symlink(tmp_path / 'nothing', tmp_path / 'in/broken.sdf')
    os.mkfifo(tmp_path / 'in/pipe.sdf')
    sources, report = found(tmp_path / 'in')
    assert [source.path.name for source in sources] == ['a.sdf']
    assert sorted(row.reason for row in report.dropped) == [
        'a link out of the folder', 'not a regular file', 'unreadable file'
    ]  # fmt: skip
    # A link that is given by its name is meant.
    sources, _ = found(tmp_path / 'in/b.sdf')
    assert len(sources) == 1


def test_a_file_is_read_once(tmp_path):
    touch(tmp_path, 'a.sdf')
    sources, report = found([tmp_path, tmp_path / 'a.sdf'])
    assert len(sources) == 1
    assert [row.reason for row in report.dropped] == ['given twice']


def test_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match='missing'):
        found(tmp_path / 'missing')
    with pytest.raises(ValueError, match='No files'):
        found([])
    # A folder is a folder, whatever its name.
    (tmp_path / 'poses.sdf').mkdir()
    sources, report = found(tmp_path / 'poses.sdf')
    assert not sources and report.dropped[0].reason == 'empty folder'


def test_input_of_docking_beside_its_output(tmp_path):
    touch(tmp_path, 'a.pdbqt', 'a_out.pdbqt', 'b.pdbqt')
    sources, _ = found(tmp_path)
    assert [source.has_output for source in sources] == [True, False, False]


@pytest.fixture
def source(tmp_path):
    def make(name):
        touch(tmp_path, name)
        (out,), _ = found(tmp_path / name)
        return out

    return make


def record(title='', **items):
    out = Record('a.sdf', 1, title)
    for name, value in items.items():
        for text in value if isinstance(value, list) else [value]:
            out.add_item(name, text)
    return out


@pytest.mark.parametrize(
    'name, expected',
    [
        ('c/a.sdf', 'T'),
        ('c/a.mol2', 'T'),
        ('c/a_out.pdbqt', 'a_out'),
        ('c/rank1_confidence0.5.sdf', 'c'),
    ],
)
def test_grouping_by_default(source, name, expected):
    assert Grouping().id_of(record('T'), source(name)) == expected


@pytest.mark.parametrize(
    'by, pattern, expected',
    [
        ('title', None, 'CPD-1_pose2'),
        ('title', r'(.+)_pose\d+', 'CPD-1'),
        ('title', r'CPD-\d_pose\d', 'CPD-1_pose2'),
        ('file', None, 'a.b'),
        ('file', r'(\w+)\..*', 'a'),
        ('folder', None, 'c'),
        ('id', None, 'X 1'),
    ],
)
def test_grouping(source, by, pattern, expected):
    of = record(' CPD-1_pose2 ', id=' X 1 ')
    assert Grouping(by, pattern).id_of(of, source('c/a.b.sdf')) == expected


@pytest.mark.parametrize(
    'by, pattern, of, reason',
    [
        ('title', None, record('  '), 'empty title'),
        ('id', None, record(id=' '), 'empty id'),
        ('id', None, record('T'), "no data item 'id'"),
        ('id', None, record(id=['a', 'b']), "several values of 'id'"),
        ('id', None, record(id='a\nb'), "several values of 'id'"),
        ('title', 'x.*', record('T'), 'pattern does not match'),
        ('title', '(x?)T', record('T'), 'empty id'),
        ('title', '(x)?T', record('T'), 'empty id'),
    ],
)
def test_no_id(source, by, pattern, of, reason):
    with pytest.raises(Rejected) as error:
        Grouping(by, pattern).id_of(of, source('a.sdf'))
    assert error.value.reason == reason


def test_what_is_no_grouping():
    for by in ('', 3):
        with pytest.raises(ValueError, match='group_by'):
            Grouping(by)
