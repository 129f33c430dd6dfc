"""What a caller should know about a reading as a whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.compound import Compound, Pose
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import Report, Row

#: The share of sets with one pose from which on the grouping is doubted.
MOST = 0.9
#: The share of the records of a file that may be dropped without a warning.
FEW = 0.1
#: What is dropped although the file is as it should be.
EXPECTED = ('not a pose', "DiffDock's copy of a pose")
#: Files that a message names.
SHOWN = 3


def flag_missing(
    compounds: Sequence[Compound], scores: Sequence[Score], report: Report
) -> None:
    r"""Flags every score that a pose lacks, once if the whole file does.

    Args:
        compounds: The poses.
        scores: The scores that all of them should have.
        report: Where to flag them.
    """
    files: dict[str, list[Pose]] = defaultdict(list)
    for compound in compounds:
        for pose in compound.poses:
            files[pose.file].append(pose)
    for file, poses in files.items():
        for score in scores:
            name = score.name
            lacking = [
                pose
                for pose in poses
                if name not in pose.scores or name in pose.unread
            ]
            why = {
                pose.unread.get(name, 'no such data item') for pose in lacking
            }
            if len(lacking) == len(poses) > 1 and len(why) == 1:
                report.flag(
                    file,
                    None,
                    '',
                    'missing score',
                    f'{name}, in all {len(poses)} records: {why.pop()}',
                )
                continue
            for pose in sorted(lacking, key=lambda pose: pose.record):
                report.flag(
                    file,
                    pose.record,
                    pose.title,
                    'missing score',
                    f'{name}: {pose.unread.get(name, "no such data item")}',
                )


def flag_ids(
    names: Iterable[str], templates: Templates, report: Report
) -> None:
    r"""Flags ids that may be one, and templates that nothing belongs to.

    Args:
        names: The ids of all sets.
        templates: The templates.
        report: Where to flag them.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[' '.join(name.casefold().split())].append(name)
    for of_one in alike.values():
        if len(of_one) > 1:
            reason = 'ids that are nearly the same'
            report.flag('', None, of_one[0], reason, f'{of_one}')
    for name in templates.unused():
        report.flag('', None, name, 'template without poses')


def advice(
    compounds: Sequence[Compound], ids: Mapping[str, int], report: Report
) -> list[str]:
    r"""What to warn of: no poses, too many dropped, a doubtful grouping.

    Args:
        compounds: The poses.
        ids: How many records had each id, also those that were dropped.
        report: What happened so far, and where to flag it.
    """
    if not compounds:
        return [f'No poses were read. {report}']
    out = []
    lost = _lost(report)
    if lost:
        more = f' and {len(lost) - SHOWN} more' if len(lost) > SHOWN else ''
        files = f'{"; ".join(lost[:SHOWN])}{more}'
        out.append(
            f'More than a tenth of records was dropped: {files}. '
            f'print(poses.report) says why'
        )
    # Where others of the id were dropped, the grouping is not at fault.
    single = [
        compound
        for compound in compounds
        if len(compound.poses) == 1 and ids.get(compound.name, 1) == 1
    ]
    if len(compounds) > 1 and len(single) >= MOST * len(compounds):
        text = (
            f'{len(single)} of {len(compounds)} sets have one pose, the first '
            f"'{single[0].name}'. If these are poses of fewer ligands, "
            f"group them by something else: group_by='file', the name of a "
            f'data item, or a pattern'
        )
        report.flag('', None, '', 'nearly every set has one pose', text)
        out.append(text)
    return out


def _lost(report: Report) -> list[str]:
    """What to say of each file that lost more than a few of its records."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in report.dropped:
        if row.record is not None and row.reason not in EXPECTED:
            rows[row.file].append(row)
    out = []
    for file, of_file in rows.items():
        if len(of_file) > FEW * report.seen[file]:
            reasons = Counter(row.reason for row in of_file).most_common(2)
            why = ', '.join(f'{reason} ({n})' for reason, n in reasons)
            seen = report.seen[file]
            out.append(f'{len(of_file)} of {seen} of {file}, {why}')
    return out
