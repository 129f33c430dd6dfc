"""The receptors of samples: the same atoms, in one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pyg_multipose.io.receptor.receptor import Receptor
from pyg_multipose.io.receptor.structure import ResidueId
from pyg_multipose.io.report import Rejected

#: Atoms that a message names.
SHOWN = 3

#: An atom: its residue, its name, and which one of that name it is.
Label = tuple[ResidueId, str, int]


def labels(receptor: Receptor) -> list[Label]:
    r"""What each atom of a receptor is called.

    Args:
        receptor: The receptor.
    """
    counts: Counter[tuple[ResidueId, str]] = Counter()
    out = []
    for number, name in zip(
        receptor['residue'].tolist(), receptor.atom_names, strict=True
    ):
        residue = receptor.residues[number - 1]
        out.append((residue, name, counts[residue, name]))
        counts[residue, name] += 1
    return out


def most_common(of_samples: Sequence[Sequence[Label]]) -> int:
    r"""A sample whose receptor most samples have, the first of them.

    The sequence that most have decides before the atoms do.

    Args:
        of_samples: The atoms of each sample.
    """
    sequences = [_sequence(one) for one in of_samples]
    usual = Counter(sequences).most_common(1)[0][0]
    atoms = [
        frozenset(one) if sequence == usual else None
        for one, sequence in zip(of_samples, sequences, strict=True)
    ]
    counts = Counter(one for one in atoms if one is not None)
    return atoms.index(counts.most_common(1)[0][0])


def order_like(atoms: Sequence[Label], usual: Sequence[Label]) -> list[int]:
    r"""Where the atoms of another receptor are in this one.

    Args:
        atoms: The atoms of this receptor.
        usual: Those of the other.

    Raises:
        Rejected: If they are not the same atoms.
    """
    got, expected = _sequence(atoms), _sequence(usual)
    if got != expected:
        raise Rejected('another sequence', _difference(got, expected))
    row = {label: number for number, label in enumerate(atoms)}
    lacking = [label for label in usual if label not in row]
    extra = set(atoms) - set(usual)
    if lacking or extra:
        shown = [f'{r} {name}' for r, name, _ in [*lacking, *extra][:SHOWN]]
        same = len(atoms) == len(usual)
        raise Rejected(
            'other atoms' if same else 'another number of atoms',
            f'the receptor has {len(atoms)}, in most samples {len(usual)}; '
            f'only one of them has {", ".join(shown)}',
        )
    return [row[label] for label in usual]


def _sequence(atoms: Sequence[Label]) -> tuple[ResidueId, ...]:
    return tuple(dict.fromkeys(residue for residue, _, _ in atoms))


def _difference(
    got: Sequence[ResidueId], expected: Sequence[ResidueId]
) -> str:
    for number, (one, other) in enumerate(zip(got, expected, strict=False)):
        if one != other:
            return (
                f'residue {number + 1} of the receptor is {one}, in most '
                f'samples {other}'
            )
    return (
        f'the receptor has {len(got)} residues, in most samples '
        f'{len(expected)}'
    )
