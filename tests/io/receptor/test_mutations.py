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

CASES = Path(__file__).parents[1] / 'cases'
PDB = sorted(CASES.glob('3*/receptor.pdb'))
CIF = sorted(CASES.glob('3*/receptor.cif'))
PIECES = [
    b'\n', b'\r', b'\r\n', b'\0', b'nan', b'-', b' ', b'*', b'999', b'TER\n',
    b'END\n', b'MODEL        2\n', b'ENDMDL\n', b'ATOM  ', b'HETATM', b'?',
    b"'", b'"', b';', b'#', b'loop_\n', b'data_y\n', b'B', b'A000', b'\xff',
    b'\xff\xfe', '\u2212'.encode(),
]  # fmt: skip


@st.composite
def spoiled(draw, files):
    content = draw(st.sampled_from(files)).read_bytes()
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
    try:
        receptor = read_receptor(path, waters=True, buffers=True)
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
