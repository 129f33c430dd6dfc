"""Quotation marks that quote, and those that do not."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.io.labels.labels import read_labels

NAMES = ('ligand_id', 'value', 'unit', 'note')
#: A column that nobody uses, among those that are.
ORDERS = [
    ('ligand_id', 'value', 'unit', 'note'),
    ('note', 'ligand_id', 'value', 'unit'),
    ('ligand_id', 'note', 'value', 'unit'),
    ('ligand_id', 'value', 'note', 'unit'),
]


def table(order, notes, delimiter=','):
    """Ligands A, B, ... of 1, 10, 100 ... nM, with notes as they are."""
    lines = [delimiter.join(order)]
    for n, note in enumerate(notes):
        row = {'ligand_id': 'ABCDEFGH'[n], 'value': f'{10**n}', 'unit': 'nM'}
        lines.append(delimiter.join({**row, 'note': note}[k] for k in order))
    return '\n'.join(lines) + '\n'


def values(labels):
    return {label.ligand_id: round(label.value('nM'), 6) for label in labels}


RIGHT = {'A': 1, 'B': 10, 'C': 100, 'D': 1000}


def known_or_refused(read, text, **kwargs):
    """No value of another ligand; what is lost is a row, or an error."""
    try:
        labels = read(text, **kwargs)
    except ValueError as error:
        assert 'quotation mark' in str(error)
        assert 'quotechar=None' in str(error)
        return None
    got = values(labels)
    assert got.items() <= RIGHT.items()
    report = labels.report
    if len(got) < len(RIGHT):
        assert any(
            'line break' in row.reason or 'cells than' in row.reason
            for row in report.dropped
        )
    return got


LOOSE = [
    ['"3 inch', 'x', '3 inch"', 'y'], ['"x', 'y"', '', ''],
    ['', '"a', 'b', 'c"'], ['"', '', '', '"'], ['x', '"', '"', 'y'],
    ['"a', 'b', 'c', 'd'], ['"a"b', '', '', ''], ['5"', '"6', '7"', '8'],
    ['"one, two', 'three"', '', ''], ['"', '"', '"', '"'],
]  # fmt: skip


@pytest.mark.parametrize('notes', LOOSE)
@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('name, delimiter', [('a.csv', ','), ('a.tsv', '\t')])
def test_loose_marks(read, order, notes, name, delimiter):
    """No row is swallowed in silence, wherever the marks are."""
    if delimiter == ',':
        notes = [note.replace(', ', ' ') for note in notes]
    text = table(order, notes, delimiter)
    known_or_refused(read, text, name=name)
    labels = read(text, name=name, quotechar=None)
    assert values(labels) == RIGHT and not labels.report.rows


def test_the_error_names_the_lines(read):
    text = table(ORDERS[0], ['', '"3 inch', 'x', '3 inch"'])
    with pytest.raises(ValueError, match='lines 3 to 5.*whole rows') as error:
        read(text)
    assert 'a.csv' in str(error.value)
    with pytest.raises(ValueError, match='row 3 .*quotechar=None'):
        read(table(ORDERS[0], ['', '"3 inch" pipe', '', '']))
    with pytest.raises(ValueError, match='quotechar=None'):
        read(table(ORDERS[0], ['', '"3 inch', '', '']))


@pytest.mark.parametrize('order', ORDERS)
def test_marks_inside_of_a_cell(read, order):
    """Inches and apostrophes quote nothing."""
    notes = ['3" pipe', "it's 5' 6\"", "'quoted'", 'a""b']
    for delimiter, name in ((',', 'a.csv'), ('\t', 'a.tsv')):
        for quotechar in ('"', None):
            labels = read(
                table(order, notes, delimiter), name, quotechar=quotechar
            )
            assert values(labels) == RIGHT and not labels.report.rows


@pytest.mark.parametrize('order', ORDERS)
def test_cells_that_are_quoted(read, order):
    notes = ['"a, b"', '"3"" pipe"', '"two\nlines"', '"a\r\n\r\nb"']
    labels = read(table(order, notes))
    assert values(labels) == RIGHT and not labels.report.rows
    assert values(read(table(order, ["'a, b'"] + notes[1:]).replace('"', "'"),
                       quotechar="'")) == RIGHT  # fmt: skip


def test_lines_and_delimiters_in_one_cell(read):
    """They could hide a row, and cannot be told from one: dropped, named."""
    notes = ['', '"first, and\nsecond"', '', '']
    labels = read(table(ORDERS[0], notes))
    assert values(labels) == {'A': 1, 'C': 100, 'D': 1000}
    (row,) = labels.report.dropped
    assert (row.record, row.title) == (3, 'B')
    assert row.reason == 'a line break in a cell'
    assert 'lines 3 to 4' in row.detail and 'quotechar=None' in row.detail


def test_fewer_cells_than_columns(read):
    """Two marks in one row hold two cells together."""
    text = 'ligand_id,note,value,unit\nA,x,1,nM\nB,"5,3",nM\n'
    labels = read(text, columns={'unit': 'unit'})
    assert values(labels) == {'A': 1}
    (row,) = labels.report.dropped
    assert row.reason == 'fewer cells than columns' and row.title == 'B'


@pytest.mark.parametrize('quotechar', ['', '""', ',', '\n', '\r'])
def test_bad_marks(read, quotechar):
    with pytest.raises(ValueError, match='quotechar is one character'):
        read(table(ORDERS[0], ['']), quotechar=quotechar)


def test_header_of_several_lines(read):
    text = '"ligand_id","value\n(nM)"\nA,1\n'
    labels = read(text, columns={'value': 'value\n(nM)'}, unit='nM')
    assert values(labels) == {'A': 1}
    with pytest.raises(ValueError, match='lines 1 to 2.*whole rows'):
        read('ligand_id,value,unit,"note\nA,1,nM,"x\n'.replace('"x', 'x"'))


@given(
    st.lists(
        st.text('ab"\', \t\n', max_size=6), min_size=4, max_size=4
    ),
    st.sampled_from(ORDERS),
    st.sampled_from(',\t'),
)  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_any_notes(tmp_path_factory, notes, order, delimiter):
    """A ligand has its own value or none, whatever stands in the notes."""
    notes = [note.replace(delimiter, '') for note in notes]
    text = table(order, notes, delimiter)
    path = tmp_path_factory.mktemp('labels') / 'a.csv'
    path.write_text(text)
    for quotechar in ('"', None):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try:
                labels = read_labels(
                    path, target_id='T', delimiter=delimiter,
                    quotechar=quotechar,
                )  # fmt: skip
            except ValueError as error:
                assert 'quotation mark' in str(error) and quotechar
                continue
        labels.report.check()
        got = values(labels)
        assert got.items() <= RIGHT.items()
        broken = any('\n' in note for note in notes)
        if quotechar is None and not broken:
            assert got == RIGHT
        if len(got) < 4 and not broken:
            assert labels.report.dropped
