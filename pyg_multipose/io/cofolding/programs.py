"""Names of the files that co-folding programs write, one sample each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from os.path import exists
from pathlib import Path

#: Ends of names of files that hold a complex; each also with ``.gz``.
SUFFIXES = ('.cif', '.mmcif', '.pdb', '.ent')

_NUMBER = r'\d{1,9}'
_BOLTZ = re.compile(rf'(?P<id>.+)_model_(?P<number>{_NUMBER})')
_SERVER = re.compile(rf'(?P<id>fold_.+)_model_(?P<number>{_NUMBER})')
_CHAI = re.compile(rf'pred\.model_idx_(?P<number>{_NUMBER})')
_TRUNK = re.compile(rf'trunk_({_NUMBER})')
_AF3 = re.compile(r'(?:(?P<prefix>.+)_)?model')
_AF3_FOLDER = re.compile(rf'seed-(?P<seed>\d+)_sample-(?P<number>{_NUMBER})')
_PROTENIX = re.compile(rf'(?P<id>.+)_sample_(?P<number>{_NUMBER})')
_SEED = re.compile(r'(?:seed_)?(\d+)')


@dataclass(frozen=True)
class SampleName:
    r"""What the name of a file, and those of its folders, say.

    Args:
        program: The program that writes such names.
        id: What was predicted, as the program calls it.
        label: Which sample of it.
        confidences: Names of files beside it that may hold its confidences,
            the usual one first.
        main: The confidence that the program ranks samples by.
        affinity: The name of the file with the affinity that was predicted
            for this sample, or an empty text. (default: :obj:`""`)
        is_copy: Whether it is a second copy of the best sample.
            (default: :obj:`False`)
    """

    program: str
    id: str
    label: str
    confidences: tuple[str, ...]
    main: str
    affinity: str = ''
    is_copy: bool = False


def parse_name(path: Path) -> SampleName | None:
    r"""Reads the name of a file, :obj:`None` if it is not of a sample.

    If it could be of two programs, the confidences beside it decide.

    Args:
        path: The file.
    """
    stem = stem_of(path)
    found = [name for read in _PROGRAMS if (name := read(stem, path))]
    for name in found:
        if any(exists(path.parent / file) for file in name.confidences):
            return name
    return found[0] if found else None


def stem_of(path: Path) -> str:
    r"""The name of a file without the ends that tell its format.

    Args:
        path: The file.
    """
    name = path.name
    name = name[:-3] if name.lower().endswith('.gz') else name
    return name[: -len(Path(name).suffix)] if Path(name).suffix else name


def _boltz(stem: str, path: Path) -> SampleName | None:
    match = _BOLTZ.fullmatch(stem)
    if match is None:
        return None
    # The affinity is that of the sample that was ranked first.
    first = int(match['number']) == 0
    return SampleName(
        'Boltz',
        match['id'],
        f'model {match["number"]}',
        (f'confidence_{stem}.json',),
        'confidence_score',
        f'affinity_{match["id"]}.json' if first else '',
    )


def _chai(stem: str, path: Path) -> SampleName | None:
    match = _CHAI.fullmatch(stem)
    if match is None:
        return None
    number, folder = match['number'], path.absolute().parent
    label = f'model_idx {number}'
    trunk = _TRUNK.fullmatch(folder.name)
    if trunk is not None:
        label, folder = f'trunk {trunk[1]}, {label}', folder.parent
    return SampleName(
        'Chai',
        folder.name,
        label,
        (f'scores.model_idx_{number}.npz', f'scores.model_idx_{number}.json'),
        'aggregate_score',
    )


def _alphafold3(stem: str, path: Path) -> SampleName | None:
    match = _AF3.fullmatch(stem)
    if match is None:
        return None
    prefix, folder = match['prefix'] or '', path.absolute().parent
    start = f'{prefix}_' if prefix else ''
    files = (f'{start}summary_confidences.json',)
    sample = _AF3_FOLDER.fullmatch(folder.name)
    if sample is None:
        # The best sample is written once more above the others.
        copy = any(
            _AF3_FOLDER.fullmatch(other.name)
            for other in folder.iterdir()
            if other.is_dir()
        )
        if not copy and not exists(path.parent / files[0]):
            return None
        name = prefix or folder.name
        return SampleName(
            'AlphaFold 3', name, 'the best', files, 'ranking_score', '', copy
        )
    name = prefix.removesuffix(folder.name).removesuffix('_')
    return SampleName(
        'AlphaFold 3',
        name or folder.parent.name,
        f'seed {sample["seed"]}, sample {sample["number"]}',
        files,
        'ranking_score',
    )


def _alphafold_server(stem: str, path: Path) -> SampleName | None:
    match = _SERVER.fullmatch(stem)
    if match is None:
        return None
    name, number = match['id'], match['number']
    return SampleName(
        'AlphaFold Server',
        name.removeprefix('fold_'),
        f'model {number}',
        (f'{name}_summary_confidences_{number}.json',),
        'ranking_score',
    )


def _protenix(stem: str, path: Path) -> SampleName | None:
    match = _PROTENIX.fullmatch(stem)
    if match is None:
        return None
    name, number, folder = match['id'], match['number'], path.absolute().parent
    label, full = f'sample {number}', name
    if folder.name == 'predictions':
        folder = folder.parent
    seed = _SEED.fullmatch(folder.name)
    if seed is not None:
        label = f'seed {seed[1]}, {label}'
        if folder.parent.name != full:  # older versions put the seed into it
            name = re.sub(rf'(?<=.)_(seed_)?{seed[1]}$', '', name)
    return SampleName(
        'Protenix',
        name,
        label,
        (f'{full}_summary_confidence_sample_{number}.json',),
        'ranking_score',
    )


_PROGRAMS: tuple[Callable[[str, Path], SampleName | None], ...] = (
    _chai,
    _alphafold_server,
    _boltz,
    _alphafold3,
    _protenix,
)
