"""Runs a case: both worlds side by side, compared after every event."""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.random_cases import refusals
from tests.random_cases.case import Case
from tests.random_cases.compare import (
    SECOND,
    Comparison,
    Wrong,
    accumulated,
    gradient,
    second_derivative,
)
from tests.random_cases.models import KINDS
from tests.random_cases.reference import Plain
from tests.random_cases.worlds import Tested, World


class Refused(Exception):
    """An error that is allowed ends a case."""


class Run:
    """One case while it runs."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.compare = Comparison()
        self.args = dict(case.args)
        self.changed = False
        self.nothing = False
        self.modes: dict[int, str] = {}
        self.shared = False
        self.unjudged = False
        self.calls = 0

    def run(self) -> str:
        """All events; returns the kind of outcome."""
        case = self.case
        self.plain = Plain(case)
        built = self.plain.built
        rules = [
            rule
            for number in range(len(case.batches))
            for rule in refusals.in_forward(
                case, built, self.args, number, False
            )
        ]
        self.tested = self.allowed(lambda: Tested(case, self.plain), rules)
        for name, *args in case.events:
            getattr(self, f'on_{name}', self._both(name))(*args)
        if self.unjudged:
            return 'no reference: plain autograd is wrong too'
        if self.nothing:
            return 'equal, nothing requires grad'
        return 'equal, receptor shared' if self.shared else 'equal'

    # Events ##################################################################

    def on_forward(self, slot: int, number: int) -> None:
        """A call of both."""
        grads = accumulated(self.tested)
        before = self.tested.buffers()
        try:
            answer = self._call(number)
        except Refused:
            self.compare.same(
                accumulated(self.tested), grads, '.grad after a refusal'
            )
            self.compare.same(
                self.tested.buffers(), before, 'buffers after a refusal'
            )
            raise
        self.tested.answers[slot], self.plain.answers[slot] = answer
        self.modes[slot] = self._mode()
        self.compare.same(
            accumulated(self.tested), grads, '.grad touched in forward'
        )

    def on_no_grad(self, number: int) -> None:
        """A call without gradient."""
        with torch.no_grad():
            self._call(number)

    def on_backward(self, slot: int, retain: bool) -> None:
        """A backward pass of both, into `.grad`."""
        if not self._backward(slot, lambda loss: loss.backward(
            retain_graph=retain
        )):  # fmt: skip
            return
        self.compare.gradients(
            {n: t.grad for n, t in self.tested.named_leaves()},
            {n: t.grad for n, t in self.plain.named_leaves()},
        )
        self.compare.buffers(self.tested, self.plain)

    def on_subset(self, slot: int, number: float) -> None:
        """Gradients of some leaves, by `autograd.grad`."""
        names = [name for name, _ in self.plain.named_leaves()]
        if not names:
            return
        chosen = random.Random(number).sample(names, (len(names) + 1) // 2)
        got = self._gradients(self.tested, slot, chosen)
        expected = self._gradients(self.plain, slot, chosen)
        if got is not None or expected is not None:
            self.compare.gradients(got or {}, expected or {})

    def on_double(self, slot: int) -> None:
        """The gradient of the square of the gradient."""
        if self.plain.built.singular:
            return  # plain autograd's is not a number
        self.compare.limit = SECOND
        expected = self._reference(lambda: second_derivative(self.plain, slot))
        rules = self._backward_rules(slot, double=True)
        got = self.allowed(lambda: second_derivative(self.tested, slot), rules)
        self.compare.gradients(got, expected)

    def on_batched(self, slot: int) -> None:
        """The gradients of all predictions, by one call and by a loop."""
        out = self.tested.answers[slot].combined
        like = self.plain.answers[slot].combined
        if not (out.requires_grad and like.requires_grad):
            return
        many = torch.eye(out.numel(), dtype=out.dtype).view(-1, *out.shape)
        leaves = dict(self.plain.named_leaves())
        each = self._reference(
            lambda: [
                gradient(like, leaves, grad_outputs=one, retain_graph=True)
                for one in many
            ]
        )
        if self.case.kind in KINDS and not self._vectorises(slot, leaves):
            raise Refused('no reference: plain autograd raises')
        expected = {
            name: torch.stack([torch.zeros_like(leaf) if one[name] is None
                               else one[name] for one in each])
            for name, leaf in leaves.items()
        }  # fmt: skip
        leaves = dict(self.tested.named_leaves())
        got = self.allowed(
            lambda: gradient(
                out, leaves, grad_outputs=many, is_grads_batched=True
            ),
            self._backward_rules(slot, double=True),
        )
        self.compare.gradients(got, expected)

    def _vectorises(self, slot: int, leaves: dict[str, Tensor]) -> bool:
        """Whether the model without combination can be differentiated so."""
        poses = self.plain.answers[slot].poses
        try:
            gradient(
                poses,
                leaves,
                grad_outputs=torch.stack([poses.detach()] * 2),
                is_grads_batched=True,
                retain_graph=True,
            )
        except RuntimeError:
            return False
        return True

    def on_perturbed(self, slot: int, what: str, number: float) -> None:
        """A change, then backward: the gradient of before, or an error."""
        losses = [self.plain.loss(slot), self.tested.loss(slot)]
        if not losses[0].requires_grad:
            return
        leaves = [dict(w.named_leaves()) for w in (self.plain, self.tested)]
        expected = self._reference(
            lambda: gradient(losses[0], leaves[0], retain_graph=True)
        )
        for world in (self.plain, self.tested):
            with torch.random.fork_rng([]):
                torch.default_generator.manual_seed(0)
                world.perturb(what, number, slot)
        rules = [
            ('changed', refusals.CHANGED),
            *self._backward_rules(slot),
        ]
        got = self.allowed(lambda: gradient(losses[1], leaves[1]), rules)
        try:
            self.compare.gradients(got, expected)
            return
        except Wrong as error:
            # Where graphs are held, this is plain autograd.
            if self.modes[slot] not in ('full', 'mixed'):
                raise Wrong(f'{what} unnoticed, {error}') from None
        try:
            expected = gradient(losses[0], leaves[0])
        except RuntimeError:
            raise Wrong(f'{what} unnoticed') from None
        try:
            self.compare.gradients(got, expected)
        except Wrong:
            # Neither sees it, and they save different tensors.
            if not self.shared:
                raise
            self.unjudged = True

    def on_step(self) -> None:
        """A step of the optimizer."""
        for world in (self.plain, self.tested):
            with torch.no_grad():
                for name, leaf in world.named_leaves():
                    if leaf.grad is not None and not name.startswith('pos'):
                        grad = leaf.grad.nan_to_num()
                        leaf.sub_(0.1 * grad / grad.norm().clamp(min=1.0))
                    leaf.grad = None
        # Rounding must not add up over steps.
        with torch.no_grad():
            names = dict(self.plain.named_leaves())
            for name, leaf in self.tested.named_leaves():
                leaf.copy_(names[name].detach())

    def on_set(self, name: str, value: Any) -> None:
        """An attribute of the readout is set after it was built."""
        self.args[name] = value
        rules = [
            rule
            for number in range(len(self.case.batches))
            for rule in self._forward_rules(number)
        ]
        self.allowed(lambda: self.tested.setting(name, value), rules)

    def _both(self, name: str):
        """What happens to both worlds alike."""

        def event(*args: Any) -> None:
            for world in (self.plain, self.tested):
                getattr(world, name)(*args)
            self.changed |= name in ('hook', 'override', 'mask')

        return event

    # Calls ###################################################################

    def _call(self, number: int) -> tuple[Any, Any]:
        self.calls += 1
        seed = 1000 * self.case.seed + self.calls
        rules = self._forward_rules(number)
        called = _called(self.tested)
        torch.default_generator.manual_seed(seed)
        try:
            got = self.tested.call(number)
        except Exception as error:
            self._raised_too(number, error)
            self._refuse(error, rules)
        after = torch.get_rng_state()
        leaf = self.tested.batches[number].pos.requires_grad
        if leaf != self.case.batches[number].leaf:
            raise Wrong('batch: its positions ask for a gradient, or no more')
        shared = self._look_at_plan(number)
        called = _called(self.tested) - called
        # `auto` may run a chunk once more to see what a graph takes.
        more = called - self._num_chunks()
        most = int(self.args['gradient'] == 'auto')
        if 'keeps' in self.case.twists and not (shared or 0 <= more <= most):
            raise Wrong(
                f'calls: the model counted {called} in {self._num_chunks()} '
                f'chunks [{self.compare.how}]'
            )
        chunks = self._chunks(number)
        torch.default_generator.manual_seed(seed)
        skip = self._skips()
        try:
            expected = self.plain.call(number, chunks, skip)
        except Exception as error:
            raise Wrong(f'no error: expected {error!r}') from error
        if not torch.equal(after, torch.get_rng_state()):
            raise Wrong('random state: it ends elsewhere than it should')
        for what, g, e in zip(got._fields, got, expected, strict=True):
            if g is not None:
                self.compare.values(what, g, e)
        self.compare.buffers(self.tested, self.plain)
        return got, expected

    def _look_at_plan(self, number: int) -> bool:
        """Whether the receptor is shared, or not without need."""
        plan, spec = self.tested.readout.last_plan, self.case.batches[number]
        str(plan)
        self.compare.how = (
            f'{plan.mode}, {plan.num_chunks} chunks; {plan.receptor[:200]}'
        )
        shared = plan.receptor.endswith('each once for all of its poses')
        self.shared |= shared
        if (
            not shared
            and self.plain.built.shares
            and not (self.changed or spec.contradicts)
            and not re.search(refusals.NO_NEED, plan.receptor)
        ):
            raise Wrong(f'not shared: {plan.receptor}')
        return shared

    def _chunks(self, number: int) -> list[list[int]]:
        poses = list(range(self.plain.complexes[number].num_poses))
        if self.plain.built.coupled:
            if self.tested.readout.chunks is None:
                raise RuntimeError('the chunks of the call are not known')
            return self.tested.readout.chunks
        if self._skips():
            return [[pose] for pose in poses]
        return [poses]

    def _raised_too(self, number: int, error: Exception) -> None:
        """Whether plain autograd has nothing to return either."""
        if not isinstance(error, (ValueError, RuntimeError)):
            return
        count = self.plain.complexes[number].num_poses
        try:
            self.plain.call(number, [list(range(count))], False)
        except Exception:
            raise Refused('both raise') from error

    def _backward(self, slot: int, backward) -> bool:
        """Whether there is a gradient."""
        expected, got = self.plain.loss(slot), self.tested.loss(slot)
        if not expected.requires_grad and not got.requires_grad:
            self.nothing = True
            return False
        if expected.requires_grad:
            self._reference(lambda: backward(expected))
        state = torch.get_rng_state()
        if got.requires_grad:
            self.allowed(lambda: backward(got), self._backward_rules(slot))
        if not torch.equal(state, torch.get_rng_state()):
            raise Wrong('random state: backward changed it')
        return True

    def _gradients(self, world: World, slot: int, names: list[str]):
        loss = world.loss(slot)
        if not loss.requires_grad:
            return None
        leaves = dict(world.named_leaves())
        chosen = {name: leaves[name] for name in names}
        if world is self.plain:
            return self._reference(
                lambda: gradient(loss, chosen, retain_graph=True)
            )
        return self.allowed(
            lambda: gradient(loss, chosen, retain_graph=True),
            self._backward_rules(slot),
        )

    # Errors ##################################################################

    def _forward_rules(self, number: int) -> list[tuple[str, str]]:
        return refusals.in_forward(
            self.case, self.plain.built, self.args, number, self.changed
        )

    def _backward_rules(
        self, slot: int, double: bool = False
    ) -> list[tuple[str, str]]:
        return refusals.in_backward(
            self.case,
            self.plain.built,
            self.args,
            self.modes[slot],
            double,
        )

    def _skips(self) -> bool:
        """Whether poses without weight must not count, whatever they are."""
        plan = self.tested.readout.last_plan
        # `auto` is plain autograd where all poses mattered so far.
        plain = plan.mode == 'full' and plan.keep is None
        return self.plain.built.singular and not plain

    def _num_chunks(self) -> int:
        return self.tested.readout.last_plan.num_chunks

    def _mode(self) -> str:
        return self.tested.readout.last_plan.mode

    def _reference(self, function: Callable[[], Any]) -> Any:
        """The value of a function of plain autograd, if it has one."""
        try:
            return function()
        except RuntimeError as error:
            raise Refused('no reference: plain autograd raises') from error

    def allowed(self, function, rules: list[tuple[str, str]]) -> Any:
        """The value of a function, unless it refuses with a good reason."""
        try:
            return function()
        except (Refused, Wrong):
            raise
        except Exception as error:
            self._refuse(error, rules)

    def _refuse(self, error: Exception, rules) -> None:
        name = refusals.reason(error, rules)
        if name is not None:
            raise Refused(f'refused: {name}') from error
        trace = ''.join(traceback.format_exception(error)[-4:])
        raise Wrong(f'{type(error).__name__}: {error}\n{trace}') from error


def _called(world: World) -> int:
    """How often a model that counts was called."""
    return sum(vars(m).get('called', 0) for m in world.model.modules())
