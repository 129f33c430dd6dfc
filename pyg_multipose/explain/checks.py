"""Whether outputs of a readout belong together."""

from __future__ import annotations

from torch import Tensor

from pyg_multipose.data import Layout, PoseSet

#: By how much, relative to one or to its size, equal predictions may differ.
ROUNDING = 1e-5


def layout_of(batch: PoseSet) -> Layout:
    r"""The layout of a batch.

    Args:
        batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(batch, PoseSet):
        raise ValueError(
            f'Expected a PoseSet or a batch of them (got a '
            f'{type(batch).__name__})'
        )
    return Layout(batch)


def check_sizes(
    layout: Layout, prediction: Tensor, poses: Tensor, weights: Tensor
) -> None:
    r"""Checks that outputs are of a batch, by their shapes.

    Args:
        layout: The layout of the batch.
        prediction: The combined predictions.
        poses: The predictions of the poses.
        weights: The weights.

    Raises:
        ValueError: If not.
    """
    for what, got, rows, of in (
        ('prediction', prediction, layout.num_sets, 'sets'),
        ('poses', poses, layout.num_poses, 'poses'),
        ('weights', weights, layout.num_poses, 'poses'),
    ):
        if got.dim() not in (1, 2) or got.size(0) != rows:
            raise ValueError(
                f"'{what}' has shape {list(got.shape)}, but the batch has "
                f'{rows} {of}; is it of another batch?'
            )
    if poses.shape != weights.shape or prediction.shape[1:] != poses.shape[1:]:
        raise ValueError(
            f"'prediction', 'poses' and 'weights' have the shapes "
            f'{list(prediction.shape)}, {list(poses.shape)} and '
            f'{list(weights.shape)}; expected as many features in each'
        )


def check_combined(layout: Layout, got: Tensor, again: Tensor) -> None:
    r"""Checks that predictions of poses combine to those of their sets.

    Args:
        layout: The layout of the batch.
        got: The predictions of the sets, shape :math:`(S, F)`.
        again: What those of the poses combine to.

    Raises:
        ValueError: If not.
    """
    wrong = far(got, again).any(dim=1)
    if wrong.any():
        number = int(wrong.int().argmax())
        raise ValueError(
            f'The predictions of the poses of {layout.set_name(number)} '
            f'combine to {again[number].tolist()}, but its prediction is '
            f'{got[number].tolist()}. Take both from one call of the readout, '
            f'and its combination as it was then'
        )


def far(first: Tensor, second: Tensor) -> Tensor:
    r"""Where two numbers differ by more than rounding.

    Two that are not finite are equal.

    Args:
        first: Numbers.
        second: Numbers.
    """
    size = second.abs().clamp(min=1)
    near = (first - second).abs() <= ROUNDING * size
    both = ~first.isfinite() & ~second.isfinite()
    return ~(near | both)


def matrix(values: Tensor) -> Tensor:
    r"""Detached, with a dimension of features.

    Args:
        values: Shape :math:`(n)` or :math:`(n, F)`.
    """
    values = values.detach()
    return values if values.dim() > 1 else values.unsqueeze(1)
