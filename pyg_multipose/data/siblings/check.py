"""Whether what a transform makes of a pose depends on the other poses."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch_geometric.data import Batch

from pyg_multipose.data.layout import Layout
from pyg_multipose.data.pose_set import PoseSet
from pyg_multipose.data.siblings.alone import alone
from pyg_multipose.data.siblings.disturbed import disturbed
from pyg_multipose.data.siblings.likeness import differences
from pyg_multipose.data.siblings.random_state import RandomState
from pyg_multipose.data.siblings.twin import twin
from pyg_multipose.data.siblings.written import check_written

#: Returns what a transform makes of a pose set.
Call = Callable[[Any, PoseSet], Any]

#: How many poses are compared at first, and later.
_MANY, _FEW = 16, 2
#: Instead of a number of calls: random numbers are drawn for every atom.
_RANDOM = -1

#: How often transforms were called with sets of some kind.
_calls: WeakKeyDictionary[Any, dict[Any, int]] = WeakKeyDictionary()
_now = threading.local()


def applied(
    transform: Any, pose_set: PoseSet, call: Call, thorough: bool = False
) -> Any:
    r"""What a transform makes of a set, if no pose gets to know the others.

    The transform is applied to the set, to poses of it alone, and to the set
    with some poses changed, with the same random numbers.
    What becomes of a pose has to be the same each time.
    What is called within a transform is checked with it.

    Args:
        transform: The transform.
        pose_set: The set or batch.
        call: How it is called; with a shallow copy.
        thorough: Whether to check as if it were the first time.
            (default: :obj:`False`)

    Raises:
        ValueError: If a pose would know the others, or if what the transform
            returns is no pose set of the same atoms and poses.
    """
    if getattr(_now, 'checking', False):
        return _within(transform, pose_set, call)
    _now.checking = True
    try:
        return _Trial(transform, pose_set, call).run(thorough)
    finally:
        _now.checking = False


class _Trial:
    """A transform as it was, and the set that it is called with."""

    def __init__(self, transform: Any, pose_set: PoseSet, call: Call) -> None:
        self.transform, self.before = transform, twin(transform)
        self.pose_set, self.layout = pose_set, Layout(pose_set)
        self.numbers = RandomState()

        def called(transform: Any, pose_set: PoseSet) -> Any:
            return call(transform, copy.copy(pose_set))

        self.call: Call = called

    def run(self, thorough: bool) -> PoseSet:
        """What the transform makes of the set, if that is allowed."""
        layout, calls = self.layout, _calls_of(self.transform)
        kind = (
            frozenset(self.pose_set.keys()),
            bool(layout.receptor_size.any()),
        )
        number = 0 if thorough else calls.get(kind, 0)
        looked = _spread(layout.num_poses, number)
        # Before the call, which may write into the tensors of the set.
        lone = alone(self.pose_set, layout, looked)
        result, made = self._first_call(looked, lone)
        if not looked or number == _RANDOM:
            return result
        after = RandomState()
        try:
            found = self._alone(alone(result, made, looked), looked, lone)
            draws = bool(found) and self._draws(result, after)
            if found and not draws:
                self._refuse(f'{found}, among the others or alone')
            if draws or not number:
                self._others(result, made)
        finally:
            after.restore()
        calls[kind] = _RANDOM if draws else number + 1
        return result

    # The ways to call it #####################################################

    def _first_call(
        self, looked: list[int], lone: list[PoseSet]
    ) -> tuple[PoseSet, Layout]:
        versions = _versions(self.pose_set)
        try:
            result = self.call(self.transform, self.pose_set)
        except ImportError:
            raise
        except Exception as error:
            self._explain(error, looked, lone)
            raise
        now = _versions(self.pose_set)
        written = [key for key in now if versions.get(key) != now[key]]
        if written:
            raise _broken(
                self.transform,
                self.pose_set,
                f'it writes into {written} of the set that it is given, which '
                f'may be the set of a dataset; let it make new tensors',
            )
        return result, _checked(self.transform, self.pose_set, result)

    def _again(self, pose_set: PoseSet, what: str) -> PoseSet:
        """With the same random numbers."""
        self.numbers.restore()
        try:
            with torch.no_grad():
                out = self.call(twin(self.before), pose_set)
        except Exception as error:
            raise self._refusal(
                f'it works for {self._where}, but not for {what}, with '
                f'{type(error).__name__}: {error}'
            ) from error
        if not isinstance(out, PoseSet):
            self._refuse(f'it returns a {type(out).__name__} for {what}')
        return out

    def _draws(self, result: PoseSet, after: RandomState) -> bool:
        """Whether it gives something else the next time."""
        after.restore()
        with torch.no_grad():
            out = self.call(twin(self.transform), self.pose_set)
        return bool(differences(result, out))

    # What is looked for ######################################################

    def _alone(
        self, among: list[PoseSet], poses: list[int], lone: list[PoseSet]
    ) -> str:
        """In what a pose differs from the same pose alone, if it does."""
        for pose, one, part in zip(poses, lone, among, strict=True):
            name = self.layout.pose_name(pose)
            found = differences(part, self._again(one, f'{name}, alone'))
            for key, how in found.items():
                return f"'{key}' of {name} {how}"
        return ''

    def _others(self, result: PoseSet, made: Layout) -> None:
        """Refuses if a pose differs once the other poses do."""
        for first in (0, 1):
            other = self._with_others(range(1 - first, made.num_poses, 2))
            kept = range(first, made.num_poses, 2)[: _MANY // 2]
            for pose, one, two in zip(
                kept,
                alone(result, made, kept),
                alone(other, Layout(other), kept),
                strict=True,
            ):
                for key, how in differences(one, two).items():
                    self._refuse(
                        f"'{key}' of {self.layout.pose_name(pose)} {how}, "
                        f'among these poses or among others'
                    )

    def _with_others(self, changed: range) -> PoseSet:
        """What it makes of the set with some poses changed."""
        for rewired in (True, False):
            other = disturbed(self.pose_set, self.layout, changed, rewired)
            try:
                out = self._again(other, 'the same set with other poses')
                check_written(self.pose_set, out)
                break
            except ValueError:
                # Such as of an atom with more neighbours than are allowed.
                if not rewired:
                    raise
        return out

    def _explain(
        self, error: Exception, looked: list[int], lone: list[PoseSet]
    ) -> None:
        """Refuses if what fails for the set does not for its poses."""
        after = RandomState()
        try:
            for one in lone:
                self.numbers.restore()
                with torch.no_grad():
                    self.call(twin(self.before), one)
        except Exception:
            return  # it is the transform that fails, or what it is given
        finally:
            after.restore()
        if looked:
            raise self._refusal(
                f'it works for poses of {self._where} alone, but not for all '
                f'of them together, with {type(error).__name__}: {error}'
            ) from error

    # Messages ################################################################

    @property
    def _where(self) -> str:
        return _called(self.pose_set)

    def _refusal(self, what: str) -> ValueError:
        name = name_of(self.transform)
        return ValueError(
            f'{name} lets a pose know the other poses of its set: {what}. '
            f'{_advice(name)}'
        )

    def _refuse(self, what: str) -> NoReturn:
        raise self._refusal(what)


def _within(transform: Any, pose_set: PoseSet, call: Call) -> Any:
    """What a transform makes of a set, within another one."""
    result = call(transform, copy.copy(pose_set))
    _checked(transform, pose_set, result)
    return result


def _checked(transform: Any, pose_set: PoseSet, result: Any) -> Layout:
    try:
        return check_written(pose_set, result)
    except ValueError as error:
        raise _broken(transform, pose_set, str(error)) from error


def _broken(transform: Any, pose_set: PoseSet, what: str) -> ValueError:
    name = name_of(transform)
    return ValueError(
        f'{name} makes no pose set of {_called(pose_set)}: {what}. '
        f'{_advice(name)}'
    )


def _advice(name: str) -> str:
    return (
        f'To a transform, a set is one graph with a receptor that all poses '
        f'touch. PerPose({name}), of pyg_multipose.transforms, applies it to '
        f'every pose as a complex of its own. (One that is to choose or '
        f'compare poses derives from PoseSetTransform.)'
    )


def _called(pose_set: PoseSet) -> str:
    if isinstance(pose_set, Batch):
        return 'the batch'
    name = pose_set.get('name')
    return f"set '{name}'" if name else 'the set'


def name_of(transform: Any) -> str:
    r"""How messages call a transform.

    Args:
        transform: The transform, or a function.
    """
    text = repr(transform)
    if '\n' in text or len(text) > 100 or text.startswith('<'):
        text = f'{type(transform).__name__}(...)'
    return str(getattr(transform, '__name__', text))


def _calls_of(transform: Any) -> dict[Any, int]:
    try:
        return _calls.setdefault(transform, {})
    except TypeError:  # not to be remembered; so the first time again
        return {}


def _spread(count: int, number: int) -> list[int]:
    """Numbers of the poses that are compared in a call."""
    if count == 1 or number == _RANDOM:
        return []
    if not number:
        step = -(-count // _MANY)
        return list(range(0, count, step))
    return sorted({(number + count * k // _FEW) % count for k in range(_FEW)})


def _versions(pose_set: PoseSet) -> dict[str, int]:
    """How often each tensor was written to."""
    return {
        key: value._version
        for key, value in pose_set.to_dict().items()
        if isinstance(value, Tensor) and not value.is_inference()
    }
