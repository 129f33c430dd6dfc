"""Docking logs of AutoDock 4 and AutoDock-GPU."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyg_multipose.io.ligand.format import Format
from pyg_multipose.io.ligand.ligand import Ligand
from pyg_multipose.io.ligand.pdbqt import pdbqt_records
from pyg_multipose.io.ligand.pdbqt_ligand import ligand_of_model
from pyg_multipose.io.ligand.pdbqt_model import parse_model
from pyg_multipose.io.ligand.record import Record
from pyg_multipose.io.molecule.molecule import Molecule
from pyg_multipose.io.source.text_file import Lines, TextFile, decoded

#: The estimated free energy of binding.
AUTODOCK_SCORE = 'autodock_free_energy'

_DOCKED = re.compile(rb'DOCKED: ?(.*)')
_INPUT = re.compile(rb'INPUT-LIGAND-PDBQT: ?(.*)')
_SMILES = re.compile(r'REMARK\s+SMILES\s')
_REMARK = re.compile(r'REMARK\s+(SMILES|H PARENT)\s')
#: Remarks on one SMILES that are kept; a ligand has a few lines of them.
_MAX_REMARKS = 1000
_FREE_ENERGY = 'Estimated Free Energy of Binding'
_NUMBERED = re.compile(r'\(\d\)\s*')


class DLG(Format):
    r"""Docking logs: the models on lines that begin with ``DOCKED:``.

    What follows them, such as the best of each cluster once more, is not
    read again.
    """

    name = 'dlg'
    suffixes = ('.dlg',)
    group_by = 'file'
    score = AUTODOCK_SCORE

    def records(self, lines: TextFile, file: str) -> Iterator[Record]:
        r"""Cuts a file into its docked models.

        Args:
            lines: The lines of the file.
            file: How the report calls it.

        Yields:
            One record after another.
        """
        docked = _Docked(lines)
        number = 0
        for record in pdbqt_records(docked, file):
            number += 1
            for line in record.block:
                if line.startswith('USER'):
                    _add_item(record, line[4:])
            if not any(_SMILES.match(line) for line in record.block):
                record.block = [*docked.remarks, *record.block]
            yield record
        if not number:
            detail = 'no line begins with DOCKED:; did the docking end?'
            yield Record(file, 1, problem=('no docked model', detail))

    def ligand(self, record: Record, template: Molecule | None) -> Ligand:
        r"""The ligand of a model.

        Args:
            record: The record.
            template: The molecule that it is said to be, if that is known.
        """
        return ligand_of_model(parse_model(record.block), template)


def _add_item(record: Record, text: str) -> None:
    """Reads '(1) Final Intermolecular Energy = -6.45 kcal/mol', 'Run = 3'."""
    name, sign, value = text.partition('=')
    name, words = name.strip(), value.split()
    if match := _NUMBERED.match(name):
        name = name[match.end() :]
    if sign and name and words and words[1:2] in ([], ['kcal/mol']):
        name = AUTODOCK_SCORE if name == _FREE_ENERGY else name
        record.add_item(name, words[0])


class _Docked:
    """The docked models of a log, as the lines of a PDBQT file."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        #: Meeko's remarks on the input, for models that have none.
        self.remarks: list[str] = []

    @property
    def cut(self) -> str:
        return self._lines.cut

    def __iter__(self) -> Iterator[bytes]:
        of_input = False
        for line in self._lines:
            if match := _DOCKED.match(line):
                of_input = False
                yield match[1]
            elif match := _INPUT.match(line):
                if not of_input:  # logs may be joined
                    of_input, self.remarks = True, []
                text, _ = decoded(match[1])
                if _REMARK.match(text) and len(self.remarks) < _MAX_REMARKS:
                    self.remarks.append(text)
