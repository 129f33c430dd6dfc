r"""What a run of the demo depends on."""

from dataclasses import dataclass

#: The configuration of all trainings, :obj:`multipose fit --config NAME`.
CONFIG = 'mpro_moonshot'


@dataclass(frozen=True)
class Settings:
    r"""What decides the numbers of the demo, besides the configuration.

    Args:
        seed: Seed of the initial weights, of the order of the training sets
            and of the bootstrap. (default: :obj:`0`)
        epochs: Epochs of every model. (default: :obj:`20`)
        data: The data of the trainings.
            (default: :obj:`"MproMoonshot:pocket=5"`, the residues within 5
            Angstrom of the crystal ligand)
        resamples: Resamples of the bootstrap. (default: :obj:`2000`)
        max_poses: Poses in the picture of the memory.
            (default: :obj:`64`)
    """

    seed: int = 0
    epochs: int = 20
    data: str = 'MproMoonshot:pocket=5'
    resamples: int = 2000
    max_poses: int = 64
