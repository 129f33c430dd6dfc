"""Values and gradients of gradient modes, against plain autograd."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.model.predictions import checked
from pyg_multipose.gradient.model.requirements import attribute, input_names
from pyg_multipose.gradient.plan.plan import MODES
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn._settings import has_running_form
from pyg_multipose.testing.comparison import broken, check_close

#: What a comparison of the modes is told if it fails.
_ADVICE = (
    'let the result depend on nothing but the inputs and the parameters: no '
    'counters, caches, checks of torch.is_grad_enabled(), or tensors that '
    'require grad and are no parameters'
)


def composed(pose_set: PoseSet, poses: Any = None) -> Data:
    r"""Whole complexes as one batch of graphs.

    Args:
        pose_set: A set or a batch of sets.
        poses: Numbers of the poses. (default: :obj:`None`, all)
    """
    layout = Layout(pose_set)
    tables = {key: pose_set[key] for key in layout.levels}
    return layout.compose(tables, _numbers(layout, poses))


def plain(
    model: nn.Module, pose_set: PoseSet, inputs: str | None, poses: Any = None
) -> Tensor:
    r"""Predictions of whole complexes in one call of a model.

    Args:
        model: The model.
        pose_set: A set or a batch of sets.
        inputs: As of :class:`~pyg_multipose.nn.MultiPoseReadout`.
        poses: Numbers of the poses. (default: :obj:`None`, all)
    """
    graphs, layout = composed(pose_set, poses), Layout(pose_set)
    out = called(model, graphs, inputs)
    return checked(out, layout, _numbers(layout, poses))


def called(model: nn.Module, graphs: Data, inputs: str | None) -> Any:
    r"""Calls a model with graphs, or with attributes of them.

    Args:
        model: The model.
        graphs: Poses as graphs.
        inputs: As above.
    """
    names = input_names(inputs)
    if names is None:
        return model(graphs)
    return model(*[attribute(graphs, name) for name in names])


def combined(
    combination: nn.Module, predictions: Tensor, pose_set: PoseSet
) -> Tensor:
    r"""The combined predictions of sets, by a combination itself.

    Args:
        combination: An aggregation.
        predictions: Those of the poses.
        pose_set: A set or a batch of sets.
    """
    out = combination(
        predictions if predictions.dim() > 1 else predictions.unsqueeze(1),
        index=torch.repeat_interleave(pose_set.set_size),
        dim_size=pose_set.set_size.numel(),
    )
    return out.squeeze(1) if out.size(-1) == 1 else out


def check_modes(
    readout: MultiPoseReadout,
    pose_set: PoseSet,
    tolerance: float,
    positions: bool,
    chunks: Iterable[int | None] = (None, 1),
) -> None:
    r"""Compares all gradient modes of a readout with plain autograd.

    Args:
        readout: The readout; its mode and chunks are set.
        pose_set: A batch of sets.
        tolerance: Of the comparison, relative.
        positions: Whether to compare gradients of :obj:`pos` too.
        chunks: Values of :obj:`max_nodes_per_chunk`.
            (default: :obj:`(None, 1)`)

    Raises:
        AssertionError: If a mode differs, or refuses.
    """
    pose_set = pose_set.clone()
    if positions:
        pose_set.pos.requires_grad_()
    poses = plain(readout.model, pose_set, readout.inputs)
    expected = {
        # The loss sees the poses, too, where it may.
        on_poses: results(
            readout,
            pose_set,
            combined(readout.combination, poses, pose_set),
            poses if on_poses else None,
            positions,
        )
        for on_poses in (True, False)
    }
    for mode in _modes(readout, poses, positions):
        on_poses = mode != 'stream'
        for max_nodes in chunks:
            readout.gradient = mode
            readout.max_nodes_per_chunk = max_nodes
            where = (
                f'gradient={mode!r}, max_nodes_per_chunk={max_nodes}, against '
                f'plain autograd'
            )
            try:
                found = readout(pose_set, return_poses=on_poses)
                out, own = found if on_poses else (found, None)
                got = results(readout, pose_set, out, own, positions)
            except (RuntimeError, ValueError) as error:
                raise broken(
                    where,
                    f'{type(error).__name__}: {error}',
                    'values and gradients',
                    _ADVICE,
                ) from error
            check_close(where, got, expected[on_poses], tolerance, _ADVICE)


def check_combination_in_modes(
    combination: nn.Module, predictions: Tensor
) -> None:
    r"""Compares a combination under all gradient modes with plain autograd.

    Args:
        combination: An aggregation, in float64.
        predictions: Predictions of seven poses as they may occur, float64 of
            shape :math:`(7, F)`.

    Raises:
        AssertionError: If a mode differs, or refuses.
    """
    numbers = torch.Generator().manual_seed(0)
    sets = []
    poses = iter(predictions)
    for number, size in enumerate((4, 1, 2)):
        graphs = []
        for _ in range(size):
            base = next(poses).expand(2, -1)
            more = torch.randn(2, 3, generator=numbers, dtype=base.dtype)
            graphs.append(Data(x=torch.cat([base, more], dim=1)))
        sets.append(PoseSet.from_poses(graphs, name=f'set {number}'))
    model = _Around(predictions)
    readout = MultiPoseReadout(model, combination)
    batch = Batch.from_data_list(sets)
    check_modes(readout, batch, 1e-9, False, (None, 1, 5))


class _Around(nn.Module):
    """Predicts what atoms hold, but for a little that parameters decide."""

    def __init__(self, predictions: Tensor) -> None:
        super().__init__()
        self.width = predictions.size(1)
        self.little = 0.1 * float(predictions.std())
        self.linear = nn.Linear(3, self.width, dtype=predictions.dtype)
        weight = torch.linspace(-0.5, 0.7, 3 * self.width)
        with torch.no_grad():
            self.linear.weight.copy_(weight.view(self.width, 3))
            self.linear.bias.zero_()

    def forward(self, batch: Any) -> Tensor:
        base, more = batch.x[:, : self.width], batch.x[:, self.width :]
        out = base + self.little * torch.tanh(self.linear(more))
        return scatter(out, batch.batch, 0, batch.num_graphs, reduce='mean')


def _numbers(layout: Layout, poses: Any) -> list[int]:
    return list(range(layout.num_poses) if poses is None else poses)


def _modes(
    readout: MultiPoseReadout, poses: Tensor, positions: bool
) -> list[str]:
    """Those that the readout does not refuse."""
    refused = set()
    if positions or poses.dim() > 1:
        refused |= {'store', 'stream'}
    if readout.share_receptor is True:
        refused.add('store')
    if not has_running_form(readout.combination):
        refused.add('stream')
    return [mode for mode in MODES if mode not in refused]


def results(
    readout: MultiPoseReadout,
    pose_set: PoseSet,
    out: Tensor,
    poses: Tensor | None,
    positions: bool,
) -> dict[str, Tensor]:
    r"""Values and gradients by name; what has no gradient has zeros.

    Args:
        readout: Whose parameters they are.
        pose_set: What was predicted.
        out: The combined predictions.
        poses: Those of the poses, if the loss is to see them.
        positions: Whether :obj:`pos` requires grad.
    """
    loss = out.sin().sum()
    if poses is not None:
        loss = loss + (0.5 * poses).cos().mean()
    leaves = {
        f"the gradient of '{name}'": parameter
        for name, parameter in readout.named_parameters()
        if parameter.requires_grad
    }
    if positions:
        leaves["the gradient of 'pos'"] = pose_set.pos
    grads: Any = [None] * len(leaves)
    if loss.requires_grad:
        grads = torch.autograd.grad(
            loss,
            list(leaves.values()),
            retain_graph=True,
            allow_unused=True,
        )
    results = {'the combined prediction': out.detach()}
    if poses is not None:
        results['the predictions of poses'] = poses.detach()
    for (name, leaf), grad in zip(leaves.items(), grads, strict=True):
        results[name] = torch.zeros_like(leaf) if grad is None else grad
    return results
