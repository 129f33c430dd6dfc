"""The confidences of samples as scores of their poses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pyg_multipose.io.cofolding.confidences import (
    Unreadable,
    number,
    read_confidences,
)
from pyg_multipose.io.cofolding.members import Member
from pyg_multipose.io.cofolding.samples import Sample
from pyg_multipose.io.poses.compound import Pose
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import Report

#: What is predicted for the first sample alone.
_OF_FIRST = ('affinity_pred_value', 'affinity_probability_binary')


def add_confidences(
    pose: Pose, sample: Sample, known: Mapping[str, Score], report: Report
) -> None:
    r"""Reads the confidences of a sample into its pose.

    Args:
        pose: The pose.
        sample: The sample.
        known: The confidences to look for, by name.
        report: Where to flag those that are out of range.
    """
    of_first = [name for name in known if name in _OF_FIRST]
    others = [name for name in known if name not in _OF_FIRST]
    said = sample.name
    for path, names, expected in (
        (sample.confidences, others, said.confidences[0]),
        (sample.affinity, of_first, said.affinity),
    ):
        try:
            if path is None:
                raise Unreadable('it does not exist')
            values = read_confidences(path)
        except Unreadable as error:
            called = expected if path is None else path.name
            pose.unread.update(dict.fromkeys(names, f'{called}: {error}'))
            continue
        for name in names:
            value, why = number(values, name)
            if why:
                pose.unread[name] = f'{path.name}: {why}'
            if name not in values:
                continue
            pose.scores[name] = value
            score = known[name]
            low, high = score.range
            if not why and not low <= value <= high:
                report.flag(
                    pose.file,
                    pose.record,
                    pose.title,
                    'score out of range',
                    f'{name} is {value:g}, expected {low:g} to {high:g} '
                    f'{score.unit}',
                )


def met(
    members: Sequence[Member],
    known: Mapping[str, Score],
    asked: bool,
    report: Report,
) -> list[Score]:
    r"""The confidences that samples have; flags each that one lacks.

    One that no sample of a program has is not lacking in its samples, but
    for that by which the program ranks them.

    Args:
        members: The samples.
        known: The confidences that were looked for, by name.
        asked: Whether a caller asked for these; then each is lacking where
            it is not.
        report: Where to flag them.
    """
    of_program: dict[str, dict[str, None]] = defaultdict(dict)
    for member in members:
        said = member.sample.name
        names = of_program[said.program]
        names.update(dict.fromkeys(known if asked else member.pose.scores))
        if said.main in known:
            names[said.main] = None
    for member in members:
        pose, said = member.pose, member.sample.name
        for name in of_program[said.program]:
            if name in _OF_FIRST and not said.affinity:
                continue  # it is of another sample
            if name in pose.unread:
                report.flag(
                    pose.file,
                    pose.record,
                    pose.title,
                    'missing score',
                    f'{name}: {pose.unread[name]}',
                )
    names_met = {name for names in of_program.values() for name in names}
    return [score for name, score in known.items() if name in names_met]
