"""What a single-pose model promises, as tests that a subclass inherits."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.gradient.model.traits import Traits
from pyg_multipose.gradient.model.twin import seed
from pyg_multipose.nn import MaxCombination, MultiPoseReadout
from pyg_multipose.testing.comparison import broken, check_close
from pyg_multipose.testing.contract import generator
from pyg_multipose.testing.example_sets import batch_of, example_sets
from pyg_multipose.testing.modes import (
    called,
    check_modes,
    composed,
    plain,
    results,
)
from pyg_multipose.testing.module import ModuleContract

#: Steps of a difference quotient, by dtype, and what it is good to.
_STEPS = {torch.float64: (1e-6, 1e-5), torch.float32: (1e-2, 5e-2)}
_MIXES = (
    'pool by batch.batch with batch.num_graphs, and normalise over atoms of '
    'a pose or over features, not over the batch'
)
_REPEATS = (
    'draw from the generator of torch alone, and change nothing but buffers '
    'in a call'
)


class ModelContract(ModuleContract):
    r"""What a single-pose model promises, one test for each property.

    Subclass it and say how a model is made, see the example.

    The model is compared in float64 and, but where training is tested, in
    evaluation mode. Its parameters are moved a little from where they start,
    as an initial zero hides much.

    Example:
        >>> from pyg_multipose.nn.models import SchNet
        >>> from pyg_multipose.testing import ModelContract
        >>> class TestMine(ModelContract):
        ...     invariant = True
        ...
        ...     def model(self):
        ...         return SchNet(8, 8, num_interactions=2, cutoff=3.0)
        >>> TestMine().test_poses_do_not_mix()
    """

    #: How the model is called, as of
    #: :class:`~pyg_multipose.nn.MultiPoseReadout`.
    inputs: str | None = None
    #: Whether predictions have gradients by :obj:`pos`.
    positions: bool = True
    #: Whether predictions stay when a pose is turned and moved. Not tested
    #: unless you say so.
    invariant: bool = False
    #: Whether the poses of a chunk may mix in training mode, as by a
    #: BatchNorm; the readout warns of it.
    mixes_in_training: bool = False
    #: Whether a receptor must be computed once for all poses. If
    #: :obj:`None`, it must if the model has :obj:`encode_receptor`, and
    #: otherwise is compared where the readout would do it.
    shares_receptor: bool | None = None
    #: The dtype of the comparison; float32 if yours cannot do float64.
    dtype: torch.dtype = torch.float64
    #: The largest difference, relative to the largest number of a tensor.
    tolerance: float = 1e-9

    def model(self) -> nn.Module:
        r"""Makes a new model."""
        raise NotImplementedError(
            f'{type(self).__name__} does not say what to test. Implement '
            f'model(self), which returns a new single-pose model'
        )

    def pose_sets(self) -> list[PoseSet]:
        r"""Makes the sets to test with, small ones: some run many times.

        The default is :func:`~pyg_multipose.testing.example_sets`, which have
        :obj:`z`, :obj:`pos` and :obj:`edge_index`. Override it for other
        keys, for instance with a few sets of your own.
        """
        return example_sets()

    # Predictions #############################################################

    def test_predictions(self) -> None:
        """There is one row for each pose, and it is finite."""
        model, batch = self._made(), self._batch()
        try:
            out = self._predict(model, batch)
        except Exception as error:  # of any kind
            raise broken(
                'a call with all poses',
                f'{type(error).__name__}: {error}',
                f'one row for each of {batch.num_poses} poses, in '
                f'{self.dtype}',
                "see the message; for other keys than 'z', 'pos' and "
                "'edge_index' override pose_sets, for a call by names set "
                'inputs, for a model in float32 alone set dtype and tolerance',
            ) from error
        if not out.isfinite().all():
            pose = int((~out.isfinite()).nonzero()[0, 0])
            raise broken(
                f'the prediction of {Layout(batch).pose_name(pose)}',
                out[pose].tolist(),
                'a finite number',
                'look for divisions and roots of zero, such as the length '
                'of an edge from an atom to itself',
            )
        if bool((out == out[:1]).all()):
            raise broken(
                f'the predictions of {len(out)} poses',
                f'all the same, {out[0].tolist()}',
                'different ones: nothing is seen of poses that are alike',
                'override pose_sets for a model that reads other keys, with '
                'two poses at least that are not alike to it',
            )

    def test_poses_do_not_mix(self) -> None:
        """A pose has the same prediction in any company."""
        self._check_mixing(self._made())

    def test_poses_do_not_mix_in_training(self) -> None:
        """So it has in training mode, if the model draws no numbers."""
        if self.mixes_in_training:
            self.skip('mixes_in_training is True')
        model = self._made().train()
        if self._draws(model):
            self.skip('the model draws random numbers in training mode')
        self._check_mixing(model)

    def test_invariance(self) -> None:
        """Turned and moved, a pose has the same prediction."""
        if not self.invariant:
            self.skip('invariant is False')
        model, batch = self._made(), self._batch()
        expected = self._predict(model, batch)
        noise = torch.randn(3, 3, generator=generator(4)).double()
        q, _ = torch.linalg.qr(noise)
        turn = (q * torch.linalg.det(q)).to(batch.pos)
        shift = torch.tensor([1.0, -2.0, 0.5]).to(batch.pos)
        for what, pos in (
            ('moved', batch.pos + shift),
            ('turned', batch.pos @ turn.t()),
        ):
            other = batch.clone()
            other.pos = pos
            check_close(
                f'all poses {what}, against where they were',
                {'the prediction': self._predict(model, other)},
                {'the prediction': expected},
                max(self.tolerance, 1e-7),
                'use lengths and angles in place of coordinates, or layers '
                'of e3nn',
            )

    # Gradients ###############################################################

    def test_gradient(self) -> None:
        """Gradients by autograd are the differences of predictions."""
        model, batch = self._made(), self._batch()
        leaves = {
            f"parameter '{name}'": value
            for name, value in model.named_parameters()
            if value.requires_grad
        }
        if self.positions:
            leaves["'pos'"] = batch.pos.requires_grad_()
        step, tolerance = _STEPS[self.dtype]
        out = self._loss(model, batch)
        grads: Any = [None] * len(leaves)
        if out.requires_grad:
            grads = torch.autograd.grad(
                out, list(leaves.values()), allow_unused=True
            )
        numbers = generator(6)
        slopes, quotients = {}, {}
        for (name, leaf), grad in zip(leaves.items(), grads, strict=True):
            way = torch.randn(leaf.shape, generator=numbers).to(leaf)
            start, ends = leaf.detach().clone(), []
            with torch.no_grad():
                for sign in (1.0, -1.0):
                    leaf.copy_(start + sign * step * way)
                    ends.append(self._loss(model, batch))
                leaf.copy_(start)
            slope = ends[0].new_zeros(()) if grad is None else grad * way
            slopes[f'the derivative by {name}'] = slope.sum()
            quotient = (ends[0] - ends[1]) / (2 * step)
            quotients[f'the derivative by {name}'] = quotient
        # All of one direction each: some may be close to zero by chance.
        check_close(
            'autograd, against differences of predictions',
            {'the derivative': torch.stack(list(slopes.values()))},
            {'the derivative': torch.stack(list(quotients.values()))},
            tolerance,
            f'look for detach(), .data, no_grad() and for backward() of '
            f'functions of your own. In this order: {list(leaves)}. Say '
            f'positions = False if edges or features are computed from '
            f'coordinates beforehand',
        )

    def test_gradient_modes(self) -> None:
        """All gradient modes give plain autograd's values and gradients."""
        model, batch = self._made(), self._batch()
        readout = self._readout(model, batch, False)
        check_modes(readout, batch, self.tolerance, False)

    def test_gradient_of_positions(self) -> None:
        """So they do for positions that require grad."""
        if not self.positions:
            self.skip('positions is False')
        model, batch = self._made(), self._batch()
        readout = self._readout(model, batch, False)
        check_modes(readout, batch, self.tolerance, True)

    def test_training_mode(self) -> None:
        """A second pass repeats the first one in training mode."""
        batch, found = self._batch(), {}
        # Two or three chunks, but one where their poses mix.
        atoms = batch.num_nodes
        if self.mixes_in_training:
            atoms = int(Layout(batch).nodes_per_pose.sum())
        for mode in ('full', 'recompute'):
            model = self._made()
            readout = self._readout(model, batch, False).train()
            readout.gradient = mode
            readout.max_nodes_per_chunk = atoms
            with torch.random.fork_rng(devices=[]):
                seed(torch.device('cpu'), 0)
                try:
                    out, poses = readout(batch, return_poses=True)
                    found[mode] = results(readout, batch, out, poses, False)
                except (RuntimeError, ValueError) as error:
                    raise broken(
                        f'training mode, gradient={mode!r}',
                        f'{type(error).__name__}: {error}',
                        'values and gradients',
                        _REPEATS,
                    ) from error
            for name, buffer in model.named_buffers():
                found[mode][f"buffer '{name}'"] = buffer
        check_close(
            "training mode, gradient='recompute' against 'full'",
            found['recompute'],
            found['full'],
            self.tolerance,
            _REPEATS,
        )

    def test_shared_receptor(self) -> None:
        """With a receptor computed once, values and gradients are the same."""
        model, batch = self._made(), self._batch()
        must = self.shares_receptor
        if must is None:
            must = hasattr(model, 'encode_receptor')
        if not bool((batch.receptor_groups() >= 0).any()):
            self.skip('no set of pose_sets has a receptor')
        try:
            readout = self._readout(model, batch, True)
            readout.plan(batch)
        except ValueError as error:
            if not must:
                self.skip(str(error))
            raise broken(
                'a receptor that is computed once for all poses',
                error,
                'values and gradients of whole complexes',
                'compare encode_receptor and forward_poses with forward, or '
                'say shares_receptor = False',
            ) from error
        check_modes(readout, batch, self.tolerance, False, (None,))
        if self.positions:
            check_modes(readout, batch, self.tolerance, True, (None,))

    # Inside ##################################################################

    def _new(self, seed: int = 0) -> nn.Module:
        return self.made_module(self.model, seed).to(self.dtype).eval()

    def _inputs(self) -> Any:
        return composed(self._batch())

    def _run(self, module: Any, inputs: Any) -> Tensor:
        with torch.no_grad():
            out = called(module, inputs, self.inputs)
        return out[0] if isinstance(out, (tuple, list)) else out

    def _batch(self) -> PoseSet:
        sets = list(self.made(self.pose_sets) or ())
        if not sets or not all(isinstance(s, PoseSet) for s in sets):
            raise TypeError(
                f'{type(self).__name__}.pose_sets() returned '
                f'{[type(s).__name__ for s in sets]}, expected PoseSets, and '
                f'at least one'
            )
        return batch_of(sets, self.dtype)

    def _predict(
        self, model: nn.Module, batch: PoseSet, poses: Any = None
    ) -> Tensor:
        with torch.no_grad():
            return plain(model, batch, self.inputs, poses)

    def _loss(self, model: nn.Module, batch: PoseSet) -> Tensor:
        out = plain(model, batch, self.inputs)
        weights = torch.linspace(0.5, 1.5, out.numel()).to(out)
        return (out * weights.view_as(out)).sum()

    def _readout(
        self, model: nn.Module, batch: PoseSet, share: bool
    ) -> MultiPoseReadout:
        poses = self._predict(model, batch)
        spread = float(poses.std()) if poses.numel() > 1 else 0.0
        return MultiPoseReadout(
            model,
            # So sharp that some poses count more, and none is left out.
            MaxCombination(1.0 / max(spread, 1e-3)),
            inputs=self.inputs,
            share_receptor=share,
        )

    def _draws(self, model: nn.Module) -> bool:
        with torch.random.fork_rng(devices=[]):
            before = torch.get_rng_state()
            self._predict(copy.deepcopy(model), self._batch())
            return not torch.equal(before, torch.get_rng_state())

    def _check_mixing(self, model: nn.Module) -> None:
        batch = self._batch()
        layout = Layout(batch)
        together = self._predict(model, batch)
        alone = torch.cat(
            [
                self._predict(model, batch, [pose])
                for pose in range(layout.num_poses)
            ]
        )
        try:
            check_close(
                'a pose by itself, against all poses in one call',
                {'the prediction': alone},
                {'the prediction': together},
                self.tolerance,
                _MIXES,
            )
        except AssertionError as error:
            raise AssertionError(
                f'{error}\n  found:      {self._mixer(model, batch)}'
            ) from None

    def _mixer(self, model: nn.Module, batch: PoseSet) -> str:
        traits, layout = Traits(), Layout(batch)
        tables = {key: batch[key] for key in layout.levels}

        def call(model: nn.Module, graphs: Any) -> Any:
            return called(model, graphs, self.inputs)

        traits.look(model, list(model.modules()), layout, tables, call)
        return traits.mixes or 'no module of its own mixes them'
