import gzip
import json
import math
import random
import statistics
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.io.labels.labels import read_labels

HEAD = 'ligand_id,value,unit\n'


def values(labels):
    return {x.ligand_id: (round(x.pvalue, 6), x.relation) for x in labels}


def reasons(labels):
    return [(row.record, row.reason) for row in labels.report.dropped]


# Ids #########################################################################


@pytest.mark.parametrize(
    'text, name',
    [
        ('007', '007'), ('1E5', '1E5'), ('1e5', '1e5'), ('0x10', '0x10'),
        (' A ', 'A'), ('\u00a0A\u00a0', 'A'), ('\u200bA\ufeff', 'A'),
        ('"A,B"', 'A,B'), ('"say ""A"""', 'say "A"'), ('A  B', 'A  B'),
        ('nan', 'nan'), ('None', 'None'), ('TRUE', 'TRUE'), ('-', '-'),
        ('2020-01-01', '2020-01-01'), ('1.0', '1.0'), ('=A1', '=A1'),
        ('\u00e9', '\u00e9'), ("'5", "'5"),
    ],
)  # fmt: skip
def test_ids_are_texts(read, text, name):
    labels = read(f'{HEAD}{text},1,uM\n')
    assert values(labels) == {name: (6.0, '=')}
    assert not labels.report.rows


def test_ids_that_differ(read):
    """Case, zeros and inner blanks are kept; near misses are named."""
    labels = read(HEAD + 'A-1,1,uM\na-1,2,uM\nA-01,4,uM\nA 1,8,uM\nA-11,1,uM')
    assert len(labels) == 5
    (row,) = labels.report.flagged
    assert row.reason == 'ids that are nearly the same'
    assert row.detail == "['A-1', 'a-1', 'A-01', 'A 1']"


def test_id_that_a_spreadsheet_wrote(read):
    labels = read(HEAD + '1.23E+05,1,uM\n')
    assert values(labels) == {'1.23E+05': (6.0, '=')}
    assert labels.report.flagged[0].reason == 'an id like a number'


def test_no_ids(read):
    labels = read(
        'ligand_id,value,unit,target_id\n,1,uM,T\nA,1,uM, \nB,1,uM,T\n',
        target_id=None,
    )
    assert reasons(labels) == [(2, 'empty ligand_id'), (3, 'empty target_id')]


def test_targets_are_apart(read):
    text = 'target_id,ligand_id,value,unit\nT,A,1,uM\nU,A,10,uM\nT,A,1,uM\n'
    labels = read(text, target_id=None)
    assert [(x.target_id, x.n_replicates) for x in labels] == [
        ('T', 2), ('U', 1)
    ]  # fmt: skip


# Columns #####################################################################


def test_columns(read):
    text = 'x, Name ,IC50 (\u03bcM),x\n1,A,1,2\n'
    labels = read(
        text,
        columns={'ligand_id': 'Name', 'value': 'IC50 (\u00b5M)'},
        unit='\u03bcM',
    )
    assert values(labels) == {'A': (6.0, '=')}


@pytest.mark.parametrize(
    'text, kwargs, words',
    [
        ('ligand,value\n', {'unit': 'nM'}, ["'ligand_id'", "mean 'ligand'"]),
        ('ligand_id,ic50\n', {'unit': 'nM'}, ["'value'", 'ic50']),
        ('ligand_id;value\n', {'unit': 'nM'}, ["delimiter=';'", 'decimal']),
        ('ligand_id\tvalue\n', {'unit': 'nM'}, ["delimiter='\\t'"]),
        ('ligand_id,value,value\n', {'unit': 'nM'}, ['2 columns']),
        ('ligand_id,value\n', {}, ['unit', "unit='nM'"]),
        ('ligand_id,value\n', {'unit': ' '}, ['unit']),
        ('ligand_id,value\n', {'unit': 'nm'}, ['unit', "mean 'nM'"]),
        ('ligand_id,value\n', {'kind': 'IC50'}, ['unit of the values']),
        (HEAD, {'unit': 'nM'}, ["column 'unit'", 'Leave out']),
        (HEAD, {'columns': {'smiles': 'x'}}, ['smiles', 'ligand_id']),
        (HEAD, {'columns': {'relation': 'x'}}, ["'x' for relation"]),
        (HEAD, {'target_id': None}, ['target_id']),
        (HEAD, {'target_id': ' '}, ['target_id']),
        (HEAD, {'delimiter': ';;'}, ['delimiter']),
        (HEAD, {'decimal': ';'}, ['decimal']),
        (HEAD, {'encoding': 'utf-99'}, ['utf-99']),
        ('ligand_id,pKi\n', {'columns': {'value': 'pKi'}, 'unit': 'nM'},
         ['contradicts', 'pKi']),
        ('', {}, ['empty']),
        ('\n ,\n', {}, ['empty']),
    ],
)  # fmt: skip
def test_errors(read, text, kwargs, words):
    with pytest.raises(ValueError) as error:
        read(text, **kwargs)
    assert all(word in str(error.value) for word in words)
    if not {'delimiter', 'decimal', 'encoding'} & set(kwargs):
        assert 'a.csv' in str(error.value)


def test_unit_by_kind(read):
    text = 'ligand_id,value\nA,6\n'
    assert values(read(text, kind='pIC50')) == {'A': (6.0, '=')}
    text = 'ligand_id,value,kind\nA,6,pKi\nB,6,Ki\n'
    labels = read(text)
    assert values(labels) == {'A': (6.0, '=')}
    assert reasons(labels) == [(3, 'missing unit')]
    assert labels.kinds == ['Ki']


def test_unit_of_the_name_is_not_taken(read):
    """It is told by the caller; the name can only contradict."""
    text = 'ligand_id,IC50 (nM),unit\nA,1,uM\nB,1,nM\n'
    labels = read(text, columns={'value': 'IC50 (nM)'})
    assert values(labels) == {'B': (9.0, '=')}
    assert reasons(labels) == [(2, 'unit contradicts the name of the column')]


def test_relation_column(read):
    text = "ligand_id,value,unit,relation\nA,1,uM,'>'\nB,1,uM,\nC,1,uM,x\n"
    labels = read(text + 'D,<1,uM,>\n')
    assert values(labels) == {'A': (6.0, '<'), 'B': (6.0, '=')}
    assert reasons(labels) == [(4, 'unknown relation'), (5, 'two relations')]


# Replicates ##################################################################


def test_replicates(read):
    labels = read(HEAD + 'A,1,uM\nB,1,nM\nA,100,nM\nA,10,uM\n')
    a, b = labels
    assert (a.pvalue, a.n_replicates, a.n_censored) == (6.0, 3, 0)
    assert a.std == pytest.approx(1.0) and a.span == pytest.approx(2.0)
    assert [row for _, row in a.rows] == [2, 4, 5]
    assert b.n_replicates == 1 and math.isnan(b.std) and b.span == 0
    assert a.value('nM') == pytest.approx(1000)
    (row,) = labels.report.flagged
    assert row.reason == 'replicates lie far apart' and row.title == 'A'


@pytest.mark.parametrize(
    'cells, expected, n, censored',
    [
        (['>10'], (5, '<'), 1, 1),
        (['>10', '>100'], (4, '<'), 2, 2),
        (['<1', '<0.1'], (7, '>'), 2, 2),
        (['>=10'], (5, '<='), 1, 1),
        (['~10', '~1000'], (4, '~'), 2, 0),
        (['~10', '100'], (4, '='), 1, 0),
        (['100', '>10'], (4, '='), 1, 1),
        (['~100', '>10'], (4, '~'), 1, 1),
        (['1', '100', '>10', '>10'], (5, '='), 2, 2),
    ],
)
def test_kinds_of_replicates(read, cells, expected, n, censored):
    """Never an average of bounds."""
    text = HEAD + ''.join(f'A,{cell},uM\n' for cell in cells)
    labels = read(text)
    assert values(labels) == {'A': expected}
    assert (labels[0].n_replicates, labels[0].n_censored) == (n, censored)
    assert labels.report.num_kept == len(cells)
    text = ''.join(f'A,{cell},uM\n' for cell in reversed(cells))
    assert values(read(HEAD + text)) == {'A': expected}


def test_bounds_that_disagree(read):
    labels = read(
        HEAD + 'A,1,uM\nA,>10,uM\nB,1,uM\nB,<0.1,uM\nC,1,uM\nC,>0.1,uM'
    )
    assert [row.title for row in labels.report.flagged] == ['A', 'B']
    assert len(labels) == 3
    labels = read(HEAD + 'A,<10,uM\nA,>1,uM\nB,1,uM\n')
    assert values(labels) == {'B': (6, '=')}
    assert reasons(labels) == [
        (2, 'bounds on both sides'), (3, 'bounds on both sides')
    ]  # fmt: skip


def test_kinds_are_not_pooled(read):
    text = 'ligand_id,value,unit,kind\nA,1,uM,Ki\nA,10,uM,IC50\nB,1,uM,Ki\n'
    labels = read(text)
    assert [(x.ligand_id, x.kind, x.pvalue) for x in labels] == [
        ('A', 'Ki', 6), ('A', 'IC50', 5), ('B', 'Ki', 6)
    ]  # fmt: skip
    assert labels.kinds == ['Ki', 'IC50'] and not labels.pooled
    pooled = read(text, pool_kinds=True)
    assert pooled.pooled
    assert [(x.ligand_id, x.kind, x.pvalue) for x in pooled] == [
        ('A', 'Ki+IC50', 5.5), ('B', 'Ki', 6)
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from('AB'),
            st.sampled_from(['', '<', '>', '~', '<=', '>=']),
            st.floats(1, 15),
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=150)
def test_against_a_plain_mean(tmp_path_factory, rows, rng):
    """In any order; a label is a mean, or the tightest bound."""
    path = tmp_path_factory.mktemp('labels') / 'a.csv'

    def read(rows):
        lines = [f'{name},{sign}{pk!r},pKi\n' for name, sign, pk in rows]
        path.write_text(HEAD + ''.join(lines))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            labels = read_labels(path, target_id='T')
        labels.report.check()
        return {x.ligand_id: x for x in labels}

    labels = read(rows)
    for name in 'AB':
        of_name = [(sign, pk) for n, sign, pk in rows if n == name]
        exact = [pk for sign, pk in of_name if not sign]
        rough = [pk for sign, pk in of_name if sign == '~']
        upper = [pk for sign, pk in of_name if '<' in sign]
        lower = [pk for sign, pk in of_name if '>' in sign]
        label = labels.get(name)
        if exact or rough:
            expected = statistics.fmean(exact or rough)
        elif bool(upper) == bool(lower):
            assert label is None
            continue
        else:
            expected = min(upper) if upper else max(lower)
        assert label.pvalue == pytest.approx(expected)
    shuffled = list(rows)
    rng.shuffle(shuffled)
    again = read(shuffled)
    assert again.keys() == labels.keys()
    for name, label in labels.items():
        assert again[name].pvalue == pytest.approx(label.pvalue)
        assert again[name].relation[:1] == label.relation[:1]


# Rows ########################################################################


def test_rows_are_counted_as_in_a_spreadsheet(read):
    text = HEAD + '\nA,1,uM\n,,\n"B\nB",1,uM\nC,x,uM\nD,,uM\n'
    labels = read(text)
    assert values(labels) == {'A': (6, '=')}
    assert reasons(labels) == [
        (5, 'a line break in a cell'),
        (6, 'not a number'),
        (7, 'missing value'),
    ]
    assert labels.report.num_seen == 4


def test_rows_of_another_width(read):
    """A decimal comma without quotation marks makes one cell more."""
    labels = read(HEAD + 'A,0,5,uM\nB,1,uM,,\nC,1\nD\nE,1,uM\n')
    assert values(labels) == {'B': (6, '='), 'E': (6, '=')}
    assert reasons(labels) == [
        (2, 'more cells than columns'),
        (4, 'missing unit'),
        (5, 'missing unit'),
    ]
    assert labels.report.dropped[0].title == 'A'


def test_report(read):
    labels = read(HEAD + 'A,1,uM\nB,x,uM\n')
    report = labels.report
    assert (report.num_seen, report.num_kept, report.num_dropped) == (2, 1, 1)
    (row,) = json.loads(report.to_json())['rows']
    assert row['file'].endswith('a.csv')
    assert (row['record'], row['title']) == (3, 'B')
    assert "'x'" in str(report)


def test_no_labels(tmp_path):
    (tmp_path / 'a.csv').write_text(HEAD + 'A,x,uM\n')
    with pytest.warns(UserWarning, match='(?s)No labels.*not a number'):
        labels = read_labels(tmp_path / 'a.csv', target_id='T')
    assert len(labels) == 0 and labels.kinds == []


def test_sequence(read):
    labels = read(HEAD + 'A,1,uM\nB,1,nM\n')
    assert [x.ligand_id for x in labels[:1]] == ['A']
    assert labels[-1].ligand_id == 'B' and len(labels) == 2
    assert repr(labels) == "Labels(2, kinds=[''])"


# Files #######################################################################


def test_several_files(tmp_path):
    for name, value in (('a.csv', 1), ('b.csv', 100)):
        (tmp_path / name).write_text(f'{HEAD}A,{value},uM\n')
    paths = [tmp_path / 'a.csv', tmp_path / 'b.csv']
    (label,) = read_labels(paths, target_id='T')
    assert label.pvalue == 5 and label.n_replicates == 2
    assert [file[-5:] for file, _ in label.rows] == ['a.csv', 'b.csv']
    with pytest.raises(ValueError, match='given twice'):
        read_labels([paths[0], tmp_path / '.' / 'a.csv'], target_id='T')
    with pytest.raises(ValueError, match='No files'):
        read_labels([], target_id='T')


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_line_ends_and_marks(read, end, mark):
    text = (mark + HEAD + 'A,1,uM\nB,2,uM\n').replace('\n', end)
    assert len(read(text)) == 2
    assert len(read(text[: -len(end)])) == 2


def test_compressed_and_separated(read):
    text = HEAD + 'A,1,uM\n'
    assert len(read(gzip.compress(text.encode()), 'a.csv.gz')) == 1
    tabs = text.replace(',', '\t')
    assert len(read(tabs, 'a.tsv')) == len(read(tabs, delimiter='\t')) == 1
    packed = gzip.compress(tabs.encode())
    assert len(read(packed, 'a.tsv.gz')) == 1


def test_encodings(read):
    text = 'ligand_id,value,unit\n\u00e9,1,\u00b5M\n'
    for encoding in ('cp1252', 'utf-16', 'utf-8', 'utf-8-sig', 'latin-1'):
        labels = read(text.encode(encoding), encoding=encoding)
        assert values(labels) == {'\u00e9': (6, '=')}


@pytest.mark.parametrize(
    'content, words',
    [
        ('A,1,\u00b5M'.encode('cp1252'), ['encoding', '0xb5', 'line 2']),
        (b'A,1,uM\xff', ['encoding']),
        (b'A\0,1,uM', ['NUL']),
        (b'"A,1,uM\nB,1,uM', ['row 2', 'quotation']),
        (b'"A"B,1,uM', ['row 2', 'quotation']),
    ],
)
def test_damaged_rows(read, content, words):
    with pytest.raises(ValueError) as error:
        read(HEAD.encode() + content)
    assert all(word in str(error.value) for word in ('a.csv', *words))


@pytest.mark.parametrize(
    'content, words',
    [
        (b'PK\x03\x04abc', ['spreadsheet', 'CSV']),
        (b'\xd0\xcf\x11\xe0abc', ['spreadsheet', 'CSV']),
        (HEAD.encode('utf-16'), ['UTF-16', "encoding='utf-16'"]),
        (gzip.compress(HEAD.encode(), mtime=0)[:-4], ['cut off']),
        (b'\x1f\x8bnonsense', ['damaged']),
        (b'', ['empty']),
        (b'\0\0\0', ['NUL']),
    ],
)
def test_damaged_files(read, content, words):
    with pytest.raises(ValueError) as error:
        read(content)
    assert all(word in str(error.value) for word in ('a.csv', *words))


def test_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.csv'):
        read_labels(tmp_path / 'none.csv', target_id='T')
    with pytest.raises(ValueError, match='is no file'):
        read_labels(tmp_path, target_id='T')


@given(st.binary(max_size=200), st.booleans())
@settings(deadline=None, max_examples=200)
def test_any_bytes(tmp_path_factory, content, has_head):
    path = tmp_path_factory.mktemp('labels') / 'a.csv'
    path.write_bytes(HEAD.encode() * has_head + content)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            labels = read_labels(path, target_id='T')
        except ValueError as error:
            assert 'a.csv' in str(error)
            return
    labels.report.check()
    assert all(0 <= label.pvalue <= 16 for label in labels)


CELLS = st.sampled_from(
    ['A', ' B', '1', '<5', '>= 1e3', '1,5', '-2', '0', 'nan', '', 'nM',
     '\u00b5M', 'pKi', 'kT', '"x"', '\u22123', '~7', '5 nM', '\u00a0',
     'Ki=3nM', 'log10(uM)', '-1.2', 'pKd<8', '5"', "it's"]
)  # fmt: skip


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12))
@settings(deadline=None, max_examples=200)
def test_any_rows(tmp_path_factory, rows):
    """Every row is kept or dropped, once; what is kept has a logarithm."""
    path = tmp_path_factory.mktemp('labels') / 'a.csv'
    lines = [','.join(row) for row in rows]
    path.write_text(HEAD + '\n'.join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        labels = read_labels(path, target_id='T')
    report = labels.report
    report.check()
    kept = sorted(row for label in labels for _, row in label.rows)
    dropped = sorted(row.record for row in report.dropped)
    assert sorted(kept + dropped) == [
        number
        for number, row in enumerate(rows, start=2)
        if any(cell.strip() for cell in row)
    ]
    for label in labels:
        assert 0 <= label.pvalue <= 16
        for _, row in label.rows:
            first = lines[row - 2].split(',')[0]
            assert first.strip(' \u00a0"') == label.ligand_id.strip('"')


def test_nothing_random_or_printed(read, capsys):
    states = random.getstate(), torch.get_rng_state()
    read(HEAD + 'A,1,uM\n')
    assert random.getstate() == states[0]
    assert torch.get_rng_state().equal(states[1])
    assert capsys.readouterr() == ('', '')
