"""Scores in a table beside the poses, through read_poses."""

import gzip
import math
import pickle

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.io import FileName, Score, ScoreTable  # noqa: E402

SMILES = 'CC(=O)Nc1ccc(F)cc1'


@pytest.fixture
def record(make):
    def one(name, seed, **kwargs):
        return make.sdf(make.embedded(SMILES, seed), name, **kwargs)

    return one


@pytest.fixture
def table(tmp_path):
    """Writes a table, and gives scores that are read from it."""

    def write(text, match, column='score', name='scores.csv', **kwargs):
        content = text if isinstance(text, bytes) else text.encode()
        path = tmp_path / name
        path.write_bytes(
            gzip.compress(content) if name.endswith('.gz') else content
        )
        read = ScoreTable(path, column, match, **kwargs)
        return Score(column, 'arbitrary', True, read=read)

    return write


def rows(poses):
    return [
        (row.record, row.reason)
        for row in poses.report.flagged
        if row.file.split('.')[-1] in ('csv', 'tsv', 'gz')
    ]


def scores(poses, number=0, key='score'):
    return [
        None if math.isnan(value) else round(value, 4)
        for value in poses[number][key].tolist()
    ]


def missing(poses):
    return [
        (row.record, row.detail)
        for row in poses.report.flagged
        if row.reason == 'missing score'
    ]


@pytest.mark.parametrize('name', ['s.csv', 's.csv.gz', 's.tsv'])
def test_by_name_and_rank(read, record, table, name):
    """The order of the rows is not that of the poses."""
    text = 'name,rank,score\nA,2,0.5\nB,1,3\nA,1,0.25\n'
    if name.endswith('tsv'):
        text = text.replace(',', '\t')
    score = table(text, {'name': 'title', 'rank': 'record'}, name=name)
    poses = read(record('A', 1) + record('A', 2), scores=[score])
    assert scores(poses) == [0.25, 0.5]
    assert rows(poses) == [(3, 'row without a pose')]
    assert not missing(poses)
    # How it was read is not kept, so that the poses can be pickled.
    assert pickle.loads(pickle.dumps(poses)).scores == poses.scores


def test_poses_without_a_row(read, record, table):
    text = 'name,rank,score\nA,1,0.25\nA,3,\nA,4,x\n'
    score = table(text, {'name': 'ligand_id', 'rank': 'record'})
    poses = read(''.join(record('A', n) for n in (1, 2, 3, 4)), scores=[score])
    assert scores(poses) == [0.25, None, None, None]
    (two, no_row), (three, empty), (four, other) = missing(poses)
    assert (two, three, four) == (2, 3, 4)
    assert "no row of '" in no_row and "{'name': 'A', 'rank': '2'}" in no_row
    assert 'empty' in empty and 'not a number' in other
    assert not rows(poses)


def test_rows_with_one_key(read, record, table):
    text = 'name,rank,score\nA,1,0.25\nA,1,0.5\nA,2,1\n'
    score = table(text, {'name': 'title', 'rank': 'record'})
    poses = read(record('A', 1) + record('A', 2), scores=[score])
    assert scores(poses) == [None, 1]
    assert rows(poses) == [(n, 'several rows with one key') for n in (2, 3)]
    ((number, why),) = missing(poses)
    assert number == 1 and 'rows [2, 3] of' in why


def test_a_row_of_several_poses(read, record, table):
    """None of them gets it, not even the first."""
    score = table('name,score\nA,0.25\nB,1\n', {'name': 'title'})
    poses = read(
        record('A', 1) + record('B', 2) + record('A', 3), scores=[score]
    )
    assert scores(poses) == [None, None] and scores(poses, 1) == [1]
    assert [number for number, _ in missing(poses)] == [1, 3]
    assert 'row 2 of' in missing(poses)[0][1]
    assert 'match by more columns' in missing(poses)[0][1]


def test_the_row_of_a_record_that_is_dropped(read, record, table, make):
    """It is no row without a pose, and not that of another one."""
    text = 'name,rank,score\nA,1,1\nA,2,2\nA,3,3\n'
    score = table(text, {'name': 'title', 'rank': 'record'})
    flat = make.sdf(make.embedded('C[N+](C)(C)C'), 'A')
    wrong = flat.replace('M  CHG', 'M  XXX')
    poses = read(record('A', 1) + wrong + record('A', 2), scores=[score])
    assert scores(poses) == [1, 3] and not rows(poses)
    assert [row.record for row in poses.report.dropped] == [2]


@pytest.mark.parametrize(
    'cell',
    ['run_{}.sdf', '/data/x/run_{}.sdf', 'C:\\x\\run_{}.sdf', 'run_{}'],
)
def test_by_file(read, record, table, cell):
    text = f'file,score\n{cell.format(2)},2\n{cell.format(1)},1\n'
    score = table(text, {'file': 'file'})
    files = {f'run_{n}.sdf': record('A', n) for n in (1, 2)}
    poses = read(files, scores=[score])
    assert scores(poses) == [1, 2] and not rows(poses)


def test_by_parts_of_the_name(read, record, table):
    """As SurfDock writes them: a number in the name, another in a table."""
    name = 'T1_{}_file_inner_idx_5_sample_idx_7_rank_{}_confidence_{}.sdf'
    files = {
        name.format('CPD-1', 1, 168.61): record('', 1),
        name.format('CPD-1', 2, 141.02): record('', 2),
        name.format('CPD-2', 1, 100.5): record('', 3),
    }
    match = {'id': 'ligand_id', 'rank': FileName(r'rank_(\d+)')}
    text = 'id,rank,second\nCPD-1,1,269\nCPD-1,2,312\nCPD-2,1,7\n'
    poses = read(
        files,
        group_by='file',
        pattern=r'T1_(.+)_file_.*',
        scores=[
            Score(
                'confidence',
                'arbitrary',
                True,
                read=FileName(r'confidence_([\d.]+)'),
            ),
            table(text, match, 'second'),
        ],
    )
    assert poses.names == ['CPD-1', 'CPD-2'] and not poses.report.rows
    assert scores(poses, 0, 'confidence') == [168.61, 141.02]
    assert scores(poses, 0, 'second') == [269, 312]
    assert scores(poses, 1, 'second') == [7]


def test_the_name_of_a_file_with_two_poses(read, make):
    """The first has the score of the name; the other is a pose, too."""
    peptide = 'NCC(=O)NCC(=O)NCC(=O)O'
    text = ''.join(
        make.sdf(make.embedded(peptide, seed), 'A') for seed in (1, 2)
    )
    score = Score('score', '', True, read=FileName(r'_([-.\d]+)'))
    poses = read({'x_-7.5.sdf': text}, scores=[score])
    assert scores(poses) == [-7.5, None]
    ((number, why),) = missing(poses)
    assert number == 2 and 'of one pose' in why


def test_by_a_function_and_an_item(read, record, table):
    text = 'run,half,score\nx,0,1\nx,1,2\n'
    match = {'run': 'Run', 'half': lambda record: record.number // 2}
    score = table(text, match)
    poses = read(
        record('A', 1, items=[('Run', 'x')])
        + record('A', 2, items=[('Run', 'x')])
        + record('A', 3),
        scores=[score],
    )
    assert scores(poses) == [1, 2, None]
    assert "no data item 'Run'" in missing(poses)[0][1]


def test_two_columns_of_a_table(read, record, table):
    text = 'name,a,b\nA,1,10\nB,2,20\n'
    match = {'name': 'title'}
    both = [table(text, match, 'a'), table(text, match, 'b')]
    poses = read(record('A', 1), scores=both)
    assert scores(poses, key='a') == [1] and scores(poses, key='b') == [10]
    assert rows(poses) == [(3, 'row without a pose')]
    assert read(record('B', 1), scores=both)[0].b.tolist() == [20]


def test_numbers_of_records(read, record, table):
    """As pandas writes whole numbers beside empty cells."""
    score = table('record,score\n1.0,1\n02,2\n', {'record': 'record'})
    poses = read(record('A', 1) + record('A', 2), scores=[score])
    assert scores(poses) == [1, 2]


def test_cells_that_are_too_many(read, record, table):
    text = 'name,score\nA,7,4\n'
    poses = read(record('A', 1), scores=[table(text, {'name': 'title'})])
    assert scores(poses) == [None]
    assert rows(poses) == [(2, 'more cells than columns')]


def test_many_rows_without_a_pose(read, record, table, monkeypatch):
    monkeypatch.setattr('pyg_multipose.io.poses.score_table.MAX_ROWS', 3)
    text = 'name,score\n' + ''.join(f'B{n},1\n' for n in range(10))
    poses = read(record('A', 1), scores=[table(text, {'name': 'title'})])
    assert rows(poses) == [
        (2, 'row without a pose'),
        (3, 'row without a pose'),
        (4, 'row without a pose'),
        (None, 'row without a pose'),
    ]
    assert '7 more' in [row.detail for row in poses.report.flagged]


def test_errors(read, record, table, tmp_path):
    text = record('A', 1)
    match = {'name': 'title'}
    for score, error, message in (
        (
            table('a,b\nA,1\n', match, name='1.csv'),
            ValueError,
            "no column 'score'",
        ),
        (
            table('name;score\nA;1\n', match, name='2.csv'),
            ValueError,
            'delimiter=',
        ),
        (
            table('score,x\nA,1\n', match, name='3.csv'),
            ValueError,
            "no column 'name'",
        ),
        (table('', match, name='4.csv'), ValueError, 'rows of scores'),
        (
            table(b'PK\x03\x04', match, name='5.csv'),
            ValueError,
            'export it as CSV',
        ),
        (
            table('name,score\n"A,1\n', match, name='6.csv'),
            ValueError,
            'quotation mark',
        ),
        (
            Score('s', '', True, read=ScoreTable(tmp_path / 'no', 's', match)),
            FileNotFoundError,
            'table of scores',
        ),
        (Score('s', '', True, read='name'), ValueError, 'read is a function'),
    ):
        with pytest.raises(error, match=message):
            read(text, scores=[score])
    with pytest.raises(ValueError, match='match says'):
        ScoreTable('a.csv', 'score', {})
    with pytest.raises(ValueError, match='match says'):
        ScoreTable('a.csv', 'score', 'name')
