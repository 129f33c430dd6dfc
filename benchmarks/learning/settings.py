"""What the learning tables depend on."""

from __future__ import annotations

from dataclasses import dataclass

#: Networks, in the order of what is given for each.
NETWORKS = ('contacts', 'SchNet')


@dataclass(frozen=True)
class Settings:
    r"""Everything that decides the numbers; chosen on valid, never on test.

    Args:
        seeds: How often everything is repeated, with other planted energies
            and other initial weights. (default: :obj:`3`)
        steps: Training steps of every model, whatever it is trained on.
            (default: :obj:`800`)
        batch_size: Sets of a step. (default: :obj:`8`)
        lr: Highest learning rate, by network.
        weight_decay: Of AdamW. (default: :obj:`0.01`)
        cutoff: Atoms of ligand and receptor within so many Angstrom exchange
            messages. (default: :obj:`5.0`)
        planted_cutoff: Where planted energies end, in Angstrom.
            (default: :obj:`4.5`)
        spread: The standard deviation of planted energies among the poses of
            a set, in kT. (default: :obj:`3.0`)
        width: Features of an atom, by network.
        num_gaussians: Of the expansion of distances, by network.
        curve: How many generated sets are trained on.
        num_poses: Poses of a generated set. (default: :obj:`8`)
        resamples: Resamples of the bootstrap. (default: :obj:`2000`)
        max_sets: Compounds of a split, :obj:`None` for all.
            (default: :obj:`None`)
        processes: How many models are trained at a time, one thread each.
            (default: :obj:`2`)
    """

    seeds: int = 3
    steps: int = 800
    batch_size: int = 8
    lr: tuple[float, float] = (0.02, 0.005)
    weight_decay: float = 0.01
    cutoff: float = 5.0
    planted_cutoff: float = 4.5
    spread: float = 3.0
    width: tuple[int, int] = (16, 64)
    num_gaussians: tuple[int, int] = (10, 8)
    curve: tuple[int, ...] = (20, 80, 320)
    num_poses: int = 8
    resamples: int = 2000
    max_sets: int | None = None
    processes: int = 2
