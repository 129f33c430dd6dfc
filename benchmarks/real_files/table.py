"""What came out, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.real_files.findings import OUTCOMES, Section
from benchmarks.real_files.packages import Package
from benchmarks.real_files.survey import Survey
from benchmarks.table import markdown


def tables(survey: Survey, packages: Sequence[Package]) -> str:
    r"""All tables.

    Args:
        survey: What came out.
        packages: The packages.
    """
    parts = [', '.join(map(str, packages)) + '.', *survey.notes]
    for title, sections, unit, compared in (
        ('Poses', survey.ligands, 'records', 'records'),
        ('Receptors', survey.receptors, 'atoms', 'residues'),
    ):
        parts += [
            f'**{title}: {unit} that were read, and {compared} compared**',
            _counts(sections, unit, compared),
            f'**{title}: {unit} left out, files refused, and what is kept '
            f'but flagged**',
            _reasons(sections, unit),
            f'**{title}: what the other reader says of the {compared}**',
            _findings(sections, compared),
        ]
    if survey.same_sets:
        same = sum(one.outcome == 'same' for one in survey.same_sets)
        parts.append(
            f'The poses of one docking, as MOL2 and as PDBQT (with the SMILES '
            f'of the SDF as template), beside those of the SDF: {same} of '
            f'{len(survey.same_sets)} are the same up to hydrogens.'
        )
    for package, counts in survey.not_read.items():
        files = ', '.join(f'{n} {kind}' for kind, n in counts.items())
        parts.append(f'Not read, of {package}: {files}.')
    return '\n\n'.join(part for part in parts if part)


def _counts(sections: Sequence[Section], unit: str, compared: str) -> str:
    head = ['package', 'kind', 'files', unit, 'kept', 'left out', 'beside']
    lines = [[*head, compared, *OUTCOMES.values()]]
    for one in sections:
        numbers = (one.files, one.seen, one.kept, one.dropped.total())
        found = [len(one.findings), *map(one.count, OUTCOMES)]
        lines.append(
            [
                one.package,
                one.kind,
                *map(str, numbers),
                one.reader,
                *map(str, found),
            ]
        )
    return markdown(lines) if sections else 'None.'


def _reasons(sections: Sequence[Section], unit: str) -> str:
    what: dict[str, Callable[[Section], Counter[str]]] = {
        f'{unit} left out': lambda one: one.dropped,
        'files refused': lambda one: one.refused,
        'flagged': lambda one: one.flagged,
    }
    lines = [['package', 'kind', '', 'reason', 'number']]
    for one in sections:
        for title, counts in what.items():
            lines += [
                [one.package, one.kind, title, reason, str(count)]
                for reason, count in counts(one).most_common()
            ]
    return markdown(lines) if len(lines) > 1 else 'Nothing.'


def _findings(sections: Sequence[Section], compared: str) -> str:
    counts: Counter[tuple[str, str, str]] = Counter()
    for section in sections:
        for one in section.findings:
            # What nobody explained differs from record to record.
            why = '' if one.outcome == 'unexplained' else one.why
            counts[section.reader, OUTCOMES[one.outcome], why] += 1
    lines = [['beside', '', 'what it is', compared]]
    lines += [
        [reader, outcome, why or 'everything compared', str(count)]
        for (reader, outcome, why), count in sorted(
            counts.items(), key=lambda item: (item[0][0], -item[1])
        )
    ]
    return markdown(lines) if counts else 'Nothing.'
