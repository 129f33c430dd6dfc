"""What is found in the poses of all sets, or in those of a part of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pyg_multipose.io.poses.compound import Compound, Pose
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import SHOWN


@dataclass
class Lacking:
    r"""The poses of a file that lack a score.

    Args:
        poses: How many poses the file has.
        count: How many of them lack it.
        whys: The distinct reasons.
        rows: Record, title and reason of each; of a part, of the first ones.
    """

    poses: int
    count: int
    whys: list[str]
    rows: list[tuple[int, str, str]]

    def add(self, other: Lacking) -> None:
        r"""Adds other poses of the file.

        Args:
            other: Those.
        """
        self.poses += other.poses
        self.count += other.count
        self.whys = list(dict.fromkeys([*self.whys, *other.whys]))[:2]
        self.rows = sorted([*self.rows, *other.rows])[:SHOWN]


@dataclass
class Findings:
    r"""What a reading as a whole says, from what its parts say.

    Args:
        sets: How many sets there are. (default: :obj:`0`)
        poses: How many poses. (default: :obj:`0`)
        alone: How many sets have one pose, and had one record.
            (default: :obj:`0`)
        first_alone: The id of the first of these. (default: :obj:`""`)
        scores: The scores that any pose has.
        lacking: The poses that lack a score, by file and score.
    """

    sets: int = 0
    poses: int = 0
    alone: int = 0
    first_alone: str = ''
    scores: dict[str, None] = field(default_factory=dict)
    lacking: dict[tuple[str, str], Lacking] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        compounds: Sequence[Compound],
        scores: Sequence[Score],
        ids: Mapping[str, int],
    ) -> Findings:
        r"""What is found in some poses.

        Args:
            compounds: The poses.
            scores: The scores that all of them should have.
            ids: How many records had each id, also those that were dropped.
        """
        out = cls(len(compounds), sum(len(one.poses) for one in compounds))
        # Where others of the id were dropped, the grouping is not at fault.
        alone = [
            one.name
            for one in compounds
            if len(one.poses) == 1 and ids.get(one.name, 1) == 1
        ]
        out.alone, out.first_alone = len(alone), (alone or [''])[0]
        files: dict[str, list[Pose]] = defaultdict(list)
        for compound in compounds:
            for pose in compound.poses:
                files[pose.file].append(pose)
                out.scores.update(dict.fromkeys(pose.scores))
        for file, poses in files.items():
            for score in scores:
                out.lacking[file, score.name] = _lacking(poses, score.name)
        return out

    def add(self, other: Findings) -> None:
        r"""Adds what was found in sets that come after those here.

        Args:
            other: That.
        """
        self.sets += other.sets
        self.poses += other.poses
        self.alone += other.alone
        self.first_alone = self.first_alone or other.first_alone
        self.scores.update(other.scores)
        for key, one in other.lacking.items():
            if key in self.lacking:
                self.lacking[key].add(one)
            else:
                self.lacking[key] = one

    def to_json(self, whole: Iterable[str]) -> dict[str, Any]:
        r"""The findings in a part, as plain values.

        Args:
            whole: The files of which no other part has records.
        """
        whole = set(whole)
        lacking = []
        for (file, score), one in self.lacking.items():
            if one.count or file not in whole:
                values = {**asdict(one), 'rows': sorted(one.rows)[:SHOWN]}
                lacking.append([file, score, values])
        return {**vars(self), 'scores': list(self.scores), 'lacking': lacking}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Findings:
        r"""The findings from plain values.

        Args:
            values: As :meth:`to_json` gave them.
        """
        lacking = {
            (file, score): Lacking(
                **{**of, 'rows': list(map(tuple, of['rows']))}
            )
            for file, score, of in values['lacking']
        }
        scores = dict.fromkeys(values['scores'])
        return cls(**{**values, 'scores': scores, 'lacking': lacking})


def _lacking(poses: Sequence[Pose], name: str) -> Lacking:
    rows = [
        (pose.record, pose.title, pose.unread.get(name, 'no such data item'))
        for pose in poses
        if name not in pose.scores or name in pose.unread
    ]
    whys = list(dict.fromkeys(why for _, _, why in rows))
    return Lacking(
        len(poses), len(rows), whys[:2], sorted(rows, key=lambda row: row[0])
    )
