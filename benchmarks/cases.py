"""What is measured: poses, a model and a loss."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.settings import Settings

MODELS = ('schnet', 'e3nn')
#: Models of PyG, which know nothing of receptors.
PYG_MODELS = ('GIN', 'GATv2', 'PNA', "PyG's SchNet")


@dataclass(frozen=True)
class Case:
    r"""One training problem.

    Args:
        data: :obj:`"pocket"` or :obj:`"chain"` (docked poses in this
            receptor; with :obj:`"-flexible"` behind it, some side chains are
            elsewhere in every pose), :obj:`"ligand"` (the same without any),
            or
            :obj:`"generated-A"` (random atoms, A of them in a pose).
        model: One of :obj:`MODELS` or :obj:`PYG_MODELS`.
        loss: A key of :obj:`benchmarks.losses.LOSSES`.
        poses: How many poses.
        per_set: How many of them make a set.
    """

    data: str
    model: str
    loss: str
    poses: int
    per_set: int

    def __post_init__(self) -> None:
        if self.poses % self.per_set:
            raise ValueError(
                f'{self.poses} poses are not sets of {self.per_set}'
            )

    @property
    def sets(self) -> int:
        r"""The number of sets."""
        return self.poses // self.per_set

    def __str__(self) -> str:
        return (
            f'{self.data}, {self.model}, {self.loss}, {self.poses} poses in '
            f'{self.sets} set{"s" if self.sets > 1 else ""}'
        )


def batch(
    data: str, model: str, loss: str, poses: int, settings: Settings
) -> Case:
    r"""Sets of a few poses each.

    Args:
        data: As in :class:`Case`.
        model: As in :class:`Case`.
        loss: As in :class:`Case`.
        poses: As in :class:`Case`.
        settings: They tell how many poses a set has.
    """
    return Case(data, model, loss, poses, min(poses, settings.few))


def one_set(data: str, model: str, loss: str, poses: int) -> Case:
    r"""All poses in one set.

    Args:
        data: As in :class:`Case`.
        model: As in :class:`Case`.
        loss: As in :class:`Case`.
        poses: As in :class:`Case`.
    """
    return Case(data, model, loss, poses, poses)
