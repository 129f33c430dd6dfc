"""Formats of one's own, and those of the package."""

import pytest

pytest.importorskip('rdkit')

from pyg_multipose.io import Format, Record, Rejected  # noqa: E402
from pyg_multipose.io.ligand.formats import FORMATS  # noqa: E402
from pyg_multipose.io.ligand.sdf import SDF  # noqa: E402


class Mine(SDF):
    """SDF under another end, with a title of its own."""

    name = 'mine'
    suffixes = ('.mine', '.sdf')
    group_by = 'file'
    score = 'CNNscore'


def test_a_format_of_ones_own(read, make):
    mol = make.embedded('CCO')
    text = make.sdf(mol, 'A', [('CNNscore', 0.5)])
    files = {'x.mine': text, 'y.mine.gz': make.sdf(mol, 'A'), 'z.sdf': text}
    with pytest.warns(UserWarning, match='3 of 3 sets have one pose'):
        poses = read(files, formats=[Mine])
    # Of '.sdf', too, which it takes from the package.
    assert poses.names == ['x', 'y', 'z']
    row, _ = poses.report.flagged
    assert row.file.endswith('y.mine.gz') and row.reason == 'missing score'
    others = read(files)
    assert others.names == ['A'] and len(others.report.dropped) == 2


@pytest.mark.parametrize(
    'suffixes', [(), '.mine', ('mine',), ('.tar.x',), ('.Mine',), ('',), None]
)
def test_suffixes(read, make, suffixes):
    bad = type('Bad', (Mine,), {'suffixes': suffixes})
    with pytest.raises(ValueError, match=r'Bad.suffixes is'):
        read(make.sdf(make.embedded('CCO')), formats=[bad])


@pytest.mark.parametrize('bad', [Mine(), SDF.records, 'mine', object])
def test_what_is_no_format(read, make, bad):
    with pytest.raises(ValueError, match='subclasses of'):
        read(make.sdf(make.embedded('CCO')), formats=[bad])


def test_a_format_that_fails(read, make, why):
    """Each record fails alone, with the reason or the error."""

    class Fails(Format):
        name = 'fails'
        suffixes = ('.fails',)

        def records(self, lines, file):
            for number, line in enumerate(lines, start=1):
                yield Record(file, number, title='A', block=[line.decode()])

        def ligand(self, record, template):
            if record.block == ['1']:
                raise Rejected('refused', 'a test')
            return record.block[1]

    sdf = make.sdf(make.embedded('CCO'))
    poses = read({'a.fails': '1\n2\n', 'b.sdf': sdf}, formats=[Fails])
    assert why(poses) == [(1, 'refused'), (2, 'unexpected error')]
    assert 'IndexError' in poses.report.dropped[1].detail
    assert poses.names == ['A']


def test_a_format_that_stops(read, make, why):
    """The records before are read, and so are the other files."""

    class Stops(SDF):
        name = 'stops'
        suffixes = ('.stops',)

        def records(self, lines, file):
            yield from super().records(lines, file)
            raise KeyError('x')

    sdf = make.sdf(make.embedded('CCO'))
    poses = read({'a.stops': sdf, 'b.sdf': sdf}, formats=[Stops])
    assert poses.num_poses.tolist() == [2]
    (row,) = poses.report.dropped
    assert row.reason == 'unexpected error' and row.file.endswith('a.stops')
    assert row.detail == "after 1 records, KeyError: 'x'"


def test_formats_of_the_package():
    names = [format_.name for format_ in FORMATS]
    ends = [end for format_ in FORMATS for end in format_.suffixes]
    assert len(set(names)) == len(names) and len(set(ends)) == len(ends)


def test_scores_of_rdock(read, make):
    mol = make.embedded('CCO')
    items = [
        ('Rbt.Library', 'x'),
        ('SCORE', '-21.5'),
        ('SCORE.INTER', '-23.5'),
        ('SCORE.INTER.norm', '-1.5'),
        ('SCORE.RESTR', '0'),
    ]
    poses = read({'a.sd': make.sdf(mol, 'A', items)})
    assert list(poses.scores) == ['SCORE', 'SCORE_INTER', 'SCORE_INTER_norm']
    assert poses.scores['SCORE'].unit == 'kJ/mol'
    assert not poses.scores['SCORE'].higher_is_better
    assert poses[0].SCORE.item() == -21.5 and not poses.report.rows
    # What others call a SCORE is none of rDock.
    other = make.sdf(mol, 'A', [('SCORE', '0.7')])
    poses = read(other)
    assert not poses.scores
    assert "['SCORE']" in poses.report.flagged[0].detail
    poses = read(other, scores=['SCORE'])
    assert "not rDock's" in poses.report.flagged[0].detail
