import pytest

from pyg_multipose.io.labels.column_name import check_name, read_name
from pyg_multipose.io.labels.units import LOGARITHMS, UNITS, parse_unit
from pyg_multipose.io.report import Rejected

LOGS = frozenset(LOGARITHMS)
ENERGIES = {'kT', 'kcal/mol', 'kJ/mol'}
P = [
    'pIC50', 'pKi', 'PKD', 'pKd (M)', 'pChEMBL', 'pChEMBL Value',
    'pchembl_value', 'pAffinity', 'p_affinity', 'pActivity', 'pPotency',
    'meanpIC50', 'mean_pIC50', 'pEC50 (mean)', 'pIC50 (-log10 M)',
    '-log10(IC50)', '-log10 IC50 (M)', '-log10(Kd / M)', '\u2212log Ki',
    '-logKd/Ki', '- log Ki', '(-log10 M)', 'negLogKi', 'neg_log_IC50',
    'log(1/Ki)', 'log10 1/IC50 (M)', 'pKiMean', 'p(Ki)',
    '-log\u2081\u2080(IC\u2085\u2080)', 'Negative Log Ki', 'minus log Ki',
    'IC50 -log10 M', '-lg Ki', 'pKB',
]  # fmt: skip
ANY_LOG = [
    'logIC50', 'log IC50', 'log(Ki)', 'lg Kd', 'lgKi', 'LOG10(KD)',
    'log10IC50',
    'IC50_log', 'log-Ki', 'activity_log10', 'log affinity', 'logActivity',
    'log10_IC50', 'Log Ki', 'log(IC50)',
]  # fmt: skip
NONE = [
    # It contradicts itself, or is of a scale that there is not.
    'pIC50 (kcal/mol)', 'pred-log10(IC50)', 'ln Kd', 'lnKd', 'log2(IC50)',
    '-log10(IC50/uM)', '-log10(Kd, nM)', 'log IC50 (kcal/mol)',
    'pIC50 log10 uM', 'loge(Kd)', '-log(1/Ki)', 'log10(1 / uM)',
]  # fmt: skip


@pytest.mark.parametrize(
    'name, accepted',
    [
        *((name, {'pK'}) for name in P),
        *((name, LOGS) for name in ANY_LOG),
        *((name, set()) for name in NONE),
        ('log10(IC50 / uM)', {'log10(uM)'}), ('log_IC50_uM', {'log10(uM)'}),
        ('log10(IC50/M)', {'log10(M)'}), ('log10 (IC50, nM)', {'log10(nM)'}),
        ('Log Ki (nM)', {'log10(nM)'}), ('loguM', {'log10(uM)'}),
        ('log10(IC50) [\u00b5M]', {'log10(uM)'}),
        ('log10(Kd) [nmol/L]', {'log10(nM)'}),
        ('log\u2081\u2080(IC\u2085\u2080, \u00b5M)', {'log10(uM)'}),
        ('IC50 (log10 uM)', {'log10(uM)'}), ('logKd_nM', {'log10(nM)'}),
        ('log10[IC50(uM)]', {'log10(uM)'}),
        ('IC50 (nM)', {'nM'}), ('Ki [\u00b5M]', {'uM'}), ('ki_uM', {'uM'}),
        ('IC50 in nM', {'nM'}), ('IC50nM', {'nM'}), ('IC50 nmol/L', {'nM'}),
        ('IC50 (pM)', {'pM'}), ('pM', {'pM'}), ('Ki (M)', {'M'}),
        ('pH 7.4 IC50 (nM)', {'nM'}), ('analog IC50 nM', {'nM'}),
        ('logistic fit IC50 (nM)', {'nM'}), ('catalog IC50 uM', {'uM'}),
        ('dG (kcal/mol)', {'kcal/mol'}), ('dG_kcal_mol', {'kcal/mol'}),
        ('affinity kJ/mol', {'kJ/mol'}), ('dG_kT', {'kT'}), ('dG', ENERGIES),
        ('\u0394G', ENERGIES), ('deltaG', ENERGIES), ('Delta G', ENERGIES),
    ],
)  # fmt: skip
def test_names(name, accepted):
    told = read_name(name)
    assert told.accepted == accepted
    for unit in UNITS:
        if unit in accepted:
            check_name(unit, name)
        else:
            with pytest.raises(Rejected) as error:
                check_name(unit, name)
            assert repr(name) in str(error.value)
            assert str(list(UNITS)) in str(error.value)


@pytest.mark.parametrize(
    'name',
    [
        'value', 'standard_value', 'Catalog number', 'M', 'pKa', 'affinity',
        'affinity_pred_value', 'docking score', 'biological activity', 'logP',
        'logD', 'pValue', 'IC50', 'Ki', 'login', 'ddG', 'analogue',
        'topology', 'pose', 'potency',
    ],
)  # fmt: skip
def test_names_that_tell_nothing(name):
    assert read_name(name).accepted is None
    for unit in UNITS:
        check_name(unit, name)


def test_units_besides():
    """The amount that a pK was made of is told, too."""
    assert read_name('Assay pIC50 (calc) (uM)').others == {'uM'}
    for name in ('pIC50 (M)', '-log10 IC50 (M)', 'IC50 (nM)'):
        assert not read_name(name).others


@pytest.mark.parametrize(
    'text, unit',
    [
        ('log10(uM)', 'log10(uM)'), ('log(uM)', 'log10(uM)'),
        ('log uM', 'log10(uM)'), ('Log10(\u00b5M)', 'log10(uM)'),
        ('log10(IC50/uM)', 'log10(uM)'), ('log10(IC50 / uM)', 'log10(uM)'),
        ('log10(IC50 [uM])', 'log10(uM)'), ('log_IC50_uM', 'log10(uM)'),
        ('lg(nM)', 'log10(nM)'), ('logM', 'log10(M)'),
        ('log10(Ki/nmol/L)', 'log10(nM)'), ('log(micromolar)', 'log10(uM)'),
        ('-log10(M)', 'pK'), ('-log M', 'pK'), ('-logKi', 'pK'),
        ('\u2212log10(IC50/M)', 'pK'), ('-log10(IC50)', 'pK'),
        ('pAffinity', 'pK'), ('pChEMBL', 'pK'), ('pchembl_value', 'pK'),
        ('-logKd/Ki', 'pK'), ('-log10(uM)', None), ('log10(IC50)', None),
        ('logIC50', None), ('ln(M)', None), ('log2(uM)', None),
        ('log10(pK)', None), ('-log10(pK)', None), ('log10(log10(M))', None),
        ('log\u2081\u2080(\u00b5M)', 'log10(uM)'), ('log(1/M)', None),
        ('log', None), ('pKa', None), ('logistic', None), ('pM', 'pM'),
    ],
)  # fmt: skip
def test_units_of_logarithms(text, unit):
    assert parse_unit(text) == unit
