r"""The base of strategies: parts of a complex, and who evaluates them."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import Module
from torch_geometric.data import Data

from pyg_multipose.gradient.model.requirements import (
    attribute,
    check_inputs,
    input_names,
)
from pyg_multipose.gradient.receptors.sharing import obstacle
from pyg_multipose.nn.sharing.sharer import sharer_of
from pyg_multipose.nn.strategy.heads import check_module, rows_of
from pyg_multipose.nn.strategy.parts import (
    composed,
    ligands_of,
    num_graphs,
    split,
)
from pyg_multipose.nn.strategy.receptor_once import ReceptorOnce


class StrategyState(NamedTuple):
    r"""What is known of a receptor before any pose is.

    Args:
        complex: What the model of complexes made of it, or :obj:`None` if
            complexes are evaluated whole.
        receptor: What the receptor alone gives :math:`(1, F)`, or
            :obj:`None` if the strategy does not ask for it.
    """

    complex: Any
    receptor: Tensor | None


class Strategy(Module):
    r"""What the prediction of a single pose is made of.

    A strategy is the single-pose model of a
    :class:`~pyg_multipose.nn.MultiPoseReadout`. It is called with complexes,
    takes them apart by :obj:`is_ligand`, and combines what its models say to
    the complex :math:`C`, the ligand alone :math:`L` and the receptor alone
    :math:`R`:

    .. math::
        y_i = g \bigl( f_C(C_i), f_L(L_i), f_R(R) \bigr)

    The edges and bonds of a part are those of the complex that lie within
    it. For the poses of a set with a receptor, :math:`f_R(R)` is evaluated
    once, whatever the models are; where the model of complexes can share a
    receptor (see :meth:`encode_receptor`), it does, and :math:`f_R(R)` comes
    with it if both are the same model.

    A subclass defines :meth:`combine`, and :meth:`read` if it has heads.

    Args:
        model: The model of complexes, any module.
        ligand_model: That of ligands alone.
            (default: :obj:`None`, the same as :obj:`model`)
        receptor_model: That of receptors alone.
            (default: :obj:`None`, the same as :obj:`model`)
        inputs: How all of these are called: with a batch, or with attributes
            of it, such as :obj:`"z, pos, batch"`. (The strategy itself is
            always called with a batch.) (default: :obj:`None`)

    Raises:
        ValueError: If an argument is not as it should be; in a call, if
            there is no :obj:`is_ligand`, if a pose has no ligand or no
            receptor, or if a model returns another shape.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> from pyg_multipose.nn import Strategy
        >>> class Strain(Strategy):
        ...     def combine(self, complex, ligand, receptor):
        ...         return complex - 2 * ligand
        >>> class Count(torch.nn.Module):
        ...     def forward(self, batch):
        ...         return batch.batch.bincount().float().view(-1, 1)
        >>> pose = Data(z=torch.tensor([6, 6, 8]), pos=torch.eye(3))
        >>> pose.is_ligand = torch.tensor([False, False, True])
        >>> pose.edge_index = torch.tensor([[0, 2], [2, 0]])
        >>> Strain(Count())(Batch.from_data_list([pose]))
        tensor([[1.]])
    """

    #: Whether ligand and receptor are asked for.
    splits = True

    def __init__(
        self,
        model: Module,
        ligand_model: Module | None = None,
        receptor_model: Module | None = None,
        inputs: str | None = None,
    ) -> None:
        super().__init__()
        for name, given in (
            ('model', model),
            ('ligand_model', ligand_model),
            ('receptor_model', receptor_model),
        ):
            if name == 'model' or given is not None:
                check_module(name, given)
                check_inputs(given, inputs)  # type: ignore[arg-type]
        self.model = model
        # One model under two names would be two entries of a state_dict.
        self.ligand_model = None if ligand_model is model else ligand_model
        self.receptor_model = (
            None if receptor_model is model else receptor_model
        )
        self.inputs = inputs

    def combine(self, *parts: Tensor) -> Tensor:
        r"""The prediction of poses, :math:`(P, F)`.

        Args:
            parts: What :meth:`read` gave for complexes, ligands and
                receptors, one row for each pose; with
                :obj:`splits = False`, for complexes only.
        """
        raise NotImplementedError

    def read(self, part: str, x: Tensor) -> Tensor:
        r"""What :meth:`combine` gets of a part; here, what a model returned.

        Args:
            part: :obj:`"complex"`, :obj:`"ligand"` or :obj:`"receptor"`.
            x: What its model returned :math:`(P, F)`.
        """
        return x

    def forward(self, batch: Data, *others: Any) -> Tensor:
        r"""Evaluates whole complexes.

        Args:
            batch: They, with the mask :obj:`is_ligand`.
            others: Nothing.
        """
        name = type(self).__name__
        if isinstance(batch, Data) and 'pose_size' in batch:
            raise ValueError(
                f'{name} is called with whole complexes, and got a pose set. '
                f'Give it to MultiPoseReadout({name}(...)), which composes '
                f'them'
            )
        if others or not isinstance(batch, Data):
            raise ValueError(
                f'{name} is called with a batch, and got '
                f'{[type(one).__name__ for one in (batch, *others)]}. Name '
                f'the attributes that its models take in {name}(model, '
                f"inputs='z, pos, batch'), not in MultiPoseReadout"
            )
        number = num_graphs(batch)
        graphs = {'complex': batch}
        if self.splits:
            graphs['ligand'], graphs['receptor'] = split(batch, name)
        return self.combine(
            *(
                self._evaluate(part, graph, number)
                for part, graph in graphs.items()
            )
        )

    # Receptors that are evaluated once #######################################

    @property
    def rigid_only(self) -> bool:
        r"""Whether a receptor is shared only if no pose moves its atoms."""
        return self.splits

    @property
    def cannot_share(self) -> str:
        r"""Why complexes do not share a receptor at all; empty if they do."""
        return obstacle(self._sharer(), input_names(self.inputs))

    def sharers(self) -> list[Module]:
        r"""What evaluates receptors once, what saves most first."""
        return [self, ReceptorOnce(self)] if self.splits else [self]

    def sharing_cost(self, poses: Data, share: bool = True) -> float:
        r"""Returns what a pose costs, as a share of all of its parts.

        Args:
            poses: A pose set.
            share: Whether complexes share too. (default: :obj:`True`)
        """
        edges, size = poses.edge_index, int(poses.receptor_size)
        number = poses.pose_size.numel()
        receptor = int((edges < size).all(dim=0).sum())
        ligands = int((edges >= size).all(dim=0).sum())
        complexes = edges.size(1) + (number - 1) * receptor
        cost = getattr(self._sharer(), 'sharing_cost', None)
        each = 1.0
        if share and not self.cannot_share:
            each = 0.0 if cost is None else float(cost(poses))
        if not self.splits:
            return each
        whole = complexes + ligands + number * receptor
        return (each * complexes + ligands) / max(whole, 1)

    def encode_receptor(
        self, receptor: Data, share: bool = True
    ) -> StrategyState:
        r"""Evaluates the receptor alone.

        Args:
            receptor: It, as a graph.
            share: Whether complexes share it too, if their model can.
                (default: :obj:`True`)

        Returns:
            Tensors for :meth:`forward_poses`, differentiable.
        """
        state = known = alone = None
        if share and not self.cannot_share:
            sharer: Any = self._sharer()
            state = sharer.encode_receptor(receptor)
            predict = getattr(sharer, 'predict_receptor', None)
            if self.splits and self.receptor_model is None and predict:
                known = predict(state)
        if self.splits:
            if known is None:
                alone = self._evaluate('receptor', receptor, 1)
            else:
                alone = self._read('receptor', known, 1)
        return StrategyState(state, alone)

    def forward_poses(self, poses: Any, state: StrategyState) -> Tensor:
        r"""Evaluates poses that share a receptor.

        Args:
            poses: A pose set: the receptor, then the ligand of every pose.
            state: What :meth:`encode_receptor` returned for the receptor.

        Returns:
            Predictions, one row for each pose.
        """
        number = poses.pose_size.numel()
        if state.complex is None:
            whole = self._evaluate('complex', composed(poses), number)
        else:
            sharer: Any = self._sharer()
            out = sharer.forward_poses(poses, state.complex)
            whole = self._read('complex', out, number)
        if state.receptor is None:
            return self.combine(whole)
        ligands = self._evaluate('ligand', ligands_of(poses), number)
        return self.combine(whole, ligands, state.receptor.expand(number, -1))

    # Inside ##################################################################

    def _sharer(self) -> Module:
        return sharer_of(self.model, input_names(self.inputs))

    def _model_of(self, part: str) -> Module:
        own = None if part == 'complex' else getattr(self, f'{part}_model')
        return self.model if own is None else own

    def _evaluate(self, part: str, graphs: Data, number: int) -> Tensor:
        model, names = self._model_of(part), input_names(self.inputs)
        if names is None:
            out = model(graphs)
        else:
            out = model(*[attribute(graphs, name) for name in names])
        return self._read(part, out, number)

    def _read(self, part: str, out: Any, number: int) -> Tensor:
        rows = rows_of(out, number, self._model_of(part), part)
        return self.read(part, rows)
