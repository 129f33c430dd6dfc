r"""Several processes: sets, or the poses of a set, over ranks."""

from pyg_multipose.distributed.global_mean import GlobalMean
from pyg_multipose.distributed.launch import RankError, launch, process_group
from pyg_multipose.distributed.sharded_readout import ShardedReadout

__all__ = [
    'GlobalMean',
    'RankError',
    'ShardedReadout',
    'launch',
    'process_group',
]
