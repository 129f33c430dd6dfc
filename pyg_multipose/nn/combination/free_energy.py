r"""The free energy of the poses of a set."""

from pyg_multipose.nn.combination.max import MaxCombination


class FreeEnergyCombination(MaxCombination):
    r"""The free energy of a set whose poses have energies in kT.

    .. math::
        y = -\ln \sum_{i=1}^{N} \exp(-y_i)

    This is equation (5) with :math:`n = -1` and :math:`t = 1`, see
    :class:`MaxCombination`, and its weights are the Boltzmann weights.
    Low is good, and :math:`y` is at most the lowest :math:`y_i`: each further
    pose is one more state and lowers it, :math:`N` equal ones by
    :math:`\ln N`. So leave out duplicates, or weigh them by :obj:`prior`.
    It is not the mean energy of these states, for which see
    :class:`~pyg_multipose.nn.BoltzmannMeanCombination`.
    See :class:`Combination` for arguments, precision and errors.

    Args:
        scale: :math:`1/kT` in one over the unit of the energies, with
            :math:`y` then in their unit; :obj:`1.688` for kcal/mol at
            298.15 K. (default: :obj:`1.0`)
        learn: See :class:`MaxCombination`. (default: :obj:`False`)
        prior: See :class:`MaxCombination`; a state of degeneracy :math:`g`
            has the log weight :math:`\ln g`. (default: :obj:`None`)

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import FreeEnergyCombination
        >>> energies = torch.tensor([[-9.0], [-8.0], [-8.9]])
        >>> round(FreeEnergyCombination()(energies).item(), 4)
        -9.821

    Shapes:
        - **input:** energies :math:`(*, P, F)` **in kT**, index vector
          :math:`(P)` or boundaries :math:`(G + 1)`
        - **output:** free energies :math:`(*, G, F)` in kT

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import FreeEnergyCombination
        >>> energy = torch.tensor([-8.0, -7.0, -5.0])  # of two sets, in kT
        >>> index = torch.tensor([0, 0, 1])
        >>> FreeEnergyCombination()(energy, index, dim=0).round(decimals=2)
        tensor([-8.3100, -5.0000])
    """

    def __init__(
        self,
        scale: float = 1.0,
        learn: bool = False,
        prior: str | None = None,
    ) -> None:
        super().__init__(scale, True, False, learn, prior)

    def __repr__(self) -> str:
        return self._repr(scale=1.0, learn=False, prior=None)
