import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyg_multipose.io.poses.scores import KNOWN, Score, chosen, value_of


@pytest.mark.parametrize(
    'text, value',
    [
        ('-7.41263', -7.41263),
        ('   -7.02  ', -7.02),
        ('+1.', 1.0),
        ('.5', 0.5),
        ('0.00000', 0.0),
        ('1e-3', 1e-3),
        ('1E5', 1e5),
        ('\t-7\r', -7.0),
    ],
)
def test_value(text, value):
    assert value_of([text]) == (value, '')
    assert value_of([text, text]) == (value, '')


@pytest.mark.parametrize(
    'texts, why',
    [
        ([], 'no such data item'),
        ([''], 'empty'),
        (['  \n '], 'empty'),
        (['nan'], 'not finite'),
        (['-inf'], 'not finite'),
        (['Infinity'], 'not finite'),
        (['1e999'], 'not finite'),
        (['1e39'], 'not finite'),
        (['N/A'], 'not a number'),
        (['-7,41'], 'not a number'),
        (['-7.4 kcal/mol'], 'not a number'),
        (['-7.4\n-7.3'], 'not a number'),
        (['1_000'], 'not a number'),
        (['١'], 'not a number'),
        (['--7'], 'not a number'),
        (['0x10'], 'not a number'),
        (['\N{MINUS SIGN}7.4'], 'not a number'),
        (['-7.4', '-7.3'], 'several times'),
        (['-7.4', ''], 'empty'),
        (['9' * 1_000_000 + 'x'], 'not a number'),
    ],
)
def test_what_is_no_number_is_missing(texts, why):
    value, got = value_of(texts)
    assert math.isnan(value) and why in got and len(got) < 200


@given(st.lists(st.text(), max_size=3))
def test_any_text_is_a_finite_number_or_missing(texts):
    value, why = value_of(texts)
    assert math.isnan(value) == bool(why)
    assert not math.isinf(value)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
@example(3.4028234663852886e38)  # the largest in single precision
def test_round_trip(number):
    assert value_of([repr(number)]) == (number, '')


def test_every_known_score_is_a_key_of_its_own():
    assert set(chosen(KNOWN)) == set(KNOWN)
    assert len({score.key for score in KNOWN.values()}) == len(KNOWN)
    for name, score in KNOWN.items():
        assert score.name == name and score.key.isidentifier() and score.unit
        assert score.range[0] < score.range[1]


def test_directions():
    low = {name for name, s in KNOWN.items() if not s.higher_is_better}
    assert {'vina_affinity', 'minimizedAffinity', 'docking_score'} <= low
    assert not low & {'CNNscore', 'CNNaffinity', 'confidence'}
    assert KNOWN['CNNaffinity'].unit == 'pK'
    assert KNOWN['confidence'].unit == 'logit'


@pytest.mark.parametrize(
    'name, key',
    [
        ('FRED Chemgauss4 score', 'FRED_Chemgauss4_score'),
        ('Gold.PLP.Fitness', 'Gold_PLP_Fitness'),
        ('2nd', 'score_2nd'),
        ('µ', 'score_'),
    ],
)
def test_key(name, key):
    assert Score(name, '', True).key == key


@pytest.mark.parametrize(
    'scores, match',
    [
        (['mine'], r"'mine' is not known.*Score\('mine'"),
        (
            [Score('my index', '', True)],
            r"my_index.*Score\('my ind.*key=",
        ),
        ([Score('adj', '', True)], 'adj.*Score'),
        ([Score('pos', '', True)], "'pos' is taken.*key="),
        ([Score('y', '', True)], "'y' is taken"),
        ([Score('a', '', True, key='batch_a')], 'batch_a'),
        ([Score('a', '', True, key='a b')], 'no Python identifier'),
        ([Score('a', '', True, key='y')], "'y' is taken"),
        ([Score('a b', '', True), Score('a.b', '', True)], 'both be the key'),
        ([Score('a', '', True), Score('b', '', True, key='a')], 'both be'),
    ],
)
def test_what_cannot_be_a_score(scores, match):
    with pytest.raises(ValueError, match=match):
        chosen(scores)


@pytest.mark.parametrize(
    'name', ['Ligand index score', 'batch', 'adj', 'ptr', 'y', 'edge_score',
             'receptor_size', 'aromatic', 'x']
)  # fmt: skip
def test_any_item_can_be_read_under_another_key(make, read, name):
    """Its values come out of a batch as they went in."""
    pytest.importorskip('rdkit')
    from torch_geometric.loader import DataLoader

    mine = Score(name, 'bits', True, key='mine')
    assert chosen([mine]) == {name: mine} and mine.key == 'mine'
    text = ''.join(
        make.sdf(make.embedded('CCO', seed), title, [(name, seed)])
        for title in 'AB'
        for seed in (1, 2)
    )
    poses = read(text, scores=[mine])
    assert list(poses.scores) == ['mine'] and poses.scores['mine'].name == name
    (batch,) = DataLoader(poses, batch_size=2)
    assert batch.mine.tolist() == [1, 2, 1, 2]
