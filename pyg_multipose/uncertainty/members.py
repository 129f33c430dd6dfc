"""Members that predict the same sets, and what they disagree about."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.evaluating import evaluating
from pyg_multipose.uncertainty.variance import Uncertainty, spread


class Members(nn.Module):
    r"""What ensembles and dropout have in common.

    A call gives an :class:`Uncertainty`, without gradient. Members predict in
    evaluation mode; flags are put back afterwards, so running statistics of
    batch norms stay as they are. The global random numbers are neither used
    nor moved on.
    A subclass implements :meth:`predictions`.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.uncertainty import Members
        >>> class Fixed(Members):
        ...     def predictions(self, batch):
        ...         poses = torch.tensor([-9.0, -7.0])
        ...         for shift in (0.0, 1.0):
        ...             yield poses.mean(0, True) + shift, poses, poses / -16
        >>> poses = [Data(x=torch.zeros(1, 1))] * 2
        >>> Fixed()(PoseSet.from_poses(poses)).mean
        tensor([-7.5000])
    """

    @abstractmethod
    def predictions(
        self, batch: PoseSet
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        r"""Of each member, the predictions of sets and poses, and weights.

        Args:
            batch: The sets.
        """

    def forward(self, batch: PoseSet) -> Uncertainty:
        r"""Predicts every set of a batch by all members.

        Args:
            batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.

        Raises:
            ValueError: If members differ in how many predictions they make.
        """
        combined: list[Tensor] = []
        within: list[Tensor] = []
        with torch.no_grad():
            for prediction, poses, weights in self.predictions(batch):
                if combined and prediction.shape != combined[0].shape:
                    raise ValueError(
                        f'Member {len(combined)} predicts in shape '
                        f'{list(prediction.shape)}, those before it in '
                        f'{list(combined[0].shape)}; members have to predict '
                        f'the same'
                    )
                layout = Layout(batch)
                index = layout.pose_to_set.to(poses.device)
                combined.append(prediction)
                within.append(spread(poses, weights, index, layout.num_sets))
        return Uncertainty(torch.stack(combined), torch.stack(within))


class DeepEnsemble(Members):
    r"""Several readouts that were trained apart, from different seeds.

    As in `"Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles" <https://arxiv.org/abs/1612.01474>`_, without a variance that
    networks predict themselves.

    Args:
        readouts: At least two readouts of one task, in one unit.

    Raises:
        ValueError: If there are fewer than two, or if one is not a
            :class:`~pyg_multipose.nn.MultiPoseReadout`.

    Shapes:
        - **input:** a :class:`~pyg_multipose.data.PoseSet` or a batch
        - **output:** an :class:`Uncertainty`, :math:`(S)` or :math:`(S, F)`

    Example:
        >>> from pyg_multipose.uncertainty import DeepEnsemble
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> poses = [Data(x=torch.tensor([[x]])) for x in (1.0, 3.0)]
        >>> class Times(torch.nn.Module):
        ...     def __init__(self, factor):
        ...         super().__init__()
        ...         self.factor = factor
        ...
        ...     def forward(self, batch):
        ...         return self.factor * batch.x.flatten()
        >>> readouts = [MultiPoseReadout(Times(f), 'mean') for f in (1, 2)]
        >>> out = DeepEnsemble(readouts)(PoseSet.from_poses(poses))
        >>> out.mean, out.epistemic, out.conformational
        (tensor([3.]), tensor([1.]), tensor([2.5000]))
    """

    def __init__(self, readouts: Iterable[MultiPoseReadout]) -> None:
        super().__init__()
        self.readouts = nn.ModuleList(map(_readout, readouts))
        if len(self.readouts) < 2:
            raise ValueError(
                f'An ensemble needs at least 2 readouts (got '
                f'{len(self.readouts)}); one has nothing to disagree with'
            )

    def predictions(
        self, batch: PoseSet
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        r"""One call of each readout.

        Args:
            batch: The sets.

        Yields:
            What the readout returns.
        """
        for readout in self.readouts:
            with evaluating(readout):
                out = readout(batch, return_poses=True, return_weights=True)
            yield out


class MCDropout(Members):
    r"""One readout, evaluated several times with dropout at work.

    As in `"Dropout as a Bayesian Approximation"
    <https://arxiv.org/abs/1506.02142>`_. Only dropout is at work: all else,
    batch norms too, is in evaluation mode.

    Torch's dropout draws a mask for every row of a tensor, so the poses of a
    set do not share one. Their noise is averaged by the combination, and
    :attr:`Uncertainty.epistemic` is the smaller for it: calibrate it.
    Random numbers come from a fork of the generators of the CPU and of the
    GPU that the readout is on, with seeds :obj:`seed`, :obj:`seed + 1`, ...:
    one call is like the next.

    Args:
        readout: A readout that was trained with dropout.
        num_members: How often it is evaluated, at least twice.
            (default: :obj:`20`)
        where: :obj:`"all"` for all modules with dropout, or :obj:`"last"`
            for the last of them, in the order of
            :meth:`torch.nn.Module.modules`. (default: :obj:`"all"`)
        seed: The seed of the first member. (default: :obj:`0`)

    Raises:
        ValueError: If an argument is wrong, or if there is no dropout, so
            that all members would be equal.

    Shapes:
        - **input:** a :class:`~pyg_multipose.data.PoseSet` or a batch
        - **output:** an :class:`Uncertainty`, :math:`(S)` or :math:`(S, F)`

    Example:
        >>> from pyg_multipose.uncertainty import MCDropout
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> class Model(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.dropout = torch.nn.Dropout(0.5)
        ...
        ...     def forward(self, batch):
        ...         return self.dropout(batch.x).sum(dim=1)
        >>> pose_set = PoseSet.from_poses([Data(x=torch.ones(1, 100))])
        >>> out = MCDropout(MultiPoseReadout(Model()))(pose_set)
        >>> bool(80 < out.mean < 120), bool(out.epistemic > 0)
        (True, True)
    """

    def __init__(
        self,
        readout: MultiPoseReadout,
        num_members: int = 20,
        where: str = 'all',
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.readout = _readout(readout)
        if not isinstance(num_members, int) or num_members < 2:
            raise ValueError(
                f"Expected 'num_members' to be at least 2 (got "
                f'{num_members!r}); one has nothing to disagree with'
            )
        if where not in ('all', 'last'):
            raise ValueError(
                f"Expected 'where' to be 'all' or 'last' (got {where!r})"
            )
        self.num_members = num_members
        self.where = where
        self.seed = seed
        self._dropping()

    def predictions(
        self, batch: PoseSet
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        r"""One call of the readout for each member.

        Args:
            batch: The sets.

        Yields:
            What the readout returns.
        """
        modules = self._dropping()
        device = _device(self.readout, batch)
        for member in range(self.num_members):
            with evaluating(self.readout), _seeded(self.seed + member, device):
                for module in modules:
                    module.training = True
                out = self.readout(
                    batch, return_poses=True, return_weights=True
                )
            yield out

    def _dropping(self) -> list[nn.Module]:
        found = [m for m in self.readout.modules() if _drops(m)]
        if not found:
            raise ValueError(
                'The readout has no module with dropout, so all members would '
                "be equal. Expected torch's dropout modules, modules whose "
                "class is called dropout, or those with a number 'dropout' "
                'above 0; else use a DeepEnsemble'
            )
        return found if self.where == 'all' else found[-1:]

    def extra_repr(self) -> str:
        r"""Shows the arguments that are not modules."""
        return (
            f'num_members={self.num_members}, where={self.where!r}, '
            f'seed={self.seed}'
        )


def _readout(readout: Any) -> MultiPoseReadout:
    if not isinstance(readout, MultiPoseReadout):
        raise ValueError(
            f'Expected a MultiPoseReadout, which knows predictions and '
            f'weights of poses (got a {type(readout).__name__})'
        )
    return readout


def _drops(module: nn.Module) -> bool:
    """Whether its flag switches dropout on and off, and it does drop."""
    if isinstance(module, _DropoutNd):
        return module.p > 0
    # As PyG's attention layers, torch's recurrent ones, and e3nn's Dropout.
    if 'dropout' in type(module).__name__.lower():
        return getattr(module, 'p', 1) > 0
    share = getattr(module, 'dropout', 0)
    return isinstance(share, int | float) and share > 0


def _device(readout: nn.Module, batch: PoseSet) -> torch.device:
    for tensor in (*readout.parameters(), *readout.buffers()):
        return tensor.device
    return batch['pose_size'].device


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Forks the generators that dropout draws from, and seeds the forks."""
    if device.type not in ('cpu', 'cuda'):
        raise ValueError(
            f'The random numbers of a device of type {device.type!r} cannot '
            f'be forked here; put the readout on the CPU or a CUDA device'
        )
    devices = []
    if device.type == 'cuda':
        devices = [torch.cuda.current_device()]
        if device.index is not None:
            devices = [device.index]
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        for index in devices:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
