"""Gradient mode `store`: one gradient per pose, kept until backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.finite import screen
from pyg_multipose.gradient.model.predictions import joined
from pyg_multipose.gradient.modes.gate import Gate
from pyg_multipose.gradient.modes.refusals import (
    refuse_batched,
    refuse_double_backward,
    saved_tensors,
)
from pyg_multipose.gradient.replay.parameters import aliases


def store(
    evaluation: Evaluation,
    tolerance: float | None = None,
    draws: Tensor | None = None,
) -> Tensor:
    r"""Predictions together with a gradient of the parameters for each.

    This is the algorithm of MTENN's :obj:`GroupedModel`.
    It holds :obj:`num_poses` times the parameters.

    Args:
        evaluation: What to evaluate.
        tolerance: The share of the mass of a set that may be dropped.
            (default: :obj:`None`, epsilon)
        draws: As in :func:`evaluate`; every pose has had its backward pass
            by then, so this saves nothing. (default: :obj:`None`)

    Raises:
        ValueError: If inputs require grad, or if a pose has several
            predictions.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import Sequential, SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.gradient import Evaluation, store
        >>> poses = [Data(x=torch.full((2, 1), x)) for x in (1.0, 3.0, 2.0)]
        >>> linear = torch.nn.Linear(1, 1, bias=False)
        >>> model = Sequential(
        ...     'x, batch',
        ...     [(linear, 'x -> x'), (SumAggregation(), 'x, batch -> x')],
        ... )
        >>> pose_set = PoseSet.from_poses(poses)
        >>> out = store(Evaluation(model, pose_set, 'x, batch'))
        >>> out.sum().backward()
        >>> out.shape, linear.weight.grad
        (torch.Size([3]), tensor([[12.]]))
    """
    keys = evaluation.differentiable_keys
    if keys:
        raise ValueError(
            f"gradient='store' keeps gradients of parameters only, but "
            f"{keys} of the batch require grad. Use gradient='recompute' or "
            f"'full'"
        )
    poses = Store.apply(evaluation, *evaluation.parameters.tensors)
    every = [np.arange(evaluation.layout.num_poses)]
    return Gate.apply(
        evaluation.layout, tolerance, draws, evaluation.counts, every, poses
    )


#: What gradients are multiplied with under fp16 autocast, to begin with.
SCALE = 2.0**15


class Store(torch.autograd.Function):
    r"""Stores :math:`\partial y_i / \partial \theta` in forward.

    Backward multiplies them with :math:`c_i = \partial L / \partial y_i`
    and sums: equations (1), (2), (4) and (9).
    """

    @staticmethod
    def forward(
        ctx: Any, evaluation: Evaluation, *parameters: Tensor
    ) -> Tensor:
        """One forward and one backward pass per pose."""
        needed = [p.requires_grad for p in parameters]
        leaves = aliases(parameters, needed)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        predictions: list[Tensor] = []
        stored: list[list[Tensor | None]] = [[] for _ in wanted]
        replay = evaluation.replay
        # The loss is not there yet to be scaled, and in fp16 small gradients
        # would be lost: a scale of our own, as torch.amp.GradScaler has it.
        scale = SCALE if replay.half_autocast else 1.0
        with replay.first_pass(), evaluation.on(leaves):
            for number, poses in enumerate(evaluation.chunks):
                with replay.recorded(number):
                    out = evaluation.predict(poses)
                if out.dim() > 1:
                    raise ValueError(
                        f"gradient='store' keeps one gradient per pose, but "
                        f'the model returned {out.size(1)} predictions for '
                        f"each. Use gradient='recompute' or 'full'"
                    )
                evaluation.check_leaves(out, leaves)
                predictions.append(out.detach())
                for row, _ in enumerate(poses):
                    last = row + 1 == len(poses)
                    grads, scale = _gradients(out[row], wanted, last, scale)
                    if (
                        len(poses) > 1
                        and not replay.whole_chunks
                        and not _finite(grads)
                    ):
                        # Another pose of the chunk may have spoiled it: the
                        # derivative of that one is multiplied by zero.
                        alone = evaluation.predict(poses[row : row + 1])
                        grads, scale = _gradients(
                            alone[0], wanted, True, scale
                        )
                    _add(stored, grads)
                evaluation.counts.backward += len(poses)
            screen(evaluation, joined(predictions))
        ctx.needed = needed
        ctx.used = [any(g is not None for g in grads) for grads in stored]
        stacked = [
            _stack(leaf, grads)
            for leaf, grads, used in zip(wanted, stored, ctx.used, strict=True)
            if used
        ]
        ctx.num_parameters = len(parameters)
        ctx.save_for_backward(*parameters, *stacked)
        out = joined(predictions)
        if not any(ctx.used):
            ctx.mark_non_differentiable(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """Weights the stored gradients and sums them."""
        refuse_double_backward('store')
        refuse_batched('store', grad)
        saved = saved_tensors(ctx)
        parameters = saved[: ctx.num_parameters]
        stacked = iter(saved[ctx.num_parameters :])
        rows = grad.ne(0).nonzero().squeeze(1)
        used = iter(ctx.used)
        out: list[Tensor | None] = []
        for parameter, need in zip(parameters, ctx.needed, strict=True):
            if not need or not next(used):
                out.append(None)
                continue
            # Rows without weight are left out: 0 times NaN is NaN.
            grads = next(stacked)[rows]
            weights = grad[rows].to(grads.dtype)
            out.append(torch.tensordot(weights, grads, 1).to(parameter.dtype))
        return None, *out


def _gradients(
    out: Tensor, wanted: list[Tensor], last: bool, scale: float
) -> tuple[list[Tensor | None], float]:
    """Gradients of one prediction, and the scale that they allow."""
    if not out.requires_grad:
        return [None] * len(wanted), scale
    start = scale
    while True:
        for leaf in wanted:
            leaf.grad = None
        out.backward(torch.full_like(out, scale), not last or scale > 1)
        grads = [leaf.grad for leaf in wanted]
        if start == 1:
            return grads, start
        finite = _finite(grads)
        if finite or scale == 1:
            grads = [g if g is None else g / scale for g in grads]
            return grads, scale if finite else start
        scale /= 2


def _finite(gradients: list[Tensor | None]) -> bool:
    return all(
        g is None or bool(g.to_dense().isfinite().all()) for g in gradients
    )


def _add(
    stored: list[list[Tensor | None]], gradients: list[Tensor | None]
) -> None:
    for of_leaf, gradient in zip(stored, gradients, strict=True):
        of_leaf.append(gradient)


def _stack(leaf: Tensor, grads: list[Tensor | None]) -> Tensor:
    wide = torch.promote_types(leaf.dtype, torch.float32)
    zero = torch.zeros_like(leaf, dtype=wide, requires_grad=False)
    return torch.stack(
        [zero if g is None else g.to_dense().to(wide) for g in grads]
    )
