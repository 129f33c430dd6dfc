"""A training that goes on is the training that was not interrupted."""

import warnings

import pytest
import torch

from pyg_multipose.train import (
    AtomicCheckpoints,
    MetricsTable,
    MultiPoseModule,
    PoseSetDataModule,
    RunCheckpoints,
)

from .conftest import TINY

KEYS = (
    'epoch', 'global_step', 'state_dict', 'optimizer_states', 'lr_schedulers',
    'callbacks',
)  # fmt: skip


class Stop(Exception):
    pass


def plain(value):
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, torch.Tensor):
        return value.numpy().tobytes()
    return repr(value)


def train(sets, trainer, folder, stop=None, schedule='constant', **options):
    """Trains, or goes on; stops amid an epoch, if told."""
    from lightning.pytorch import Callback, callbacks, seed_everything

    class Stopper(Callback):
        def on_train_batch_end(self, trainer, module, out, batch, number):
            if stop is not None and trainer.current_epoch == stop:
                raise Stop

    seed_everything(3, verbose=False)
    more = [callbacks.LearningRateMonitor(), Stopper()]
    if options.pop('ema', False):
        if not hasattr(callbacks, 'EMAWeightAveraging'):
            pytest.skip('EMAWeightAveraging is of Lightning 2.6')
        more.append(callbacks.EMAWeightAveraging(decay=0.5))
    if patience := options.pop('patience', None):
        more.append(callbacks.EarlyStopping('valid_loss', patience=patience))
    data = PoseSetDataModule(
        sets, lengths=(0.6, 0.2, 0.2), max_poses=12, unit='pIC50',
        num_workers=options.pop('num_workers', 0),
        transform=options.pop('transform', None),
    )  # fmt: skip
    module = MultiPoseModule(
        TINY, 'mean', affinity='PIC50', schedule=schedule,
        lr=options.pop('lr', 1e-2),
    )  # fmt: skip
    made = trainer(
        max_epochs=options.pop('epochs', 3),
        callbacks=[RunCheckpoints(folder), *more],
        plugins=[AtomicCheckpoints()],
        logger=MetricsTable(folder / 'metrics.csv'),
        enable_checkpointing=True,
        **options,
    )
    last = folder / 'last.ckpt'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            made.fit(module, data, ckpt_path=last if last.exists() else None)
        except Stop:
            return None
    found = torch.load(last, weights_only=True)
    rows = (folder / 'metrics.csv').read_text()
    best = torch.load(folder / 'best.ckpt', weights_only=True)
    state = {key: plain(found[key]) for key in KEYS}
    return {**state, 'best': plain(best['state_dict']), 'rows': rows}


def noisy(pose_set):
    """Draws from the global random state of its process."""
    noise = 0.1 * torch.randn_like(pose_set.pos)
    noise *= pose_set.is_ligand[:, None]
    return pose_set.clone().put('pos', pose_set.pos + noise, 'node')


@pytest.mark.parametrize(
    'options',
    [
        {
            'ema': True,
            'accumulate_grad_batches': 2,
            'schedule': 'cosine',
            'transform': noisy,
        },
        {'schedule': 'plateau'},
        {
            'schedule': 'one_cycle',
            'gradient_clip_val': 0.1,
            'precision': 'bf16-mixed',
        },
        {'patience': 1, 'lr': 0.5, 'epochs': 5},
        {'num_workers': 1, 'transform': noisy},
    ],
    ids=['ema', 'plateau', 'bf16', 'early_stopping', 'workers'],
)
def test_goes_on_to_the_bit(sets, trainer, tmp_path, options):
    from lightning.pytorch import callbacks

    if 'precision' in options and not hasattr(callbacks, 'EMAWeightAveraging'):
        pytest.skip('on Lightning 2.5 bf16 is not resumed to the bit')
    sets, epochs = sets[:10], options.get('epochs', 3)
    whole = train(sets, trainer, tmp_path / 'whole', **options)
    for stop in (0, epochs - 2, None):
        cut = train(sets, trainer, tmp_path / 'cut', stop, **options)
        if cut is not None:
            break
    for key, value in whole.items():
        assert cut[key] == value, key


def test_schedules_that_look_at_metrics_have_seen_all_epochs(
    sets, trainer, tmp_path
):
    """As they are saved after it, and not while the epoch ends."""
    train(sets, trainer, tmp_path, 2, 'plateau')
    found = torch.load(tmp_path / 'last.ckpt', weights_only=True)
    assert found['lr_schedulers'][0]['last_epoch'] == found['epoch'] == 2


def test_a_best_model_is_no_place_to_go_on_from(sets, trainer, tmp_path):
    train(sets, trainer, tmp_path, epochs=1)
    (tmp_path / 'best.ckpt').replace(tmp_path / 'last.ckpt')
    with pytest.raises(ValueError, match='saved amid an epoch'):
        train(sets, trainer, tmp_path)
