import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.poses.hints import hints
from pyg_multipose.io.poses.score_readers import (
    FileName,
    JSONValue,
    TextNumber,
)
from pyg_multipose.io.poses.scores import KNOWN, read_value
from pyg_multipose.io.report import Rejected

MEEKO = '{"free_energy": -6.22, "cluster": {"id": 10, "sizes": [1, 4]}}'


def record(file='a.sdf', number=1, **items):
    out = Record(file, number)
    for name, texts in items.items():
        for text in [texts] if isinstance(texts, str) else texts:
            out.add_item(name, text)
    return out


@pytest.mark.parametrize(
    'path, value',
    [
        (['free_energy'], -6.22),
        (['cluster', 'id'], 10),
        (['cluster', 'sizes', 1], 4),
        (['cluster', 'sizes', -1], 4),
    ],
)
def test_json(path, value):
    read = JSONValue('meeko', *path)
    assert read_value(read, record(meeko=MEEKO)) == (value, '')
    # The same text again is one item.
    assert read_value(read, record(meeko=[MEEKO, MEEKO])) == (value, '')


@pytest.mark.parametrize(
    'text, path, why',
    [
        (MEEKO, ['energy'], r"no 'energy'.*keys \['free_energy', 'cluster'"),
        (MEEKO, ['cluster'], 'not a number'),
        (MEEKO, ['cluster', 'x'], r"no 'x' in .*\['cluster'\].*'sizes'"),
        (MEEKO, ['cluster', 'sizes'], 'not a number'),
        (MEEKO, ['cluster', 'sizes', 2], 'which has 2 places'),
        (MEEKO, ['cluster', 'sizes', 'x'], 'which has 2 places'),
        (MEEKO, ['free_energy', 0], 'which has no keys'),
        ('{"a": "abc"}', ['a', 0], 'which has no keys'),
        ('{"a": null}', ['a'], "no 'a'"),
        ('{"a": true}', ['a'], 'True is not a number'),
        ('{"a": NaN}', ['a'], 'not finite'),
        ('{"a": -Infinity}', ['a'], 'not finite'),
        ('{"a": 1e39}', ['a'], 'not finite'),
        ('{"a": 1' + '0' * 400 + '}', ['a'], 'not finite'),
        ('{"a": 1' + '0' * 9000 + '}', ['a'], 'no JSON|not finite'),
        ('{"a": "-7,4"}', ['a'], 'not a number'),
        ('{"a": 1, "a": 2}', ['a'], "'a' is given several times"),
        ('{"a": 1', ['a'], 'no JSON'),
        ('', ['a'], 'no JSON'),
        ('[' * 100_000, ['a'], 'no JSON'),
        ('{"a":' * 50_000, ['a'], 'no JSON'),
        ([MEEKO, '{}'], ['free_energy'], 'several times'),
    ],
)
def test_what_is_missing_in_json(text, path, why):
    value, got = read_value(JSONValue('meeko', *path), record(meeko=text))
    assert math.isnan(value)
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(got)
    assert len(got) < 300


def test_no_such_item():
    for read in (JSONValue('meeko', 'a'), TextNumber('meeko')):
        _, why = read_value(read, record(other='1'))
        assert "no data item 'meeko'" in why and "['other']" in why


@pytest.mark.parametrize(
    'text, after, value',
    [
        ('-7.4 kcal/mol', '', -7.4),
        ('  -7.4kcal/mol', '', -7.4),
        ('Affinity: -7.4 (kcal/mol)', 'Affinity', -7.4),
        ('affinity=-7.4', 'affinity', -7.4),
        ('affinity = \n -7.4', 'affinity', -7.4),
        ('affinity : -7.4; x', 'affinity', -7.4),
        ('a -1\nthe affinity -7.4e0, 3', 'affinity', -7.4),
        ('rank3', 'rank', 3),
        ('E(tot) 5.', 'E(tot)', 5),
        ('a 1 a 1.0', 'a', 1),
        ('my_score 1, score 2', 'score', 2),
    ],
)
def test_text(text, after, value):
    read = TextNumber('log', after)
    assert read_value(read, record(log=text)) == (value, '')


@pytest.mark.parametrize(
    'text, after, why',
    [
        ('kcal -7.4', '', 'no number in'),
        ('-7,4 kcal', '', 'no number in'),
        ('affinity -7,4', 'affinity', "no number after 'affinity'"),
        ('affinity 1.2.3', 'affinity', 'no number'),
        ('affinity 0x10', 'affinity', 'no number'),
        ('affinity 1_000', 'affinity', 'no number'),
        ('affinity of -7.4', 'affinity', 'no number'),
        ('affinity \N{MINUS SIGN}7.4', 'affinity', 'no number'),
        ('affinity 1 affinity 2', 'affinity', 'several times'),
        ('my_affinity 1', 'affinity', 'no number'),
        ('affinity 1e999', 'affinity', 'not finite'),
        ('affinity' + ' ' * 100_000, 'affinity', 'no number'),
        ('9' * 100_000 + 'x', '', 'no number'),
    ],
)
def test_what_is_missing_in_a_text(text, after, why):
    value, got = read_value(TextNumber('log', after), record(log=text))
    assert math.isnan(value) and why in got and len(got) < 300


@given(st.text(max_size=30), st.text(max_size=5))
def test_any_text(text, after):
    value, why = read_value(TextNumber('log', after), record(log=text))
    assert math.isnan(value) == bool(why) and not math.isinf(value)
    value, why = read_value(JSONValue('log', after), record(log=text))
    assert math.isnan(value) == bool(why) and not math.isinf(value)


@pytest.mark.parametrize(
    'file', ['run/x_score-7.25.sdf', 'x_score-7.25.sdf.gz', 'x_score-7.25.MAE']
)
def test_file_name(file):
    read = FileName(r'score([+-]?[\d.]+)')
    assert read_value(read, record(file)) == (-7.25, '')
    value, why = read_value(read, record(file, 2))
    assert math.isnan(value) and 'of one pose, and this is record 2' in why


@pytest.mark.parametrize(
    'file, why',
    [
        ('score1/x.sdf', "not in the name 'x'"),  # no folder is asked
        ('score1_score2.sdf', 'several times'),
        ('score-.sdf', 'not a number'),
        ('score1.2.3.sdf', 'not a number'),
    ],
)
def test_what_is_missing_in_a_name(file, why):
    value, got = read_value(FileName(r'score([-\d.]+)'), record(file))
    assert math.isnan(value) and why in got


def test_arguments():
    with pytest.raises(ValueError, match='needs the keys'):
        JSONValue('meeko')
    with pytest.raises(ValueError, match='needs a group'):
        FileName('score')
    assert JSONValue('a', 'b') == JSONValue('a', 'b') != JSONValue('a', 'c')


@pytest.mark.parametrize(
    'got, value', [(1, 1), (-2.5, -2.5), ('3', 3), (['4', '4.0'], 4)]
)
def test_a_function(got, value):
    assert read_value(lambda record: got, record()) == (value, '')


@pytest.mark.parametrize(
    'got, why',
    [
        (None, 'there is none'),
        ('', 'empty'),
        ('x', 'not a number'),
        (['1', '2'], 'several times'),
        ([], 'no such data item'),
        ([1], 'not a number'),
        ({}, 'not a number'),
        (True, 'not a number'),
        (1j, 'not a number'),
        (math.nan, 'not finite'),
        (math.inf, 'not finite'),
        (10**400, 'not finite'),
    ],
)
def test_a_function_without_a_number(got, why):
    value, told = read_value(lambda record: got, record())
    assert math.isnan(value) and why in told


def test_a_function_that_fails():
    def fails(record):
        return record.items['x'][0]

    value, why = read_value(fails, record())
    assert math.isnan(value) and why == "KeyError: 'x'"

    def refuses(record):
        raise Rejected('not docked', 'says the log')

    assert read_value(refuses, record())[1] == 'not docked: says the log'


def test_rdock():
    read = KNOWN['SCORE'].read
    items = {'SCORE': '-21.5', 'SCORE.INTER': '-30.1'}
    assert read_value(read, record(**items)) == (-21.5, '')
    _, why = read_value(read, record(SCORE='0.7'))
    assert "not rDock's" in why and "Score('SCORE'" in why
    assert read_value(read, record())[1] == 'no such data item'


def test_advice():
    items = {
        'meeko': MEEKO,
        'log': 'Affinity: -7.4 (kcal/mol)',
        'my_score': '3',
        'SMILES': 'CCO',
        'broken': '{"a": ',
        'list': '[1]',
        'empty': '{}',
    }
    plain, of_json, of_text = hints(items, ['a', 'b'], plain=True)
    assert "['my_score']" in plain
    assert "['free_energy']" in of_json
    assert "JSONValue('meeko', 'free_energy')" in of_json
    assert "TextNumber('log', after='Affinity')" in of_text
    assert hints(items, [], plain=False) == [of_json, of_text]
    names = ['CPD_1_rank_2_conf-1.25', 'CPD_1_rank_1_conf0.75', 'x']
    (of_names,) = hints({}, names, plain=True)
    assert "FileName('conf([+-]?[0-9.]+)')" in of_names
    assert not hints({}, ['a_1.5', 'b', 'c'], plain=True)
    assert not hints({}, [], plain=True)


@pytest.mark.parametrize('name', ['run_score_-7.25_x', 'score=1.5', 'c-0.5'])
def test_advice_on_names_works(name):
    (text,) = hints({}, [name], plain=True)
    pattern = re.search(r"FileName\('(.*)'\)\)\]", text)[1]
    read = FileName(pattern)
    value, why = read_value(read, record(f'{name}.sdf'))
    assert not why and f'{value:g}' in name
