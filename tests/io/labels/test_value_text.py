"""Values with their kinds and units in one cell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_multipose.io.labels.value_text import ValueText


@pytest.mark.parametrize(
    'text, parts',
    [
        ('3.2', ('3.2', '', '', '')), ('> 99', ('99', '>', '', '')),
        ('Ki=3.2nM', ('3.2', '=', 'Ki', 'nM')),
        ('Kd<10uM', ('10', '<', 'Kd', 'uM')),
        ('IC50~5nM', ('5', '~', 'IC50', 'nM')),
        ('Kd>=1mM', ('1', '>=', 'Kd', 'mM')),
        ('Ki<=0.4 \u00b5M', ('0.4', '<=', 'Ki', '\u00b5M')),
        ('IC50 = 12 nmol/L', ('12', '=', 'IC50', 'nmol/L')),
        ('Ki: 3.2 nM', ('3.2', '', 'Ki', 'nM')),
        ('pKi=8.1', ('8.1', '=', 'pKi', '')),
        ('-logKd=8.1', ('8.1', '=', '-logKd', '')),
        ('dG=-8.5 kcal/mol', ('-8.5', '=', 'dG', 'kcal/mol')),
        ('5e-9M', ('5e-9', '', '', 'M')), ('5E-9 M', ('5E-9', '', '', 'M')),
        ('5 nM', ('5', '', '', 'nM')), ('<5nM', ('5', '<', '', 'nM')),
        ("5'000 nM", ("5'000", '', '', 'nM')),
        ('1,5 nM', ('1,5', '', '', 'nM')), ('8.1 pKi', ('8.1', '', '', 'pKi')),
        ('-1.2 log10(uM)', ('-1.2', '', '', 'log10(uM)')),
        # Nothing that is known.
        ('5 nm', ('5 nm', '', '', '')), ('5-10', ('5-10', '', '', '')),
        ('foo=5nM', ('foo=5nM', '', '', '')), ('50%', ('50%', '', '', '')),
        ('5\u00b11', ('5\u00b11', '', '', '')), ('nM', ('nM', '', '', '')),
        ('5e-7', ('5e-7', '', '', '')), ('', ('', '', '', '')),
        ('0x1F', ('0x1F', '', '', '')), ('Ki', ('Ki', '', '', '')),
        ('Ki=', ('', '=', 'Ki', '')),
        ('Ka=1e6 M-1', ('Ka=1e6 M-1', '', '', '')),
    ],
)  # fmt: skip
def test_parts(text, parts):
    value = ValueText.parse(text)
    assert (value.number, value.sign, value.kind, value.unit) == parts


@given(st.text(max_size=20))
def test_any_text(text):
    ValueText.parse(text)


def read_of(read, cells, head='ligand_id,value', **kwargs):
    rows = [f'{"ABCDEFGH"[n]},{cell}\n' for n, cell in enumerate(cells)]
    return read(f'{head}\n{"".join(rows)}', **kwargs)


def found(labels):
    return {
        label.ligand_id: (label.kind, label.relation, round(label.pvalue, 4))
        for label in labels
    }


def reasons(labels):
    return {row.title: row.reason for row in labels.report.dropped}


def test_binding_data_of_an_index(read):
    """Kinds, relations and units of each row; nothing has to be told."""
    cells = ['Ki=3.2nM', 'Kd<10uM', 'IC50~5nM', 'Kd>=1mM', 'Ki<=1pM']
    labels = read_of(read, cells)
    assert found(labels) == {
        'A': ('Ki', '=', 8.4949),
        'B': ('Kd', '>', 5),
        'C': ('IC50', '~', 8.301),
        'D': ('Kd', '<=', 3),
        'E': ('Ki', '>=', 12),
    }
    assert not labels.report.rows
    assert labels.kinds == ['Ki', 'Kd', 'IC50']


def test_some_without_a_unit(read):
    labels = read_of(read, ['Ki=3.2nM', 'Ki=3.2', '7', 'pKi=8.5'])
    assert set(found(labels)) == {'A', 'D'}
    assert reasons(labels) == {'B': 'missing unit', 'C': 'missing unit'}
    with pytest.raises(ValueError, match='unit of the values is not told'):
        read_of(read, ['3.2', 'Ki=7'])


def test_what_is_told_twice(read):
    """The same is fine; what contradicts is dropped."""
    labels = read_of(
        read, ['Ki=3.2nM', 'Ki=3.2uM', 'Kd=3.2nM', '3.2', 'pKi=8'],
        unit='nM', kind='Ki',
    )  # fmt: skip
    assert set(found(labels)) == {'A', 'D'}
    assert reasons(labels) == {
        'B': 'two units', 'C': 'two kinds', 'E': 'two kinds'
    }  # fmt: skip
    labels = read_of(
        read, ['3.2nM,nM', '3.2uM,nM', '3.2,nM'], 'ligand_id,value,unit'
    )
    assert set(found(labels)) == {'A', 'C'}
    labels = read_of(
        read, ['<3.2nM,<', '<3.2nM,>'], 'ligand_id,value,relation'
    )
    assert found(labels) == {'A': ('', '>', 8.4949)}
    assert reasons(labels) == {'B': 'two relations'}


def test_name_of_the_column_contradicts(read):
    text = 'ligand_id,IC50 (nM)\nA,5 uM\nB,5 nM\n'
    labels = read(text, columns={'value': 'IC50 (nM)'})
    assert set(found(labels)) == {'B'}
    assert reasons(labels) == {'A': 'unit contradicts the name of the column'}


def test_no_numbers_name_the_column(read):
    labels = read_of(read, ['foo=5nM', 'active', '5 nm'], unit='nM')
    assert set(reasons(labels).values()) == {'not a number'}
    for row in labels.report.dropped:
        assert "column 'value'" in row.detail and 'Ki=3.2nM' in row.detail


def test_decimal_comma_beside_a_unit(read):
    assert reasons(read_of(read, ['"Ki=3,2nM"'])) == {
        'A': 'a comma in a number'
    }
    labels = read_of(read, ['"Ki=3,2nM"'], decimal=',')
    assert found(labels) == {'A': ('Ki', '=', 8.4949)}


@pytest.mark.parametrize('unit', ['log10(uM)', 'log uM', 'log10(IC50/uM)'])
def test_logarithms(read, unit):
    """Low is strong: relations turn over."""
    labels = read_of(read, ['-1.2', '<0.35', '>2.1', '7'], unit=unit)
    assert found(labels) == {
        'A': ('', '=', 7.2), 'B': ('', '>', 5.65), 'C': ('', '<', 3.9)
    }  # fmt: skip
    assert reasons(labels) == {'D': 'out of range'}


@pytest.mark.parametrize(
    'name, unit',
    [
        ('log10(IC50 / uM)', 'pIC50'), ('log10(IC50 / uM)', 'uM'),
        ('log IC50', 'pIC50'), ('logKi', 'nM'), ('pAffinity', 'nM'),
        ('pChEMBL', 'uM'), ('-log10(Ki)', 'log10(M)'),
        ('IC50 (uM)', 'log10(uM)'),
        ('pIC50 (kcal/mol)', 'pIC50'), ('pIC50 (kcal/mol)', 'kcal/mol'),
        ('lg Kd', 'pKd'), ('ln Kd', 'pKd'), ('dG', 'nM'),
    ],
)  # fmt: skip
def test_contradictions_list_the_units(read, name, unit):
    from pyg_multipose.io.labels.units import UNITS

    text = f'ligand_id,{name}\nA,5\n'
    with pytest.raises(ValueError, match='contradicts the name') as error:
        read(text, columns={'value': name}, unit=unit)
    for word in ('a.csv', name, unit, *UNITS):
        assert word in str(error.value)


def test_values_that_are_no_pk(read):
    """Negative ones dropped and the rest low: another scale, and said so."""
    labels = read_of(read, ['-1.2', '0.35', '2.1'], unit='pIC50')
    (row,) = labels.report.flagged
    assert row.reason == 'values are unlike pK'
    assert 'log10(uM)' in row.detail and '3 of 3' in row.detail
    labels = read_of(read, ['-1.2', '6.3', '7.1'], unit='pIC50')
    assert not labels.report.flagged
    labels = read_of(read, ['-1.2', '0.35'], unit='uM')
    assert 'log10(uM)' in labels.report.dropped[0].detail
