r"""What a module saves beside its weights, and how it is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyg_multipose.train.calibration import ConformalInterval
from pyg_multipose.train.checkpoint import note, noted, read_checkpoint
from pyg_multipose.train.data_record import DataRecord
from pyg_multipose.train.input_record import InputRecord
from pyg_multipose.train.lightning import pl

if TYPE_CHECKING:
    from typing_extensions import Self


class SavedModule(pl.LightningModule):
    r"""A module whose checkpoints are numbers and plain data, no code."""

    #: The unit of predictions and labels.
    unit: str
    #: What the sets look like that the module was trained on; none before a
    #: training.
    inputs: InputRecord | None = None
    #: The interval of its predictions, see
    #: :func:`~pyg_multipose.train.calibrate`; none before that.
    calibration: ConformalInterval | None = None
    #: Which data the module was trained on; none before a training.
    data: DataRecord | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Adds what the weights need beside them, as plain data.

        Args:
            checkpoint: What is saved.
        """
        note(checkpoint, self.unit, self.inputs, self.calibration, self.data)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Takes over how the sets of the training looked.

        Args:
            checkpoint: What was saved.
        """
        known = noted(checkpoint, 'The checkpoint')
        if known['unit'] != self.unit:
            raise ValueError(
                f"The checkpoint is of a model in '{known['unit']}', this one "
                f"predicts in '{self.unit}'; leave 'affinity' and 'unit' as "
                f'they were'
            )
        if known['inputs'] is not None:
            self.inputs = InputRecord.from_dict(known['inputs'])
        if known.get('calibration') is not None:
            self.calibration = ConformalInterval.from_dict(
                known['calibration']
            )
        if known.get('data') is not None:
            self.data = DataRecord.from_dict(known['data'])

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls,
        checkpoint_path: str | os.PathLike[str],
        map_location: Any = 'cpu',
        **kwargs: Any,
    ) -> Self:
        r"""Loads a checkpoint, which may hold no code.

        Args:
            checkpoint_path: The file.
            map_location: As of :func:`torch.load`. (default: :obj:`"cpu"`)
            kwargs: Arguments of the module that are to be others, or that a
                checkpoint cannot hold: finished modules.

        Returns:
            The module, in evaluation.

        Raises:
            FileNotFoundError: If there is no file.
            ValueError: If it is no checkpoint of this class, or does not fit
                the arguments.

        Example:
            >>> import tempfile
            >>> from lightning.pytorch import Trainer
            >>> from pyg_multipose.train import MultiPoseModule
            >>> module = MultiPoseModule('SchNet', affinity='PKi')
            >>> trainer = Trainer(logger=False, enable_model_summary=False)
            >>> trainer.strategy.connect(module)
            >>> with tempfile.NamedTemporaryFile(suffix='.ckpt') as file:
            ...     trainer.save_checkpoint(file.name)
            ...     again = MultiPoseModule.load_from_checkpoint(file.name)
            >>> again.unit
            'pKi'
        """
        checkpoint = read_checkpoint(checkpoint_path, map_location)
        arguments = {**checkpoint['hyper_parameters'], **kwargs}
        if 'affinity' in kwargs and 'unit' not in kwargs:
            del arguments['unit']
        module = cls(**arguments)
        module.on_load_checkpoint(checkpoint)
        try:
            module.load_state_dict(checkpoint['state_dict'])
        except RuntimeError as error:
            raise ValueError(
                f"'{os.fspath(checkpoint_path)}': its weights are those of "
                f'another model. {error}'
            ) from error
        return module.eval()
