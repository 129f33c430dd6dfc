r"""Several processes: sets, or the poses of a set, over ranks."""

from pyg_multipose.distributed.global_mean import GlobalMean

__all__ = ['GlobalMean']
