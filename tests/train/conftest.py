"""Small pose sets with labels, and trainers that write nothing."""

import logging

import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import RadiusGraph

pytest.importorskip('lightning')

logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)

TINY = {
    'class_path': 'SchNet',
    'init_args': {
        'hidden_channels': 4,
        'num_filters': 4,
        'num_interactions': 1,
        'num_gaussians': 6,
        'cutoff': 4.5,
    },
}


def pose_set(number, num_atoms=4, num_poses=3, y=None, receptor=True):
    """A compound: its atoms and label depend on its number alone."""
    generator = torch.Generator().manual_seed(number)

    def atoms(count, spread):
        pos = spread * torch.randn(count, 3, generator=generator)
        z = torch.randint(6, 9, (count,), generator=generator)
        return Data(z=z, pos=pos)

    site = torch.Generator().manual_seed(1000)
    pocket = Data(
        z=torch.randint(6, 9, (10,), generator=site),
        pos=4 * torch.randn(10, 3, generator=site),
    )
    ligand = atoms(num_atoms, 1.5)
    poses = [
        Data(z=ligand.z, pos=ligand.pos + atoms(1, 1.0).pos)
        for _ in range(num_poses)
    ]
    label = torch.tensor([5.0 + number % 5 if y is None else y])
    name = f'CPD-{number}'
    if not receptor:
        return PoseSet.from_poses(poses, y=label, name=name)
    return PoseSet.from_complex(
        pocket, poses, y=label, name=name, receptor_name='site'
    )


@pytest.fixture(scope='session')
def sets():
    """Without edges; some are much larger than others."""
    return [
        pose_set(number, 3 + 9 * (number % 3 == 0), 2 + number % 4)
        for number in range(20)
    ]


@pytest.fixture(scope='session')
def connected(sets):
    return [RadiusGraph(4.5)(one) for one in sets]


@pytest.fixture
def trainer(tmp_path):
    """Makes trainers."""
    from lightning.pytorch import Trainer

    def make(**kwargs):
        settings = {
            'max_epochs': 1,
            'accelerator': 'cpu',
            'logger': False,
            'enable_checkpointing': False,
            'enable_progress_bar': False,
            'enable_model_summary': False,
            'use_distributed_sampler': False,
            'num_sanity_val_steps': 0,
            'default_root_dir': tmp_path,
        }
        return Trainer(**{**settings, **kwargs})

    return make
