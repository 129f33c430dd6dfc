r"""Radial bases of interatomic distances, smooth at the cutoff."""

import math

import torch
from torch import Tensor
from torch.nn import Module


class PolynomialEnvelope(Module):
    r"""A polynomial that ends smoothly at the cutoff.

    It is the envelope of the `"Directional Message Passing for Molecular
    Graphs" <https://arxiv.org/abs/2003.03123>`_ paper without its pole:

    .. math::
        u(d) = 1 - \frac{(p+1)(p+2)}{2} x^p + p(p+2) x^{p+1}
        - \frac{p(p+1)}{2} x^{p+2}, \qquad x = \min(d / c, 1)

    It falls from :math:`1` at :math:`d = 0` to exactly :math:`0` at the
    cutoff :math:`c`, with zero first and second derivative there, and stays
    exactly :math:`0` beyond.

    Args:
        cutoff: Cutoff distance :math:`c` in Angstrom.
        exponent: The exponent :math:`p`. (default: :obj:`6`)

    Shapes:
        - **input:** distances in Angstrom :math:`(*)`
        - **output:** :math:`(*)`
    """

    def __init__(self, cutoff: float, exponent: int = 6):
        super().__init__()
        self.cutoff = cutoff
        self.exponent = exponent

    def forward(self, dist: Tensor) -> Tensor:
        r"""Returns the envelope at every distance."""
        return self.polynomial((dist / self.cutoff).clamp(max=1.0))

    def polynomial(self, x: Tensor) -> Tensor:
        r"""Returns the polynomial, which goes on as smoothly beyond.

        Args:
            x: Distances in units of the cutoff :math:`(*)`.
        """
        p = self.exponent
        # The coefficients are integers that sum to zero, so value and slope
        # at x = 1, where everything beyond is clamped to, are exactly 0:
        a, b, c = (p + 1) * (p + 2) / 2, p * (p + 2), p * (p + 1) / 2
        return 1.0 + x.pow(p) * (x * (b - c * x) - a)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(cutoff={self.cutoff}, '
            f'exponent={self.exponent})'
        )


class BesselBasis(Module):
    r"""Spherical Bessel functions that vanish at the cutoff.

    They are the radial basis of the `"Directional Message Passing for
    Molecular Graphs" <https://arxiv.org/abs/2003.03123>`_ paper:

    .. math::
        b_n(d) = c \sqrt{\frac{2}{3}} \, \frac{\sin(n \pi d / c)}{d},
        \qquad n = 1, \ldots, N

    The factor differs from the one of the paper by a constant: here every
    function has a mean square of :math:`1` over a uniformly filled sphere of
    radius :math:`c`, whatever the cutoff.

    Args:
        num_radial: The number of functions :math:`N`.
        cutoff: Cutoff distance :math:`c` in Angstrom.

    Shapes:
        - **input:** distances in Angstrom, greater than :obj:`0`,
          :math:`(*)`
        - **output:** :math:`(*, N)`
    """

    order: Tensor

    #: How many knots of a table a function takes in single precision.
    knots = 96

    def __init__(self, num_radial: int, cutoff: float):
        super().__init__()
        self.num_radial = num_radial
        self.cutoff = cutoff
        # Integers are exact in every floating point type, so that `.double()`
        # gives the functions of a model that was built in float64:
        order = torch.arange(1, num_radial + 1).to(torch.get_default_dtype())
        self.register_buffer('order', order, persistent=False)

    def forward(self, dist: Tensor) -> Tensor:
        r"""Returns all functions at every distance."""
        dist = dist.unsqueeze(-1)
        phase = dist * (math.pi / self.cutoff) * self.order
        return self.cutoff * math.sqrt(2.0 / 3.0) * phase.sin() / dist

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_radial}, '
            f'cutoff={self.cutoff})'
        )


class GaussianBasis(Module):
    r"""Gaussians with equally spaced centers.

    They follow the `"SchNet: A Continuous-filter Convolutional Neural Network
    for Modeling Quantum Interactions" <https://arxiv.org/abs/1706.08566>`_
    paper:

    .. math::
        b_n(d) = \sqrt{\frac{N}{\sqrt{\pi}}} \, \exp \left( - \frac{(d -
        \mu_n)^2}{2 \sigma^2} \right), \qquad \mu_n = n \sigma, \qquad
        \sigma = \frac{c}{N}, \qquad n = 0, \ldots, N - 1

    No center lies at the cutoff, where an envelope leaves nothing.
    With the factor, the mean square over a uniformly filled sphere of radius
    :math:`c` is about :math:`1` on average over the functions.

    Args:
        num_radial: The number of functions :math:`N`.
        cutoff: Cutoff distance :math:`c` in Angstrom.

    Shapes:
        - **input:** distances in Angstrom :math:`(*)`
        - **output:** :math:`(*, N)`
    """

    order: Tensor

    #: As of :class:`BesselBasis`.
    knots = 16

    def __init__(self, num_radial: int, cutoff: float):
        super().__init__()
        self.num_radial = num_radial
        self.cutoff = cutoff
        order = torch.arange(num_radial).to(torch.get_default_dtype())
        self.register_buffer('order', order, persistent=False)

    def forward(self, dist: Tensor) -> Tensor:
        r"""Returns all functions at every distance."""
        scaled = dist.unsqueeze(-1) * (self.num_radial / self.cutoff)
        factor = math.sqrt(self.num_radial / math.sqrt(math.pi))
        return factor * (-0.5 * (scaled - self.order).square()).exp()

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.num_radial}, '
            f'cutoff={self.cutoff})'
        )


#: The bases that ``radial_basis`` of a model may name.
RADIAL_BASES: dict[str, type[BesselBasis | GaussianBasis]] = {
    'bessel': BesselBasis,
    'gaussian': GaussianBasis,
}
