"""What a run of the benchmark measures, and on what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

#: Atoms over which a time is taken, poses and repeats together: small steps
#: are repeated often, large ones seldom.
ATOMS = 4_000


@dataclass(frozen=True)
class Settings:
    r"""The settings of a run.

    Args:
        device: Where models run, :obj:`"cpu"` or :obj:`"cuda"`.
        quick: Whether this only shows that everything works: narrow and
            shallow models, few poses, no repeats.
        repeats: The fewest repeats of a time.
        cutoff: The distance in Angstrom within which atoms interact.
        seed: Of weights and of generated poses.
    """

    device: str = 'cpu'
    quick: bool = False
    repeats: int = 3
    cutoff: float = 4.5
    seed: int = 0

    @property
    def few(self) -> int:
        r"""Poses of a set, and the small end of memory bars."""
        return 2 if self.quick else 8

    @property
    def nine(self) -> int:
        r"""Poses of one compound as it is in the data."""
        return 2 if self.quick else 9

    @property
    def chain(self) -> str:
        r"""The whole receptor, or what stands for it where it is quick."""
        return 'pocket' if self.quick else 'chain'

    @property
    def many(self) -> int:
        r"""Poses of a batch."""
        return 4 if self.quick else 64

    @property
    def most(self) -> int:
        r"""The large end of memory bars."""
        return 4 if self.quick else 512

    @property
    def atoms(self) -> tuple[int, int, int]:
        r"""Atoms of a generated pose: small, like a pocket, and large."""
        return (20, 30, 40) if self.quick else (50, 300, 3000)

    @property
    def warm_steps(self) -> int:
        r"""Steps after which `auto` knows how many poses matter."""
        return 1 if self.quick else 8

    @property
    def schnet(self) -> dict[str, Any]:
        r"""Arguments of SchNet."""
        width = 8 if self.quick else 128
        return dict(
            hidden_channels=width,
            num_filters=width,
            num_interactions=2 if self.quick else 4,
            num_gaussians=50,
            cutoff=self.cutoff,
        )

    @property
    def pyg(self) -> dict[str, Any]:
        r"""Arguments of the graph networks of :pyg:`PyG`."""
        width = 8 if self.quick else 64
        return dict(
            in_channels=width,
            hidden_channels=width,
            num_layers=2 if self.quick else 3,
        )

    @property
    def e3nn(self) -> dict[str, Any]:
        r"""Arguments of the equivariant network."""
        return dict(
            hidden_irreps='4x0e+2x1o' if self.quick else '32x0e+16x1o+8x2e',
            num_layers=2 if self.quick else 3,
            cutoff=self.cutoff,
            lmax=1 if self.quick else 2,
        )

    def repeats_of(self, atoms: int) -> int:
        r"""How often a step over so many atoms is timed.

        Args:
            atoms: Atoms of all poses together.
        """
        if self.quick:
            return self.repeats
        return max(self.repeats, min(25, ATOMS // max(atoms, 1)))

    def as_dict(self) -> dict[str, Any]:
        r"""All of this, for the report."""
        return {
            **asdict(self),
            'threads': 1,
            'schnet': self.schnet,
            'e3nn': self.e3nn,
            'pyg': self.pyg,
        }
