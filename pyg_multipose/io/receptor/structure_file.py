"""The file that a structure is read from: format, compression, damage."""

from __future__ import annotations

import os
from pathlib import Path

from pyg_multipose.io.receptor.cif import parse_cif
from pyg_multipose.io.receptor.pdb import parse_pdb, parse_pdbqt
from pyg_multipose.io.receptor.structure import Structure
from pyg_multipose.io.source.text_file import TextFile

#: What reads the lines of a file, by the end of its name.
PARSERS = {
    '.pdb': parse_pdb,
    '.ent': parse_pdb,
    '.pdbqt': parse_pdbqt,
    '.cif': parse_cif,
    '.mmcif': parse_cif,
}


def read_structure(path: str | os.PathLike[str]) -> Structure:
    r"""Reads a PDB, mmCIF or PDBQT file, plain or gzip.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is no such file, is damaged, or has no atoms.
    """
    path = Path(path)
    file = path.as_posix()
    name = path.name.lower().removesuffix('.gz')
    parse = PARSERS.get(Path(name).suffix)
    if parse is None:
        raise ValueError(
            f"'{file}': the end of its name tells no format; expected one of "
            f'{sorted(PARSERS)}, each also with .gz'
        )
    if not path.exists():
        raise FileNotFoundError(
            f"'{file}' does not exist; expected a structure file"
        )
    text = TextFile(path)
    try:
        lines = list(text)
    except OSError as error:
        raise ValueError(
            f"'{file}' cannot be read: {error}; expected a structure file"
        ) from error
    if text.cut:
        raise ValueError(f"'{file}': {text.cut}. Get the whole file again")
    if not any(line.strip() for line in lines):
        raise ValueError(f"'{file}' is empty; expected a structure file")
    for number, line in enumerate(lines, start=1):
        if b'\0' in line:
            raise ValueError(
                f"'{file}', line {number} holds NUL bytes: it is binary or "
                f'damaged. Get the file again'
            )
    # The columns of PDB are bytes.
    codec = 'utf-8' if parse is parse_cif else 'latin-1'
    texts = [line.decode(codec, 'replace') for line in lines]
    structure = parse(texts, file)
    structure.notes[:0] = [(note, '') for note in text.notes]
    return structure
