r"""Modules from predicted free energies to what is measured."""

from __future__ import annotations

from torch import Tensor, nn

from pyg_multipose.nn.affinity.cheng_prusoff import (
    Concentration,
    cheng_prusoff_shift,
)
from pyg_multipose.nn.affinity.functional import (
    convert_dg,
    dg_to_pki,
    pic50_to_pki,
    pki_to_dg,
    pki_to_pic50,
)
from pyg_multipose.nn.affinity.units import TEMPERATURE, check_unit, per_kt


class DeltaG(nn.Module):
    r"""A predicted free energy in another unit.

    .. math::
        \Delta G_{\mathrm{mol}} = R T \, \Delta G_{kT}

    Equation :eq:`eq-dg-unit`, with the gas constant :math:`R` of CODATA 2018.
    It is negative for what binds, and 0 for a constant of 1 mol/L.

    Args:
        unit: The unit of the input, :obj:`"kT"`, :obj:`"kcal/mol"` or
            :obj:`"kJ/mol"`. (default: :obj:`"kT"`)
        to: The unit of the output. (default: :obj:`"kcal/mol"`)
        temperature: The temperature :math:`T` in kelvin.
            (default: :obj:`298.15`)

    Raises:
        ValueError: If a unit is unknown, or if the temperature is none in
            kelvin.

    Shapes:
        - **input:** free energies :math:`(*)`, low is strong
        - **output:** the same in the other unit :math:`(*)`

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import DeltaG
        >>> to_kcal = DeltaG()
        >>> to_kcal
        DeltaG(kT -> kcal/mol at 298.15 K)
        >>> to_kcal(torch.tensor([-10.0, -20.0]))
        tensor([ -5.9248, -11.8497])
        >>> to_kcal.inverse(torch.tensor([-5.9248]))
        tensor([-9.9999])
    """

    def __init__(
        self,
        unit: str = 'kT',
        to: str = 'kcal/mol',
        temperature: float = TEMPERATURE,
    ) -> None:
        super().__init__()
        check_unit('to', to)
        per_kt(unit, temperature)
        self.unit = unit
        self.to_unit = to
        self.temperature = temperature

    def forward(self, dg: Tensor) -> Tensor:
        r"""Converts free energies.

        Args:
            dg: The free energies, any shape.
        """
        return convert_dg(dg, self.unit, self.to_unit, self.temperature)

    def inverse(self, dg: Tensor) -> Tensor:
        r"""Converts them back, e.g., labels to the unit of a model.

        Args:
            dg: The free energies, any shape.
        """
        return convert_dg(dg, self.to_unit, self.unit, self.temperature)

    def extra_repr(self) -> str:
        r"""Shows both units, and the temperature."""
        return f'{self.unit} -> {self.to_unit} at {self.temperature} K'


class PKi(nn.Module):
    r"""The pKi of a predicted free energy.

    .. math::
        \mathrm{p}K_i = -\log_{10} \frac{K_i}{1\,\mathrm{mol/L}}
        = -\frac{\Delta G}{RT \ln 10}

    Equation :eq:`eq-dg-pki`; in :math:`kT`, :math:`RT` is 1. For a
    constant of dissociation it is the :math:`\mathrm{p}K_d`. With
    :obj:`unit="kT"` it is what MTENN calls :obj:`PKiReadout`.

    Args:
        unit: The unit of the free energy, :obj:`"kT"`, :obj:`"kcal/mol"` or
            :obj:`"kJ/mol"`. (default: :obj:`"kT"`)
        temperature: The temperature :math:`T` in kelvin; without effect on
            :obj:`"kT"`. (default: :obj:`298.15`)

    Raises:
        ValueError: As :class:`DeltaG`.

    Shapes:
        - **input:** free energies :math:`(*)`, low is strong
        - **output:** :math:`\mathrm{p}K_i` :math:`(*)`, high is strong

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import PKi
        >>> PKi()(torch.tensor([-13.8155, 0.0]))
        tensor([6.0000, -0.0000])
        >>> PKi().inverse(torch.tensor([6.0]))
        tensor([-13.8155])
        >>> PKi(unit='kcal/mol', temperature=310.0)
        PKi(unit='kcal/mol', temperature=310.0)
    """

    def __init__(
        self, unit: str = 'kT', temperature: float = TEMPERATURE
    ) -> None:
        super().__init__()
        per_kt(unit, temperature)
        self.unit = unit
        self.temperature = temperature

    def forward(self, dg: Tensor) -> Tensor:
        r"""Converts free energies to pKi.

        Args:
            dg: The free energies, any shape.
        """
        return dg_to_pki(dg, self.unit, self.temperature)

    def inverse(self, pki: Tensor) -> Tensor:
        r"""Converts pKi to free energies.

        Args:
            pki: The :math:`\mathrm{p}K_i`, any shape.
        """
        return pki_to_dg(pki, self.unit, self.temperature)

    def extra_repr(self) -> str:
        r"""Shows the unit, and the temperature where it matters."""
        if self.unit == 'kT':
            return f'unit={self.unit!r}'
        return f'unit={self.unit!r}, temperature={self.temperature}'


class PIC50(PKi):
    r"""The pIC50 of a predicted free energy, by Cheng and Prusoff.

    .. math::
        \mathrm{pIC}_{50} = -\log_{10} \frac{\mathrm{IC}_{50}}
        {1\,\mathrm{mol/L}} = -\frac{\Delta G}{RT \ln 10}
        - \log_{10} \left( 1 + \frac{[S]}{K_m} \right)

    Equation :eq:`eq-pic50`, for inhibitors that compete with the substrate.
    **Without** :obj:`substrate` **and** :obj:`km` **the last term is
    missing, and IC50 is taken for Ki**, which the module shows when it is
    printed. With :obj:`unit="kT"` it is what MTENN calls
    :obj:`PIC50Readout`.

    Args:
        substrate: The concentration :math:`[S]` of the substrate in the
            assay. (default: :obj:`None`)
        km: Its Michaelis constant :math:`K_m`. Give both or neither: as
            numbers in one and the same unit, since only their ratio counts,
            or as texts with a unit, such as :obj:`"25 uM"`.
            (default: :obj:`None`, IC50 is taken for Ki)
        unit: As of :class:`PKi`. (default: :obj:`"kT"`)
        temperature: As of :class:`PKi`. (default: :obj:`298.15`)

    Raises:
        ValueError: If :obj:`substrate` or :obj:`km` is given alone, is no
            positive, finite concentration, or has a unit where the other has
            none; and as :class:`DeltaG`.

    Shapes:
        - **input:** free energies :math:`(*)`, low is strong
        - **output:** :math:`\mathrm{pIC}_{50}` :math:`(*)`, high is strong

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.affinity import PIC50
        >>> dg = torch.tensor([-13.8155, -20.7233])
        >>> PIC50()
        PIC50(IC50 = Ki, unit='kT')
        >>> PIC50()(dg)
        tensor([6.0000, 9.0000])
        >>> PIC50(substrate='90 uM', km='10 uM')(dg)
        tensor([5.0000, 8.0000])
    """

    def __init__(
        self,
        substrate: Concentration | None = None,
        km: Concentration | None = None,
        unit: str = 'kT',
        temperature: float = TEMPERATURE,
    ) -> None:
        super().__init__(unit, temperature)
        cheng_prusoff_shift(substrate, km)
        self.substrate = substrate
        self.km = km

    def forward(self, dg: Tensor) -> Tensor:
        r"""Converts free energies to pIC50.

        Args:
            dg: The free energies, any shape.
        """
        return pki_to_pic50(super().forward(dg), self.substrate, self.km)

    def inverse(self, pic50: Tensor) -> Tensor:
        r"""Converts pIC50 to free energies.

        Args:
            pic50: The :math:`\mathrm{pIC}_{50}`, any shape.
        """
        return super().inverse(pic50_to_pki(pic50, self.substrate, self.km))

    def extra_repr(self) -> str:
        r"""Shows the concentrations, or that there are none."""
        assay = f'substrate={self.substrate!r}, km={self.km!r}'
        if self.substrate is None:
            assay = 'IC50 = Ki'
        return f'{assay}, {super().extra_repr()}'
