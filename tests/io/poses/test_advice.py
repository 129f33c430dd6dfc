"""What a caller is warned of after a reading."""

import warnings

import pytest

pytest.importorskip('rdkit')


def text_of(make, smiles, title='A'):
    return ''.join(
        make.sdf(make.embedded(one, seed), title, [('vina_score', -seed)])
        for seed, one in enumerate(smiles, start=1)
    )


@pytest.mark.parametrize(
    'good, bad, warned', [(9, 1, False), (8, 1, True), (10, 2, True),
                          (20, 2, False), (1, 1, True)]
)  # fmt: skip
def test_more_than_a_tenth_of_a_file(make, read, good, bad, warned):
    flat = make.sdf(
        'A\n\n\n  2  1  0  0  0  0            999 V2000\n'
        '    0.0000    0.0000    0.0000 C   0  0\n'
        '    0.0000    0.0000    0.0000 O   0  0\n  1  2  1  0\nM  END\n', 'A'
    )  # fmt: skip
    texts = {
        'bad.sdf': text_of(make, ['CO'] * good) + flat * bad,
        'good.sdf': text_of(make, ['CO'] * 30, 'B'),
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        read(texts)
    told = [str(one.message) for one in caught]
    assert bool(told) == warned
    for message in told:
        assert f'{bad} of {good + bad} of ' in message
        assert 'bad.sdf, no 3-D coordinates' in message
        assert 'good.sdf' not in message


def test_what_is_no_pose_is_not_counted(make, read, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        # A reference first, DiffDock's copy, and files of other kinds.
        read(make.sdf(make.embedded('c1ccccc1'), 'X')
             + text_of(make, ['CCO'] * 3))  # fmt: skip
        pose = make.sdf(make.embedded('CCO'), '')
        read(
            {
                'c/rank1.sdf': pose,
                'c/rank1_confidence0.5.sdf': pose,
                'c/rank2_confidence0.1.sdf': pose,
                'c/x.log': 'nothing',
            },
            paths=[tmp_path / 'c'],
        )


def test_many_files_are_shortened(make, read):
    texts = {f'{n}.sdf': text_of(make, ['CCO', 'CCO', 'CCS'], f'L{n}')
             for n in range(5)}  # fmt: skip
    with pytest.warns(UserWarning, match='tenth .*1 of 3.* and 2 more'):
        read(texts)


def test_single_poses_because_others_were_dropped(make, read, why):
    """The grouping is right, so that it is not doubted."""
    pair = ['CC[NH3+]', 'CCN']
    text = ''.join(text_of(make, pair, f'L{n}') for n in range(4))
    with pytest.warns(UserWarning) as caught:
        poses = read(text)
    (one,) = caught
    assert '4 of 8 of' in str(one.message)
    assert 'another charge or protonation state' in str(one.message)
    assert poses.num_poses.tolist() == [1] * 4
    assert not why(poses, 'flagged')
    # Nor is it where they were dropped for something else.
    bad = text_of(make, ['CCO'] * 2, 'X').replace(' C   0', ' R#  0', 1)
    text = ''.join(bad.replace('X\n', f'L{n}\n') for n in range(4))
    with pytest.warns(UserWarning) as caught:
        read(text)
    assert len(caught) == 1 and '4 of 8 of' in str(caught[0].message)
    text = ''.join(text_of(make, ['CCO'], f'A_pose{n}') for n in range(4))
    with pytest.warns(UserWarning, match="4 of 4 sets.*'A_pose0'"):
        read(text)


def test_files_that_are_left_out_are_counted(make, read, tmp_path):
    texts = {'a.xyz': 'x', 'b.log': 'x', 'c.sdf': '', 'd.pdb': 'x'}
    with pytest.warns(UserWarning, match='4 files or folders left out'):
        poses = read(texts, paths=[tmp_path])
    assert str(poses.report).splitlines()[1] == (
        '0 records in 1 files: 0 kept, 0 dropped; 4 files or folders left out'
    )
    poses = read({'e.sdf': text_of(make, ['CCO'] * 2)}, paths=[tmp_path])
    assert '2 kept, 0 dropped; 4 files or folders left out' in str(
        poses.report
    )
