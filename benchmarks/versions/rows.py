"""The matrix: corners of what pyproject.toml allows, and each torch."""

from __future__ import annotations

from dataclasses import dataclass

#: The tests of a row: one file per property, and what PyG and Lightning meet.
TESTS = (
    'tests/contracts',
    '--ignore=tests/contracts/silent',
    'tests/train',
    'tests/cli',
    'tests/nn',
)


@dataclass(frozen=True)
class Row:
    r"""Versions to install together.

    Args:
        name: Its name, also of its files.
        torch: The release of torch.
        pyg: That of torch-geometric.
        lightning: That of Lightning.
        python: The Python, as :obj:`"3.10"`. (default: :obj:`None`, the one
            that runs the command)
        others: Requirements of other packages. (default: none, so pip takes
            the newest)
    """

    name: str
    torch: str
    pyg: str
    lightning: str
    python: str | None = None
    others: tuple[str, ...] = ()

    @property
    def constraints(self) -> list[str]:
        r"""What pip is bound to."""
        return [
            # Local parts, as in 2.13.0+cpu, are part of the same release.
            f'torch=={self.torch}',
            f'torch-geometric=={self.pyg}',
            f'lightning=={self.lightning}',
            f'pytorch-lightning=={self.lightning}',
            *self.others,
        ]


#: The lowest that pyproject.toml allows.
FLOORS = (
    'e3nn==0.6.0',
    'jsonargparse==4.40.0',
    'matplotlib==3.7.0',
    'networkx==3.0',
    'gemmi==0.7.0',
    'pyarrow==15.0.0',
    'torchmetrics==1.4.0',
)

ROWS = (
    Row('oldest', '2.10.0', '2.7.0', '2.5.0', '3.10', FLOORS),
    Row('torch-2.11', '2.11.0', '2.8.0', '2.5.6'),
    Row('torch-2.12', '2.12.1', '2.8.0', '2.6.0'),
    Row('pyg-2.7', '2.13.0', '2.7.0', '2.6.6'),
    Row('lightning-2.5', '2.13.0', '2.8.1', '2.5.0'),
    Row('ours', '2.13.0', '2.8.1', '2.6.6'),
    Row('torch-2.14', '2.14.1', '2.8.1', '2.6.6'),
    Row('newest', '2.15.0', '2.8.1', '2.6.6', '3.13'),
)
