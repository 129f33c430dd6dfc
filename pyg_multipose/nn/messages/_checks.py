from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    if value not in list(choices):
        raise ValueError(
            f"'{name}' must be one of {list(choices)} (got {value!r})"
        )


def check_batch(
    batch: Any,
    name: str,
    num_elements: int,
    cutoff: float | str,
    is_ligand: bool,
) -> int:
    # Raises where the model `name` cannot work on `batch`; returns the number
    # of graphs.
    if hasattr(batch, 'num_poses'):
        raise TypeError(
            f"'{name}' expects a batch whose graphs are single poses (got "
            f"'{type(batch).__name__}'); wrap the model in "
            f"'pyg_multipose.nn.MultiPoseReadout' or pass "
            f"'Batch.from_data_list(pose_set.to_poses())'"
        )

    z = _get(batch, 'z', 'add the atomic number of every atom')
    pos = _get(batch, 'pos', 'add the position of every atom')
    edge_index = _get(
        batch,
        'edge_index',
        f"apply 'pyg_multipose.transforms.RadiusGraph({cutoff})' to the "
        f'graphs or pose sets before they are batched, for example as '
        f"'transform' of their dataset",
    )
    check_atoms(z, pos, num_elements)
    if (
        edge_index.dim() != 2
        or edge_index.size(0) != 2
        or edge_index.dtype != torch.int64
    ):
        raise ValueError(
            f"'edge_index' must hold int64 of shape [2, num_edges] (got "
            f'{edge_index.dtype} of shape {list(edge_index.size())})'
        )
    if is_ligand:
        mask = _get(
            batch,
            'is_ligand',
            'mark every atom by a boolean, True for those of the ligand, or '
            'use \'atoms="all"\'',
        )
        if mask.dtype != torch.bool or mask.size() != z.size():
            raise ValueError(
                f"'is_ligand' must hold booleans of shape [{z.size(0)}] (got "
                f'{mask.dtype} of shape {list(mask.size())})'
            )

    num_graphs = getattr(batch, 'num_graphs', None)
    if num_graphs is not None:
        return num_graphs
    if getattr(batch, 'batch', None) is not None:
        raise ValueError(
            "'batch' alone does not tell the number of graphs (the last may "
            "be empty); use 'torch_geometric.data.Batch' or set 'num_graphs'"
        )
    return 1


def check_atoms(z: Tensor, pos: Tensor, num_elements: int) -> None:
    # Raises where these are not atomic numbers and positions of some atoms.
    if z.dim() != 1 or z.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"'z' must hold int64 of shape [num_nodes] (got {z.dtype} of "
            f'shape {list(z.size())})'
        )
    if pos.size() != (z.size(0), 3) or not pos.is_floating_point():
        raise ValueError(
            f"'pos' must hold floating point numbers of shape "
            f"[{z.size(0)}, 3], one row for each entry of 'z' (got "
            f'{pos.dtype} of shape {list(pos.size())})'
        )
    # Looking at values breaks a compiled graph, ...
    if torch.compiler.is_compiling() or z.numel() == 0:
        return
    what = f"'z' must lie in [0, {num_elements})"
    hint = (
        'check the atomic numbers or, where the model has it, raise '
        "'num_elements'"
    )
    if not z.is_cpu:  # ... and waits for another device, which can tell later
        inside = ((z >= 0) & (z < num_elements)).all()
        torch._assert_async(inside, f'{what}; {hint}')
        return
    low, high = torch.stack(z.aminmax()).tolist()
    if low < 0 or high >= num_elements:
        raise ValueError(f'{what} (got {low if low < 0 else high}); {hint}')


def _get(batch: Any, key: str, hint: str) -> Tensor:
    value = getattr(batch, key, None)
    if not isinstance(value, Tensor):
        raise ValueError(
            f"'{key}' must be a tensor (got {type(value).__name__}); {hint}"
        )
    return value
