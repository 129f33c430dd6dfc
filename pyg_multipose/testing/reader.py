"""What a reader of pose sets promises, as tests that a subclass inherits."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from pyg_multipose.data import Layout, PoseSet
from pyg_multipose.data.checks import check_finite, check_keys
from pyg_multipose.data.levels import INDICES, Levels
from pyg_multipose.testing.comparison import (
    broken,
    check_equal,
    check_refused,
)
from pyg_multipose.testing.contract import Contract, left_alone

#: How close atoms of two receptors are that were meant to be one, in Angstrom.
_NEAR = 1e-2


class ReaderContract(Contract):
    r"""What a reader of pose sets promises, one test for each property.

    Anything that gives pose sets is a reader: a function of a path, a
    dataset, a list. Subclass it and say how sets are read, see the example;
    a reader of files also says what to read, by :meth:`path`.

    Each test reads anew, so let it read a few small sets.

    Example:
        >>> from pyg_multipose.testing import ReaderContract, example_sets
        >>> class TestMine(ReaderContract):
        ...     def read(self, path):
        ...         return example_sets()
        >>> TestMine().test_names()
    """

    #: Whether all poses of a set have the same atoms in the same order. Not
    #: so if poses are, say, other protonation states.
    same_atoms: bool = True

    def path(self) -> str | os.PathLike[str] | None:
        r"""What to read from; :obj:`None`, the default, for no file."""
        return None

    def read(self, path: Any) -> PoseSet | Iterable[PoseSet]:
        r"""Reads pose sets.

        Args:
            path: What :meth:`path` returns, or the path of no file.
        """
        raise NotImplementedError(
            f'{type(self).__name__} does not say what to test. Implement '
            f'read(self, path), which returns pose sets'
        )

    # Sets ####################################################################

    def test_sets(self) -> None:
        """What is read are sound pose sets, at least one."""
        sets = self._read()
        if not sets:
            raise broken(
                'what was read',
                'no pose sets',
                'at least one',
                'look whether path names a file with poses',
            )
        for number, pose_set in enumerate(sets):
            where = f'item {number} of what was read'
            if not isinstance(pose_set, PoseSet) or isinstance(
                pose_set, Batch
            ):
                raise broken(
                    where,
                    type(pose_set).__name__,
                    'a PoseSet',
                    'build it by PoseSet.from_poses or '
                    'PoseSet.from_complex, and batch it by a DataLoader',
                )
            try:
                layout = Layout(pose_set)
                check_keys(layout.levels, layout.set_name(0))
                if 'pos' in pose_set:
                    check_finite(pose_set.pos, layout.set_name(0))
                pose_set.to_poses()
            except Exception as error:  # of any kind: it says what is wrong
                raise broken(
                    where,
                    f'{type(error).__name__}: {error}',
                    'a sound pose set',
                    'see the message',
                ) from error

    def test_names(self) -> None:
        """Every set has a name, and no two have the same."""
        names = [pose_set.get('name') for pose_set in self._sets()]
        for number, name in enumerate(names):
            if not isinstance(name, str) or not name.strip():
                raise broken(
                    f'the name of set {number}',
                    repr(name),
                    'a string that says which compound it is',
                    "pass name=..., messages and results say 'set 3' else",
                )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise broken(
                'names of sets',
                f'{twice} more than once',
                'another name for each set',
                'collect all poses of a compound in one set, or tell apart '
                'what they were docked into',
            )

    def test_same_keys(self) -> None:
        """All sets have the same keys, levels, dtypes and widths."""
        sets = self._sets()
        first, name = _description(sets[0]), _name(sets, 0)
        for number, pose_set in enumerate(sets):
            other = _description(pose_set)
            for key in sorted({*first, *other}):
                check_equal(
                    f"'{key}' of {_name(sets, number)}, against {name}",
                    other.get(key, 'no such key'),
                    first.get(key, 'no such key'),
                    'give all sets the same keys: PyG batches those of the '
                    'first set. What is not known is NaN or 0',
                )

    def test_same_atoms(self) -> None:
        """All poses of a set are the same molecule, atom by atom."""
        if not self.same_atoms:
            self.skip('same_atoms is False')
        sets = self._sets()
        for number, pose_set in enumerate(sets):
            first, *others = pose_set.ligands()
            for pose, other in enumerate(others, 1):
                for key in ('z', 'bond_index', 'bond_type'):
                    if key in first:
                        check_equal(
                            f"'{key}' of {_name(sets, number)}, pose {pose}, "
                            f'against pose 0',
                            other[key],
                            first[key],
                            'bring atoms into one order by matching '
                            'molecules, or say same_atoms = False',
                        )

    def test_receptors(self) -> None:
        """Receptors that are meant to be one are equal bit by bit."""
        sets = self._sets()
        batch = Batch.from_data_list(sets)
        try:
            groups = batch.receptor_groups().tolist()
        except ValueError as error:
            raise broken(
                'receptors of one name',
                error,
                'one content for one name',
                'name them by what they hold, such as the PDB code and chain',
            ) from error
        first = {group: sets[group].receptor for group in set(groups) - {-1}}
        numbers = sorted(first)
        for place, one in enumerate(numbers):
            for two in numbers[place + 1 :]:
                off = _distance(first[one], first[two])
                if off < _NEAR:
                    raise broken(
                        f'the receptors of {_name(sets, one)} and '
                        f'{_name(sets, two)}',
                        'two receptors',
                        'one, equal bit by bit, so that it is stored and '
                        'computed once',
                        'read it once and give it to all sets, before any '
                        'centering or noise',
                        f'atoms are up to {off:.1e} Angstrom apart, and other '
                        f'keys may differ',
                    )

    # Batches and files #######################################################

    def test_batches(self) -> None:
        """A loader batches sets, and a batch gives them back."""
        sets = self._sets()
        try:
            (batch,) = DataLoader(sets, batch_size=len(sets))
            Layout(batch)
        except Exception as error:  # of any kind: it says what is wrong
            raise broken(
                'a batch of all sets',
                f'{type(error).__name__}: {error}',
                'a batch',
                'see the message; all sets need the same keys',
            ) from error
        for number, pose_set in enumerate(sets):
            where = f'{_name(sets, number)}, taken from a batch'
            _check_same_set(
                where,
                batch[number],
                pose_set,
                'hold tensors and strings on declared levels; lists of '
                'tensors and nested data do not survive batching',
            )

    def test_files(self) -> None:
        """Sets come back from a file, without pickled code."""
        sets = self._sets()
        advice = 'hold nothing but tensors, numbers and strings'
        for number, pose_set in enumerate(sets):
            name = _name(sets, number)
            file = io.BytesIO()
            try:
                # As PyG's datasets do.
                torch.save(pose_set.to_dict(), file)
                file.seek(0)
                values = torch.load(file, weights_only=True)
                loaded = type(pose_set).from_dict(values)
            except Exception as error:  # of any kind
                raise broken(
                    f'to_dict() of {name}, by torch.save and torch.load '
                    f'with weights_only=True',
                    f'{type(error).__name__}: {error}',
                    'an equal set',
                    advice,
                ) from error
            _check_same_set(
                f'{name} after torch.load', loaded, pose_set, advice
            )
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / 'set.pt'
                pose_set.save(path)
                again = PoseSet.load(path)
            _check_same_set(
                f'{name} after PoseSet.load', again, pose_set, advice
            )

    # Reading #################################################################

    def test_same_again(self) -> None:
        """Reading again gives equal sets in the same order."""
        first, second = self._sets(), self._sets()
        advice = (
            'sort what a folder or a set of Python lists; draw random numbers '
            'in a transform, not in a reader'
        )
        check_equal(
            'the number of sets that are read again',
            len(second),
            len(first),
            advice,
        )
        for number, (one, two) in enumerate(zip(first, second, strict=True)):
            where = f'{_name(first, number)}, read again'
            _check_same_set(where, two, one, advice)

    def test_missing_file(self) -> None:
        """A file that does not exist is an error that names it."""
        path = self.path()
        if path is None:
            self.skip('path is None')
        with tempfile.TemporaryDirectory() as folder:
            missing = Path(folder) / f'no-such-{Path(path).name}'
            error = check_refused(
                'a file that does not exist',
                lambda: self._read(missing),
                (OSError, ValueError),
                'let the error of open() through',
            )
        if missing.name not in str(error):
            raise broken(
                'the error of a file that does not exist',
                repr(str(error)),
                f'a message with its name, {missing.name}',
                'say which file it is: there may be thousands',
            )

    def test_leaves_the_rest_alone(self) -> None:
        """No random numbers, settings or prints."""
        with left_alone(
            'reading',
            'draw from a torch.Generator of your own, and report by warnings '
            'or an attribute',
        ):
            self._read()

    # Inside ##################################################################

    def _read(self, path: Any = None) -> list[Any]:
        read = self.read(self.path() if path is None else path)
        if isinstance(read, PoseSet):
            return [read]
        if not isinstance(read, Iterable):
            raise TypeError(
                f'{type(self).__name__}.read() returned {read!r}, expected a '
                f'PoseSet or something to loop over that gives PoseSets'
            )
        return list(read)

    def _sets(self) -> list[PoseSet]:
        sets = self._read()
        if not sets or not all(isinstance(s, PoseSet) for s in sets):
            self.skip('no pose sets were read, see test_sets')
        return sets


def _name(sets: list[PoseSet], number: int) -> str:
    name = sets[number].get('name')
    return f"set '{name}'" if name else f'set {number}'


def _description(pose_set: PoseSet) -> dict[str, str]:
    """Level, dtype and width of every key."""
    out = {}
    for key, level in Levels.of(pose_set).items():
        value = pose_set[key]
        kind = type(value).__name__
        if isinstance(value, Tensor):
            index = key in INDICES
            width = 'rows' if index else list(value.shape[1:])
            kind = f'{value.dtype} of width {width}'
        out[key] = f'level {level}, {kind}'
    return out


def _distance(one: Any, two: Any) -> float:
    """How far apart the atoms of two receptors are, at most."""
    if one.num_nodes != two.num_nodes or 'pos' not in one:
        return torch.inf
    if 'z' in one and not torch.equal(one.z, two.z):
        return torch.inf
    return float((one.pos - two.pos).norm(dim=-1).max())


def _check_same_set(
    where: str, got: PoseSet, expected: PoseSet, advice: str
) -> None:
    check_equal(
        f'the keys of {where}',
        sorted(got.keys()),
        sorted(expected.keys()),
        advice,
    )
    for key in expected.keys():
        if key not in ('ptr', 'batch'):
            check_equal(f"'{key}' of {where}", got[key], expected[key], advice)
