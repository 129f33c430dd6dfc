"""Gradient mode `full`: plain autograd, every pose's graph is held."""

from __future__ import annotations

import torch
from torch import Tensor

from pyg_multipose.gradient.evaluation import Evaluation, joined


def full(evaluation: Evaluation) -> Tensor:
    r"""Predictions differentiable by plain autograd, any number of times.

    Args:
        evaluation: What to evaluate.
    """
    replay = evaluation.replay
    with replay.first_pass():
        out = joined(
            [evaluation.predict(poses) for poses in evaluation.chunks]
        )
        evaluation.screen(out)
        if evaluation.finite.all():
            return out
        # The graph of a masked pose must not exist: 0 times NaN is NaN.
        replay.rewind()
        chunks = [
            poses[evaluation.finite[poses]] for poses in evaluation.chunks
        ]
        kept = joined(
            [evaluation.predict(poses) for poses in chunks if len(poses)]
        )
    rows = torch.from_numpy(evaluation.finite.nonzero()[0]).to(out.device)
    return out.detach().index_put((rows,), kept)
