r"""What combinations with Boltzmann weights have in common."""

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from pyg_multipose.nn.combination.base import Combination
from pyg_multipose.nn.combination.functional import group_sum


class ScaledCombination(Combination):
    r"""A combination that weighs poses by :math:`p_i \exp(n t y_i)`.

    It holds the sharpness :math:`t`, fixed or learned, the sign :math:`n`,
    and the name of the prior weights :math:`p_i`; see
    :class:`~pyg_multipose.nn.MaxCombination` for these arguments.

    Args:
        scale: The sharpness :math:`t`.
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
        learn: Whether :math:`t` is a parameter.
        prior: The key of the logarithms :math:`\ln p_i`, or :obj:`None`.

    Raises:
        ValueError: If :obj:`scale` is not a positive, finite number, or
            :obj:`prior` is not a name.
    """

    def __init__(
        self, scale: float, negate: bool, learn: bool, prior: str | None
    ) -> None:
        super().__init__()
        if prior is not None and (not isinstance(prior, str) or not prior):
            raise ValueError(
                f"Expected 'prior' to be the key of one number for each pose, "
                f"such as 'log_weight' (got {prior!r})"
            )
        self.negate = negate
        self.learn = learn
        self.prior = prior
        # As a logarithm, so that it stays positive whatever a step does.
        log_scale = torch.tensor(math.log(_positive(scale)))
        self.log_scale = torch.nn.Parameter(log_scale) if learn else None
        self.scale = scale

    @property
    def scale(self) -> float:
        r"""The sharpness :math:`t` now; may be set, between steps too."""
        if self.log_scale is None:
            return self._scale
        return self.log_scale.detach().exp().item()

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = value
        self.reset_parameters()

    def __setattr__(self, name: str, value: Any) -> None:
        # Before a module takes what is given for one of its parameters.
        if name == 'scale':
            value = _positive(value)
        super().__setattr__(name, value)

    def reset_parameters(self) -> None:
        r"""Sets a learned :math:`t` to what it was set to last."""
        if self.log_scale is not None:
            with torch.no_grad():
                self.log_scale.fill_(math.log(self._scale))

    @property
    def pose_keys(self) -> tuple[str, ...]:
        r"""The key of the prior weights, if there are any."""
        return () if self.prior is None else (self.prior,)

    def check_values(
        self,
        values: Sequence[Tensor],
        index: Tensor,
        dim_size: int,
        pose_name: Callable[[int], str],
        group_name: Callable[[int], str],
    ) -> None:
        r"""Refuses weights that are no weights, and groups without any.

        Args:
            values: See :meth:`Combination.check_values`, like all.
            index: As above.
            dim_size: As above.
            pose_name: As above.
            group_name: As above.
        """
        for value in values:
            bad = value.isnan() | (value == math.inf)
            if bad.any():
                row = int(bad.nonzero()[0])
                raise ValueError(
                    f"'{self.prior}' of {pose_name(row)} is "
                    f'{value[row].item()}, expected the logarithm of a '
                    f'weight: a finite number, or -inf to leave the pose out'
                )
            counts = (value > -math.inf).long()
            none = group_sum(counts, index, dim_size) == 0
            if none.any():
                name = group_name(int(none.nonzero()[0]))
                raise ValueError(
                    f"'{self.prior}' is -inf for all poses of {name}, which "
                    f'leaves nothing to combine. Leave the set out, or give '
                    f'one of its poses a weight'
                )

    def sharpness(self, like: Tensor) -> float | Tensor:
        r"""The sharpness :math:`t`, differentiable if it is learned.

        Args:
            like: The predictions.
        """
        if self.log_scale is None:
            return self._scale
        return self.log_scale.to(like.dtype).exp()

    @property
    def has_running_form(self) -> bool:  # type: ignore[override]
        r"""Whether there is one: not where :math:`t` is learned."""
        return self.log_scale is None

    @property
    def running_obstacle(self) -> str:  # type: ignore[override]
        r"""Why there is no running form."""
        if self.log_scale is None:
            return ''
        return 'its scale is learned, and a running form gives no dy/dt'

    def _repr(self, **defaults: Any) -> str:
        """Shows the arguments that differ from these."""
        shown = {name: getattr(self, name) for name in defaults}
        parts = [
            f'{name}={value!r}'
            for name, value in shown.items()
            if value != defaults[name]
        ]
        return f'{self.__class__.__name__}({", ".join(parts)})'


def log_prior_of(values: Sequence[Tensor], like: Tensor) -> Tensor | None:
    r"""The prior weights in the type that predictions are combined in.

    Args:
        values: What :meth:`Combination.combine` was given.
        like: The predictions.
    """
    return values[0].to(like.dtype) if values else None


def _positive(scale: Any) -> float:
    # A tensor is not a Real: it would look as if it were learned.
    if not isinstance(scale, Real) or not 0 < float(scale) < math.inf:
        raise ValueError(
            f"Expected 'scale' to be a positive, finite number (got "
            f"{scale!r}). For the maximum, pass 'negate=False'; to learn it, "
            f"'learn=True'"
        )
    return float(scale)
