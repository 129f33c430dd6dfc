r"""The smooth extremum without a bias by the number of poses."""

from pyg_multipose.nn.combination.max import MaxCombination


class LogMeanExpCombination(MaxCombination):
    r"""The log-mean-exp over the poses of a set: between mean and minimum.

    .. math::
        y = \frac{n}{t} \ln \frac{1}{N} \sum_{i=1}^{N} \exp(n t y_i)

    Equation (5) less its bias :math:`\frac{n}{t} \ln N`, i.e.,
    :class:`MaxCombination` with :obj:`normalize=True`, so the weights are the
    same. A set of equal poses has the value of its poses, however many there
    are: for sets of different sizes, whose size says how docking was run and
    nothing about the compound.
    :math:`t \to 0` is the mean and :math:`t \to \infty` the hard extremum.
    By default, :math:`n = -1`: a smooth **minimum**, for energies.
    It is no free energy, which counts states.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        scale: The sharpness :math:`t`, in one over the unit of the
            predictions. (default: :obj:`1.0`)
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
            (default: :obj:`True`)
        learn: See :class:`MaxCombination`. (default: :obj:`False`)
        prior: See :class:`MaxCombination`; :math:`N` is then the sum of the
            prior weights. (default: :obj:`None`)

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import LogMeanExpCombination
        >>> energies = torch.full((9, 1), -7.0)
        >>> LogMeanExpCombination()(energies).item()
        -7.0

    Shapes:
        - **input:** predictions :math:`(*, P, F)`, index vector :math:`(P)`
          or boundaries :math:`(G + 1)`
        - **output:** combined predictions :math:`(*, G, F)`, in the unit of
          the input
    """

    def __init__(
        self,
        scale: float = 1.0,
        negate: bool = True,
        learn: bool = False,
        prior: str | None = None,
    ) -> None:
        super().__init__(scale, negate, True, learn, prior)

    def __repr__(self) -> str:
        return self._repr(scale=1.0, negate=True, learn=False, prior=None)
