r"""A readout with its loss, optimizer and metrics, as Lightning wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pyg_multipose.data import PoseSet
from pyg_multipose.distributed.ranks import num_ranks
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.train.affinity_metrics import AffinityMetrics
from pyg_multipose.train.finite import check_gradient, check_loss
from pyg_multipose.train.input_record import InputRecord
from pyg_multipose.train.noise import check_noise
from pyg_multipose.train.optimizers import (
    check_optimizer,
    optimizer_of,
    schedule_of,
)
from pyg_multipose.train.over_ranks import OverRanks
from pyg_multipose.train.pose_metrics import PoseMetrics
from pyg_multipose.train.recipe import Given, build, check_plain
from pyg_multipose.train.saved_module import SavedModule
from pyg_multipose.train.transformed import cutoff_of
from pyg_multipose.train.units import same_unit, unit_of

#: Settings of a readout that are given to the module as such.
_OWN = ('model', 'combination')


class MultiPoseModule(SavedModule):
    r"""Trains a :class:`~pyg_multipose.nn.MultiPoseReadout` by Lightning.

    What is logged (:obj:`train_loss`, :obj:`valid_loss`, :obj:`valid_mae`,
    ...) is a mean over sets, however many atoms they have: Lightning
    would else take the number of atoms for that of sets.
    A set without a label counts nothing.

    **Several ranks** (:obj:`Trainer(devices=2, strategy="ddp",
    use_distributed_sampler=False)`) train as one does: the loss is the mean
    over the labels of all ranks, and so are those that are logged.

    Averaging of weights, clipping and accumulation of gradients are
    those of Lightning: :obj:`Trainer(callbacks=[EMAWeightAveraging()],
    gradient_clip_val=10.0, accumulate_grad_batches=4)`.

    **Checkpoints** hold numbers and plain data, no code, and are
    loaded by :meth:`load_from_checkpoint` as such
    (:obj:`torch.load(weights_only=True)`).
    They say what the module was made of, and how the sets look that it was
    trained on (:attr:`inputs`); others are refused by every prediction.

    Args:
        model: The single-pose model: the name of one of the package
            (:obj:`"SchNet"`, :obj:`"EquivariantGNN"`), the path of a class,
            or :obj:`{"class_path": ..., "init_args": {...}}`. A finished
            module does as well, but has to be given again when a checkpoint
            is loaded.
        combination: As of :class:`~pyg_multipose.nn.MultiPoseReadout`, or a
            mapping as above. (default: :obj:`"max"`)
        affinity: What turns combined predictions into what is measured, such
            as :obj:`"PIC50"`, in the forms above.
            (default: :obj:`None`, predictions stay in kT)
        loss: A loss of :mod:`pyg_multipose.nn.loss` for sets, in the forms
            above. It gets :obj:`batch.y_relation`, if there is one, so that
            bounds are bounds. (default: :obj:`"HuberLoss"`)
        noise: The standard deviation of labels, for
            :class:`~pyg_multipose.nn.loss.GaussianNLLLoss`.
            (default: :obj:`None`)
        unit: The unit of predictions and labels, if :obj:`affinity` does not
            say. (default: :obj:`None`)
        readout: Other arguments of the readout, such as
            :obj:`{"gradient": "stream"}`. (default: :obj:`None`)
        optimizer: The name of a class of :mod:`torch.optim`.
            (default: :obj:`"AdamW"`)
        lr: The learning rate, the highest of a schedule.
            (default: :obj:`1e-3`)
        weight_decay: The decay of weights. (default: :obj:`0.0`)
        schedule: :obj:`"constant"`, :obj:`"one_cycle"`, :obj:`"cosine"`
            (all step by step) or :obj:`"plateau"` (a tenth, where
            :obj:`valid_loss` has not improved for ten epochs).
            (default: :obj:`"constant"`)

    Raises:
        ValueError: If an argument is unknown or does not fit another one, or
            if sets are not like those of the training.

    Example:
        >>> from torch_geometric.loader import DataLoader
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.train import MultiPoseModule
        >>> from pyg_multipose.transforms import RadiusGraph
        >>> model = {
        ...     'class_path': 'SchNet',
        ...     'init_args': {'hidden_channels': 8, 'num_interactions': 1},
        ... }
        >>> module = MultiPoseModule(model, 'mean', affinity='PIC50')
        >>> sets = MproMoonshot('test', transform=RadiusGraph(4.5))[:2]
        >>> batch = next(iter(DataLoader(sets, batch_size=2)))
        >>> module(batch).shape, module.unit
        (torch.Size([2]), 'pIC50')
        >>> module.hparams.combination
        {'class_path': 'pyg_multipose.nn...MeanCombination', 'init_args': {}}
    """

    def __init__(
        self,
        model: Given,
        combination: Given = 'max',
        affinity: Given | None = None,
        loss: Given = 'HuberLoss',
        noise: float | None = None,
        unit: str | None = None,
        readout: Mapping[str, Any] | None = None,
        optimizer: str = 'AdamW',
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: str = 'constant',
    ) -> None:
        super().__init__()
        made, recipes = {}, {}
        given = {'model': model, 'combination': combination, 'loss': loss}
        if affinity is not None:
            given['affinity'] = affinity
        for what, one in given.items():
            made[what], recipes[what] = build(what, one)
        settings = dict(readout or {})
        check_plain('readout', settings)
        twice = [name for name in _OWN if name in settings]
        if twice:
            raise ValueError(
                f"'readout' has {twice}, which are arguments of the module"
            )
        check_optimizer(optimizer, lr, weight_decay, schedule)
        self.readout = MultiPoseReadout(
            made['model'], made['combination'], **settings
        )
        self.affinity: nn.Module | None = made.get('affinity')
        self.loss = made['loss']
        check_noise(self.loss, noise)
        self._ranks = OverRanks()
        self.unit = unit_of(self.affinity, unit)
        self._seen: list[PoseSet] = []
        self.metrics = nn.ModuleDict(
            {part: AffinityMetrics() for part in ('valid', 'test')}
        )
        self.pose_metrics = nn.ModuleDict(
            {part: PoseMetrics() for part in ('valid', 'test')}
        )
        self.save_hyperparameters(
            {
                **{'affinity': None, **recipes},
                'noise': noise,
                'unit': self.unit,
                'readout': settings,
                'optimizer': optimizer,
                'lr': lr,
                'weight_decay': weight_decay,
                'schedule': schedule,
            }
        )

    # Predictions #############################################################

    def forward(self, batch: PoseSet) -> Tensor:
        r"""Predicts every set of a batch, in :attr:`unit`.

        Args:
            batch: Pose sets like those of the training.

        Raises:
            ValueError: If they are not like those.
        """
        if self.inputs is not None and not self.training:
            self.inputs.check(batch)
        return self._convert(self.readout(batch))

    def predict_poses(
        self, batch: PoseSet, check: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        r"""Predicts sets and their poses, without a gradient.

        Args:
            batch: As above.
            check: Whether to compare them. (default: :obj:`True`)

        Returns:
            The predictions of the sets and of the poses, in :attr:`unit`, and
            the weights of the poses.

        Raises:
            ValueError: As above.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> from pyg_multipose.train import MultiPoseModule
            >>> from pyg_multipose.transforms import RadiusGraph
            >>> pose_set = RadiusGraph(4.5)(MproMoonshot('test')[0])
            >>> module = MultiPoseModule('SchNet', 'mean')
            >>> energy, poses, weights = module.predict_poses(pose_set)
            >>> poses.shape, weights[0]
            (torch.Size([8]), tensor(0.1250))
        """
        if check and self.inputs is not None:
            self.inputs.check(batch)
        with torch.no_grad():
            combined, poses, weights = self.readout(
                batch, return_poses=True, return_weights=True
            )
            return self._convert(combined), self._convert(poses), weights

    def predict_step(
        self, batch: PoseSet, batch_idx: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        r"""As :meth:`predict_poses`, for :obj:`Trainer.predict`.

        Args:
            batch: As above.
            batch_idx: Its number.
        """
        return self.predict_poses(batch)

    # Training ################################################################

    def training_step(self, batch: PoseSet, batch_idx: int) -> Tensor:
        r"""The loss of a batch.

        Args:
            batch: Pose sets with labels.
            batch_idx: Its number.
        """
        if self.inputs is None:  # no data module has said
            self.inputs = InputRecord.of([batch], self._cutoff())
        self._ranks.count(self, *self.labels(batch))
        pred = self._convert(self._ranks.readout(self)(batch))
        loss = self._logged_loss('train', pred, batch)
        check_loss(batch, loss)
        self._seen.append(batch)
        return loss

    def labels(self, batch: PoseSet) -> tuple[tuple[Any, ...], Tensor | None]:
        r"""What the loss takes beside predictions, and which are bounds.

        Args:
            batch: Pose sets with labels.

        Raises:
            ValueError: If they have none.

        Example:
            >>> from pyg_multipose.datasets import MproMoonshot
            >>> from pyg_multipose.train import MultiPoseModule
            >>> module = MultiPoseModule('SchNet', 'mean')
            >>> module.labels(MproMoonshot('test')[0])
            ((tensor([6.8760]),), None)
        """
        y = batch.get('y')
        if y is None:
            raise ValueError(
                "The sets have no label 'y'. Give them one: PoseSet(..., y=), "
                'or pyg_multipose.io.join_labels'
            )
        noise = self.hparams['noise']
        labels = (y,) if noise is None else (y, noise)
        return labels, batch.get('y_relation')

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        r"""Stops where the gradient is not finite, before it does harm.

        Args:
            optimizer: The optimizer.
        """
        # Of 16-mixed alone they may be infinite: the step is left out then.
        if not self.trainer.precision.startswith('16'):
            check_gradient(self, self._seen)
        self._seen.clear()

    def validation_step(self, batch: PoseSet, batch_idx: int) -> None:
        r"""The loss and metrics of a batch.

        Args:
            batch: As above.
            batch_idx: Its number.
        """
        self._evaluate('valid', batch)

    def test_step(self, batch: PoseSet, batch_idx: int) -> None:
        r"""The loss and metrics of a batch.

        Args:
            batch: As above.
            batch_idx: Its number.
        """
        self._evaluate('test', batch)

    def on_validation_epoch_end(self) -> None:
        r"""Logs the metrics."""
        self._log_metrics('valid')

    def on_test_epoch_end(self) -> None:
        r"""Logs the metrics."""
        self._log_metrics('test')

    def on_fit_start(self) -> None:
        r"""Compares the data with the unit, and with an earlier training."""
        data = getattr(self.trainer, 'datamodule', None)
        unit = getattr(data, 'unit', None)
        if unit is not None and not same_unit(unit, self.unit):
            raise ValueError(
                f"Labels are in '{unit}' and predictions in '{self.unit}'; "
                f"choose 'affinity' so that they are in one unit (PIC50, PKi, "
                f'DeltaG, or none for kT)'
            )
        self.data = getattr(data, 'record', self.data)
        record = getattr(data, 'inputs', None)
        if record is None:
            return
        self._ranks.begin(self, data)
        if self.inputs is not None and _differ(self.inputs, record):
            raise ValueError(
                f'The module was trained on sets with {self.inputs}, and is '
                f'to go on with {record}'
            )
        self.inputs = record

    def configure_optimizers(self) -> Any:
        r"""The optimizer, and the schedule if there is one."""
        hparams = self.hparams
        optimizer = optimizer_of(
            hparams['optimizer'],
            self.parameters(),
            hparams['lr'],
            hparams['weight_decay'],
        )
        if hparams['schedule'] == 'constant':
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = schedule_of(hparams['schedule'], optimizer, steps)
        return {'optimizer': optimizer, 'lr_scheduler': schedule}

    # Inside ##################################################################

    def _convert(self, energy: Tensor) -> Tensor:
        return energy if self.affinity is None else self.affinity(energy)

    def _evaluate(self, part: str, batch: PoseSet) -> None:
        if self.inputs is not None:
            self.inputs.check(batch)
        combined, poses = self.readout(batch, return_poses=True)
        pred = self._convert(combined)
        self._logged_loss(part, pred, batch)
        self._metrics(part).update(
            pred, batch.y, batch.get('y_relation'), targets_of(batch)
        )
        energies = poses.view(len(poses), -1)[:, 0]
        rmsd = batch.get('rmsd')
        if rmsd is None:  # ranks have to agree on what they gather
            rmsd = torch.full_like(energies, torch.nan)
        metrics: Any = self.pose_metrics[part]
        metrics.update(energies, rmsd, batch.set_size, False)

    def _logged_loss(self, part: str, pred: Tensor, batch: PoseSet) -> Tensor:
        labels, relation = self.labels(batch)
        args = (pred, *labels)
        loss, count = self._ranks.loss(self, part, args, relation)
        if count or num_ranks() > 1:  # the loss is the mean over these
            self.log(
                f'{part}_loss',
                loss,
                batch_size=count,
                prog_bar=True,
                on_step=False,
                on_epoch=True,
                sync_dist=True,
            )
        return loss

    def _log_metrics(self, part: str) -> None:
        metrics = self._metrics(part)
        values = {f'{part}_{k}': v for k, v in metrics.compute().items()}
        shares = self.pose_metrics[part].compute()  # type: ignore[operator]
        if not shares['top1'].isnan():
            values.update({f'{part}_pose_{k}': v for k, v in shares.items()})
        self.pose_metrics[part].reset()  # type: ignore[operator]
        self.log_dict(
            {name: value.float() for name, value in values.items()},
            batch_size=1,  # the same on all ranks
            sync_dist=True,
        )
        metrics.reset()

    def _metrics(self, part: str) -> AffinityMetrics:
        metrics = self.metrics[part]
        assert isinstance(metrics, AffinityMetrics)
        return metrics

    def _cutoff(self) -> float | None:
        loader = self.trainer.train_dataloader
        return cutoff_of(getattr(loader, 'dataset', None))


def targets_of(batch: PoseSet) -> Sequence[str] | None:
    r"""The name of the target of each set of a batch, where it is known.

    Args:
        batch: The sets.
    """
    names = batch.get('receptor_name')
    return [names] if isinstance(names, str) else names


def _differ(first: InputRecord, second: InputRecord) -> bool:
    """Whether they differ in more than in their receptors."""
    one, other = first.to_dict(), second.to_dict()
    return {**one, 'receptors': 0} != {**other, 'receptors': 0}
