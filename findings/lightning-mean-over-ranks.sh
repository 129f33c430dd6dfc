#!/usr/bin/env bash
# lightning 2.6.6, torch 2.13.0: self.log(..., on_epoch=True, sync_dist=True,
# batch_size=n) on several ranks gives a number that is no mean of anything.
#
# One would expect the mean weighted by the batch sizes of the ranks. The
# weighted value is summed in floats, but the batch sizes are averaged over the
# ranks as integers, which cuts off what is behind the point.
#
#   rank 0 logs 1.0 for 2 items, rank 1 logs 4.0 for 1 item
#   expected (2 * 1.0 + 1 * 4.0) / 3 = 2.0
#   logged 3.0, as if there were 2 items and not 3
#
# It is right where all ranks have as many items, so equal batches hide it.
# Logging sizes times the number of ranks goes round it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 lightning==2.6.6 numpy

cat > "$folder/logged.py" <<'PYTHON'
import logging
import warnings

import lightning
import torch
from lightning.pytorch import LightningModule, Trainer

warnings.simplefilter('ignore')
logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)


class Logs(LightningModule):
    times = 1

    def validation_step(self, batch, batch_idx):
        value, items = ((1.0, 2), (4.0, 1))[self.global_rank]
        self.log('value', value, on_epoch=True, sync_dist=True,
                 batch_size=items * self.times)


def logged(times):
    module = Logs()
    module.times = times
    trainer = Trainer(accelerator='cpu', devices=2, strategy='ddp_fork',
                      logger=False, enable_progress_bar=False)
    loader = torch.utils.data.DataLoader([0, 0], batch_size=1)
    return trainer.validate(module, loader, verbose=False)[0]['value']


if __name__ == '__main__':
    print(lightning.__version__, torch.__version__)
    found, around = logged(1), logged(2)
    print('logged', found, '; with sizes times the number of ranks', around)
    assert abs(found - 3.0) < 1e-6, found
    assert abs(around - 2.0) < 1e-6, around
PYTHON
"$folder/venv/bin/python" -W ignore "$folder/logged.py"
