"""PDBQT, as Vina, smina and AutoDock-GPU write poses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import Ligand
from pyg_multipose.io.ligand.pdbqt_ligand import ligand_of_model
from pyg_multipose.io.ligand.pdbqt_model import parse_model
from pyg_multipose.io.ligand.record import MAX_RECORD, Record, clean_lines
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.source.text_file import MAX_LINE, Lines, TextFile

#: The score in the remark of Vina and of those that write like it.
VINA_SCORE = 'vina_affinity'

_VINA = re.compile(r'REMARK\s+VINA RESULT:(.*)')
_NAMED = re.compile(r'REMARK\s+(Name)\s*[=:]?\s*(.*)', re.IGNORECASE)


class PDBQT(Format):
    r"""PDBQT, of one model or many."""

    name = 'pdbqt'
    suffixes = ('.pdbqt',)
    group_by = 'file'
    score = VINA_SCORE
    is_input = True

    def records(self, lines: TextFile, file: str) -> Iterator[Record]:
        r"""Cuts a file into its models; one without any is one model.

        Args:
            lines: The lines of the file.
            file: How the report calls it.
        """
        return pdbqt_records(lines, file)

    def ligand(self, record: Record, template: Molecule | None) -> Ligand:
        r"""The ligand of a model.

        Args:
            record: The record.
            template: The molecule that it is said to be, if that is known.
        """
        return ligand_of_model(parse_model(record.block), template)


def pdbqt_records(lines: Lines, file: str) -> Iterator[Record]:
    r"""Cuts a file into its models; a file without any is one model.

    Args:
        lines: The lines of the file.
        file: How the report calls it.

    Yields:
        One record after another.
    """
    number = 0
    raw: list[bytes] = []
    size = 0
    inside = False
    models = False
    for line in lines:
        word = line[:6].rstrip(b' ')
        if word == b'MODEL':
            if inside or _has_atoms(raw):
                number += 1
                yield _record(file, number, raw, 'no ENDMDL')
            raw, size, inside, models = [], 0, True, True
        elif word == b'ENDMDL':
            number += 1
            yield _record(file, number, raw, '')
            raw, size, inside = [], 0, False
        else:
            size += len(line) + 1
            if size <= MAX_RECORD + MAX_LINE:
                raw.append(line)
    if inside or _has_atoms(raw) or (not models and _is_text(raw)):
        # A receptor has no end, since it has no torsions; what it is is said
        # later.
        closed = not models and (
            any(line[:7] == b'TORSDOF' for line in raw)
            or not any(line[:4] == b'ROOT' for line in raw)
        )
        problem = '' if closed and not lines.cut else 'the file ends within it'
        yield _record(file, number + 1, raw, lines.cut or problem)


def _record(file: str, number: int, raw: list[bytes], cut: str) -> Record:
    record = Record(file, number)
    record.block = clean_lines(record, raw)
    for line in record.block:
        if not line.startswith('REMARK'):
            continue
        if match := _VINA.fullmatch(line):
            record.add_item(VINA_SCORE, ' '.join(match[1].split()[:1]))
        elif match := _NAMED.fullmatch(line):
            record.title = match[2].strip()
        elif len(words := line.replace('=', ' ').split()) == 3:
            record.add_item(words[1].rstrip(':'), words[2])
    if not _has_atoms(raw):
        record.problem = record.problem or (
            'no atoms', 'a model without ATOM lines'
        )  # fmt: skip
    elif cut:
        record.problem = record.problem or ('incomplete model', cut)
    return record


def _has_atoms(raw: list[bytes]) -> bool:
    return any(line.startswith((b'ATOM', b'HETATM')) for line in raw)


def _is_text(raw: list[bytes]) -> bool:
    return any(line.strip(b' \t') for line in raw)
