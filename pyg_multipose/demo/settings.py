r"""What a run of the demo depends on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    r"""Everything that decides the numbers of the demo.

    Args:
        seed: Seed of the initial weights, of the order of the training sets
            and of the bootstrap. (default: :obj:`0`)
        epochs: Epochs of every model. (default: :obj:`20`)
        batch_size: Sets of a training step. (default: :obj:`8`)
        lr: Highest learning rate. (default: :obj:`0.01`)
        pocket_radius: Residues with an atom within so many Angstrom of the
            crystal ligand are kept. (default: :obj:`5.0`)
        cutoff: Atoms within so many Angstrom exchange messages.
            (default: :obj:`5.0`)
        hidden_irreps: Features of an atom.
            (default: :obj:`"16x0e+8x1o"`)
        num_layers: Convolutions. (default: :obj:`2`)
        lmax: Highest degree of the spherical harmonics. (default: :obj:`1`)
        radial_channels: Width of the radial networks. (default: :obj:`16`)
        nodes_per_chunk: Atoms in one call of the network.
            (default: :obj:`2048`)
        resamples: Resamples of the bootstrap. (default: :obj:`2000`)
        max_poses: Poses in the picture of the memory.
            (default: :obj:`64`)
        max_sets: Compounds of each split, :obj:`None` for all.
            (default: :obj:`None`)
    """

    seed: int = 0
    epochs: int = 20
    batch_size: int = 8
    lr: float = 0.01
    pocket_radius: float = 5.0
    cutoff: float = 5.0
    hidden_irreps: str = '16x0e+8x1o'
    num_layers: int = 2
    lmax: int = 1
    radial_channels: int = 16
    nodes_per_chunk: int = 2048
    resamples: int = 2000
    max_poses: int = 64
    max_sets: int | None = None
