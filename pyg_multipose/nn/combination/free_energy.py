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
    :math:`\ln N`. So leave out duplicates.
    It is not the Boltzmann mean, which is an energy; for that, see
    :class:`torch_geometric.nn.aggr.SoftmaxAggregation`.
    See :class:`Combination` for arguments, precision and errors.

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

    def __init__(self) -> None:
        super().__init__(scale=1.0, negate=True, normalize=False)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'
