import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.io.ligand import record as records
from pyg_multipose.io.ligand.sdf import sdf_records
from pyg_multipose.io.source.text_file import TextFile

BLOCK = [
    '  1  0  0  0  0  0  0  0  0  0999 V2000',
    '    1.0000    2.0000    3.0000 C   0  0',
    'M  END',
]
NAME = st.text('abz_. <>', max_size=6).map(str.strip)
WORD = st.text('ab-.0123 >', min_size=1, max_size=8).filter(str.strip)
TITLE = st.text('abc-1 ', max_size=6)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return tmp_path_factory.mktemp('records') / 'a.sdf'


def split(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(sdf_records(TextFile(path), 'a.sdf'))


@st.composite
def record(draw):
    """Lines of a record, and what should come out."""
    title = draw(TITLE)
    items = draw(st.lists(st.tuples(NAME, st.lists(WORD, max_size=3))))
    lines = [title, '  program', '', *BLOCK]
    expected = {}
    for name, value in items:
        registry = draw(st.sampled_from(['', '  (1) ', ' ']))
        mark = draw(st.sampled_from(['>', '>  ']))
        lines.append(f'{mark} <{name}>{registry}')
        lines += value
        # The blank line that ends a value is often left out.
        lines += [''] * draw(st.integers(0, 2))
        expected.setdefault(name, []).append('\n'.join(value))
    return title.strip(), lines, expected


@given(
    st.lists(record(), max_size=4),
    st.lists(st.sampled_from(['\n', '\r\n']), min_size=1, max_size=5),
    st.integers(0, 3),
)
@settings(deadline=None)
def test_every_record_comes_back_as_it_was(path, made, ends, blanks):
    lines = [line for _, lines, _ in made for line in [*lines, '$$$$']] + [
        ''
    ] * blanks
    text = ''.join(
        line + ends[number % len(ends)] for number, line in enumerate(lines)
    )
    got = split(path, text)
    assert len(got) == len(made)
    for number, (found, (title, _, items)) in enumerate(
        zip(got, made, strict=True), start=1
    ):
        assert found.problem is None and not found.notes
        assert (found.number, found.title) == (number, title)
        assert found.block == BLOCK and found.items == items


@given(st.lists(record(), min_size=1, max_size=3), st.data())
@settings(deadline=None)
def test_a_cut_file_keeps_whole_records_only(path, made, data):
    text = ''.join('\n'.join([*lines, '$$$$', '']) for _, lines, _ in made)
    size = data.draw(st.integers(0, len(text)))
    got = split(path, text[:size])
    whole = text[:size].count('$$$$')
    assert len(got) - whole in (0, 1)
    for found, (title, _, items) in zip(got[:whole], made, strict=False):
        assert found.problem is None
        assert (found.title, found.items) == (title, items)
    for last in got[whole:]:
        # It may lack items, or lines of the last one, but no end of a line.
        _, lines, items = made[whole]
        assert last.problem or last.notes[-1][0] == 'no $$$$'
        for name, values in last.items.items():
            for value, full in zip(values, items[name], strict=False):
                assert f'{full}\n'.startswith(f'{value}\n') or not value


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_records_or_none(path, content):
    for found in split(path, content):
        assert found.number >= 1


def one(path, *lines):
    (found,) = split(path, '\n'.join([*lines, '$$$$', '']))
    return found


HEAD = ['CPD-1', '  program 3D', '']


@pytest.mark.parametrize(
    'lines, items',
    [
        (['> <a>', '1', '> <b>', '2'], {'a': ['1'], 'b': ['2']}),
        (['>  <a>  (12) ', '1', ''], {'a': ['1']}),
        (['> 25 <a>', '1', ''], {'a': ['1']}),
        (['> DT12', '1', ''], {}),
        (['> <>', '2', '', '> <a>', '1', ''], {'': ['2'], 'a': ['1']}),
        (['> <a>', '', '1', '', '> <b>', '2'], {'a': [''], 'b': ['2']}),
        (['> <a>', '> <b>', '2'], {'a': [''], 'b': ['2']}),
        (['> <a>', '> 100 uM', ''], {'a': ['> 100 uM']}),
        (['> <a>', '1', '', '> <a>', '2', ''], {'a': ['1', '2']}),
        (['> <a<b>', '1', ''], {'a<b': ['1']}),
        (['> <a>', '1', '2', ''], {'a': ['1\n2']}),
    ],
)
def test_items(path, lines, items):
    found = one(path, *HEAD, *BLOCK, *lines)
    assert found.items == items and found.problem is None


@pytest.mark.parametrize(
    'header, title, flagged',
    [
        (['CPD-1', '  prog', ''], 'CPD-1', False),
        ([' CPD-1 ', '', ''], 'CPD-1', False),
        (['', '  prog', ''], '', False),
        (['', '', 'CPD-1', '  prog', ''], 'CPD-1', True),
        (['CPD-1', '  prog', 'a comment', 'and more'], 'CPD-1', True),
        # Which line is lost cannot be told; a program's name is no title.
        (['     RDKit          3D', ''], '', True),
        ([], '', True),
    ],
)
def test_title(path, header, title, flagged):
    found = one(path, *header, *BLOCK)
    assert found.title == title and found.problem is None
    assert bool(found.notes) == flagged


@pytest.mark.parametrize(
    'lines, reason',
    [
        ([], 'no mol block'),
        (['', '', ''], 'no mol block'),
        (['nothing', 'of', 'this'], 'no mol block'),
        ([*HEAD, *BLOCK[:2]], 'incomplete mol block'),
        ([*HEAD, *BLOCK, *HEAD, *BLOCK], 'two mol blocks in one record'),
        (
            [*HEAD, *BLOCK, '> <a>', '1', '', *HEAD, *BLOCK, '> <a>', '2'],
            'two mol blocks in one record',
        ),
        ([*HEAD, *BLOCK, '> <a>', 'b\0c'], 'binary'),
    ],
)
def test_what_is_no_record(path, lines, reason):
    assert one(path, *lines).problem[0] == reason


WITHOUT = 'the file ends without it'
WITHIN = "the file ends within the data item 'a', which is not read"


@pytest.mark.parametrize('before', [0, 2])
@pytest.mark.parametrize(
    'tail, items, note',
    [
        # A mol file: one block, nothing else.
        ('\n', {}, WITHOUT),
        ('', {}, WITHOUT),
        ('\n> <a>\n-7.41\n\n', {'a': ['-7.41']}, WITHOUT),
        ('\n> <a>\n-7.41\n', {'a': ['-7.41']}, WITHOUT),
        ('\r\n> <a>\r\n-7.41\r\n', {'a': ['-7.41']}, WITHOUT),
        # Is this -7.41, or the beginning of -7.413?
        ('\n> <a>\n-7.41', {}, WITHIN),
        ('\n> <a>\n-7.41\n-7.4', {}, WITHIN),
        ('\n> <b>\n1\n\n> <a>\n-7.41', {'b': ['1']}, WITHIN),
        ('\n> <a>\n1\n\n> <a>\n-7.41', {'a': ['1']}, WITHIN),
        ('\n> <a>', {}, WITHIN),
        ('\n> <a', {}, WITHOUT),
        # The mark itself was cut.
        ('\n> <a>\n-7.41\n$$', {'a': ['-7.41']}, WITHOUT),
        ('\n$$$\n', {}, WITHOUT),
    ],
)
def test_last_record_without_a_delimiter(path, before, tail, items, note):
    whole = '\n'.join([*HEAD, *BLOCK, '> <a>', '1', '', '$$$$', ''])
    *others, last = split(path, whole * before + '\n'.join([*HEAD, *BLOCK])
                          + tail)  # fmt: skip
    assert len(others) == before and not any(r.problem for r in others)
    assert last.problem is None and last.block == BLOCK
    assert last.items == items and last.notes == [('no $$$$', note)]


@pytest.mark.parametrize('size', range(len(BLOCK[0]), len('\n'.join(BLOCK))))
def test_last_record_that_is_cut_in_its_block(path, size):
    text = '\n'.join([*HEAD, '\n'.join(BLOCK)[:size]])
    (found,) = split(path, text)
    assert found.problem[0] == 'incomplete mol block'


def test_last_record_of_a_damaged_gzip_file(path):
    """What came before the damage may be damaged, too."""
    text = '\n'.join([*HEAD, *BLOCK, '> <a>', '1', ''])
    packed = path.with_suffix('.gz')
    packed.write_bytes(gzip.compress(text.encode())[:-6])
    (found,) = sdf_records(TextFile(packed), 'a.sdf.gz')
    assert found.problem[0] == 'cut off'


def test_a_record_that_is_too_long_spares_the_next(path, monkeypatch):
    monkeypatch.setattr(records, 'MAX_RECORD', 2000)
    monkeypatch.setattr(records, 'MAX_LINE', 1000)
    text = '\n'.join([*HEAD, *BLOCK, '> <a>', *['x' * 50] * 500, '$$$$', ''])
    whole = '\n'.join([*HEAD, *BLOCK, '$$$$', ''])
    got = split(path, text + whole)
    assert [found.problem and found.problem[0] for found in got] == [
        'too long', None
    ]  # fmt: skip


def test_other_encodings(path):
    text = '\n'.join(['CPD-µ', '', '', *BLOCK, '$$$$', ''])
    (found,) = split(path, text.encode())
    assert found.title == 'CPD-µ' and not found.notes
    (found,) = split(path, text.encode('cp1252'))
    assert found.title == 'CPD-µ'
    assert found.notes == [('not UTF-8', 'read as Windows-1252')]
