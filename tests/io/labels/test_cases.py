"""Small tables, each modelled on trouble that people had in public.

The key ``source`` of each ``expected.json`` names the report.
"""

import json
import math
from pathlib import Path

import pytest

from pyg_multipose.io.labels.join import join_labels
from pyg_multipose.io.labels.labels import read_labels
from pyg_multipose.io.labels.units import from_pk, to_pk

CASES = Path(__file__).parents[1] / 'cases'


@pytest.fixture
def load(monkeypatch):
    def load_case(number):
        (folder,) = CASES.glob(f'{number}-*')
        monkeypatch.chdir(folder)
        return json.loads(Path('expected.json').read_text())

    return load_case


def check(expect, labels, tolerance=1e-5, file='labels.csv'):
    report = labels.report
    report.check()
    known = {label.ligand_id: label for label in labels}
    if 'dropped' in expect:  # what is not dropped is there
        assert len(known) == len(expect['labels']) or 'flags' in expect
        assert report.num_dropped == len(expect['dropped'])
    for want in expect.get('labels', []):
        label = known[want['ligand_id']]
        assert label.pvalue == pytest.approx(want['pvalue'], abs=tolerance)
        assert label.relation == want.get('relation', '=')
        for key in ('n_replicates', 'n_censored'):
            assert getattr(label, key) == want.get(key, getattr(label, key))
        if 'spread' in want:
            spread = want['spread']
            assert label.std == pytest.approx(spread['std_ddof1'], abs=1e-5)
            assert label.span == pytest.approx(spread['range'], abs=1e-5)
            ddof0 = label.std * math.sqrt(1 - 1 / label.n_replicates)
            assert ddof0 == pytest.approx(spread['std_ddof0'], abs=1e-5)
    for want in expect.get('dropped', []):
        (row,) = (row for row in report.dropped if row.record == want['row'])
        assert row.file == want.get('file', file)
        assert row.title == want['ligand_id'] not in known
        text = f'{row.reason} {row.detail}'.lower()
        assert any(word in text for word in want['reason_any']), row
    for want in expect.get('flags', []):
        assert any(
            word.lower() in str(row).lower()
            for row in report.flagged
            for word in want['any']
            if row.file == want.get('file', row.file)
            and row.title == want.get('ligand_id', row.title)
        ), want


def test_censored_and_replicates(load):
    case = load(38)
    value = case['read']['columns']['value']
    labels = read_labels(
        case['read']['labels'],
        columns={'ligand_id': 'Compound ID', 'value': value},
        unit='uM',
        kind='IC50',
        target_id='T1',
    )
    check(case['expect'], labels)
    reasons = {row.title: row.reason for row in labels.report.dropped}
    assert reasons['CPD-D'] != reasons['CPD-E']
    assert {label.kind for label in labels} == {'IC50'}


def test_unit_and_scale(load):
    case = load(40)
    labels = read_labels(
        'labels.csv', columns={'ligand_id': 'ligand'}, target_id='T1'
    )
    check(case['expect'], labels, case['expect']['tolerance'])
    assert min(label.pvalue for label in labels) > 0
    columns = {'ligand_id': 'ligand', 'value': 'Assay pIC50 (calc) (uM)'}
    read = {'columns': columns, 'target_id': 'T1'}
    # Refused as what the case would be wrong for; read as what it is.
    for unit in ('uM', 'M', None):
        with pytest.raises(ValueError, match='unit'):
            read_labels('p_in_uM_header.csv', unit=unit, **read)
    told = read_labels('p_in_uM_header.csv', unit='pIC50', **read)
    _, as_p = case['expect']['any_of']
    check(as_p, told, file='p_in_uM_header.csv')
    roundtrip = case['expect']['roundtrip']
    for p in roundtrip['values_p']:
        for unit in ('nM', 'uM', 'M', 'kT', 'kcal/mol', 'kJ/mol', 'pK'):
            again = to_pk(from_pk(p, unit), unit)
            assert again == pytest.approx(p, abs=roundtrip['tolerance'])


def test_decimal_comma(load):
    case = load(42)
    expect = case['expect']
    read = {
        'columns': {'ligand_id': 'ligand', 'value': 'IC50'},
        'kind': 'IC50',
        'target_id': 'T1',
    }
    told = {
        k: case['read']['second_call'][k] for k in ('delimiter', 'decimal')
    }
    told['thousands'] = case['read']['second_call']['thousands']
    labels = read_labels('semicolon.csv', **read, **told)
    check(expect['with_options'], labels, expect['tolerance'])
    with pytest.raises(ValueError) as error:
        read_labels('semicolon.csv', **read)
    for word in expect['any_of'][0]['error']['must_name']:
        assert word in str(error.value)
    # The delimiter alone does not make a comma a decimal one.
    labels = read_labels('semicolon.csv', delimiter=';', **read)
    assert [label.ligand_id for label in labels] == ['K-4']
    labels = read_labels('comma_in_quotes.csv', **read)
    without = expect['without_options']
    check(without, labels, expect['tolerance'], without['file'])
    # K-6 is not 25 nM, whatever is told.
    labels = read_labels('comma_in_quotes.csv', thousands=',', **read)
    assert [label.ligand_id for label in labels] == ['K-5', 'K-7']
    labels = read_labels('comma_in_quotes.csv', decimal=',', **read)
    assert [round(label.value('nM'), 6) for label in labels] == [1.5, 2.5, 250]


def test_bom_micro_signs_and_blanks(load):
    pytest.importorskip('rdkit')
    from pyg_multipose.io import read_poses

    case = load(44)
    expect = case['expect']
    columns = case['read']['columns']
    columns = {k: columns[k] for k in ('ligand_id', 'target_id')}
    labels = read_labels('labels.csv', columns=columns, kind='IC50')
    drops = {key: expect[key] for key in ('labels', 'dropped', 'flags')}
    with pytest.warns(UserWarning, match='one pose'):
        poses = read_poses(case['read']['poses'], group_by='title')
    assert len(poses) == expect['n_sets']
    joined = join_labels(poses, labels, target_id='T1')
    check({**drops, 'flags': []}, labels, expect['tolerance'])
    for want in expect['labels']:
        (row,) = (
            row
            for row, label in enumerate(joined.labels)
            if label.ligand_id == want['ligand_id']
        )
        assert joined[row].name == want['ligand_id']
        assert joined[row].y.item() == pytest.approx(want['pvalue'])
    unmatched = expect['any_of'][0]['unmatched']
    for key, pairs in unmatched.items():
        assert list(map(list, getattr(joined, key))) == pairs
    text = str(joined.report)
    assert "nearly the same: ['CPD-3']" in text
    assert "nearly the same: ['cpd-3']" in text
    with pytest.raises(ValueError, match='labels_cp1252.csv.*encoding'):
        read_labels('labels_cp1252.csv', columns=columns, kind='IC50')
    labels = read_labels(
        'labels_cp1252.csv', columns=columns, kind='IC50', encoding='cp1252'
    )
    check(expect['any_of_2'][0], labels)


def test_predicted_log_ic50(load):
    """Low is strong, and 0 is 1 uM: no pIC50."""
    case = load(56)
    expect = case['expect']
    read = {'columns': case['read']['columns'], 'target_id': 'T1'}
    labels = read_labels('affinity.csv', unit='log10(uM)', **read)
    got = {label.ligand_id: round(label.pvalue, 6) for label in labels}
    assert got == expect['right'] and not labels.report.rows
    told = read_labels('affinity.csv', unit='pIC50', **read)
    assert 'values are unlike pK' in str(told.report)
    for file, value, units in (
        ('named.csv', 'log10(IC50 / uM)', ('pIC50', 'uM', 'nM', 'kcal/mol')),
        ('kcal.csv', 'pIC50 (kcal/mol)', ('pIC50', 'kcal/mol', 'nM')),
    ):
        read['columns'] = {'ligand_id': 'compound', 'value': value}
        for unit in units:
            with pytest.raises(ValueError, match=r'log10\(uM\)'):
                read_labels(file, unit=unit, **read)
        with pytest.raises(ValueError, match='the unit of the values'):
            read_labels(file, **read)
    read['columns'] = {'ligand_id': 'compound', 'value': 'log10(IC50 / uM)'}
    labels = read_labels('named.csv', unit='log10(uM)', **read)
    got = {label.ligand_id: round(label.pvalue, 6) for label in labels}
    assert got == expect['right']
