r"""What a head makes of the complex and of its parts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module

from pyg_multipose.nn.strategy.heads import (
    check_module,
    rows_of,
    width_of,
)
from pyg_multipose.nn.strategy.strategy import Strategy


class ConcatStrategy(Strategy):
    r"""A head on the features of complex, ligand and receptor side by side.

    .. math::
        y_i = \phi \bigl( f(C_i) \,\Vert\, f(L_i) \,\Vert\, f(R) \bigr)

    (:eq:`eq-concat`; MTENN's *SplitConcatStrategy*.) With
    :obj:`symmetric=True`, as in MTENN's *ConcatStrategy*, ligand and receptor
    may be exchanged (:eq:`eq-concat-symmetric`):

    .. math::
        y_i = \phi \bigl( f(C_i) \,\Vert\, f(L_i) + f(R) \,\Vert\,
        f(L_i) + f(R) \bigr)

    Here nothing cancels by itself: the head learns what a difference is.
    The prediction has the unit that it is trained for; energies are in
    :math:`kT` by custom, and low is good.

    Args:
        model: The model :math:`f` of complexes, any module that returns
            features of a graph.
        head: :math:`\phi`, a module from the features of all three
            :math:`(P, F_C + F_L + F_R)` to predictions, such as a
            :class:`torch.nn.Linear` layer.
        ligand_model: That of ligands alone.
            (default: :obj:`None`, the same as :obj:`model`)
        receptor_model: That of receptors alone.
            (default: :obj:`None`, the same as :obj:`model`)
        symmetric: Whether ligand and receptor may be exchanged. They need as
            many features each. (default: :obj:`False`)
        inputs: How all models are called, as of
            :class:`~pyg_multipose.nn.strategy.Strategy`.
            (default: :obj:`None`)

    Shapes:
        - **input:** a batch of :math:`P` complexes with the mask
          :obj:`is_ligand`
        - **output:** what the head returns, :math:`(P, 1)` for a score

    Raises:
        ValueError: As :class:`~pyg_multipose.nn.strategy.Strategy`, or if
            the head takes another number of features.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import ConcatStrategy, MultiPoseReadout
        >>> from pyg_multipose.nn.models import EquivariantGNN
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> _ = torch.manual_seed(0)
        >>> receptor = Data(z=torch.full((9,), 6), pos=4 * torch.rand(9, 3))
        >>> ligand = Data(z=torch.tensor([7, 8]), pos=4 * torch.rand(2, 3))
        >>> poses = PoseSet.from_complex(receptor, [ligand, ligand])
        >>> model = EquivariantGNN(
        ...     '8x0e', num_layers=2, lmax=0, cutoff=4.5, out_channels=8
        ... )
        >>> strategy = ConcatStrategy(model, torch.nn.Linear(24, 1))
        >>> MultiPoseReadout(strategy, 'mean')(RadiusGraph(4.5)(poses)).shape
        torch.Size([1])
    """

    def __init__(
        self,
        model: Module,
        head: Module,
        ligand_model: Module | None = None,
        receptor_model: Module | None = None,
        symmetric: bool = False,
        inputs: str | None = None,
    ) -> None:
        super().__init__(model, ligand_model, receptor_model, inputs)
        check_module('head', head)
        self.head = head
        self.symmetric = symmetric

    def combine(self, *parts: Tensor) -> Tensor:
        r"""Equation (eq-concat) or (eq-concat-symmetric).

        Args:
            parts: Features of complexes, ligands and receptors.
        """
        whole, ligand, receptor = parts
        name = type(self).__name__
        if self.symmetric:
            if ligand.size(1) != receptor.size(1):
                raise ValueError(
                    f'{name} with symmetric=True got {ligand.size(1)} '
                    f'features of the ligand and {receptor.size(1)} of the '
                    f'receptor, expected as many of each; use symmetric=False'
                )
            ligand = receptor = ligand + receptor
        widths = [whole.size(1), ligand.size(1), receptor.size(1)]
        takes = width_of(self.head)
        if takes not in (None, sum(widths)):
            raise ValueError(
                f"'head' of {name} takes {takes} features, but complex, "
                f'ligand and receptor have {widths}, together {sum(widths)}'
            )
        out = self.head(torch.cat([whole, ligand, receptor], dim=1))
        return rows_of(out, whole.size(0), self.head, 'features')
