"""A small batch of pose sets for any model of atoms and edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.testing.contract import generator
from pyg_multipose.transforms import RadiusGraph

#: Atoms of a receptor, and what they are spread over, in Angstrom.
_RECEPTOR = 30, 3.0
#: Atoms of the poses of each set, and which of two receptors it has.
_SETS = (((5, 3, 6), 0), ((4, 4), 1), ((2,), 0))


def example_sets(cutoff: float = 3.0, receptor: bool = True) -> list[PoseSet]:
    r"""Makes three small sets of random atoms, with edges.

    They have six poses in all, of two to six atoms. The first and the last
    set have the same receptor of 30 atoms, the second has another.

    Args:
        cutoff: The length up to which atoms have an edge, in Angstrom.
            (default: :obj:`3.0`)
        receptor: Whether sets hold a receptor once, or whole complexes.
            (default: :obj:`True`)

    Returns:
        Sets with :obj:`z`, :obj:`pos` in float32, :obj:`edge_index` and
        :obj:`is_ligand`.

    Example:
        >>> from pyg_multipose.testing import example_sets
        >>> [pose_set.num_poses for pose_set in example_sets()]
        [3, 2, 1]
    """
    numbers = generator(7)
    receptors = [_atoms(*_RECEPTOR, numbers) for _ in range(2)]
    out = []
    for number, (sizes, which) in enumerate(_SETS):
        ligands = [_atoms(size, 0.8, numbers) for size in sizes]
        name = f'example-{number}'
        pose_set = PoseSet.from_complex(receptors[which], ligands, name=name)
        if not receptor:
            pose_set = PoseSet.from_poses(pose_set.to_poses(), name=name)
        out.append(RadiusGraph(cutoff)(pose_set))
    return out


def batch_of(sets: list[PoseSet], dtype: torch.dtype) -> PoseSet:
    r"""A batch of sets, real numbers in one dtype.

    Args:
        sets: The sets; they are left as they are.
        dtype: The dtype.
    """
    batch = Batch.from_data_list(sets).clone()
    for key, value in batch.stores[0].items():
        if isinstance(value, Tensor) and value.is_floating_point():
            batch[key] = value.detach().to(dtype)
    return batch


def _atoms(count: int, spread: float, numbers: torch.Generator) -> Data:
    return Data(
        z=torch.randint(1, 10, (count,), generator=numbers),
        pos=spread * torch.randn(count, 3, generator=numbers),
    )
