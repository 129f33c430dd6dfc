r"""Predictions from the complex alone."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Module

from pyg_multipose.nn.strategy.heads import check_module, through
from pyg_multipose.nn.strategy.strategy import Strategy


class ComplexOnlyStrategy(Strategy):
    r"""The prediction of a model for the complex, through a head.

    .. math::
        y_i = \phi \bigl( f(C_i) \bigr)

    (:eq:`eq-complex-only`; MTENN's *ComplexOnlyStrategy*.) Without a head it
    is the model itself. Energies are in the unit that the model is trained
    for, :math:`kT` by custom, and low is good.

    Args:
        model: The model :math:`f`, any module.
        head: :math:`\phi`, from what the model returns for a graph
            :math:`(P, F)` to predictions. (default: :obj:`None`, none)
        inputs: How the model is called, as of
            :class:`~pyg_multipose.nn.strategy.Strategy`.
            (default: :obj:`None`)

    Shapes:
        - **input:** a batch of :math:`P` complexes
        - **output:** what the head returns, :math:`(P, 1)` for a score

    Raises:
        ValueError: As :class:`~pyg_multipose.nn.strategy.Strategy`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from torch_geometric.nn import SchNet
        >>> from pyg_multipose.nn import (
        ...     ComplexOnlyStrategy,
        ...     RadiusInteractionGraph,
        ... )
        >>> _ = torch.manual_seed(0)
        >>> near = RadiusInteractionGraph(4.5)
        >>> schnet = SchNet(16, 16, 2, cutoff=4.5, interaction_graph=near)
        >>> schnet.lin2 = torch.nn.Identity()  # 8 features of a graph
        >>> strategy = ComplexOnlyStrategy(
        ...     schnet, torch.nn.Linear(8, 1), inputs='z, pos, batch'
        ... )
        >>> pose = Data(z=torch.tensor([6, 7, 8]), pos=torch.rand(3, 3))
        >>> strategy(Batch.from_data_list([pose, pose])).shape
        torch.Size([2, 1])
    """

    splits = False

    def __init__(
        self,
        model: Module,
        head: Module | None = None,
        inputs: str | None = None,
    ) -> None:
        super().__init__(model, inputs=inputs)
        if head is not None:
            check_module('head', head)
        self.head = head

    def read(self, part: str, x: Tensor) -> Tensor:
        r"""Applies the head.

        Args:
            part: :obj:`"complex"`.
            x: What the model returned :math:`(P, F)`.
        """
        return through(self.head, x, part)

    def combine(self, *parts: Tensor) -> Tensor:
        r"""The prediction itself.

        Args:
            parts: Predictions of complexes.
        """
        return parts[0]
