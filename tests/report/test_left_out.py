from pyg_multipose.io import Report
from pyg_multipose.report import LeftOut


def test_counts_are_read_from_the_text():
    poses, labels = Report(), Report()
    poses.summary = '3 sets of 5 poses, scores: Dropped (kcal/mol)'
    for number in range(30):
        reason = 'no coordinates' if number % 3 else '12  odd: reason'
        poses.drop('a.sdf', number, 'Dropped', reason, '7  details')
    poses.flag('a.sdf', 31, 'x', 'score is missing')
    text = '\n\n'.join([f'Poses: {poses}', f'Poses and labels: {labels}'])
    assert LeftOut.parse(text) == [
        LeftOut('Poses', 'dropped', 20, 'no coordinates'),
        LeftOut('Poses', 'dropped', 10, '12  odd: reason'),
        LeftOut('Poses', 'flagged', 1, 'score is missing'),
    ]


def test_nothing_was_left_out():
    assert LeftOut.parse(f'Poses: {Report()}') == []
    assert LeftOut.parse('') == []
