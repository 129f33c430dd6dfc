import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_multipose.io.labels.units import (
    UNITS,
    falls,
    from_pk,
    is_concentration,
    is_energy,
    is_logarithm,
    parse_unit,
    to_pk,
)
from pyg_multipose.io.labels.values import (
    Format,
    measured,
    parse_kind,
    parse_relation,
    turned,
    unit_and_kind,
)
from pyg_multipose.io.report import Rejected

units = st.sampled_from(UNITS)
pks = st.floats(0, 16)


@given(pks, units, st.floats(1, 1000))
def test_round_trip(pk, unit, temperature):
    value = from_pk(pk, unit, temperature)
    assert to_pk(value, unit, temperature) == pytest.approx(pk, abs=1e-9)


@given(pks, pks, units)
def test_direction(one, other, unit):
    """A high pK is a small constant and a low free energy."""
    if one + 1e-6 < other:
        is_less = from_pk(one, unit) < from_pk(other, unit)
        assert is_less != falls(unit)


@given(st.floats(1e-12, 1e3))
def test_free_energy(molar):
    """dG = RT ln K, low is strong."""
    pk = to_pk(molar, 'M')
    rt = 8.31446261815324 * 298.15
    assert from_pk(pk, 'kJ/mol') * 1000 == pytest.approx(
        rt * math.log(molar), abs=1e-6
    )
    assert from_pk(pk, 'kcal/mol') * 4184 == pytest.approx(
        rt * math.log(molar), abs=1e-6
    )
    assert from_pk(pk, 'kT') == pytest.approx(math.log(molar), abs=1e-9)


def test_known_values():
    for unit, value in (
        ('nM', 500), ('uM', 0.5), ('mM', 5e-4), ('M', 5e-7), ('pM', 5e5),
        ('fM', 5e8), ('pK', 6.30103), ('kT', -14.5087), ('kcal/mol', -8.5962),
        ('kJ/mol', -35.966), ('log10(uM)', -0.30103), ('log10(M)', -6.30103),
        ('log10(nM)', 2.69897),
    ):  # fmt: skip
        assert to_pk(value, unit) == pytest.approx(6.30103, abs=1e-4), unit
    assert from_pk(1, 'kcal/mol', 300) == pytest.approx(-1.3727, abs=1e-4)
    assert from_pk(1, 'kT', 300) == from_pk(1, 'kT')


@pytest.mark.parametrize('value', [0, -1, math.nan])
def test_no_logarithm(value):
    with pytest.raises(ValueError, match='nM has no logarithm'):
        to_pk(value, 'nM')


def test_refusals():
    for call in (to_pk, from_pk):
        with pytest.raises(ValueError, match="'nm'.*'nM'"):
            call(1, 'nm')
        for temperature in (0, -1, math.nan, math.inf):
            with pytest.raises(ValueError, match='Kelvin'):
                call(1, 'kcal/mol', temperature)


@pytest.mark.parametrize(
    'text, unit',
    [
        ('nM', 'nM'), (' nM ', 'nM'), ('\u00b5M', 'uM'), ('\u03bcM', 'uM'),
        ('uM', 'uM'), ('\u03bcmol/L', 'uM'), ('umol/l', 'uM'), ('mM', 'mM'),
        ('mol/L', 'M'), ('nmol L-1', 'nM'), ('nmol\u00b7L^-1', 'nM'),
        ('Nanomolar', 'nM'), ('micromolar', 'uM'), ('M', 'M'), ('pM', 'pM'),
        ('pIC50', 'pK'), ('pKi', 'pK'), ('PKD', 'pK'), ('pK', 'pK'),
        ('kcal/mol', 'kcal/mol'), ('kcal mol-1', 'kcal/mol'),
        ('Kcal/Mol', 'kcal/mol'), ('kT', 'kT'), ('kBT', 'kT'),
        ('kJ/mol', 'kJ/mol'), ('nm', None), ('MM', None), ('Mm', None),
        ('NM', None), ('pm', None), ('m', None), ('', None), ('%', None),
        ('furlongs', None), ('ug/mL', None), ('nM?', None), ('pH', None),
        ('kcal', None), ('p', None),
    ],
)  # fmt: skip
def test_parse_unit(text, unit):
    """Case tells mM from MM, and nM from nm."""
    assert parse_unit(text) == unit


def test_kinds_of_units():
    for unit in UNITS:
        assert parse_unit(unit) == unit
        scales = (is_concentration, is_energy, is_logarithm)
        assert sum(is_one(unit) for is_one in scales) == (unit != 'pK')


# Numbers #####################################################################


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers(value):
    assert Format().number(repr(value)) == value
    assert Format(',').number(repr(value).replace('.', ',')) == value


@given(st.integers(0, 10**12), st.integers(0, 99))
def test_groups_of_thousands(whole, part):
    value = float(f'{whole}.{part:02}')
    english = f'{whole:,}.{part:02}'
    german = english.translate(str.maketrans(',.', '.,'))
    assert Format(thousands=',').number(english) == value
    assert Format(',', '.').number(german) == value
    for blank in (' ', '\u00a0', '\u202f'):
        french = german.replace('.', blank)
        assert Format(',', ' ').number(french) == value
    if whole >= 1000:
        for one, text in ((Format(), english), (Format(','), german)):
            with pytest.raises(Rejected):
                one.number(text)


@pytest.mark.parametrize(
    'text, value',
    [
        ('5', 5), ('5.', 5), ('.5', 0.5), ('+5', 5), ('5e-7', 5e-7),
        ('5.0E+02', 500), ('\u22125', -5), ('0', 0), ('-0.0', 0),
        ('007', 7),
    ],
)  # fmt: skip
def test_forms_of_numbers(text, value):
    assert Format().number(text) == value


@pytest.mark.parametrize(
    'text, word',
    [
        ('', 'missing'), ('nan', 'missing'), ('NaN', 'missing'),
        ('N/A', 'missing'), ('n.d.', 'missing'), ('-', 'missing'),
        ('NULL', 'missing'), ('1,500', 'comma'), ('2,5', 'comma'),
        ('1.234,5', 'comma'), ('1,5e3', 'comma'), ('inf', 'not a number'),
        ('1_000', 'not a number'), ('0x1F', 'not a number'),
        ('1 000', 'not a number'), ('5 nM', 'not a number'),
        ('5-10', 'not a number'), ('5\u00b11', 'not a number'),
        ('1.2.3', 'not a number'), ('.', 'not a number'),
        ('e5', 'not a number'), ('--5', 'not a number'),
        ('\u0665', 'not a number'), ('1e999', 'too large'),
        ('(inactive)', 'not a number'), ('\u20135', 'not a number'),
        ('50%', 'not a number'), ('#DIV/0!', 'not a number'),
    ],
)  # fmt: skip
def test_no_numbers(text, word):
    with pytest.raises(Rejected, match=word):
        Format().number(text)


@pytest.mark.parametrize(
    'text', ['2,5', '12,3456', '1,23,456', '0,500', '1,5000', ',500', '1,,500']
)
def test_wrong_groups(text):
    """The separator is told, but these are no groups of three digits."""
    with pytest.raises(Rejected, match='comma|not a number'):
        Format(thousands=',').number(text)


def test_point_where_the_comma_is_decimal():
    with pytest.raises(Rejected, match='a point in a number'):
        Format(',').number('0.5')
    with pytest.raises(Rejected, match='a point in a number'):
        Format(',', '.').number('0.5')


def test_formats():
    for decimal, thousands in ((';', None), ('.', '.'), ('.', '/'), ('', '.')):
        with pytest.raises(ValueError, match='decimal'):
            Format(decimal, thousands)


@given(st.text(max_size=12))
def test_any_text(text):
    """A number or a reason, nothing else."""
    for one in (Format(), Format(',', '.'), Format(thousands=' ')):
        try:
            assert math.isfinite(one.number(text))
        except Rejected as rejected:
            assert rejected.reason


# Relations ###################################################################


@pytest.mark.parametrize(
    'text, relation',
    [
        ('', '='), ('=', '='), ("'='", '='), ('"<"', '<'), (' > ', '>'),
        ('>>', '>'), ('<<', '<'), ('\u2264', '<='), ('=>', '>='), ('~', '~'),
        ('\u2248', '~'),
    ],
)  # fmt: skip
def test_relations(text, relation):
    assert parse_relation(text) == relation


@pytest.mark.parametrize('text', ['<>', 'less', '!', '=<>', '><'])
def test_unknown_relations(text):
    with pytest.raises(Rejected, match='unknown relation'):
        parse_relation(text)


@given(st.sampled_from(['=', '<', '<=', '>', '>=', '~']), pks, units)
def test_relation_turns_over(relation, pk, unit):
    """What is beyond a value in its unit is beyond it in pK."""
    text = f'{relation} {from_pk(pk, unit)!r}'
    try:
        got, sign = measured(text, '', unit, Format(), 298.15)
    except Rejected as rejected:  # rounding at the ends of the range
        assert rejected.reason == 'out of range'
        assert min(abs(pk), abs(pk - 16)) < 1e-9
        return
    assert got == pytest.approx(pk, abs=1e-9)
    assert sign == (turned(relation) if unit != 'pK' else relation)
    assert turned(turned(relation)) == relation
    column = measured(text[len(relation) :], relation, unit, Format(), 298.15)
    assert column == (got, sign)


def test_two_relations():
    assert measured('<5', '<', 'nM', Format(), 298)[1] == '>'
    assert measured('<5', '', 'nM', Format(), 298)[1] == '>'
    assert measured('=5', '', 'nM', Format(), 298)[1] == '='
    for prefix, column in (('<', '>'), ('<', '='), ('>', '>=')):
        with pytest.raises(Rejected, match='two relations'):
            measured(f'{prefix}5', column, 'nM', Format(), 298)


@pytest.mark.parametrize(
    'text, unit, word',
    [
        ('0', 'nM', 'zero'), ('-3', 'nM', 'negative'), ('-0', 'uM', 'zero'),
        ('1e-400', 'M', 'zero'), ('500', 'pK', 'out of range'),
        ('-1', 'pK', 'out of range'), ('6.3', 'M', 'out of range'),
        ('5', 'kT', 'out of range'), ('1e-9', 'fM', 'out of range'),
        ('-100', 'kcal/mol', 'out of range'),
    ],
)  # fmt: skip
def test_no_pk(text, unit, word):
    for prefix in ('', '<', '> '):
        with pytest.raises(Rejected, match=word):
            measured(prefix + text, '', unit, Format(), 298.15)


# Units against kinds and names ###############################################


@pytest.mark.parametrize(
    'unit, kind, expected',
    [
        ('nM', 'IC50', ('nM', 'IC50')), ('nM', 'ic50', ('nM', 'IC50')),
        ('', 'pIC50', ('pK', 'IC50')), ('pKi', '', ('pK', 'Ki')),
        ('pIC50', 'pIC50', ('pK', 'IC50')), ('pIC50', 'IC50', ('pK', 'IC50')),
        ('pK', 'Kd', ('pK', 'Kd')), ('kT', '', ('kT', 'dG')),
        ('kcal/mol', '\u0394G', ('kcal/mol', 'dG')), ('nM', '', ('nM', '')),
        ('kcal/mol', 'Kd', ('kcal/mol', 'Kd')), ('nM', 'K_D', ('nM', 'Kd')),
        ('nM', 'potency', ('nM', 'potency')),
        ('log10(uM)', 'IC50', ('log10(uM)', 'IC50')),
        ('log10(uM)', 'Log IC50', ('log10(uM)', 'IC50')),
        ('', '-log Ki', ('pK', 'Ki')), ('-log10(M)', 'Ki', ('pK', 'Ki')),
        ('pChEMBL', 'Ki', ('pK', 'Ki')),
    ],
)  # fmt: skip
def test_unit_and_kind(unit, kind, expected):
    assert unit_and_kind(unit, kind) == expected


@pytest.mark.parametrize(
    'unit, kind, word',
    [
        ('', 'IC50', 'missing unit'), (' ', '', 'missing unit'),
        ('', 'dG', 'missing unit'), ('furlongs', 'IC50', 'unknown unit'),
        ('nm', 'IC50', "mean 'nM'"), ('\u00b5m', 'Ki', "mean 'uM'"),
        ('nM', 'pIC50', 'contradicts'), ('nM', 'dG', 'contradicts'),
        ('kT', 'IC50', 'contradicts'), ('pKi', 'IC50', 'contradicts'),
        ('kcal/mol', 'pKi', 'contradicts'), ('nM', 'Log Ki', 'contradicts'),
        ('pIC50', 'log IC50', 'contradicts'), ('', 'Log Ki', 'missing unit'),
        ('log10(nM)', 'pKi', 'contradicts'), ('log10', 'Ki', 'log10\\(uM\\)'),
        ('log10(nM)', 'dG', 'contradicts'), ('-log10(nM)', 'Ki', 'unknown'),
    ],
)  # fmt: skip
def test_contradictions(unit, kind, word):
    with pytest.raises(Rejected, match=word):
        unit_and_kind(unit, kind)


def test_kinds():
    assert parse_kind(' pEC50 ') == ('EC50', 'pK')
    assert parse_kind('potency') == ('potency', '')
    assert parse_kind('Ki') == parse_kind('KI') == ('Ki', '')
    assert parse_kind('Log Ki') == parse_kind('lgKi') == ('Ki', 'log10')
    assert parse_kind('-Log KD') == parse_kind('negLogKd') == ('Kd', 'pK')
    assert parse_kind('pChEMBL') == parse_kind('-logKd/Ki') == ('', 'pK')
