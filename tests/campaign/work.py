"""Work that processes can import."""

import os
import signal
from pathlib import Path


class Touch:
    """Counts its runs in a folder; is killed in some."""

    def __init__(self, folder, kills=None, error=None):
        self.folder, self.kills, self.error = str(folder), kills or {}, error

    def __call__(self, shard):
        file = Path(self.folder, str(shard))
        runs = len(file.read_text()) if file.exists() else 0
        with open(file, 'a') as out:
            out.write('x')
        if runs < self.kills.get(shard, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if shard == self.error:
            raise ValueError(f'shard {shard} is bad')
        return 2 * shard


def threads(shard):
    import torch

    return torch.get_num_threads()
