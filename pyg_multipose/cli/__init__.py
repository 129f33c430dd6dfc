r"""The command line, :obj:`multipose`."""

from pyg_multipose.cli.main import main

__all__ = ['main']
