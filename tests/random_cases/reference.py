"""Plain autograd on whole complexes, which every readout has to equal."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor

from tests.random_cases.case import RUNNING, Case
from tests.random_cases.sets import Complexes
from tests.random_cases.worlds import Answer, World


class Plain(World):
    """Plain autograd on whole complexes, then the combination."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self.complexes = [Complexes(spec) for spec in case.batches]

    def call(self, number: int, chunks: list[list[int]], skip: bool) -> Answer:
        """A call on a batch; in chunks if the model sees them."""
        batch, complexes = self.batches[number], self.complexes[number]
        outs = []
        for poses in chunks:
            graphs = complexes.graphs(batch, poses)
            if self.built.inputs is None:
                out = self.model(graphs)
            else:
                names = self.built.inputs.split(', ')
                out = self.model(*[graphs[name] for name in names])
            out = out[0] if isinstance(out, tuple) else out
            out = out.squeeze(1) if out.shape[1:] == (1,) else out
            outs.append(out.clone())
        if skip:
            outs = list(SkipZeros.apply(*outs))
        order = torch.tensor([pose for poses in chunks for pose in poses])
        poses = torch.cat(outs)[order.argsort()]
        combined = self._combine(poses, number)
        weights = None
        if self.case.return_weights:
            copied = copy.deepcopy(self.combination)
            with torch.enable_grad():
                leaf = poses.detach().requires_grad_()
                out = self._combine(leaf, number, copied)
                (weights,) = torch.autograd.grad(out.sum(), leaf)
        return Answer(combined, poses, weights)

    def _combine(
        self, poses: Tensor, number: int, combination: Any = None
    ) -> Tensor:
        complexes = self.complexes[number]
        index, size = complexes.set_of_pose, complexes.num_sets
        if poses.dim() == 1:
            poses = poses.unsqueeze(1)
        if self.case.combination in (*RUNNING, 'boltzmann-mean'):
            out = combined_plainly(self.case, poses, index, size)
        else:
            combination = combination or self.combination
            out = combination(poses, index=index, dim_size=size, dim=-2)
        return out.squeeze(1) if out.size(-1) == 1 else out


def combined_plainly(
    case: Case, poses: Tensor, index: Tensor, size: int
) -> Tensor:
    """Combinations of the package, by their formulas, set by set."""
    sets = [poses[index == number] for number in range(size)]
    if case.combination == 'mean':
        return torch.stack([one.mean(0) for one in sets])
    sign, scale, normalize = -1.0, 1.0, False
    if case.combination != 'free-energy':
        sign = -1.0 if case.negate else 1.0
        scale, normalize = case.scale, case.normalize
    if case.combination == 'boltzmann-mean':
        scale = min(scale, 10.0)
        weights = [(sign * scale * one).softmax(0) for one in sets]
        pairs = zip(weights, sets, strict=True)
        return torch.stack([(w * one).sum(0) for w, one in pairs])
    if case.combination == 'log-mean-exp':
        normalize = True
    logs = [torch.logsumexp(sign * scale * one, 0) for one in sets]
    if normalize:
        logs = [
            log - math.log(len(one))
            for log, one in zip(logs, sets, strict=True)
        ]
    return sign / scale * torch.stack(logs)


class SkipZeros(torch.autograd.Function):
    """What has no weight contributes nothing, derivative or not."""

    @staticmethod
    def forward(ctx: Any, *pieces: Tensor) -> tuple[Tensor, ...]:
        return tuple(piece.clone() for piece in pieces)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(grad if grad.ne(0).any() else None for grad in grads)
