import math
from collections.abc import Iterable
from typing import Any

import torch
from e3nn import o3
from torch import Tensor


def check_int(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(
            f"'{name}' must be an integer of at least {low} (got {value!r})"
        )


def check_positive(name: str, value: Any) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 < value < math.inf
    ):
        raise ValueError(
            f"'{name}' must be a positive finite number (got {value!r})"
        )


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    if value not in list(choices):
        raise ValueError(
            f"'{name}' must be one of {list(choices)} (got {value!r})"
        )


def parse_irreps(irreps: Any) -> o3.Irreps:
    try:
        out = o3.Irreps(irreps).remove_zero_multiplicities()
    except (ValueError, TypeError, AttributeError) as e:
        raise ValueError(
            f"'hidden_irreps' must be irreps such as '32x0e+16x1o' (got "
            f'{irreps!r})'
        ) from e
    if out.count('0e') == 0:
        raise ValueError(
            f"'hidden_irreps' must have at least one even scalar, in which "
            f'elements are embedded and from which predictions are read (got '
            f"'{irreps}'); add for example '16x0e'"
        )
    return out


def parse_target(name: str, value: Any, out_channels: int) -> Tensor:
    # A statistic of the target: one number, or one for each channel.
    try:
        # A copy, so that models never share a buffer with their caller:
        out = torch.as_tensor(value, dtype=torch.get_default_dtype()).clone()
    except (TypeError, ValueError, RuntimeError):
        out = torch.empty(0, 0)
    if out.size() not in [(), (out_channels,)] or not out.isfinite().all():
        raise ValueError(
            f"'{name}' must be a finite number or one for each of the "
            f"{out_channels} 'out_channels' (got {value!r})"
        )
    return out


def parse_scale(mean: Any, std: Any) -> tuple[float | None, float | None]:
    # Statistics of the contributions of atoms, or none.
    if mean is None and std is None:
        return None, None
    try:
        mean, std = float(mean), float(std)
        valid = math.isfinite(mean) and math.isfinite(std)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            f"'mean' and 'std' must both be finite numbers, or both be left "
            f'out (got mean={mean!r} and std={std!r}); without a shift give '
            f"'mean=0.0', without a scale 'std=1.0'"
        )
    return mean, std


def parse_atomref(atomref: Any, num_elements: int) -> Tensor | None:
    # The contribution of a single atom of each element.
    if atomref is None:
        return None
    sizes = [(num_elements,), (num_elements, 1)]
    if not isinstance(atomref, Tensor) or atomref.size() not in sizes:
        got = type(atomref).__name__
        if isinstance(atomref, Tensor):
            got = f'shape {list(atomref.size())}'
        raise ValueError(
            f"'atomref' must be a tensor of shape [{num_elements}] or "
            f'[{num_elements}, 1], with a value for each atomic number (got '
            f'{got})'
        )
    # A copy, so that models never share a buffer with their caller:
    return atomref.detach().clone().view(num_elements, 1)


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
    # Looking at values waits for the device and breaks a compiled graph:
    if not torch.compiler.is_compiling() and z.numel() > 0:
        low, high = torch.stack(z.aminmax()).tolist()
        if low < 0 or high >= num_elements:
            raise ValueError(
                f"'z' must lie in [0, {num_elements}) (got "
                f'{low if low < 0 else high}); check the atomic numbers or, '
                f"where the model has it, raise 'num_elements'"
            )


def _get(batch: Any, key: str, hint: str) -> Tensor:
    value = getattr(batch, key, None)
    if not isinstance(value, Tensor):
        raise ValueError(
            f"'{key}' must be a tensor (got {type(value).__name__}); {hint}"
        )
    return value
