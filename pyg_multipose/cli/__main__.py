"""python -m pyg_multipose.cli: the command line."""

import sys

from pyg_multipose.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
