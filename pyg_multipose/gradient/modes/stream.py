"""Gradient mode `stream`: the combination's gradient, pose by pose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pyg_multipose.data.transfer import to_device
from pyg_multipose.gradient.evaluation import Evaluation
from pyg_multipose.gradient.model.finite import (
    finite_rows,
    refuse,
    refuse_empty,
    screen,
)
from pyg_multipose.gradient.model.predictions import joined
from pyg_multipose.gradient.modes.accumulator import Accumulator
from pyg_multipose.gradient.modes.gate import epsilon
from pyg_multipose.gradient.modes.refusals import (
    refuse_batched,
    refuse_double_backward,
    saved_tensors,
)
from pyg_multipose.gradient.replay.parameters import aliases
from pyg_multipose.gradient.replay.seal import Seal

if TYPE_CHECKING:
    from pyg_multipose.nn.combination import Combination


def stream(
    evaluation: Evaluation,
    combination: Combination,
    tolerance: float | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Combined predictions together with their gradients.

    Between forward and backward one sum of parameter size is held per set:
    the running form of the combination, as in online softmax.

    Args:
        evaluation: What to evaluate, in chunks that end where sets end.
        combination: One with a running form.
        tolerance: The share of the weights of a set that may be dropped.
            (default: :obj:`None`, epsilon)

    Returns:
        The combined predictions of shape :obj:`[num_sets]`, and those of the
        poses, of shape :obj:`[num_poses]`, through which no gradient flows.

    Raises:
        ValueError: If inputs require grad, under fp16 autocast, or if a pose
            has several predictions.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.nn import Sequential, SumAggregation
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.gradient import Evaluation, stream
        >>> from pyg_multipose.nn import MeanCombination
        >>> poses = [Data(x=torch.full((2, 1), x)) for x in (1.0, 3.0, 2.0)]
        >>> linear = torch.nn.Linear(1, 1, bias=False)
        >>> model = Sequential(
        ...     'x, batch',
        ...     [(linear, 'x -> x'), (SumAggregation(), 'x, batch -> x')],
        ... )
        >>> evaluation = Evaluation(
        ...     model, PoseSet.from_poses(poses), 'x, batch', within_sets=True
        ... )
        >>> combined, of_poses = stream(evaluation, MeanCombination())
        >>> combined.sum().backward()
        >>> combined.shape, of_poses.shape, linear.weight.grad
        (torch.Size([1]), torch.Size([3]), tensor([[4.]]))
    """
    keys = evaluation.differentiable_keys
    if keys:
        raise ValueError(
            f"gradient='stream' sums gradients of parameters only, but "
            f"{keys} of the batch require grad. Use gradient='recompute' or "
            f"'full'"
        )
    if evaluation.replay.half_autocast:
        raise ValueError(
            "gradient='stream' takes gradients before the loss is scaled, "
            'and in fp16 small ones would be lost. Use bfloat16 or '
            "gradient='recompute'"
        )
    evaluation.encode()
    # Of receptors, plain autograd holds graphs, which need the weights.
    seal = Seal(evaluation) if evaluation.states else None
    out = Stream.apply(
        evaluation,
        seal,
        combination,
        tolerance,
        *evaluation.parameters.tensors,
        *evaluation.states,
    )
    if seal is not None:
        seal.close()
    evaluation.release()
    return out


class Stream(torch.autograd.Function):
    r"""Running form of equations (4) and (9).

    With the running extremum :math:`m`, :math:`Z = \sum_i e^{a_i - m}` and
    :math:`G = \sum_i e^{a_i - m} \, \partial y_i / \partial \theta` are
    rescaled when :math:`m` rises; at the end
    :math:`\partial y / \partial \theta = G / Z`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        evaluation: Evaluation,
        seal: Seal | None,
        combination: Combination,
        tolerance: float | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One forward pass per pose, and a backward pass if it matters."""
        ctx.set_materialize_grads(False)
        needed = [p.requires_grad for p in parameters]
        leaves = aliases(parameters, needed)
        count = len(evaluation.parameters.tensors)
        states = leaves[count:]
        predictions: list[Tensor] = []
        combined: list[Tensor] = []
        sums: list[list[Tensor | None]] = []
        replay, layout = evaluation.replay, evaluation.layout
        counts = evaluation.counts
        mattered: list[Tensor] = []
        differentiable = False
        chunks = iter(enumerate(evaluation.chunks))
        with replay.first_pass(), evaluation.on(leaves[:count]):
            for index in range(layout.num_sets):
                one = _OneSet(evaluation, combination, leaves, tolerance)
                left = int(layout.set_size[index])
                while left:
                    number, poses = next(chunks)
                    left -= len(poses)
                    with replay.recorded(number):
                        out = evaluation.predict(poses, states)
                    _check_scalar(out)
                    evaluation.check_leaves(out, leaves)
                    differentiable |= out.requires_grad
                    predictions.append(out.detach().clone())
                    # Elsewhere than on a CPU, to look is to wait.
                    if out.is_cpu or evaluation.nonfinite == 'mask':
                        finite = finite_rows(out)
                        if not finite.all():
                            if evaluation.nonfinite == 'raise':
                                refuse(evaluation, out, poses)
                            if not finite.any():
                                continue
                            poses = poses[finite]
                            out = evaluation.predict(poses, states)
                    counts.backward += one.absorb(out, poses)
                    del out  # a graph that went not backward is still whole
                combined.append(one.value(evaluation, index))
                mattered.append(one.mattered())
                sums.append(one.totals())
            order = np.concatenate(evaluation.chunks)
            of_poses = joined(predictions)[np.argsort(order)]
            screen(evaluation, of_poses)
        counts.mattered = int(torch.stack(mattered).sum())
        flat = [total for of_set in sums for total in of_set]
        ctx.has = [total is not None for total in flat]
        ctx.num_parameters = len(parameters)
        ctx.seal = seal
        tables = [evaluation.tables[key] for key in evaluation.keys]
        tables = tables if evaluation.states else []
        ctx.num_tables = len(tables)
        ctx.save_for_backward(
            *parameters,
            *tables,
            *(total for total in flat if total is not None),
        )
        of_sets = torch.stack(combined)
        if not differentiable:
            ctx.mark_non_differentiable(of_sets, of_poses)
        return of_sets, of_poses

    @staticmethod
    def backward(
        ctx: Any, grad: Tensor | None, grad_poses: Tensor | None
    ) -> tuple[Any, ...]:
        """Weights the sums of the sets."""
        refuse_double_backward('stream')
        refuse_batched('stream', grad, grad_poses)
        if grad_poses is not None:
            raise RuntimeError(
                'The loss uses the predictions of the poses, which '
                "gradient='stream' cannot serve: it knows the combined "
                "prediction only. Use gradient='recompute' (or 'full'), or "
                'detach the predictions of the poses'
            )
        count = ctx.num_parameters
        saved = saved_tensors(ctx)
        last = count + ctx.num_tables
        change = ctx.seal.change(saved[:last]) if ctx.seal else ''
        if change:
            raise RuntimeError(
                f'The single-pose model or its input changed between forward '
                f'and backward: {change}. The graph of the receptor does not '
                f"allow that. Call backward before the optimizer's step, or "
                f'use share_receptor=False'
            )
        parameters, sums = saved[:count], iter(saved[last:])
        out: list[Tensor | None] = [None] * count
        if grad is not None:
            for index, has in enumerate(ctx.has):
                if not has:
                    continue
                of_set, number = divmod(index, count)
                weight = grad[of_set]
                total = next(sums)
                if weight == 0:  # 0 times NaN is NaN
                    part = torch.zeros_like(total)
                else:
                    part = total * weight
                before = out[number]
                out[number] = part if before is None else before + part
        return (None, None, None, None) + tuple(
            total if total is None else total.to(parameter.dtype)
            for total, parameter in zip(out, parameters, strict=True)
        )


class _OneSet:
    """The sums of one set while its poses pass."""

    def __init__(
        self,
        evaluation: Evaluation,
        combination: Combination,
        leaves: list[Tensor],
        tolerance: float | None,
    ) -> None:
        self.running = combination.running()
        self._evaluation = evaluation
        self._states = leaves[len(evaluation.parameters.tensors) :]
        self._sums = Accumulator(leaves)
        self._tolerance = tolerance
        self._dropped: Tensor | float = 0.0
        self._weights: Tensor | None = None
        #: Poses whose derivative is not finite: their place among the
        #: weights, and their number.
        self._unbounded: list[tuple[int, np.ndarray]] = []

    def value(self, evaluation: Evaluation, index: int) -> Tensor:
        """The combined prediction."""
        if self._weights is None:
            refuse_empty(evaluation, index)
        return self.running.value()

    def absorb(self, out: Tensor, poses: np.ndarray) -> int:
        """Adds a chunk; returns how many poses got a backward pass."""
        wide = torch.promote_types(out.dtype, torch.float32)
        tolerance = self._tolerance = (
            epsilon(wide) if self._tolerance is None else self._tolerance
        )
        rescale, weights = self.running.update(
            out.detach().to(wide), *self._values(poses)
        )
        self._sums.scale(rescale)
        self._keep(weights, rescale)
        number = self.running.num_predictions
        if self.running.equal_weights and tolerance * number < 1:
            kept = len(weights)  # that is known without looking
        else:
            # Mass rule on the running sum: what is dropped now is at most
            # the tolerance times the final sum, since that only grows.
            ordered, order = weights.sort()
            before = self._dropped * rescale
            dropped = before + ordered.cumsum(0)
            drop = dropped <= tolerance * self.running.mass
            drop |= ordered == 0
            self._dropped = torch.where(drop, dropped, before).max()
            drop = torch.empty_like(drop).scatter_(0, order, drop)
            weights = torch.where(drop, 0, weights)
            kept = len(drop) - int(drop.sum())  # waits for a GPU
        if not kept or not out.requires_grad:
            return 0
        out.backward(weights.to(out.dtype))
        if (
            self.running.equal_weights
            or self._evaluation.replay.whole_chunks
            or self._sums.finite()
        ):
            self._sums.collect()
        else:
            self._one_by_one(poses, weights)
        return kept

    def _values(self, poses: np.ndarray) -> list[Tensor]:
        """What the combination asks for beside the predictions."""
        values = self._evaluation.pose_values.values()
        return [value[to_device(poses, value.device)] for value in values]

    def _one_by_one(self, poses: np.ndarray, weights: Tensor) -> None:
        """Sets poses aside that would spoil the sum: 0 times inf is NaN."""
        self._sums.forget()
        assert self._weights is not None
        start = len(self._weights) - len(poses)
        for row in weights.nonzero().flatten().tolist():
            pose = poses[row : row + 1]
            out = self._evaluation.predict(pose, self._states)
            out.backward(weights[row : row + 1].to(out.dtype))
            if self._sums.finite():
                self._sums.collect()
            else:
                self._sums.forget()
                self._unbounded.append((start + row, pose))

    def _keep(self, weights: Tensor, rescale: Tensor) -> None:
        """Notes the weights so far, in the present scale."""
        before = self._weights
        if before is not None:
            weights = torch.cat([before * rescale, weights])
        self._weights = weights

    def _matter(self) -> Tensor:
        """Which poses matter by their final weights, in their order here."""
        assert self._weights is not None and self._tolerance is not None
        weights, order = self._weights.sort()
        small = weights.cumsum(0) <= self._tolerance * self.running.mass
        matter = ~small & (weights != 0)
        return torch.empty_like(matter).scatter_(0, order, matter)

    def mattered(self) -> Tensor:
        """How many poses matter."""
        return self._matter().sum()

    def totals(self) -> list[Tensor | None]:
        """The gradient of the combined prediction."""
        if self._unbounded:
            assert self._weights is not None
            matter = self._matter().tolist()
            for place, pose in self._unbounded:
                if matter[place]:  # then the sum is not finite, and shows it
                    out = self._evaluation.predict(pose, self._states)
                    out.backward(self._weights[place : place + 1].to(out))
                    self._sums.collect()
        self._sums.scale(self.running.normalizer())
        return self._sums.sums()


class VectorPredictionError(ValueError):
    r"""A mode for one prediction per pose got several."""


def _check_scalar(out: Tensor) -> None:
    if out.dim() > 1:
        raise VectorPredictionError(
            f"gradient='stream' combines one prediction per pose, but the "
            f'model returned {out.size(1)} for each. Use '
            f"gradient='recompute' or 'full'"
        )
