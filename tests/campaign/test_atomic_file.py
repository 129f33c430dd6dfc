import errno
import os
import subprocess

import pytest

from pyg_multipose.campaign import atomic_file, atomic_path, remove_leftovers


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_error_leaves_what_was_there(tmp_path):
    file = tmp_path / 'a'
    file.write_text('old')
    with pytest.raises(KeyError), atomic_file(file, 'w') as out:
        out.write('new')
        raise KeyError
    assert file.read_text() == 'old' and names(tmp_path) == ['a']


def test_a_full_disk(tmp_path):
    file = tmp_path / 'a'
    file.write_text('old')
    with (
        pytest.raises(OSError, match='No space left.*was there before') as e,
        atomic_file(file),
    ):
        raise OSError(errno.ENOSPC, 'no')
    assert e.value.errno == errno.ENOSPC
    assert file.read_text() == 'old' and names(tmp_path) == ['a']


def test_a_really_full_device(tmp_path):
    """Not of one's own making: what was written fails when it is flushed."""
    if not os.path.exists('/dev/full'):
        pytest.skip('there is no /dev/full')
    with (
        pytest.raises(OSError, match='cannot be written: No space left'),
        atomic_path(tmp_path / 'a') as part,
    ):
        part.symlink_to('/dev/full')
        part.write_text('x')
    assert names(tmp_path) == []


def test_no_folder(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="b/a' cannot be written"),
        atomic_file(tmp_path / 'b' / 'a'),
    ):
        pass


def test_errors_of_other_files_are_left_alone(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match='other'),
        atomic_file(tmp_path / 'a'),
    ):
        open(tmp_path / 'other')


def test_leftovers(tmp_path):
    with atomic_path(tmp_path / 'a') as part:
        part.write_text('')
        ended = subprocess.Popen(['true'])
        ended.wait()
        dead = part.name.replace(f'.{os.getpid()}-', f'.{ended.pid}-')
        (tmp_path / dead).write_text('half')
        (tmp_path / '.foreign.1-1@elsewhere.part').write_text('half')
        assert [one.name for one in remove_leftovers(tmp_path)] == [dead]
    assert names(tmp_path) == ['.foreign.1-1@elsewhere.part', 'a']
