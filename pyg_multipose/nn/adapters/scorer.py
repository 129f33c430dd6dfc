r"""Scorers of single poses that are no modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.data import Batch


class Scorer(nn.Module):
    r"""Any function that scores poses, as a single-pose model for inference.

    Such as the method of an object of another library, which returns numbers
    or arrays. It has no gradient: :obj:`backward` of what is made of scores
    alone ends in torch's error that nothing requires grad. Scores keep their
    unit and sign, so choose a combination that fits:
    :obj:`MaxCombination(negate=False)` where high is good.

    Args:
        function: From a pose, a :class:`~torch_geometric.data.Data`, to a
            number, or to :math:`F` of them. It is called without gradient,
            and on a few poses more often than once, to see what it does.
        each: Whether it is called with one pose at a time, or else with a
            :class:`~torch_geometric.data.Batch` of poses, of which it returns
            a row each. (default: :obj:`True`)

    Shapes:
        - **input:** a batch whose graphs are poses
        - **output:** scores, :math:`(P)` or :math:`(P, F)`, in the dtype of
          :obj:`pos`

    Raises:
        ValueError: If something of the poses requires grad, or the function
            returns what are no numbers, one row for each pose.

    Example:
        >>> from pyg_multipose.nn.adapters import Scorer
        >>> import torch
        >>> from torch_geometric.data import Batch, Data
        >>> poses = [Data(pos=torch.ones(n, 3)) for n in (2, 3)]
        >>> Scorer(lambda pose: -0.5 * len(pose.pos))(
        ...     Batch.from_data_list(poses)
        ... )
        tensor([-1.0000, -1.5000])
    """

    def __init__(
        self, function: Callable[[Any], Any], each: bool = True
    ) -> None:
        super().__init__()
        if not callable(function):
            raise ValueError(
                f"'function' is a {type(function).__name__}, expected a "
                f'function of a pose'
            )
        self.function, self.each = function, each

    def forward(self, batch: Batch) -> Tensor:
        r"""Scores every pose.

        Args:
            batch: Poses as graphs.
        """
        values = batch.to_dict()
        asked = [key for key, v in values.items() if _requires_grad(v)]
        if torch.is_grad_enabled() and asked:
            raise ValueError(
                f'{asked} of the poses require grad, and {self._called()} has '
                f'no gradient. Score them within torch.no_grad(), or use a '
                f'torch.nn.Module as the model'
            )
        with torch.no_grad():
            if self.each:
                poses = batch.to_data_list()
                found = [_array(self.function(pose)) for pose in poses]
            else:
                found = _array(self.function(batch))
        try:
            scores = np.asarray(found)
        except ValueError:  # rows of several lengths
            scores = np.empty(0)
        numbers = scores.dtype.kind in 'biuf' and scores.ndim in (1, 2)
        if not numbers or len(scores) != batch.num_graphs:
            raise ValueError(
                f'{self._called()} returned {found!r:.200} for '
                f'{batch.num_graphs} poses, expected a number (or as many '
                f'numbers) for each'
            )
        pos = values.get('pos')
        real = torch.is_tensor(pos) and pos.is_floating_point()
        dtype = pos.dtype if real else torch.get_default_dtype()
        return torch.from_numpy(scores.astype(np.float64)).to(
            batch.batch.device, dtype
        )

    def extra_repr(self) -> str:
        r"""The arguments."""
        return f'{self._called()}, each={self.each}'

    def _called(self) -> str:
        name = getattr(self.function, '__qualname__', None)
        return name or type(self.function).__name__


def _array(value: Any) -> Any:
    return value.detach().cpu().numpy() if torch.is_tensor(value) else value


def _requires_grad(value: Any) -> bool:
    return torch.is_tensor(value) and value.requires_grad
