"""What a caller should know about a reading as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyg_multipose.io.molecule.templates import Templates
from pyg_multipose.io.poses.facts import Facts
from pyg_multipose.io.poses.findings import Findings
from pyg_multipose.io.poses.hints import hints
from pyg_multipose.io.poses.scores import Score
from pyg_multipose.io.report import Phase, Report
from pyg_multipose.io.tally import Place, Tally

#: The share of sets with one pose from which on the grouping is doubted.
MOST = 0.9
#: The share of the records of a file that may be dropped without a warning.
FEW = 0.1
#: What is dropped although the file is as it should be.
EXPECTED = ('not a pose', "DiffDock's copy of a pose")
#: Files that a message names.
SHOWN = 3


def flag_missing(findings: Findings, report: Report) -> None:
    r"""Flags every score that a pose lacks, once if the whole file does.

    Args:
        findings: What was found in all poses.
        report: Where to flag them.
    """
    for place, (file, score) in enumerate(findings.lacking):
        one = findings.lacking[file, score]
        report.at = (Phase.SCORES, place)
        if one.count == one.poses > 1 and len(one.whys) == 1:
            report.flag(
                file,
                None,
                '',
                'missing score',
                f'{score}, in all {one.poses} records: {one.whys[0]}',
            )
            continue
        for record, title, why in one.rows:
            report.flag(
                file, record, title, 'missing score', f'{score}: {why}'
            )
        if isinstance(report, Tally) and one.count > len(one.rows):
            report.count_flags('missing score', one.count - len(one.rows))


def flag_hints(
    findings: Findings, facts: Facts, scores: Sequence[Score], report: Report
) -> None:
    r"""Says where scores may be, if there are none or one is nowhere.

    Args:
        findings: What was found in all poses.
        facts: What the texts of all records say.
        scores: The scores that all poses should have.
        report: Where to say it.
    """
    absent = [
        score.name
        for score in scores
        if score.read is None and score.name not in findings.scores
    ]
    if not findings.sets or (scores and not absent):
        return
    report.at = (Phase.HINTS,)
    for detail in hints(facts.items, facts.stems, plain=not scores):
        if scores:
            detail = f'{absent}: {detail}'
        reason = 'score not found' if scores else 'no known scores'
        report.flag('', None, '', reason, detail)


def alike_names(names: Iterable[str]) -> list[list[str]]:
    r"""Ids that may be one.

    Args:
        names: The ids of all sets.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[likeness(name)].append(name)
    return [of_one for of_one in alike.values() if len(of_one) > 1]


def likeness(name: str) -> str:
    r"""What ids that may be one have in common.

    Args:
        name: An id.
    """
    return ' '.join(name.casefold().split())


def flag_ids(
    alike: Iterable[Sequence[str]], templates: Templates, report: Report
) -> None:
    r"""Flags ids that may be one, and templates that nothing belongs to.

    Args:
        alike: Ids that may be one.
        templates: The templates.
        report: Where to flag them.
    """
    report.at = (Phase.IDS,)
    for of_one in alike:
        reason = 'ids that are nearly the same'
        report.flag('', None, of_one[0], reason, f'{of_one}')
    for name in templates.unused():
        report.flag('', None, name, 'template without poses')


def advice(
    findings: Findings, seen: Callable[[str], int], report: Report
) -> list[str]:
    r"""What to warn of: no poses, too many dropped, a doubtful grouping.

    Args:
        findings: What was found in all poses.
        seen: How many records a file has.
        report: What happened so far, and where to flag it.
    """
    if not findings.sets:
        return [f'No poses were read. {report}']
    out = []
    lost = _lost(report, seen)
    if lost:
        more = f' and {len(lost) - SHOWN} more' if len(lost) > SHOWN else ''
        files = f'{"; ".join(lost[:SHOWN])}{more}'
        out.append(
            f'More than a tenth of records was dropped: {files}. '
            f'print(poses.report) says why'
        )
    if findings.sets > 1 and findings.alone >= MOST * findings.sets:
        text = (
            f'{findings.alone} of {findings.sets} sets have one pose, the '
            f"first '{findings.first_alone}'. If these are poses of fewer "
            f"ligands, group them by something else: group_by='file', the "
            f'name of a data item, or a pattern'
        )
        report.at = (Phase.ADVICE,)
        report.flag('', None, '', 'nearly every set has one pose', text)
        out.append(text)
    return out


def _lost(report: Report, seen: Callable[[str], int]) -> list[str]:
    """What to say of each file that lost more than a few of its records."""
    lost = report.lost if isinstance(report, Tally) else _lost_of(report)
    out = []
    for file in sorted(lost, key=lambda file: _first(lost[file])):
        reasons = {
            reason: number
            for reason, (number, _) in sorted(
                lost[file].items(), key=lambda one: (-one[1][0], one[1][1])
            )
            if reason not in EXPECTED
        }
        count, total = sum(reasons.values()), seen(file) if reasons else 0
        if count > FEW * total:
            why = ', '.join(
                f'{reason} ({n})' for reason, n in list(reasons.items())[:2]
            )
            out.append(f'{count} of {total} of {file}, {why}')
    return out


def _lost_of(report: Report) -> Mapping[str, dict[str, Any]]:
    """As a tally counts it."""
    out = Tally()
    for number, row in enumerate(report.dropped):
        out.at = (number,)
        out.drop(row.file, row.record, '', row.reason)
    return out.lost


def _first(reasons: Mapping[str, tuple[int, Place]]) -> Place:
    places = [
        p for reason, (_, p) in reasons.items() if reason not in EXPECTED
    ]
    return min(places, default=())
