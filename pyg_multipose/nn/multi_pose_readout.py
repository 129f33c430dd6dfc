"""The layer a user holds: a single-pose model over sets of poses."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.aggr import Aggregation

from pyg_multipose.data import PoseSet
from pyg_multipose.gradient import (
    Evaluation,
    Plan,
    evaluate,
    predict,
    store,
    stream,
)
from pyg_multipose.gradient.model.requirements import input_names
from pyg_multipose.gradient.model.traits import Traits
from pyg_multipose.gradient.modes.refusals import (
    refuse_transform,
    within_transform,
)
from pyg_multipose.gradient.modes.sampling import draw
from pyg_multipose.gradient.modes.stream import VectorPredictionError
from pyg_multipose.gradient.plan.best_first import in_order
from pyg_multipose.gradient.plan.out_of_memory import first_pass
from pyg_multipose.gradient.plan.planner import Choice, Planner
from pyg_multipose.gradient.receptors.cache import ReceptorCache
from pyg_multipose.gradient.receptors.sharing import deny
from pyg_multipose.gradient.receptors.unsuited import UnsuitedError
from pyg_multipose.gradient.receptors.verdict import Verdict
from pyg_multipose.nn._combine import completed, take_pose_values
from pyg_multipose.nn._settings import (
    check_running_form,
    check_settings,
    check_transform,
    has_running_form,
)
from pyg_multipose.nn.combination import combination_resolver
from pyg_multipose.nn.sharing.sharer import sharers_of


class MultiPoseReadout(nn.Module):
    r"""Scores every pose of a set with one model and combines the scores.

    For the poses :math:`\mathbf{X}_1, \ldots, \mathbf{X}_N` of a set,

    .. math::
        y = h(y_1, \ldots, y_N), \qquad y_i = f(\mathbf{X}_i; \theta)

    with a single-pose model :math:`f` and a combination :math:`h`.
    Gradients are exact in every mode of :obj:`gradient`; they differ in what
    is held between forward and backward.
    :obj:`.grad` is never touched in forward.

    (In MTENN a *readout* converts units; here it pools a set, as in PyG.)

    Args:
        model: The single-pose model, any module.
        combination: The name of a combination (:obj:`"mean"`, :obj:`"max"`,
            :obj:`"free_energy"`, :obj:`"boltzmann_mean"`,
            :obj:`"log_mean_exp"`, :obj:`"hard_max"`, or a class of
            :obj:`torch_geometric.nn.aggr`), or an instance of any
            :class:`~torch_geometric.nn.aggr.Aggregation`.
            Note that :obj:`"max"` is a smooth **minimum** by default, since
            low energies are good. (default: :obj:`"max"`)
        gradient: The gradient mode, :obj:`"full"`, :obj:`"store"`,
            :obj:`"stream"`, :obj:`"recompute"` or :obj:`"auto"`.
            (default: :obj:`"auto"`)
        inputs: How the model is called: :obj:`model(batch)` with a
            :class:`~torch_geometric.data.Batch` whose graphs are poses, or
            with attributes of it, such as :obj:`"z, pos, batch"`.
            (default: :obj:`None`)
        max_nodes_per_chunk: The most atoms in one call of the model,
            receptor included; a pose with more goes alone.
            (default: :obj:`None`, planned for the device)
        memory_budget: Bytes that the graphs of poses may take, for
            :obj:`"auto"`, which measures what a graph takes and holds as
            many as fit where that saves time.
            (default: :obj:`None`, half of the memory that is free)
        tolerance: The share of :math:`\sum_i |\partial L / \partial y_i|`
            of a set whose poses get no backward pass; :obj:`0.0` drops only
            poses without any weight.
            (default: :obj:`None`, the epsilon of the combination's dtype)
        backward_poses: The most poses :math:`K` of a set that get a backward
            pass. Where more matter, :math:`K` are drawn by their share in
            the gradient, and forward stays exact: the gradient is unbiased
            for any loss and combination, with the variance of equation
            :eq:`eq-sampling-variance`. Random numbers come from
            :attr:`generator`. Not for :obj:`gradient="stream"`, nor for
            double backward. (default: :obj:`None`, all that matter)
        best_first: The key of a score of poses that is known beforehand,
            such as :obj:`"vina_score"` (the lowest first) or
            :obj:`"-CNNscore"` (the highest first). :obj:`"stream"` then goes
            through the poses of a set in that order, and skips the backward
            pass of more of them; no result changes. (default: :obj:`None`)
        share_receptor: Whether a receptor is evaluated once for all poses,
            by models that can. (default: :obj:`"auto"`)
        nonfinite: :obj:`"raise"` if a prediction is NaN or infinite, or
            :obj:`"mask"` to leave such poses out with a warning.
            (default: :obj:`"raise"`)

    Raises:
        ValueError: If an argument is unknown, or does not fit another one.
        RuntimeError: In a call within forward-mode derivatives or
            :func:`torch.vmap`.

    Shapes:
        - **input:** a :class:`~pyg_multipose.data.PoseSet` or a batch of
          them
        - **output:** combined predictions :math:`(S)`, or :math:`(S, F)` for
          models with :math:`F` features per pose, in the unit of the model

    One readout must not be called by several threads at a time.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.nn import MultiPoseReadout
        >>> from pyg_multipose.nn.models import SchNet
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
        >>> model = SchNet(8, 8, num_interactions=2, cutoff=4.5)
        >>> readout = MultiPoseReadout(model, combination='max')
        >>> energy = readout(pose_set)
        >>> energy.shape
        torch.Size([1])
        >>> energy.sum().backward()
        >>> model.lin2.weight.grad.shape
        torch.Size([1, 4])
    """

    model: nn.Module
    combination: Aggregation
    gradient: str
    inputs: str | None
    max_nodes_per_chunk: int | None
    memory_budget: int | None
    tolerance: float | None
    backward_poses: int | None
    best_first: str | None
    share_receptor: bool | str
    nonfinite: str

    def __init__(
        self,
        model: nn.Module,
        combination: str | Aggregation = 'max',
        gradient: str = 'auto',
        inputs: str | None = None,
        max_nodes_per_chunk: int | None = None,
        memory_budget: int | None = None,
        tolerance: float | None = None,
        backward_poses: int | None = None,
        best_first: str | None = None,
        share_receptor: bool | str = 'auto',
        nonfinite: str = 'raise',
    ) -> None:
        super().__init__()
        settings = dict(locals())
        settings = {name: settings[name] for name in _SETTINGS}
        settings['combination'] = combination_resolver(combination)
        check_settings(**settings)
        for name, value in settings.items():
            setattr(self, name, value)
        #: Where :obj:`backward_poses` draws from, in every forward pass with
        #: gradient. It starts at seed 0; ranks need seeds of their own:
        #: :obj:`readout.generator.manual_seed(rank)`. Copies and pickles
        #: keep its state; :obj:`state_dict` does not, so save
        #: :obj:`readout.generator.get_state()` beside it.
        self.generator: torch.Generator | None = None
        if backward_poses is not None:
            self.generator = torch.Generator().manual_seed(0)
        #: The :class:`~pyg_multipose.gradient.Plan` of the last call, with
        #: counts of what ran.
        self.last_plan: Plan | None = None
        self._vector = False
        self._planner = Planner()
        self._verdict = Verdict()
        self._traits = Traits()
        self._receptor_cache = ReceptorCache()
        self._checked = True

    def __setattr__(self, name: str, value: Any) -> None:
        """Settings may change between calls, to what they may be."""
        if name in _SETTINGS and '_checked' in self.__dict__:
            if name == 'combination':
                value = combination_resolver(value)
            now = {other: getattr(self, other) for other in _SETTINGS}
            check_settings(**{**now, name: value})
        super().__setattr__(name, value)

    # What is compiled around it goes on after it; the model may be compiled.
    @torch.compiler.disable
    def forward(
        self,
        batch: PoseSet,
        return_poses: bool = False,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, ...]:
        r"""Predicts every set of a batch.

        Args:
            batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them,
                where the model is or on the CPU; from there, poses go to the
                model chunk by chunk.
            return_poses: Whether to return the predictions of the poses too,
                :math:`(P)` or :math:`(P, F)`, set by set.
                (default: :obj:`False`)
            return_weights: Whether to return the weights
                :math:`\partial y / \partial y_i` too, detached, in the shape
                of the predictions of the poses. (default: :obj:`False`)

        Example:
            >>> import torch
            >>> from torch_geometric.data import Data
            >>> from torch_geometric.nn import SumAggregation
            >>> from pyg_multipose.data import PoseSet
            >>> from pyg_multipose.nn import MultiPoseReadout
            >>> x = torch.ones(2, 1)
            >>> poses = [Data(x=-x), Data(x=-3 * x), Data(x=-2 * x)]
            >>> pose_set = PoseSet.from_poses(poses)
            >>> readout = MultiPoseReadout(
            ...     SumAggregation(), 'free_energy', inputs='x, batch'
            ... )
            >>> energy, of_poses, weights = readout(
            ...     pose_set, return_poses=True, return_weights=True
            ... )
            >>> energy.round(decimals=2), of_poses
            (tensor([-6.1400]), tensor([-2., -6., -4.]))
            >>> weights.round(decimals=2)
            tensor([0.0200, 0.8700, 0.1200])
        """
        evaluation, (combined, poses) = self._evaluated(batch, return_poses)
        combined, weights = completed(
            self.combination, poses, evaluation, combined, return_weights
        )
        out = [combined]
        if return_poses:
            out.append(poses)
        if weights is not None:
            out.append(weights)
        return out[0] if len(out) == 1 else tuple(out)

    def plan(self, batch: PoseSet, return_poses: bool = False) -> Plan:
        r"""What a call would do with a batch, without doing it.

        Args:
            batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.
            return_poses: As in :meth:`forward`. (default: :obj:`False`)

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> from pyg_multipose.nn import MultiPoseReadout
            >>> from pyg_multipose.nn.models import SchNet
            >>> from pyg_multipose.transforms import RadiusGraph
            >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
            >>> model = SchNet(8, 8, num_interactions=2, cutoff=4.5)
            >>> readout = MultiPoseReadout(model, gradient='recompute')
            >>> print(readout.plan(pose_set))
            8 poses in 1 sets, 1 chunks of at most 256 atoms
            gradient 'recompute': asked for
            held until backward: the inputs and the predictions
            receptor: 1 encoded, each once for all of its poses
        """
        return self._prepare(batch, return_poses)[0]

    def extra_repr(self) -> str:
        r"""Shows the arguments that are not modules, if not the default."""
        defaults = inspect.signature(MultiPoseReadout).parameters
        return ', '.join(
            f'{name}={getattr(self, name)!r}'
            for name in defaults
            if name not in ('model', 'combination')
            and getattr(self, name) != defaults[name].default
        )

    # Inside ##################################################################

    def _evaluated(self, batch: PoseSet, return_poses: bool) -> Any:
        """What ran; combined predictions, if known by then, and poses."""
        return first_pass(
            lambda: self._prepare(batch, return_poses),
            self._run,
            self._shrink,
            self._planner.limits,
            self.generator,
        )

    def _prepare(
        self, batch: PoseSet, return_poses: bool
    ) -> tuple[Plan, Evaluation]:
        if not isinstance(batch, PoseSet):
            raise ValueError(
                f'MultiPoseReadout got a {type(batch).__name__}, expected a '
                f'PoseSet or a batch of them. Build sets by '
                f'PoseSet.from_poses or PoseSet.from_complex'
            )
        refuse_transform()
        transform = within_transform()
        if transform:
            check_transform(self.gradient, self.share_receptor)
        evaluation = Evaluation(
            self.model,
            batch,
            self.inputs,
            self.max_nodes_per_chunk,
            nonfinite=self.nonfinite,
            share_receptor=not (transform or self.gradient == 'store')
            and self.share_receptor,
            receptor_cache=self._receptor_cache,
            verdict=self._verdict,
            traits=None if transform else self._traits,
            sharers=sharers_of(self.model, input_names(self.inputs)),
        )
        take_pose_values(self.combination, evaluation)
        if self.gradient == 'auto' and evaluation.receptors is None:
            evaluation.replay.know(self._traits, whole=True)
        limits = self._planner.limits
        most = limits.most_nodes(evaluation, self.max_nodes_per_chunk)
        if most != self.max_nodes_per_chunk:
            evaluation.cut(most)
        try:
            choice = self._choose(evaluation, return_poses)
        except UnsuitedError as error:  # it was measured, on a copy
            deny(evaluation.verdict, self.share_receptor, str(error))
            return self._prepare(batch, return_poses)
        within_sets = choice.mode == 'stream' or (
            # What couples the poses of a chunk must not depend on the plan.
            self.gradient == 'auto'
            and has_running_form(self.combination)
            and limits.whole(evaluation)
            and (self.memory_budget is not None or len(evaluation.chunks) > 1)
        )
        poses = None
        if choice.mode == 'stream' and self.best_first is not None:
            poses = in_order(
                evaluation.layout, evaluation.tables, self.best_first
            )
        if choice.max_nodes or within_sets or poses is not None:
            evaluation.cut(choice.max_nodes or most, within_sets, poses)
        layout = evaluation.layout
        keep = choice.keep
        if keep and choice.mode == 'full':  # however many chunks there are
            keep = len(evaluation.chunks)
        plan = Plan(
            choice.mode,
            choice.reason,
            layout.num_sets,
            len(evaluation.chunks),
            max(evaluation.nodes_of(evaluation.chunks)),
            evaluation.receptor_plan,
            keep,
            choice.bytes,
            evaluation.counts,
        )
        return plan, evaluation

    def _choose(self, evaluation: Evaluation, return_poses: bool) -> Choice:
        if not torch.is_grad_enabled():
            return Choice('none', 'gradients are switched off')
        if not evaluation.requires_grad and self.gradient != 'full':
            return Choice('none', 'nothing requires grad')
        if within_transform():
            return Choice('full', 'a transform of torch.func is at work')
        if self.gradient == 'auto':
            no_stream = self._no_stream(evaluation, return_poses)
            free = self.max_nodes_per_chunk is None
            self._planner.budget = self.memory_budget
            self._planner.backward_poses = self.backward_poses
            return self._planner.choose(evaluation, no_stream, free)
        if self.gradient == 'stream':  # it may learn by now
            check_running_form(self.combination)
        keep = 0 if self.gradient == 'recompute' else None
        max_nodes = None
        if self.gradient == 'store' and self.max_nodes_per_chunk is None:
            max_nodes = 1  # every pose needs a backward pass of its own
        return Choice(self.gradient, 'asked for', keep, max_nodes)

    def _no_stream(
        self, evaluation: Evaluation, return_poses: bool
    ) -> str | None:
        if not has_running_form(self.combination):
            return f'{self.combination} has no running form'
        if self.backward_poses is not None:
            return 'poses are drawn in backward'
        if return_poses:
            return 'the predictions of the poses are asked for'
        if evaluation.differentiable_keys:
            return f'{evaluation.differentiable_keys} require grad'
        if evaluation.replay.half_autocast:
            return 'it would lose small gradients in fp16'
        if self._vector:
            return 'the model returns several predictions per pose'
        return None

    def _run(
        self, plan: Plan, evaluation: Evaluation
    ) -> tuple[Tensor | None, Tensor] | None:
        """The first pass: combined predictions, if known, and poses."""
        self.last_plan = plan
        self._planner.watch(plan.counts)
        evaluation.replay.warn(plan.num_chunks)
        out: tuple[Tensor | None, Tensor] | None = None
        try:
            if plan.mode != 'stream':
                out = None, self._predict_poses(plan, evaluation)
            else:
                out = stream(evaluation, self.combination, self.tolerance)
            unsteady = evaluation.unsteady
        except VectorPredictionError:
            if self.gradient == 'stream':
                raise
            self._vector = True
            return None
        except UnsuitedError as error:
            unsteady = str(error)
        if evaluation.receptors is not None and unsteady:
            evaluation.replay.rewind()
            deny(evaluation.verdict, self.share_receptor, unsteady)
            return None
        return out

    def _shrink(
        self,
        evaluation: Evaluation,
        plan: Plan,
        error: torch.OutOfMemoryError,
    ) -> None:
        may_cut = self.gradient == 'auto' or self.max_nodes_per_chunk is None
        self._planner.shrink(evaluation, plan, error, may_cut)

    def _predict_poses(self, plan: Plan, evaluation: Evaluation) -> Tensor:
        if plan.mode == 'none':
            return predict(evaluation)
        if self.backward_poses is not None and self.generator is None:
            self.generator = torch.Generator().manual_seed(0)
        draws = draw(evaluation.layout, self.backward_poses, self.generator)
        if plan.mode == 'store':
            return store(evaluation, self.tolerance, draws)
        return evaluate(evaluation, plan.keep, self.tolerance, draws)


#: The arguments, which are attributes too.
_SETTINGS = tuple(inspect.signature(MultiPoseReadout).parameters)
