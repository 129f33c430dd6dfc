r"""The running forms of combinations."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor


def widen(x: Tensor) -> Tensor:
    r"""Returns predictions in the type they are combined in.

    Args:
        x: The predictions, of any shape.

    Returns:
        The predictions in float32, or in float64 if they are.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Running(ABC):
    r"""Combines the scalar predictions of *one* set, a few at a time.

    It is what a gradient mode needs to hold one gradient instead of one per
    pose.
    With :math:`\mathbf{g}_i = \mathrm{d} y_i / \mathrm{d} \theta`, each
    update is followed by

    .. math::
        \mathbf{G} \leftarrow \mathrm{rescale} \cdot \mathbf{G} +
        \sum_i \mathrm{weights}_i \, \mathbf{g}_i,

    and at the end :math:`\mathrm{d} y / \mathrm{d} \theta =
    \mathrm{normalizer} \cdot \mathbf{G}`.
    A prediction of weight zero may have a gradient that is not finite: leave
    it out of the sum, rather than multiply.

    Everything returned is a tensor on the device of the predictions, and
    nothing waits for the device.
    A subclass implements :meth:`absorb` and :meth:`value`.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn.combination import Running
        >>> class RunningMean(Running):
        ...     total = 0.0
        ...
        ...     def absorb(self, x):
        ...         self.total = self.total + x.sum()
        ...         return x.new_ones(()), torch.ones_like(x)
        ...
        ...     def value(self):
        ...         return self.total / self.mass
        >>> running = RunningMean()
        >>> for x in torch.tensor([[-8.0, -7.0], [-5.0, -6.0]]):
        ...     rescale, weights = running.update(x)
        >>> running.value(), running.normalizer()
        (tensor(-6.5000), tensor(0.2500))
    """

    #: Whether every prediction has the weight one, whatever it is; then
    #: nobody has to look at weights to know which ones matter.
    equal_weights: bool = False

    def __init__(self) -> None:
        self._num_predictions = 0
        self._mass: Tensor | None = None

    @property
    def num_predictions(self) -> int:
        r"""The number of predictions so far."""
        return self._num_predictions

    @property
    def mass(self) -> Tensor:
        r"""The sum of all weights so far in the current scale, a scalar.

        Raises:
            ValueError: If there was no prediction yet.
        """
        if self._mass is None:
            raise ValueError(
                'Got no prediction yet, and nothing combines to no number. '
                "Call 'update' first"
            )
        return self._mass

    def update(self, x: Tensor, *values: Tensor) -> tuple[Tensor, Tensor]:
        r"""Takes up :math:`k` more predictions of the set.

        Args:
            x: The predictions, shape :math:`(k)`, :math:`k \ge 1`.
            *values: Those of the combination's :obj:`pose_keys`, shape
                :math:`(k)` each.

        Returns:
            The factor by which all earlier weights change, a scalar, and the
            weights of the new predictions, shape :math:`(k)`; both float32
            or wider.

        Raises:
            ValueError: If :obj:`x` is not a vector or is empty.
        """
        if x.dim() != 1 or x.numel() == 0:
            raise ValueError(
                f"Expected 'x' to be a vector of at least one prediction (got "
                f'shape {list(x.shape)}). The running form takes scalar '
                f'predictions of one set'
            )
        rescale, weights = self.absorb(widen(x.detach()), *values)
        mass = weights.sum()
        self._mass = (
            mass if self._mass is None else rescale * self._mass + mass
        )
        self._num_predictions += x.numel()
        return rescale, weights

    @abstractmethod
    def absorb(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""Does the work of :meth:`update`, but for the mass and the count.

        That of a combination with :obj:`pose_keys` takes their values too.

        Args:
            x: The checked predictions, detached, float32 or wider, shape
                :math:`(k)`.

        Returns:
            The factor and the weights, see :meth:`update`.
        """

    @abstractmethod
    def value(self) -> Tensor:
        r"""Returns the combined prediction so far, a scalar."""

    def normalizer(self) -> Tensor:
        r"""Returns what turns a weight into :math:`\partial y/\partial y_i`.

        Returns:
            A scalar; by default one over the mass, so that
            :math:`\partial y/\partial y_i` sum to one.
        """
        return 1.0 / self.mass


class RunningMean(Running):
    r"""Equations (3) and (4), a few poses at a time."""

    equal_weights = True

    def __init__(self) -> None:
        super().__init__()
        self._total: Tensor | float = 0.0

    def absorb(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""Counts every prediction the same."""
        self._total = self._total + x.sum()
        return x.new_ones(()), torch.ones_like(x)

    def value(self) -> Tensor:
        r"""Returns equation (3)."""
        return self._total / self.mass


class RunningMax(Running):
    r"""Equations (5) and (9), a few poses at a time (online softmax).

    Args:
        scale: The sharpness :math:`t`.
        negate: If :obj:`True`, :math:`n = -1`, else :math:`n = 1`.
        normalize: If :obj:`True`, subtracts :math:`\frac{n}{t} \ln N`.

    With prior weights, :math:`n y_i + \frac{1}{t} \ln p_i` takes the place of
    :math:`n y_i`, and :math:`\sum_i p_i` that of :math:`N`.
    """

    def __init__(self, scale: float, negate: bool, normalize: bool) -> None:
        super().__init__()
        self.scale = scale
        self.negate = negate
        self.normalize = normalize
        self._extremum: Tensor | float = -math.inf
        self._prior: Tensor | None = None

    def absorb(self, x: Tensor, *values: Tensor) -> tuple[Tensor, Tensor]:
        r"""Weighs relative to the extremum so far."""
        signed = -x if self.negate else x
        if values:
            signed = self._shifted(signed, values[0])
        extremum = signed.max()
        if isinstance(self._extremum, Tensor):
            extremum = torch.maximum(extremum, self._extremum)
        # As in functional.exponents: no inf - inf before a finite member.
        origin = extremum.masked_fill(extremum == -math.inf, 0.0)
        rescale = (self.scale * (self._extremum - origin)).exp()
        weights = (self.scale * (signed - origin)).exp()
        self._extremum = extremum
        return rescale.to(x.dtype), weights.to(x.dtype)

    def _shifted(self, signed: Tensor, log_prior: Tensor) -> Tensor:
        """The predictions with their prior weights."""
        # In float64: at t = 1000, the shift is lost in an energy of -300.
        log_prior = log_prior.detach().double()
        mass = log_prior.logsumexp(0)
        before = self._prior
        self._prior = mass if before is None else before.logaddexp(mass)
        shifted = signed.double() + log_prior / self.scale
        return shifted.masked_fill(log_prior == -math.inf, -math.inf)

    def value(self) -> Tensor:
        r"""Returns equation (5)."""
        if self._prior is not None:
            total = self.mass.double().log()
            if self.normalize:
                total = total - self._prior
            wide = total / self.scale + self._extremum
            return (-wide if self.negate else wide).to(self.mass.dtype)
        size = self.num_predictions if self.normalize else 1
        out = (self.mass / size).log() / self.scale + self._extremum
        return -out if self.negate else out


class RunningHardMax(Running):
    r"""Equations :eq:`eq-hard-max` and :eq:`eq-hard-max-grad`.

    Args:
        negate: If :obj:`True`, the minimum, else the maximum.
    """

    def __init__(self, negate: bool) -> None:
        super().__init__()
        self.negate = negate
        self._best: Tensor | None = None

    def absorb(self, x: Tensor) -> tuple[Tensor, Tensor]:
        r"""Forgets all that came before if there is a better one now."""
        best = x.min() if self.negate else x.max()
        before = self._best
        if before is None:
            before = best
        else:
            merge = torch.minimum if self.negate else torch.maximum
            best = merge(best, before)
        self._best = best
        return (before == best).to(x.dtype), (x == best).to(x.dtype)

    def value(self) -> Tensor:
        r"""Returns equation :eq:`eq-hard-max`."""
        # Without a prediction, there is no mass either, which says so.
        return self.mass if self._best is None else self._best
