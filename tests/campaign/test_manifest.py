import pytest

from pyg_multipose.campaign import Manifest

RUN = {'input': {'path': 'a', 'sets': 3}, 'cutoff': 4.5}


@pytest.fixture
def manifest(tmp_path):
    out = Manifest(tmp_path / 'run', RUN)
    out.begin()
    for shard in range(3):
        (out.folder / f'{shard}.txt').write_text(f'content {shard}')
        out.record(shard, [f'{shard}.txt'], {'sets': shard})
    return out


def test_what_is_done_is_known(manifest):
    again = Manifest(manifest.folder, RUN)
    again.begin()
    assert again.missing(5) == [3, 4] and again.missing([1, 4]) == [4]
    assert again.is_done(3) and not again.is_done(4)
    assert again.counts(2) == {'sets': 2}
    assert again.files(2) == [manifest.folder / '2.txt']


def test_another_run_is_refused(manifest):
    other = {'input': {'path': 'a', 'sets': 4}, 'cutoff': 4.5, 'new': 1}
    with pytest.raises(ValueError) as error:
        Manifest(manifest.folder, other).begin()
    assert "'input.sets' is 3 there and 4 here" in str(error.value)
    assert "'new' is None there and 1 here" in str(error.value)


def test_a_shard_of_another_run_is_refused(manifest, tmp_path):
    other = Manifest(tmp_path / 'other', {'input': 1})
    other.begin()
    record = manifest.folder / 'shard-000001.json'
    (other.folder / record.name).write_text(record.read_text())
    with pytest.raises(ValueError, match='of another run'):
        other.missing(2)
    moved = manifest.folder / 'shard-000004.json'
    moved.write_text(record.read_text())
    with pytest.raises(ValueError, match='of another shard'):
        manifest.missing(5)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def change(path):
    path.write_bytes(path.read_bytes()[:-1] + b'?')


@pytest.mark.parametrize(
    'name, damage, reason',
    (
        ('1.txt', truncate, "'1.txt' has 8 bytes instead of 9"),
        ('1.txt', change, "'1.txt' was changed"),
        ('1.txt', lambda path: path.unlink(), "'1.txt' is gone"),
        ('shard-000001.json', truncate, "'shard-000001.json' is damaged"),
    ),
)
def test_a_damaged_shard_is_done_again(manifest, name, damage, reason):
    damage(manifest.folder / name)
    with pytest.warns(UserWarning, match=f'Shard 1 .* again: {reason}'):
        assert manifest.missing(3) == [1]


def test_shards_without_a_run(manifest):
    (manifest.folder / 'run.json').unlink()
    with pytest.raises(ValueError, match="no 'run.json'"):
        manifest.begin()


def test_a_damaged_or_newer_run(manifest):
    file = manifest.folder / 'run.json'
    truncate(file)
    with pytest.raises(ValueError, match='damaged'):
        manifest.begin()
    file.write_text('{"version": 99}')
    with pytest.raises(ValueError, match='has version 99'):
        manifest.begin()


def test_no_folder_can_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(PermissionError, match='cannot be made'):
        Manifest(tmp_path / 'file' / 'run', RUN).begin()
