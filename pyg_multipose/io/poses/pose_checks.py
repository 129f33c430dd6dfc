"""Checks on poses, as a report."""

from __future__ import annotations

from collections.abc import Iterable

from pyg_multipose.data import PoseSet
from pyg_multipose.io.report import Report
from pyg_multipose.transforms.pose_flags import FLAGS, pose_flags


def check_poses(sets: Iterable[PoseSet]) -> Report:
    r"""Looks for clashes, impossible bonds and the like in all poses.

    See :func:`~pyg_multipose.transforms.pose_flags`;
    :class:`~pyg_multipose.transforms.FlagPoses` can drop what was found.

    Args:
        sets: The pose sets. If they are those of
            :func:`~pyg_multipose.io.read_poses`, rows have the file and
            the record of a pose.

    Returns:
        A report with a row for each flag of a pose.

    Example:
        >>> from pyg_multipose.datasets import MproMoonshot
        >>> from pyg_multipose.io import check_poses
        >>> report = check_poses(MproMoonshot('test')[:3])
        >>> report
        Report(seen=26, kept=26, dropped=0, flagged=0)
        >>> report.summary
        '0 poses of 3 sets are flagged'
    """
    report = Report()
    records = getattr(sets, 'records', None)
    number = flagged = 0
    for number, pose_set in enumerate(sets, start=1):
        name = pose_set.get('name') or f'set {number - 1}'
        flags = pose_flags(pose_set)
        for pose in range(pose_set.num_poses):
            file, record = '', None
            if records is not None:
                file, record = records[number - 1][pose]
            report.seen[file] += 1
            report.kept[file] += 1
            bad = {key: int(n[pose]) for key, n in flags.items() if n[pose]}
            flagged += bool(bad)
            for key, count in bad.items():
                detail = f'pose {pose}: {count} {FLAGS[key]}'
                if key == 'flag_other_atoms':
                    detail = f'pose {pose} {FLAGS[key]}'
                report.flag(file, record, name, key, detail)
    report.summary = f'{flagged} poses of {number} sets are flagged'
    return report
