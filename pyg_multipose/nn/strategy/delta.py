r"""What the complex has beyond its parts."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Module

from pyg_multipose.nn.strategy.heads import check_module, through
from pyg_multipose.nn.strategy.strategy import Strategy


class DeltaStrategy(Strategy):
    r"""The energy of a complex less those of its ligand and its receptor.

    .. math::
        y_i = \phi \bigl( f(C_i) \bigr) - \phi \bigl( f(L_i) \bigr) -
        \phi \bigl( f(R) \bigr)

    (:eq:`eq-delta`; MTENN's *DeltaStrategy*, and *SplitDeltaStrategy* with
    heads of their own.) The result is the energy of binding, in the unit
    that the model is trained for, :math:`kT` by custom; it is negative where
    binding is favorable, so low is good.

    With a sum over atoms and no head, all that a model says of an atom by
    itself cancels, and :math:`y_i` is exactly zero without a contact
    (:eq:`eq-delta-interface`). A constant :math:`b` of a whole graph (the
    bias of a head, a mean over atoms) does not cancel: :math:`-b` is left.

    Args:
        model: The model :math:`f` of complexes, any module.
        ligand_model: That of ligands alone.
            (default: :obj:`None`, the same as :obj:`model`)
        receptor_model: That of receptors alone.
            (default: :obj:`None`, the same as :obj:`model`)
        head: :math:`\phi`, from what a model returns for a graph
            :math:`(P, F)` to energies. (default: :obj:`None`, none)
        ligand_head: That of ligands alone.
            (default: :obj:`None`, the same as :obj:`head`)
        receptor_head: That of receptors alone.
            (default: :obj:`None`, the same as :obj:`head`)
        inputs: How all models are called, as of
            :class:`~pyg_multipose.nn.strategy.Strategy`.
            (default: :obj:`None`)

    Shapes:
        - **input:** a batch of :math:`P` complexes with the mask
          :obj:`is_ligand`
        - **output:** differences :math:`(P, F)`, :math:`(P, 1)` for a score

    Raises:
        ValueError: As :class:`~pyg_multipose.nn.strategy.Strategy`, or if
            parts have different widths.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import DeltaStrategy, MultiPoseReadout
        >>> from pyg_multipose.nn.models import SchNet
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> _ = torch.manual_seed(0)
        >>> receptor = Data(z=torch.full((9,), 6), pos=4 * torch.rand(9, 3))
        >>> near = Data(z=torch.tensor([7, 8]), pos=4 * torch.rand(2, 3))
        >>> far = Data(z=near.z, pos=near.pos + 50)
        >>> poses = PoseSet.from_complex(receptor, [near, far])
        >>> poses = RadiusGraph(4.5)(poses)
        >>> strategy = DeltaStrategy(SchNet(16, 16, 2, cutoff=4.5))
        >>> readout = MultiPoseReadout(strategy, 'max')
        >>> _, energies = readout(poses, return_poses=True)
        >>> (energies.detach().abs() > 1e-4).tolist()  # no contact, no energy
        [True, False]
    """

    def __init__(
        self,
        model: Module,
        ligand_model: Module | None = None,
        receptor_model: Module | None = None,
        head: Module | None = None,
        ligand_head: Module | None = None,
        receptor_head: Module | None = None,
        inputs: str | None = None,
    ) -> None:
        super().__init__(model, ligand_model, receptor_model, inputs)
        for name, given in (
            ('head', head),
            ('ligand_head', ligand_head),
            ('receptor_head', receptor_head),
        ):
            if given is not None:
                check_module(name, given)
        self.head = head
        self.ligand_head = None if ligand_head is head else ligand_head
        self.receptor_head = None if receptor_head is head else receptor_head

    def read(self, part: str, x: Tensor) -> Tensor:
        r"""Applies the head of a part.

        Args:
            part: :obj:`"complex"`, :obj:`"ligand"` or :obj:`"receptor"`.
            x: What its model returned :math:`(P, F)`.
        """
        own = None if part == 'complex' else getattr(self, f'{part}_head')
        return through(self.head if own is None else own, x, part)

    def combine(self, *parts: Tensor) -> Tensor:
        r"""Equation (eq-delta).

        Args:
            parts: Energies of complexes, ligands and receptors.
        """
        whole, ligand, receptor = parts
        widths = [part.size(1) for part in parts]
        if len(set(widths)) > 1:
            raise ValueError(
                f'{type(self).__name__} got {widths} features of complex, '
                f'ligand and receptor, expected as many of each; give heads '
                f'that return the same'
            )
        return whole - ligand - receptor
