r"""Weights of MTENN's models under the names of ours."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyg_multipose.nn.multi_pose_readout import MultiPoseReadout
from pyg_multipose.nn.strategy import Strategy

#: Where names begin there and here; a part that has none of its own here
#: belongs to what stands in brackets.
_NAMES = {
    'representation': ('model', ''),
    'complex_representation': ('model', ''),
    'ligand_representation': ('ligand_model', 'model'),
    'protein_representation': ('receptor_model', 'model'),
    'strategy.energy_func': ('head', ''),
    'strategy.complex_energy_func': ('head', ''),
    'strategy.ligand_energy_func': ('ligand_head', 'head'),
    'strategy.protein_energy_func': ('receptor_head', 'head'),
    'strategy.reduce_nn': ('head', ''),
}


def convert_state_dict(
    state_dict: Mapping[str, Tensor], readout: MultiPoseReadout
) -> dict[str, Tensor]:
    r"""Renames the weights of a *GroupedModel* of MTENN.

    ================================  =======================
    MTENN                             here
    ================================  =======================
    ``representation``                ``model.model``
    ``strategy.energy_func``          ``model.head``
    ``strategy.reduce_nn``            ``model.head``
    ``complex_representation``        ``model.model``
    ``ligand_representation``         ``model.ligand_model``
    ``protein_representation``        ``model.receptor_model``
    ``strategy.complex_energy_func``  ``model.head``
    ``strategy.ligand_energy_func``   ``model.ligand_head``
    ``strategy.protein_energy_func``  ``model.receptor_head``
    ================================  =======================

    A *Model* and a *SplitModel* have the same names. Combinations and
    readouts have no weights there. Where the strategy here has no model or
    head of a part of its own, the weights of that part have to be those of
    the complex.

    Args:
        state_dict: What :obj:`state_dict()` of the model of MTENN returned.
        readout: The model that the weights are for, with a
            :class:`~pyg_multipose.nn.strategy.Strategy`. It is not changed.

    Returns:
        What :obj:`readout.load_state_dict` takes.

    Raises:
        ValueError: If the readout has no strategy, if names are unknown or
            missing, if shapes differ, or if there are two values for one
            weight.

    Example:
        >>> import torch
        >>> from pyg_multipose.nn import DeltaStrategy, MultiPoseReadout
        >>> from pyg_multipose.nn.mtenn import convert_state_dict
        >>> strategy = DeltaStrategy(
        ...     torch.nn.Linear(4, 2), head=torch.nn.Linear(2, 1)
        ... )
        >>> readout = MultiPoseReadout(strategy, 'max')
        >>> weights = {
        ...     'representation.weight': torch.ones(2, 4),
        ...     'representation.bias': torch.zeros(2),
        ...     'strategy.energy_func.weight': torch.ones(1, 2),
        ...     'strategy.energy_func.bias': torch.zeros(1),
        ... }
        >>> readout.load_state_dict(convert_state_dict(weights, readout))
        <All keys matched successfully>
    """
    if not isinstance(readout.model, Strategy):
        raise ValueError(
            f"The readout's model is a {type(readout.model).__name__}, "
            f'expected a strategy around it, such as '
            f'MultiPoseReadout(DeltaStrategy(model, head=head))'
        )
    wanted = readout.state_dict()
    out: dict[str, Tensor] = {}
    source: dict[str, str] = {}
    unknown = []
    for key, value in state_dict.items():
        name = next((n for n in _renamed(key) if n in wanted), None)
        if name is None:
            unknown.append(key)
            continue
        if value.shape != wanted[name].shape:
            raise ValueError(
                f"'{key}' has shape {list(value.shape)}, but '{name}' of the "
                f'readout has {list(wanted[name].shape)}: build models and '
                f'heads with the sizes of those that were trained'
            )
        if name in out and not torch.equal(out[name], value):
            raise ValueError(
                f"'{source[name]}' and '{key}' are different, but the "
                f"readout has one weight '{name}' for both: give its strategy "
                f'models and heads of their own for the parts'
            )
        out[name], source[name] = value, key
    missing = [name for name in wanted if name not in out]
    if unknown or missing:
        raise ValueError(
            f'These are not the weights of this readout. Nothing here is '
            f'for {unknown}; nothing there is for {missing}. Names there '
            f'begin with one of {list(_NAMES)} (remove what a trainer has '
            f"put before, such as 'module.')"
        )
    return {name: out[name] for name in wanted}


def _renamed(key: str) -> list[str]:
    """What a weight may be called here, the likeliest first."""
    for before, names in _NAMES.items():
        if key.startswith(f'{before}.'):
            rest = key[len(before) :]
            return [f'model.{name}{rest}' for name in names if name]
    return []
