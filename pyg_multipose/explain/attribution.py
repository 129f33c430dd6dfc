"""Which pose mattered: what a prediction is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from pyg_multipose.data import PoseSet
from pyg_multipose.explain.atoms import AtomContributions
from pyg_multipose.explain.checks import (
    check_combined,
    check_sizes,
    far,
    layout_of,
    matrix,
)
from pyg_multipose.explain.measures import (
    combined,
    leave_one_out,
    weight_entropy,
)
from pyg_multipose.explain.places import places_of, same_place
from pyg_multipose.nn.evaluating import evaluating


@dataclass(frozen=True, eq=False)
class Attribution:
    r"""Which pose mattered, for each set of a batch or of many.

    Made by :func:`explain`, or by :meth:`from_outputs` of what a readout
    returned. All tensors are detached and on the CPU; poses are counted set
    by set, as in a batch. :obj:`attribution[0]` or
    :obj:`attribution["name"]` is the attribution of one set.

    Args:
        names: The name of each set, empty if it has none.
        set_size: The number of poses of each set, shape :math:`(S)`.
        prediction: The combined predictions :math:`y`, shape :math:`(S)`.
        pose_prediction: The predictions of the poses :math:`y_i`, shape
            :math:`(P)`, in the same unit.
        weight: How much each pose counts,
            :math:`w_i = \partial y / \partial y_i`, shape :math:`(P)`.
        change: What leaving out one pose would add to :math:`y`, shape
            :math:`(P)`, see :func:`leave_one_out`; NaN for the only pose of
            a set.
        entropy: The entropy of the weights in nats, shape :math:`(S)`, see
            :func:`weight_entropy`; NaN where these are no distribution.
        place: Where the poses are, to tell them apart, shape
            :math:`(P, 7)`.
        atoms: The contributions of atoms, if asked for.
            (default: :obj:`None`)

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from pyg_multipose.data import PoseSet
        >>> from pyg_multipose.explain import Attribution
        >>> from pyg_multipose.nn import MeanCombination
        >>> z = torch.tensor([6])
        >>> poses = [Data(z=z, pos=torch.full((1, 3), x)) for x in (0.0, 1.0)]
        >>> pose_set = PoseSet.from_poses(poses, name='a')
        >>> energy, energies = torch.tensor([-8.0]), torch.tensor([-9.0, -7.0])
        >>> outputs = energy, energies, torch.tensor([0.5, 0.5])
        >>> mean = MeanCombination()
        >>> explained = Attribution.from_outputs(mean, pose_set, *outputs)

        >>> explained.check(pose_set)  # of this set: no error
        >>> explained.change
        tensor([ 1., -1.])
        >>> explained.set_name(0), explained.to_table()[0]['weight']
        ("set 'a'", 0.5)
        >>> len(Attribution.join([explained, explained]))
        2
    """

    names: tuple[str, ...]
    set_size: Tensor
    prediction: Tensor
    pose_prediction: Tensor
    weight: Tensor
    change: Tensor
    entropy: Tensor
    place: Tensor
    atoms: AtomContributions | None = None

    @classmethod
    def from_outputs(
        cls,
        combination: nn.Module,
        batch: PoseSet,
        prediction: Tensor,
        poses: Tensor,
        weights: Tensor,
        feature: int | None = None,
    ) -> Attribution:
        r"""From what a readout returned, without calling a model.

        Args:
            combination: The combination of the readout,
                :obj:`readout.combination`.
            batch: The batch that was predicted.
            prediction: What :obj:`readout(batch, return_poses=True,
                return_weights=True)` returned first,
            poses: second,
            weights: and third.
            feature: Which of several predictions per pose; needed if there
                are several. (default: :obj:`None`)

        Raises:
            ValueError: If these are not outputs of one call on this batch:
                their sizes do not fit it, or the predictions of the poses do
                not combine to the predictions.
        """
        layout = layout_of(batch)
        check_sizes(layout, prediction, poses, weights)
        rows, weight = matrix(poses), matrix(weights)
        finite = rows.isfinite().all(dim=1)
        index = layout.pose_to_set.to(rows.device)
        with torch.no_grad(), evaluating(combination):
            again = combined(
                combination, rows[finite], index[finite], layout.num_sets
            )
            check_combined(layout, matrix(prediction), again)
            column = _column(feature, rows.size(1))
            change = leave_one_out(
                combination, rows, layout.set_size.tolist()
            )[:, column]
        weight = weight[:, column]
        entropy = weight_entropy(weight, index, layout.num_sets)
        names = [_name(batch, number) for number in range(layout.num_sets)]
        return cls(
            tuple(names),
            torch.from_numpy(layout.set_size),
            matrix(prediction)[:, column].cpu(),
            rows[:, column].cpu(),
            weight.cpu(),
            change.cpu(),
            entropy.cpu(),
            places_of(batch, layout),
        )

    @classmethod
    def join(cls, parts: Sequence[Attribution]) -> Attribution:
        r"""The attributions of several batches as one.

        Args:
            parts: At least one.

        Raises:
            ValueError: If there are none, or if some have contributions of
                atoms and others have not, or by another key.
        """
        if not parts:
            raise ValueError('Got no attributions to join, expected some')
        keys = {part.atoms.key if part.atoms else None for part in parts}
        if len(keys) > 1:
            raise ValueError(
                f'Attributions with contributions of atoms by different keys '
                f'({sorted(map(str, keys))}) cannot be joined; explain all '
                f"with the same 'atoms'"
            )
        atoms, sets, poses = [], 0, 0
        for part in parts:
            if part.atoms is not None:
                atoms.append((part.atoms, sets, poses))
            sets, poses = sets + len(part), poses + part.num_poses
        values = {
            name: torch.cat([getattr(part, name) for part in parts])
            for name in _SET_TENSORS
        }
        return cls(
            tuple(name for part in parts for name in part.names),
            atoms=AtomContributions.joined(atoms) if atoms else None,
            **values,
        )

    # What follows ############################################################

    @property
    def num_poses(self) -> int:
        r"""The number of poses of all sets."""
        return self.weight.numel()

    @property
    def num_effective(self) -> Tensor:
        r"""The effective number of poses of each set, :math:`\exp(H)`.

        From 1 to the number of poses, shape :math:`(S)`; NaN where the
        weights are no distribution.
        """
        return self.entropy.exp()

    @property
    def rank(self) -> Tensor:
        r"""The rank of each pose within its set by weight, from 1.

        Poses of one weight have one rank, the best that they would have.
        """
        ranks = [
            torch.from_numpy(rankdata(-weight.double().numpy(), 'min'))
            for weight in self.weight.split(self.set_size.tolist())
        ]
        return torch.cat(ranks).long()

    def set_name(self, number: int) -> str:
        r"""How messages call a set: its name, or its number.

        Args:
            number: The number of the set.
        """
        name = self.names[number]
        return f"set '{name}'" if name else f'set {number}'

    # Sets ####################################################################

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Attribution]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, which: int | str) -> Attribution:
        r"""The attribution of one set, by its number or its name."""
        number = self._number(which)
        ptr = [0, *self.set_size.cumsum(0).tolist()]
        first, last = ptr[number : number + 2]
        of_set, of_poses = slice(number, number + 1), slice(first, last)
        values = {
            name: getattr(self, name)[
                of_set if name in ('set_size', 'prediction', 'entropy')
                else of_poses
            ]
            for name in _SET_TENSORS
        }  # fmt: skip
        atoms = self.atoms and self.atoms.rows_of(number, first)
        return Attribution((self.names[number],), atoms=atoms, **values)

    def check(self, batch: PoseSet, readout: nn.Module | None = None) -> None:
        r"""Checks that this is of a batch, and still true of a readout.

        Args:
            batch: A :class:`~pyg_multipose.data.PoseSet` or a batch of them.
                It may have other receptor atoms and edges.
            readout: If given, it is called once, to see whether it still
                predicts the same. (default: :obj:`None`)

        Raises:
            ValueError: If it is of other sets or poses, or if predictions
                have changed.
        """
        layout = layout_of(batch)
        names = tuple(_name(batch, n) for n in range(layout.num_sets))
        if names != self.names:
            raise ValueError(
                f'This is the attribution of {_listed(self.names)}, got a '
                f'batch of {_listed(names)}; explain that batch'
            )
        for number, size in enumerate(layout.set_size.tolist()):
            if size != int(self.set_size[number]):
                raise ValueError(
                    f'{self.set_name(number)} was explained with '
                    f'{int(self.set_size[number])} poses and has {size} here; '
                    f'give it with the same poses'
                )
        other = ~same_place(self.place, places_of(batch, layout))
        if other.any():
            raise ValueError(
                f'{layout.pose_name(int(other.int().argmax()))} is not where '
                f'it was when it was explained; give the same poses in the '
                f'same order'
            )
        if readout is None:
            return
        with torch.no_grad(), evaluating(readout):
            poses = matrix(readout(batch, return_poses=True)[1].cpu())
        # Whichever feature was explained.
        changed = far(poses, self.pose_prediction.unsqueeze(1)).all(dim=1)
        if changed.any():
            raise ValueError(
                f'The readout no longer predicts what was explained: it has '
                f'{poses[changed][0].tolist()} for '
                f'{layout.pose_name(int(changed.int().argmax()))}, but was '
                f'{float(self.pose_prediction[changed][0]):g}. Explain again'
            )

    # Tables ##################################################################

    def to_table(self) -> list[dict[str, Any]]:
        r"""One row for each pose, with :obj:`None` for what is not defined.

        The columns are :obj:`set` (its name, or its number), :obj:`pose`
        (from 0, as in :meth:`PoseSet.pose`), :obj:`pose_prediction`,
        :obj:`weight`, :obj:`rank`, :obj:`change`, and, equal for all poses of
        a set, :obj:`prediction`, :obj:`entropy` and :obj:`num_effective`.
        """
        rank, num_effective = self.rank, self.num_effective
        rows: list[dict[str, Any]] = []
        for number, size in enumerate(self.set_size.tolist()):
            for pose in range(size):
                at = len(rows)
                rows.append(
                    {
                        'set': self.names[number] or number,
                        'pose': pose,
                        'pose_prediction': _number(self.pose_prediction[at]),
                        'weight': _number(self.weight[at]),
                        'rank': int(rank[at]),
                        'change': _number(self.change[at]),
                        'prediction': _number(self.prediction[number]),
                        'entropy': _number(self.entropy[number]),
                        'num_effective': _number(num_effective[number]),
                    }
                )
        return rows

    def __repr__(self) -> str:
        atoms = f', atoms={self.atoms.key!r}' if self.atoms else ''
        return (
            f'{self.__class__.__name__}({len(self)} sets, {self.num_poses} '
            f'poses{atoms})'
        )

    # Inside ##################################################################

    def _number(self, which: int | str) -> int:
        if isinstance(which, str):
            found = [n for n, name in enumerate(self.names) if name == which]
            if len(found) != 1:
                raise LookupError(
                    f'{len(found)} sets named {which!r} were explained, '
                    f'expected one; there are {_listed(self.names)}'
                )
            return found[0]
        if not -len(self) <= which < len(self):
            raise IndexError(
                f'Set {which} was not explained; there are {len(self)}, '
                f'{_listed(self.names)}'
            )
        return which % len(self)


#: The tensors of sets and poses, in the order of the arguments.
_SET_TENSORS = (
    'set_size',
    'prediction',
    'pose_prediction',
    'weight',
    'change',
    'entropy',
    'place',
)


def _column(feature: int | None, num_features: int) -> int:
    if feature is None and num_features == 1:
        return 0
    if feature is None or not 0 <= feature < num_features:
        raise ValueError(
            f"Expected 'feature' to be one of the {num_features} predictions "
            f'of a pose, from 0 (got {feature})'
        )
    return feature


def _name(batch: PoseSet, number: int) -> str:
    names = batch.name if 'name' in batch else ''
    return names if isinstance(names, str) else names[number]


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:5]]
    return ', '.join(shown + ['...'] * (len(names) > 5))


def _number(value: Tensor) -> float | None:
    out = float(value)
    return out if math.isfinite(out) else None
