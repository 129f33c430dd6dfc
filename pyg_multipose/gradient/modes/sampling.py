"""Sampled backward: a few poses of a set, drawn by their weight."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.data import Layout
from pyg_multipose.gradient.modes.padding import padded


def draw(
    layout: Layout,
    num_poses: int | None,
    generator: torch.Generator | None = None,
) -> Tensor | None:
    r"""Random numbers by which :func:`sampled` chooses poses.

    They are drawn in forward, so that a graph has one gradient, however often
    and in whichever order backward is called.

    Args:
        layout: Which pose is in which set.
        num_poses: How many poses of a set, :math:`K`; :obj:`None` for all.
        generator: Where they come from, on the CPU.
            (default: :obj:`None`, the global one)

    Returns:
        Uniform numbers of shape :obj:`[num_sets, K]`, less wide if no set
        has so many poses; :obj:`None` if all poses that matter are wanted.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import Layout, PoseSet
        >>> from pyg_multipose.gradient import draw
        >>> poses = [Data(pos=torch.eye(2, 3)) for _ in range(3)]
        >>> layout = Layout(PoseSet.from_poses(poses))
        >>> draw(layout, 2, torch.Generator().manual_seed(0)).shape
        torch.Size([1, 2])
    """
    if num_poses is None:
        return None
    width = min(num_poses, int(layout.set_size.max()))
    return torch.rand(
        layout.num_sets,
        width,
        generator=generator,
        dtype=torch.float64,
        device='cpu',
    )


def sampled(coefficients: Tensor, layout: Layout, draws: Tensor) -> Tensor:
    r"""What to multiply coefficients by, so that few poses stand for all.

    Per set, :math:`K` poses are drawn with replacement, pose :math:`i` with
    probability :math:`p_i = \lVert c_i \rVert / \sum_j \lVert c_j \rVert`.
    One that was drawn :math:`n_i` times gets the factor
    :math:`n_i / (K p_i)`, whose expectation is one: equation
    :eq:`eq-sampled`.
    Where at most :math:`K` coefficients of a set are not zero, nothing is
    drawn and all factors are one. So is that of every coefficient that is
    not finite.

    Args:
        coefficients: :math:`c_i = \partial L / \partial y_i` of shape
            :obj:`[num_poses]` or :obj:`[num_poses, F]`.
        layout: Which pose is in which set.
        draws: Uniform random numbers from 0 up to, but not, 1, of shape
            :obj:`[num_sets, K]`.

    Returns:
        Factors of shape :obj:`[num_poses]`, in float64.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import Layout, PoseSet
        >>> from pyg_multipose.gradient import sampled
        >>> poses = [Data(pos=torch.eye(2, 3)) for _ in range(3)]
        >>> layout = Layout(PoseSet.from_poses(poses))
        >>> coefficients = torch.tensor([0.5, 0.25, 0.25])
        >>> draws = torch.tensor([[0.1, 0.6]])  # hit poses 0 and 1
        >>> sampled(coefficients, layout, draws)
        tensor([1., 2., 0.], dtype=torch.float64)
    """
    rows = coefficients.detach().double().view(len(coefficients), -1)
    dense, pose = padded(rows, layout)
    finite = dense.isfinite().all(dim=2)
    matters = (dense != 0).any(dim=2)  # NaN and inf too
    dense = torch.where(finite.unsqueeze(2), dense, 0)
    # Relative to the largest: neither squares nor sums overflow.
    largest = dense.abs().amax(dim=(1, 2), keepdim=True)
    tiny = torch.finfo(dense.dtype).tiny
    mass = torch.linalg.vector_norm(dense / largest.clamp(min=tiny), dim=2)
    # Lined up, the masses cut [0, total) into pieces; a draw hits one.
    end = mass.cumsum(dim=1)
    total = end[:, -1:]
    count = draws.size(1)
    draws = draws.to(dense).mul(total).sort(dim=1).values
    below = torch.searchsorted(draws, end)  # draws up to each end
    hits = below.diff(dim=1, prepend=torch.zeros_like(below[:, :1]))
    factor = torch.where(hits > 0, hits * total / (count * mass), 0)
    exact = matters.sum(dim=1, keepdim=True) <= count
    return torch.where(exact | ~finite, 1, factor)[pose]
