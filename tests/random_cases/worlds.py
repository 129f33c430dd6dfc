"""The two copies of a case: plain autograd, and a readout."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.nn.combination import combination_resolver
from tests.random_cases import twists
from tests.random_cases.case import Case
from tests.random_cases.sets import make_batch


class Answer(NamedTuple):
    """What a call returns."""

    combined: Tensor
    poses: Tensor
    weights: Tensor | None


class World:
    """A model, its batches, and what happens to them."""

    def __init__(self, case: Case, like: World | None = None) -> None:
        self.case = case
        self.built = case.build()
        if like is None:
            self.batches = [make_batch(spec) for spec in case.batches]
        else:
            self.batches = [batch.clone().detach() for batch in like.batches]
        for batch, spec in zip(self.batches, case.batches, strict=True):
            batch.pos.requires_grad_(spec.leaf)
        self.combination = combination_resolver(case.combine(self.built.width))
        self.answers: dict[int, Answer] = {}

    @property
    def model(self) -> nn.Module:
        """The single-pose model."""
        return self.built.model

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters of the model and of the combination."""
        yield from self.model.named_parameters()
        for name, one in self.combination.named_parameters():
            yield f'combination.{name}', one

    def named_leaves(self) -> Iterator[tuple[str, Tensor]]:
        """All that may get a gradient."""
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                yield name, parameter
        for number, batch in enumerate(self.batches):
            if batch.pos.requires_grad:
                yield f'pos {number}', batch.pos
        yield from self.built.leaves.items()

    def buffers(self) -> dict[str, Tensor]:
        """Buffers of the model and of the combination."""
        both = nn.ModuleList([self.model, self.combination])
        return {name: b.clone() for name, b in both.named_buffers()}

    def loss(self, slot: int) -> Tensor:
        """The loss of an answer."""
        combined, poses, _ = self.answers[slot]
        kind = self.case.loss
        loss = combined.new_zeros(())
        if kind == 'own':
            return (combined - combined.detach()).square().sum()
        if kind == 'one-set':
            return combined[0].sum() + combined[0].square().sum()
        if kind in ('combined', 'both'):
            loss = loss + (combined * _factors(combined)).sum()
            loss = loss + 0.1 * combined.square().sum()
        if kind in ('poses', 'both'):
            loss = loss + (poses * _factors(poses)).sum()
            loss = loss + 0.1 * poses.square().mean()
        if kind == 'pose':
            loss = loss + poses[-1].square().sum()
        return loss

    # What happens between steps ##############################################

    def flip(self, _: float) -> None:
        """From training to evaluation, or back."""
        self.model.train(not self.model.training)
        self.combination.train(self.model.training)

    def replace(self, number: float) -> None:
        """Another layer in the place of one."""
        twists.exchange(self.model, random.Random(number), False)
        _move(self.model, random.Random(number))

    def hook(self, number: float) -> None:
        """A hook more."""
        rng = random.Random(number)
        twists.add_hook(twists.pick(self.model, rng), rng)

    def override(self, number: float) -> None:
        """A class of the user's, or a forward put on an object."""
        rng = random.Random(number)
        rng.choice([twists.subclass, twists.on_instance])(self.built, rng)
        self.model.double()

    def thaw(self, number: float) -> None:
        """What was frozen trains, and some of what trained does not."""
        rng = random.Random(number)
        for parameter in self.model.parameters():
            if parameter.is_leaf and rng.random() < 0.5:
                parameter.requires_grad_(not parameter.requires_grad)

    def gate(self, _: float) -> None:
        """What is zero opens."""
        with torch.no_grad():
            for parameter in self.model.parameters():
                if parameter.dim() == 0:
                    parameter.add_(0.4)

    def mask(self, _: float) -> None:
        """A receptor atom is called ligand from now on."""
        for batch in self.batches:
            mask = batch.is_ligand.clone()
            mask[0] = ~mask[0]
            batch.is_ligand = mask

    def perturb(self, what: str, number: float, slot: int) -> None:
        """A change between forward and backward."""
        rng = random.Random(number)
        model, batch = self.model, self.batches[0]
        parameters = list(model.parameters())
        one = rng.choice(parameters)
        if what == 'scale':
            with torch.no_grad():
                one.mul_(1.1)
        elif what == 'data':
            one.data.add_(rng.choice([0.1, 1e-6]))
        elif what == 'reassign':
            one.data = one.data * 1.1
        elif what == 'negate':
            two = rng.sample(parameters, min(2, len(parameters)))
            if self.case.kind == 'tied':
                # Through an odd function, predictions stay as they are.
                inner = dict(model.named_modules())
                (inner,) = [m for n, m in inner.items() if n.endswith('inner')]
                two = list(inner.parameters())
            for other in two:
                other.data.neg_()
        elif what == 'flip':
            self.flip(0.0)
        elif what == 'thaw':
            for parameter in parameters:
                parameter.requires_grad_()
        elif what == 'mirror':
            batch.pos.data.neg_()
        elif what == 'rows':
            batch.pos.data.copy_(batch.pos.data.flip(0))
        elif what == 'elements':
            batch.z.data.copy_(batch.z.data.flip(0))
        elif what == 'buffer':
            for buffer in model.buffers():
                if buffer.is_floating_point():
                    buffer.add_(0.1)
        elif what in ('exchange', 'frozen'):
            twists.exchange(model, rng, what == 'frozen')
        elif what == 'hook':
            twists.add_hook(twists.pick(model, rng), rng)
        elif what == 'attribute':
            for module in model.modules():
                for name in ('power', 'least'):
                    if name in vars(module):
                        setattr(module, name, getattr(module, name) * 2)


class Watched(MultiPoseReadout):
    """A readout that notes which poses shared a chunk."""

    chunks: list[list[int]] | None = None

    def _run(self, plan: Any, evaluation: Any) -> Any:
        self.chunks = [list(map(int, poses)) for poses in evaluation.chunks]
        return super()._run(plan, evaluation)


class Tested(World):
    """A readout."""

    def __init__(self, case: Case, like: World) -> None:
        super().__init__(case, like)
        self.readout = Watched(
            self.model, self.combination, inputs=self.built.inputs, **case.args
        )

    def call(self, number: int) -> Answer:
        """A call on a batch."""
        self.readout.chunks = None
        out = self.readout(
            self.batches[number],
            return_poses=self.case.return_poses,
            return_weights=self.case.return_weights,
        )
        out = list(out) if isinstance(out, tuple) else [out]
        combined = out.pop(0)
        poses = out.pop(0) if self.case.return_poses else None
        weights = out.pop(0) if self.case.return_weights else None
        return Answer(combined, poses, weights)

    def setting(self, name: str, value: Any) -> None:
        """Sets an attribute of the readout."""
        setattr(self.readout, name, value)


def _factors(like: Tensor) -> Tensor:
    numbers = torch.arange(like.numel(), dtype=like.dtype)
    return (1.7 * numbers + 0.4).cos().view(like.shape)


def _move(model: nn.Module, rng: random.Random) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + 0.2 * rng.random())
