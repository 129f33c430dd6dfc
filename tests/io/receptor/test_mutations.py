"""Receptors, spoiled at random: an error that names the file, or sound atoms.

No atom of a receptor is anywhere that the file does not say.
"""

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('gemmi')

from pyg_multipose.io.receptor.read_receptor import read_receptor  # noqa: E402
from tests.io.receptor.records import atom, backbone, chain  # noqa: E402
from tests.io.receptor.test_altlocs import as_pdbqt, cap  # noqa: E402
from tests.io.receptor.test_bonds import cif, ligand, link  # noqa: E402

CASES = Path(__file__).parents[1] / 'cases'
#: Ions, unknown atoms, caps, hydrogens of one name, ligands that touch.
MADE = (
    chain('ALA', 'GLY')
    + cap('NMA', 2, hydrogens=['H', 'H'])
    + backbone('LYS', 9, 40)
    + ''.join(atom('HZ', 'LYS', 9, 40, 3 + n) for n in range(3))
    + ''.join(
        atom(name, name, 20 + n, 60 + 3 * n, element='', het=True)
        for n, name in enumerate(('POT', 'CLA', 'Na+', 'UNX', 'UNK', 'CIO'))
    )
    + ligand(3.8, 1.4, 'C1', number=0)
    + ligand(40, 1.4, 'C1', 'B', 1, 'LG2')
    + atom('CB', 'ALA', 1, 5, 2)
)
MADE_PDB = (link(('N', 'LYS', 'A', 9), ('C1', 'LG2', 'B', 1)) + MADE).encode()
MADE_CIF = cif(
    MADE, {'LG2': 'C'}, [(('N', 'LYS', 'A', 9), ('C1', 'LG2', 'B', 1))]
).encode()
PDB = [
    *(path.read_bytes() for path in sorted(CASES.glob('3*/receptor.pdb'))),
    *(path.read_bytes() for path in sorted(CASES.glob('62*/*.pdb'))),
    *2 * [MADE_PDB],
]
CIF = [
    *(path.read_bytes() for path in sorted(CASES.glob('3*/receptor.cif'))),
    *(path.read_bytes() for path in sorted(CASES.glob('[46][0-9]-*/*.cif'))),
    *2 * [MADE_CIF],
]
PDBQT = [as_pdbqt(MADE).encode()]
PIECES = [
    b'\n', b'\r', b'\r\n', b'\0', b'nan', b'-', b' ', b'*', b'999', b'TER\n',
    b'END\n', b'MODEL        2\n', b'ENDMDL\n', b'ATOM  ', b'HETATM', b'?',
    b"'", b'"', b';', b'#', b'loop_\n', b'data_y\n', b'B', b'A000', b'\xff',
    b'\xff\xfe', '\u2212'.encode(), b'UNX', b'UNK', b'POT', b'CLA', b'NMA',
    b'ACE', b'LIG', b'LINK  ', b' HZ ', b' U', b'covale', b'TIP3', b'MG2+',
]  # fmt: skip


@st.composite
def spoiled(draw, files):
    content = draw(st.sampled_from(files))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 2, 10, 80, 400]))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        old = content[at : at + length]
        middle = draw(st.sampled_from([piece + old, piece, b'', old * 2]))
        content = content[:at] + middle + content[at + length :]
    return content


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('spoiled')


def read(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    for hydrogens in (True, False):
        out = read_with(path, hydrogens)
    return out


def read_with(path, hydrogens):
    name = path.name
    try:
        receptor = read_receptor(
            path, waters=True, buffers=True, hydrogens=hydrogens
        )
    except ValueError as error:
        assert name in str(error)
        return None
    receptor.report.check()
    assert receptor.num_nodes == len(receptor.atom_names)
    assert receptor.pos.isfinite().all() and receptor.z.min() > 0
    pairs = list(
        zip(receptor.residue.tolist(), receptor.atom_names, strict=True)
    )
    kept = {str(residue.id) for residue in receptor.left_out}
    assert not kept & set(map(str, receptor.residues))
    return receptor, pairs


def places(lines):
    out = set()
    for line in lines:
        line = line.strip('\0')  # padding
        if line[:4].upper() == 'ATOM' or line[:6].upper() == 'HETATM':
            fields = (line[30:38], line[38:46], line[46:54])
            if all(re.fullmatch(r' *[-+]?\d*\.\d* *', f) for f in fields):
                out.add(tuple(round(float(f), 3) for f in fields))
    return out


@given(spoiled(PDB))
@settings(deadline=None, max_examples=300)
def test_pdb(folder, content):
    out = read(folder, 'a.pdb', content)
    if out is None:
        return
    receptor, pairs = out
    text = content.decode('utf-8', 'replace')
    found = places(re.split(r'\r{0,2}\n|\r', text.strip('\ufeff')))
    for pos in receptor.pos.double().tolist():
        assert tuple(round(x, 3) for x in pos) in found
    known = {'ALA', 'LYS', 'SER', 'ASP', 'VAL', 'HIS', 'MSE', 'GLY'}
    of_chains = [
        (number, name)
        for number, name in pairs
        if receptor.residues[number - 1].name in known
    ]
    assert len(set(of_chains)) == len(of_chains)


@given(spoiled(CIF))
@settings(deadline=None, max_examples=150)
def test_cif(folder, content):
    read(folder, 'a.cif', content)


@given(spoiled(PDBQT))
@settings(deadline=None, max_examples=100)
def test_pdbqt(folder, content):
    read(folder, 'a.pdbqt', content)


def test_as_they_are(folder):
    """What is spoiled above can be read as it is."""
    for name, files in (('a.pdb', PDB), ('a.cif', CIF), ('a.pdbqt', PDBQT)):
        for content in files:
            assert read(folder, name, content) is not None
    receptor, _ = read(folder, 'a.pdb', MADE_PDB)
    found = [str(residue) for residue in receptor.residues]
    assert found == [
        'ALA A/1', 'GLY A/2', 'NMA A/2', 'LYS A/9', 'POT A/20', 'CLA A/21',
        'Na+ A/22', 'CIO A/25', 'LIG A/0', 'LG2 B/1',
    ]  # fmt: skip


@given(spoiled(PDB), st.data())
@settings(deadline=None, max_examples=50)
def test_gzip(folder, content, data):
    packed = bytearray(gzip.compress(content))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(2, len(packed) - 1))
        packed[at] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(2, len(packed)))
    read(folder, 'a.pdb.gz', bytes(packed[:size]))


@given(st.binary(max_size=400), st.sampled_from(['a.pdb', 'a.pdbqt', 'a.cif']))
@settings(deadline=None, max_examples=100)
def test_any_bytes(folder, content, name):
    read(folder, name, content)
