#!/usr/bin/env bash
# rdkit 2026.9.1: a MOL2 that states its formal charges is read without them.
#
# Open Babel (and SYBYL) write charges into a section of its own,
# UNITY_ATOM_ATTR. One would expect a reader to use it, or to estimate charges
# from the hydrogens as it does for other files. RDKit does neither: an oxygen
# with one bond and a charge of -1 becomes a neutral radical, without a word.
#
#   methanolate: C[O], charge 0, radical electrons 1
#   the same without the section: C[O-], charge -1, radical electrons 0
#
# So a program that reads such files has to read the section itself, and to
# look for radicals that no chemist has drawn.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rdkit==2026.9.1

"$folder/venv/bin/python" - <<'PYTHON'
import rdkit
from rdkit import Chem

ATOMS = """@<TRIPOS>MOLECULE
methanolate
 5 4 0 0 0
SMALL
GASTEIGER

@<TRIPOS>ATOM
1 C 0.00 0.00 0.00 C.3 1 UNL1 0.0
2 O 1.36 0.00 0.00 O.3 1 UNL1 -1.0
3 H -0.40 1.03 0.00 H 1 UNL1 0.0
4 H -0.40 -0.51 0.89 H 1 UNL1 0.0
5 H -0.40 -0.51 -0.89 H 1 UNL1 0.0
"""
CHARGES = """@<TRIPOS>UNITY_ATOM_ATTR
2 1
charge -1
"""
BONDS = """@<TRIPOS>BOND
1 1 2 1
2 1 3 1
3 1 4 1
4 1 5 1
"""


def read(text):
    mol = Chem.MolFromMol2Block(text)
    radicals = sum(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    return Chem.MolToSmiles(mol), Chem.GetFormalCharge(mol), radicals


print(rdkit.__version__)
for name, text, expected in (
    ('methanolate', ATOMS + CHARGES + BONDS, ('C[O]', 0, 1)),
    ('the same without the section', ATOMS + BONDS, ('C[O-]', -1, 0)),
):
    found = read(text)
    print('{}: {}, charge {}, radical electrons {}'.format(name, *found))
    assert found == expected, found
PYTHON
