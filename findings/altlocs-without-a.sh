#!/usr/bin/env bash
# rdkit 2026.9.1: an atom of a PDB file whose places are called B and C is left
# out, without a word: here, an ethane in place of an ethanol.
#
# Of several places of an atom, one would expect the first, or that of the
# highest occupancy. RDKit takes those called A or 1, and does not look whether
# there is one, though the format allows any letter. With flavor=1 all places
# are atoms, two bonded oxygens for one.
#
#   places A and B: CCO
#   places B and C: CC
#   places B and C, flavor=1: CC(O)O
#   gemmi 0.7.5: C1, C2, and two places of O1, called B and C
#
# So the places have to be chosen, and their names cleared, before RDKit reads.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rdkit==2026.9.1 gemmi==0.7.5

"$folder/venv/bin/python" - <<'PYTHON'
import gemmi
import rdkit
from rdkit import Chem


def ethanol(first, second):
    """A ligand whose oxygen has two places."""
    rows = (('C1', ' ', 0.0, 0.0, 1.0, 'C'), ('C2', ' ', 1.5, 0.0, 1.0, 'C'),
            ('O1', first, 2.1, 1.3, 0.6, 'O'),
            ('O1', second, 2.1, -1.3, 0.4, 'O'))
    lines = [
        f'HETATM{n:5d}  {name:<3}{place}LIG A   1    {x:8.3f}{y:8.3f}{0:8.3f}'
        f'{share:6.2f}{20:6.2f}          {element:>2}  '
        for n, (name, place, x, y, share, element) in enumerate(rows, 1)
    ]
    return '\n'.join([*lines, 'END', ''])


def read(places, **options):
    mol = Chem.MolFromPDBBlock(ethanol(*places), **options)
    return Chem.MolToSmiles(mol)


print('rdkit', rdkit.__version__)
for places, options, expected in (
    ('AB', {}, 'CCO'), ('BC', {}, 'CC'), ('BC', {'flavor': 1}, 'CC(O)O'),
):
    found = read(places, **options)
    print('places {} and {}'.format(*places), options, found)
    assert found == expected, found

residue = gemmi.read_pdb_string(ethanol('B', 'C'))[0][0][0]
found = [(atom.name, atom.altloc.strip('\0')) for atom in residue]
print('gemmi', gemmi.__version__, found)
assert found == [('C1', ''), ('C2', ''), ('O1', 'B'), ('O1', 'C')]
PYTHON
