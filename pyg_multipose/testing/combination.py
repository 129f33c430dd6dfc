"""What a combination promises, as tests that a subclass inherits."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.aggr import Aggregation

from pyg_multipose.testing.comparison import (
    broken,
    check_close,
    check_refused,
)
from pyg_multipose.testing.contract import generator
from pyg_multipose.testing.derivative import check_derivative
from pyg_multipose.testing.modes import check_combination_in_modes
from pyg_multipose.testing.module import ModuleContract

#: Three sets of two, one and three poses, whose rows are not sorted.
_INDEX = (2, 0, 1, 0, 2, 2)
#: The same number of poses, sorted.
_PTR = (0, 2, 3, 6)
_SUBCLASS = (
    'subclass pyg_multipose.nn.Combination and implement combine(), which '
    'is given checked predictions in float32 or wider'
)


class CombinationContract(ModuleContract):
    r"""What a combination promises, one test for each property.

    Subclass it and say how a combination is made, see the example.

    Values and gradients are compared in float64. Learned parameters are
    moved a little from where they start, as an initial zero hides much.

    Shapes:
        - **predictions:** :math:`(P, F)` of :math:`P` poses
        - **combined:** :math:`(S, F)` of :math:`S` sets

    Example:
        >>> from pyg_multipose.nn import MeanCombination
        >>> from pyg_multipose.testing import CombinationContract
        >>> class TestMine(CombinationContract):
        ...     def combination(self):
        ...         return MeanCombination()
        >>> TestMine().test_one_pose()  # which pytest does, with all others
    """

    #: How far predictions are apart, in their unit, where several poses of a
    #: set count: for a smooth extremum of scale :math:`t`, about
    #: :math:`1 / t`. Default predictions are
    #: :math:`-10 + \mathrm{spread} \cdot \mathcal{N}(0, 1)`, such as energies
    #: in kT, low is good.
    spread: float = 1.0
    #: The features :math:`F` of a pose. Gradient modes :obj:`"store"` and
    #: :obj:`"stream"` are only for one.
    num_features: int = 1
    #: Whether a set of one pose has the value of that pose. Not so for
    #: learned poolings of features, which have no such value.
    one_pose_is_itself: bool = True
    #: What can be added to all predictions: energies may be far from zero.
    #: Say :obj:`0.0` if yours are bounded, such as probabilities.
    offset: float = -1e4

    def combination(self) -> Aggregation:
        r"""Makes a new combination."""
        raise NotImplementedError(
            f'{type(self).__name__} does not say what to test. Implement '
            f'combination(self), which returns a new combination'
        )

    def predictions(
        self, num_poses: int, generator: torch.Generator
    ) -> Tensor:
        r"""Makes predictions of poses, float64 of shape :math:`(P, F)`.

        Override it if yours are not like energies.

        Args:
            num_poses: How many poses :math:`P`.
            generator: Where random numbers come from.
        """
        size = num_poses, self.num_features
        noise = torch.randn(size, generator=generator, dtype=torch.float64)
        return -10.0 + self.spread * noise

    # Values ##################################################################

    def test_one_pose(self) -> None:
        """A set of one pose has its value, and the weight of it is one."""
        if not self.one_pose_is_itself:
            self.skip('one_pose_is_itself is False')
        x = self._x(6)
        out, grad = self._results(self._made(), x, **_index())
        advice = (
            'divide by the sum of weights, or say one_pose_is_itself = False '
            'if poses have no value of their own'
        )
        check_close(
            'a set of one pose',
            {'the combined prediction': out[1], 'its derivative': grad[2]},
            {
                'the combined prediction': x[2],
                'its derivative': torch.ones_like(x[2]),
            },
            1e-12,
            advice,
        )

    def test_order_of_poses(self) -> None:
        """Poses in another order have the same value and gradients."""
        x, combination = self._x(6), self._made()
        order = torch.randperm(6, generator=generator(3))
        out, grad = self._results(combination, x, **_index())
        other, moved = self._results(
            combination,
            x[order],
            index=torch.tensor(_INDEX)[order],
            dim_size=3,
        )
        check_close(
            'poses in another order',
            {'the combined prediction': other, 'the gradient': moved},
            {'the combined prediction': out, 'the gradient': grad[order]},
            1e-10,
            'let no result depend on the place of a pose',
        )

    def test_other_sets(self) -> None:
        """A set has the same value and gradients in any company."""
        x, combination = self._x(6), self._made()
        out, grad = self._results(combination, x, **_index())
        for group in range(3):
            rows = torch.tensor(_INDEX) == group
            alone, own = self._results(combination, x[rows])
            check_close(
                'a set beside other sets, against itself alone',
                {'the combined prediction': out[group], 'grad': grad[rows]},
                {'the combined prediction': alone[0], 'grad': own},
                1e-10,
                "reduce by 'index', over the rows of a set alone",
            )

    def test_index_and_ptr(self) -> None:
        """Groups by index and by boundaries give the same."""
        x, combination = self._x(6), self._made()
        index = torch.tensor([0, 0, 1, 2, 2, 2])
        out, grad = self._results(combination, x, index=index, dim_size=3)
        for groups in ({}, {'index': index}):
            other, own = self._results(combination, x, **_ptr(), **groups)
            check_close(
                f"groups by 'ptr'{' and index' * bool(groups)}, not 'index'",
                {'the combined prediction': other, 'the gradient': own},
                {'the combined prediction': out, 'the gradient': grad},
                1e-10,
                _SUBCLASS + "; its 'index' is there in both cases",
            )

    def test_dimension(self) -> None:
        """Poses may lie along any dimension."""
        x, combination = self._x(6), self._made()
        out = combination(x, **_index())
        advice = f"move 'dim' to the front and back; or {_SUBCLASS}"
        for dim, rows, expected in (
            (0, x, out),
            (-1, x.t(), out.t()),
            (1, x.t(), out.t()),
        ):
            self._check_dim(combination, dim, rows, expected, advice)
        if self.num_features == 1:
            self._check_dim(combination, 0, x[:, 0], out[:, 0], advice)

    # Gradients ###############################################################

    def test_gradient(self) -> None:
        """Gradients are the differences of values, in float64."""
        self._check_derivative(second=False)

    def test_second_derivative(self) -> None:
        """So are second derivatives, if they are not refused."""
        self._check_derivative(second=True)

    def test_gradient_modes(self) -> None:
        """All gradient modes give plain autograd's values and gradients."""
        check_combination_in_modes(
            self._made(), self.predictions(7, generator(5))
        )

    def test_running_form(self) -> None:
        """A few poses at a time have the value and the weights of all."""
        combination: Any = self._made()
        if not getattr(combination, 'has_running_form', False):
            self.skip('it has no running form')
        x = self._x(7)[:, 0]
        self._check_running(combination, x)
        if self.offset:  # so far apart that weights overflow
            self._check_running(combination, x[:1] + 1e4 * (x - x[:1]))

    # Numbers #################################################################

    def test_half_precision(self) -> None:
        """Predictions in half precision are combined in float32."""
        combination = self._made().float()
        for dtype in (torch.float16, torch.bfloat16):
            x = self._x(6).to(dtype)
            check_close(
                f'predictions in {dtype}, against the same in float32',
                {'the combined prediction': combination(x, **_index())},
                {
                    'the combined prediction': combination(
                        x.float(), **_index()
                    )
                },
                0.0,
                f'compute in float32 and return that; or {_SUBCLASS}',
            )

    def test_large_predictions(self) -> None:
        """Far from zero, float32 agrees with float64 up to rounding."""
        if not self.offset:
            self.skip('offset is 0.0')
        x = (self._x(6) + self.offset).float()
        combination = self._made().float()
        out, grad = self._results(combination, x, **_index())
        exact, slope = self._results(
            copy.deepcopy(combination).double(), x.double(), **_index()
        )
        advice = (
            'subtract the extremum of a set before you multiply or '
            'exponentiate; or say offset = 0.0 if predictions are bounded'
        )
        where = f'predictions around {self.offset:g} in float32'
        if not (out.isfinite().all() and grad.isfinite().all()):
            raise broken(where, out.tolist(), 'finite numbers', advice)
        for name, got, expected, tolerance in (
            ('the combined prediction', out, exact, 1e-5),
            ('the gradient', grad, slope, 2e-3),
        ):
            check_close(
                where,
                {name: got},
                {name: expected.float()},
                tolerance,
                advice,
            )

    def test_empty_set(self) -> None:
        """A set without poses is an error; never a number."""
        x, combination = self._x(4), self._made()
        four = torch.zeros(4, dtype=torch.long)
        none = x[:0], torch.empty(0, dtype=torch.long)
        cases: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
            ('the last of two sets', (x, four), {'dim_size': 2}),
            ('the first of two sets', (x, four + 1), {'dim_size': 2}),
            (
                'the second of three sets',
                (x,),
                {'ptr': torch.tensor([0, 2, 2, 4])},
            ),
            ('the only set', none, {'dim_size': 1}),
            ('all there is', (x[:0],), {}),
        ]
        for which, args, groups in cases:
            check_refused(
                f'{which} has no poses',
                partial(combination, *args, **groups),
                (ValueError,),
                f'raise a ValueError that names the set; or {_SUBCLASS}',
            )

    def test_not_a_number(self) -> None:
        """What is not a number in one set stays in that set."""
        x, combination = self._x(6), self._made()
        rows = torch.tensor(_INDEX) != 2
        out, grad = self._results(combination, x, **_index())
        for bad in (torch.nan, torch.inf, -torch.inf):
            worse = x.clone()
            worse[4] = bad
            other, own = self._results(combination, worse, **_index())
            check_close(
                f'sets beside a prediction that is {bad}',
                {'the combined prediction': other[:2], 'grad': own[rows]},
                {'the combined prediction': out[:2], 'grad': grad[rows]},
                1e-10,
                'reduce by index; a product with a mask of zeros makes NaN '
                'of what is not finite, torch.where does not',
            )
            if bad != bad and not other[2].isnan().all():
                raise broken(
                    'the set of a prediction that is NaN',
                    other[2].tolist(),
                    'NaN',
                    'do not hide it: the readout names such a pose',
                )

    # Inside ##################################################################

    def _new(self, seed: int = 0) -> Aggregation:
        return self.made_module(self.combination, seed).double()

    def _inputs(self) -> dict[str, Any]:
        return {'x': self._x(6), **_index()}

    def _run(self, module: Any, inputs: dict[str, Any]) -> Tensor:
        return module(**inputs)

    def _x(self, num_poses: int) -> Tensor:
        return self.predictions(num_poses, generator(2)).double()

    def _results(
        self, combination: Aggregation, x: Tensor, **groups: Any
    ) -> tuple[Tensor, Tensor]:
        """Values, and the gradient for another one of each set."""
        x = x.detach().clone().requires_grad_()
        out = combination(x, **groups)
        (grad,) = torch.autograd.grad(out.sum(), x)
        return out.detach(), grad

    def _check_dim(
        self,
        combination: Aggregation,
        dim: int,
        x: Tensor,
        expected: Tensor,
        advice: str,
    ) -> None:
        name = f'predictions of shape {list(x.shape)}'
        try:
            got = combination(x, **_index(), dim=dim)
        except Exception as error:  # of any kind: it runs others' code
            raise broken(
                f'{name}, poses along dim={dim}',
                f'{type(error).__name__}: {error}',
                f'shape {list(expected.shape)}',
                advice,
            ) from error
        check_close(
            f'poses along dim={dim}',
            {name: got},
            {name: expected},
            1e-12,
            advice,
        )

    def _check_running(self, combination: Any, x: Tensor) -> None:
        out, grad = self._results(combination, x.unsqueeze(1))
        for chunks in ([7], [1] * 7, [3, 4], [2, 1, 4]):
            for order in (torch.arange(7), x.argsort(), (-x).argsort()):
                running = combination.running()
                weights = x.new_zeros(0)
                for chunk in x[order].split(chunks):
                    rescale, new = running.update(chunk)
                    weights = torch.cat([rescale * weights, new])
                check_close(
                    f'the running form in chunks of {chunks} poses',
                    {
                        'the value': running.value(),
                        'the weights': running.normalizer() * weights,
                    },
                    {'the value': out[0, 0], 'the weights': grad[order, 0]},
                    1e-10,
                    'see Running: G <- rescale G + sum of weights g_i, and '
                    'dy/dy_i = normalizer times weight. Weigh relative to '
                    'the extremum so far',
                )

    def _check_derivative(self, second: bool) -> None:
        spread = float(self.predictions(64, generator(2)).std())
        for groups in (_index(), _ptr()):
            check_derivative(self._made(), self._x(6), spread, second, groups)


def _index() -> dict[str, Any]:
    return {'index': torch.tensor(_INDEX), 'dim_size': 3}


def _ptr() -> dict[str, Any]:
    return {'ptr': torch.tensor(_PTR)}
