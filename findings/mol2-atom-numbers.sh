#!/usr/bin/env bash
# rdkit 2026.9.1: bonds of a MOL2 go by the order of its atoms, not by the
# numbers that the file gives them.
#
# A bond names its ends by the numbers of atoms, so one would expect it to join
# the atoms that have these numbers. RDKit counts atoms as they come. Where
# they do not stand in the order of their numbers, another molecule comes out,
# without a warning: here an ether in place of an alcohol.
#
#   numbers (1, 2, 3): CCO
#   numbers (2, 3, 1): COC
#
# (Tripos calls the number of an atom "for reference only", and that of the end
# of a bond "the ID number of the atom": both ways can be argued for.) So a
# reader has to compare both before it trusts either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rdkit==2026.9.1

"$folder/venv/bin/python" - <<'PYTHON'
import rdkit
from rdkit import Chem

PLACES = [('C1', 0.0, 0.0, 'C.3'), ('C2', 1.5, 0.0, 'C.3'),
          ('O1', 2.1, 1.3, 'O.3')]
NO_ATOMS = '@<TRIPOS>MOLECULE\nethanol\n 3 2\nSMALL\nNO_CHARGES\n'


def molecule(numbers):
    """Two bonds: C1 and C2, C2 and O1, by the numbers of these atoms."""
    lines = [NO_ATOMS, '@<TRIPOS>ATOM']
    for number, (name, x, y, kind) in zip(numbers, PLACES):
        lines.append(f'{number} {name} {x} {y} 0.0 {kind}')
    first, second, third = numbers
    lines += ['@<TRIPOS>BOND', f'1 {first} {second} 1',
              f'2 {second} {third} 1', '']
    mol = Chem.MolFromMol2Block('\n'.join(lines), sanitize=False,
                                cleanupSubstructures=False)
    for atom in mol.GetAtoms():
        atom.SetFormalCharge(0)
    return Chem.MolToSmiles(mol)


print(rdkit.__version__)
for numbers, expected in (((1, 2, 3), 'C-C-O'), ((2, 3, 1), 'C-O-C')):
    found = molecule(numbers)
    print(f'numbers {numbers}: {found}')
    order = found.replace('[', '').replace(']', '').replace('-', '')
    assert order == expected.replace('-', ''), found
PYTHON
