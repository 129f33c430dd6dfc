import gzip
import os
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.io.source import text_file
from pyg_multipose.io.source.text_file import MAX_LINE, TextFile, decoded

LINE = st.text('ab$ ', max_size=6).map(str.encode)
END = st.sampled_from([b'\n', b'\r\n', b'\r'])


def lines_of(path, content):
    path.write_bytes(content)
    file = TextFile(path)
    return list(file), file


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('texts')


@given(st.lists(st.tuples(LINE, END)), st.booleans(), st.integers(4, 9))
@settings(deadline=None)
def test_lines_whatever_their_ends(folder, parts, is_gzip, chunk):
    # An empty line after a CR: CR LF would be one end.
    ends = [b'\n', *(end for _, end in parts)]
    parts = [
        (line or b'x' if before == b'\r' else line, end)
        for before, (line, end) in zip(ends, parts, strict=False)
    ]
    content = b''.join(line + end for line, end in parts)
    content = gzip.compress(content) if is_gzip else content
    before = text_file.CHUNK
    try:
        text_file.CHUNK = chunk
        got, file = lines_of(folder / 'a.txt', content)
    finally:
        text_file.CHUNK = before
    assert got == [line for line, _ in parts]
    assert file.ended and not file.cut


def test_lines_converted_twice(tmp_path):
    got, _ = lines_of(tmp_path / 'a', b'a\r\r\nb\r\r\n\r\r\nc')
    assert got == [b'a', b'b', b'', b'c']


def test_last_line_without_an_end(tmp_path):
    got, file = lines_of(tmp_path / 'a', b'a\nb')
    assert got == [b'a', b'b'] and not file.ended


def test_many_line_ends_take_no_time_of_their_own(tmp_path):
    got, _ = lines_of(tmp_path / 'a', b'\r' * 300_000 + b'x')
    assert len(got) == 300_001


def test_a_line_without_an_end_takes_bounded_memory(tmp_path):
    got, _ = lines_of(tmp_path / 'a', b'x' * (5 * MAX_LINE) + b'\nnext\n')
    assert [len(line) > MAX_LINE for line in got] == [True, False]
    assert len(got[0]) < 2 * MAX_LINE and got[1] == b'next'


@given(st.lists(st.lists(LINE, max_size=3), min_size=1, max_size=4))
@settings(deadline=None)
def test_all_members_of_a_gzip_file(folder, members):
    texts = [b''.join(line + b'\n' for line in lines) for lines in members]
    content = b''.join(map(gzip.compress, texts))
    got, file = lines_of(folder / 'a.gz', content)
    assert got == [line for lines in members for line in lines]
    assert not file.cut and not file.notes


@given(st.data())
@settings(deadline=None)
def test_cut_gzip_keeps_what_is_before_the_cut(folder, data):
    numbers = random.Random(0)
    text = b''.join(b'line %d\n' % numbers.getrandbits(90) for _ in range(99))
    content = gzip.compress(text)
    size = data.draw(st.integers(2, len(content) - 1))
    got, file = lines_of(folder / 'a.gz', content[:size])
    whole = text.split(b'\n')
    assert file.cut
    assert got[:-1] == whole[: len(got)][:-1]
    assert not got or whole[len(got) - 1].startswith(got[-1])
    # All that could be decompressed is there.
    decoder = zlib.decompressobj(wbits=31)
    expected = decoder.decompress(content[:size])
    assert b'\n'.join(got) == expected.removesuffix(b'\n')


def test_wrong_checksum_is_said_and_loses_nothing(tmp_path):
    text = b'a\n' * 50_000
    content = bytearray(gzip.compress(text))
    content[-6] ^= 1
    got, file = lines_of(tmp_path / 'a.gz', bytes(content))
    assert len(got) == 50_000 and 'damaged' in file.cut


def test_damage_in_a_later_member_keeps_the_earlier(tmp_path):
    second = bytearray(gzip.compress(b'b\n' * 100))
    second[15] ^= 0xFF
    content = gzip.compress(b'a\n' * 100) + bytes(second)
    got, file = lines_of(tmp_path / 'a.gz', content)
    assert got[:100] == [b'a'] * 100 and file.cut


def test_bytes_after_gzip(tmp_path):
    content = gzip.compress(b'a\n')
    got, file = lines_of(tmp_path / 'a.gz', content + b'\0' * 99)
    assert got == [b'a'] and not file.notes
    got, file = lines_of(tmp_path / 'a.gz', content + b'junk')
    assert got == [b'a'] and 'after the end' in file.notes[0]


@pytest.mark.parametrize('name, is_gzip', [('a.gz', False), ('a.sdf', True)])
def test_content_and_not_the_name_tells_gzip(tmp_path, name, is_gzip):
    content = gzip.compress(b'a\n') if is_gzip else b'a\n'
    got, file = lines_of(tmp_path / name, content)
    assert got == [b'a']
    assert file.notes == [
        f'{"gzip" if is_gzip else "not gzip"} in spite of its name'
    ]


def test_a_small_file_that_is_a_large_one(tmp_path):
    content = gzip.compress(b'x' * 50_000_000 + b'\nend\n')
    got, _ = lines_of(tmp_path / 'a.gz', content)
    assert len(got[0]) < 2 * MAX_LINE and got[1] == b'end'


def test_marks_of_encodings(tmp_path):
    assert lines_of(tmp_path / 'a', b'\xef\xbb\xbfCPD-1\n')[0] == [b'CPD-1']
    for mark, called in [
        ('a'.encode('utf-16'), 'UTF-16'),
        (b'PK\x03\x04xx', 'zip'),
        (b'BZh9', 'bzip2'),
    ]:
        got, file = lines_of(tmp_path / 'a', mark)
        assert not got and called in file.cut


def test_nul_bytes_at_line_ends(tmp_path):
    got, file = lines_of(tmp_path / 'a', b'a\0\n\0b\0\0\r\nc\0d\n')
    assert got == [b'a', b'b', b'c\0d'] and 'NUL' in file.notes[0]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='not a regular file'):
        list(TextFile(tmp_path / 'pipe'))


def test_decoded():
    assert decoded('µ'.encode()) == ('µ', True)
    assert decoded('µ'.encode('cp1252')) == ('µ', False)
    text, is_utf8 = decoded(bytes(range(1, 256)))
    assert len(text) == 255 and not is_utf8


def test_line_ends_before_damage(tmp_path):
    """What is saved byte by byte is put together as ever."""
    text = b''.join(b'%d\r\n' % number for number in range(5000))
    content = bytearray(gzip.compress(text))
    content[-6] ^= 1
    got, file = lines_of(tmp_path / 'a.gz', bytes(content))
    assert file.cut and got == text.split(b'\r\n')[:-1]
