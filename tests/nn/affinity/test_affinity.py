"""Conversions against plain numbers, and what is refused."""

import copy
import doctest
import math
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import constants
from torch import nn
from torch.autograd import gradcheck
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.io.labels import units as io_units
from pyg_multipose.nn import (
    MaxCombination,
    MeanCombination,
    MultiPoseReadout,
    affinity,
)
from pyg_multipose.nn.affinity import (
    PIC50,
    DeltaG,
    PKi,
    cheng_prusoff,
    cheng_prusoff_shift,
    convert_dg,
    dg_to_pki,
    functional,
    pic50_to_pki,
    pki_to_dg,
    pki_to_pic50,
    readouts,
    units,
)

KINDS = [
    DeltaG(), DeltaG('kJ/mol', 'kT', 310.0), PKi(), PKi('kcal/mol', 310.0),
    PIC50(), PIC50(3.0, 2.0), PIC50('4 uM', '0.02 mM', 'kJ/mol'),
]  # fmt: skip
energies = st.floats(-60, 20, allow_nan=False)
concentrations = st.floats(1e-9, 1e9)


def test_examples():
    names = {'torch': torch, **vars(affinity)}
    for module in (cheng_prusoff, functional, readouts):
        result = doctest.testmod(module, extraglobs=names)
        assert result.attempted > 2 and not result.failed


def test_constants():
    """kT per molecule is RT per mole; labels are converted by the same."""
    for kelvin in (273.15, 298.15, 310.0):
        joule = constants.k * constants.N_A * kelvin
        assert units.per_kt('kJ/mol', kelvin) == pytest.approx(joule / 1e3)
        assert units.per_kt('kcal/mol', kelvin) == pytest.approx(joule / 4184)
        assert units.per_kt('kT', kelvin) == 1
    assert units.TEMPERATURE == io_units.TEMPERATURE
    assert set(units.UNITS) == set(filter(io_units.is_energy, io_units.UNITS))


@settings(max_examples=30, deadline=None)
@given(energies, st.sampled_from(units.UNITS), st.floats(200, 400))
def test_labels_are_converted_alike(value, unit, kelvin):
    pk = io_units.to_pk(value, unit, kelvin)
    dg = torch.tensor([value], dtype=torch.float64)
    assert dg_to_pki(dg, unit, kelvin).item() == pytest.approx(pk, 1e-12)
    back = pki_to_dg(torch.tensor([pk], dtype=torch.float64), unit, kelvin)
    assert back.item() == pytest.approx(value, 1e-12, 1e-12)


@settings(max_examples=30, deadline=None)
@given(energies, concentrations, concentrations)
def test_from_the_constants(dg, substrate, km):
    """Through Ki and IC50 themselves, in mol/L."""
    ki = math.exp(dg)
    ic50 = ki * (1 + substrate / km)
    y = torch.tensor(dg, dtype=torch.float64)
    assert PKi()(y).item() == pytest.approx(-math.log10(ki), abs=1e-11)
    out = PIC50(substrate, km)(y).item()
    assert out == pytest.approx(-math.log10(ic50), abs=1e-11)
    assert PIC50()(y).equal(PKi()(y))


class TheirPIC50:
    """The formula of MTENN's PIC50Readout, from its documentation."""

    def __init__(self, substrate=None, km=None):
        self.factor = 1 + substrate / km if substrate and km else None

    def __call__(self, dg):
        out = -dg / torch.log(torch.tensor(10, dtype=dg.dtype))
        if self.factor:
            out -= torch.log10(torch.tensor(self.factor, dtype=dg.dtype))
        return out


@settings(max_examples=30, deadline=None)
@given(
    st.lists(energies, min_size=1, max_size=5),
    st.one_of(st.none(), st.tuples(concentrations, concentrations)),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_mtenn(values, assay, dtype):
    dg = torch.tensor(values, dtype=dtype)
    substrate, km = assay or (None, None)
    out, theirs = PIC50(substrate, km)(dg), TheirPIC50(substrate, km)(dg)
    assert out.dtype == theirs.dtype == dtype
    torch.testing.assert_close(out, theirs, rtol=4e-6, atol=2e-5)
    if dtype == torch.float64:
        torch.testing.assert_close(out, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kind', KINDS, ids=repr)
@pytest.mark.parametrize('shape', [(), (3,), (2, 3), (0,)])
def test_any_shape_and_back(kind, shape):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64) - 10
    x.requires_grad_()
    out = kind(x)
    assert out.shape == x.shape and out.dtype == x.dtype
    torch.testing.assert_close(kind.inverse(out), x)
    torch.testing.assert_close(kind(kind.inverse(x)), x)
    if x.numel():
        assert gradcheck(kind, x) and gradcheck(kind.inverse, x)


def test_functions_and_modules_agree():
    x = torch.tensor([-9.0, -4.0], dtype=torch.float64)
    assert DeltaG('kT', 'kJ/mol', 300)(x).equal(
        convert_dg(x, 'kT', 'kJ/mol', 300)
    )
    assert PIC50(1.0, 2.0, 'kcal/mol', 300.0)(x).equal(
        pki_to_pic50(dg_to_pki(x, 'kcal/mol', 300), 1.0, 2.0)
    )
    assert (
        PIC50(1.0, 2.0).inverse(x).equal(pki_to_dg(pic50_to_pki(x, 1.0, 2.0)))
    )
    assert convert_dg(x, 'kcal/mol', 'kcal/mol', 250).equal(x)


def test_signs():
    """Lower free energies bind stronger; competition lowers the pIC50."""
    dg = torch.tensor([-20.0, -10.0])
    strong, weak = PKi()(dg)
    assert strong > weak > 0
    assert PIC50(1.0, 1.0)(dg).tolist() == pytest.approx(
        (PKi()(dg) - math.log10(2)).tolist()
    )
    assert PKi()(torch.zeros(())) == 0  # a constant of 1 mol/L
    assert DeltaG()(dg).tolist() == pytest.approx(
        [-20 * 0.592484, -10 * 0.592484], rel=1e-5
    )


def test_a_missing_label_stays_missing():
    y = torch.tensor([6.0, math.nan])
    assert PIC50(1.0, 1.0).inverse(y).isnan().tolist() == [False, True]


@pytest.mark.parametrize(
    'substrate, km',
    [('4 uM', '10 uM'), ('4uM', '0.01 mM'), ('4e-6 M', '10000 nM'),
     (' 4 \u00b5M ', '10 \u03bcM'), (0.4, 1), (np.float64(2), np.float32(5))],
)  # fmt: skip
def test_units_of_concentrations(substrate, km):
    assert cheng_prusoff_shift(substrate, km) == pytest.approx(
        math.log10(1.4), rel=1e-6
    )


def test_a_tiny_shift_is_kept():
    assert cheng_prusoff_shift(1e-20, 1.0) == pytest.approx(
        1e-20 / math.log(10), rel=1e-12, abs=0
    )


@pytest.mark.parametrize(
    'substrate, km, message',
    [
        (1.0, None, "'substrate' is given without 'km'.*both"),
        (None, 1.0, "'km' is given without 'substrate'.*both"),
        (None, '1 uM', "'km' is given without"),
        (0, 1.0, "'substrate' is 0, expected a positive.*leave out both"),
        (1.0, 0.0, "'km' is 0.0, expected a positive"),
        (-1.0, 2.0, "'substrate' is -1.0, expected a positive"),
        (math.nan, 2.0, "'substrate' is nan, expected a positive, finite"),
        (1.0, math.inf, "'km' is inf, expected a positive, finite"),
        (True, 2.0, "'substrate' is True, expected"),
        (torch.tensor(1.0), 2.0, r"'substrate' is tensor\(1"),
        ('4 uM', 10.0, 'only one has a unit'),
        (4.0, '10 uM', 'only one has a unit'),
        ('4 uL', '10 uM', "'4 uL', expected a number and a unit"),
        ('4', '10 uM', "'4', expected a number and a unit"),
        ('4 MM', '10 uM', "'4 MM', expected a number and a unit"),
        ('uM', '10 uM', "'uM', expected a number and a unit"),
        ('0 uM', '10 uM', "'0 uM', expected a positive"),
        ('-4 uM', '10 uM', "'-4 uM', expected a positive"),
        ('1e-320 pM', '10 uM', "'1e-320 pM', expected a positive"),
        (1e308, 1e-308, 'their ratio is infinite'),
    ],
)
def test_bad_assays(substrate, km, message):
    for make in (PIC50, cheng_prusoff_shift):
        with pytest.raises(ValueError, match=message):
            make(substrate, km)


@pytest.mark.parametrize('kelvin', [0, -3.0, 25, 99.9, math.nan, math.inf,
                                    True, '298.15', None])  # fmt: skip
@pytest.mark.parametrize('unit', ['kT', 'kcal/mol'])
def test_bad_temperatures(kelvin, unit):
    message = re.escape(f"'temperature' is {kelvin!r}, expected") + '.*kelvin'
    for make in (DeltaG, PKi, PIC50):
        with pytest.raises(ValueError, match=message):
            make(unit=unit, temperature=kelvin)
    with pytest.raises(ValueError, match=message):
        dg_to_pki(torch.zeros(1), unit, kelvin)


def test_celsius():
    with pytest.raises(ValueError, match='If that is Celsius, pass 310.15'):
        DeltaG(temperature=37)
    with pytest.raises(ValueError) as error:
        DeltaG(temperature=-300.0)
    assert 'If that is Celsius' not in str(error.value)


@pytest.mark.parametrize('unit', ['kcal', 'KT', 'pK', 'nM', None, ['kT']])
def test_bad_units(unit):
    for make in (DeltaG, PKi, PIC50):
        with pytest.raises(ValueError, match=r"'unit'.*one of \['kT'"):
            make(unit=unit)
    with pytest.raises(ValueError, match=r"'to'.*one of \['kT'"):
        DeltaG(to=unit)


@pytest.mark.parametrize(
    'values, message',
    [
        (torch.tensor([-3]), 'tensor of torch.int64, expected'),
        (torch.tensor([-3j]), 'tensor of torch.complex64, expected'),
        (-3.0, 'is float, expected a tensor'),
        ((torch.zeros(1), torch.zeros(2)), 'tuple of 2.*return_poses'),
    ],
)
def test_bad_values(values, message):
    for kind in KINDS:
        for call in (kind, kind.inverse):
            with pytest.raises(ValueError, match=message):
                call(values)


def test_says_when_ic50_is_ki():
    assert repr(PIC50()) == "PIC50(IC50 = Ki, unit='kT')"
    assert 'IC50 = Ki' not in repr(PIC50(1.0, 2.0))
    assert "substrate='1 uM', km='2 uM'" in repr(PIC50('1 uM', '2 uM'))
    assert repr(DeltaG()) == 'DeltaG(kT -> kcal/mol at 298.15 K)'


@pytest.mark.parametrize('kind', KINDS, ids=repr)
def test_copies(kind):
    x = torch.tensor([-9.0])
    assert not kind.state_dict()
    for other in (copy.deepcopy(kind), pickle.loads(pickle.dumps(kind))):
        assert other(x).equal(kind(x)) and repr(other) == repr(kind)


class Energy(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 1, dtype=torch.float64)

    def forward(self, batch):
        return self.lin(batch.pos) - 9


@pytest.fixture
def pose_set():
    generator = torch.Generator().manual_seed(0)
    pos = torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)
    return PoseSet.from_poses([Data(pos=one) for one in pos])


@pytest.mark.parametrize('mode', ['full', 'stream', 'recompute', 'auto'])
def test_after_the_combination(pose_set, mode):
    torch.manual_seed(0)
    readout = MultiPoseReadout(Energy(), MaxCombination(2.0), gradient=mode)
    model = nn.Sequential(readout, PIC50('9 uM', '1 uM'))
    out = model(pose_set)
    energy = readout(pose_set).item()
    assert out.shape == (1,)
    assert out.item() == pytest.approx(-energy / math.log(10) - 1)
    weight = readout.model.lin.weight
    (grad,) = torch.autograd.grad(out.sum(), weight)
    plain = MultiPoseReadout(readout.model, MaxCombination(2.0), 'full')
    (expected,) = torch.autograd.grad(plain(pose_set).sum(), weight)
    torch.testing.assert_close(grad, -expected / math.log(10))


@pytest.mark.parametrize(
    'energies, measured',
    [
        (MeanCombination(), MeanCombination()),
        (MaxCombination(2.0), MaxCombination(2.0 * math.log(10), False)),
    ],
    ids=['mean', 'max'],
)
def test_before_the_combination(pose_set, energies, measured):
    """Pose by pose it is the same, if high is then what is good."""
    torch.manual_seed(0)
    model, pic50 = Energy(), PIC50('9 uM', '1 uM')
    after = MultiPoseReadout(model, energies)
    before = MultiPoseReadout(nn.Sequential(model, pic50), measured)
    combined, poses = after(pose_set, return_poses=True)
    got, converted = before(pose_set, return_poses=True)
    torch.testing.assert_close(got, pic50(combined))
    torch.testing.assert_close(converted, pic50(poses))
