"""Real files, spoiled at random: no input stops a reading or is lost."""

import functools
import gzip
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Chem = pytest.importorskip('rdkit.Chem')

from pyg_multipose.io import read_poses  # noqa: E402

CASES = Path(__file__).with_name('cases')
#: Of formats that no case has, made up; each pose has a score of its own.
SAMPLES = sorted(Path(__file__).with_name('samples').iterdir())
SUFFIXES = ('sdf', 'pdbqt', 'mol2', 'mae', 'dlg')
FILES = sorted(
    path
    for suffix in SUFFIXES
    for path in CASES.rglob(f'*.{suffix}')
    if 'cplx' not in path.parent.name
)
FILES += SAMPLES * (len(FILES) // len(SAMPLES) // 2)
#: What spoils a file in a way that matters to its format.
PIECES = [
    b'\n', b'\r', b'\r\n', b'\0', b'$$$$\n', b'M  END\n', b'> <a>\n', b'nan',
    b'-', b' ', b'*', b'999', b'ENDMDL\n', b'MODEL 2\n', b'BRANCH 1 2\n',
    b'ROOT\n', b'REMARK SMILES CC\n', b'REMARK SMILES IDX 1 1 2 2\n',
    b'@<TRIPOS>MOLECULE\n', b'@<TRIPOS>BOND\n', b'# a: b\n', b'V3000',
    b'M  CHG  1   1   1\n', b'M  ISO  1   1   2\n', b'M  V30 BEGIN ATOM\n',
    b'M  SAL   1  1   1\n', b'M  RAD  1   1   2\n', b'  4', b' 15', b' -1',
    b'@<TRIPOS>UNITY_ATOM_ATTR\n', b'1 1\ncharge 1\n', b'charge 9\n',
    b'BEGIN_RES LYS A 1\n', b'END_RES LYS A 1\n', b'TORSDOF 0\n', b'$$$',
    b'REMARK SMILES [CH2]C\n', b'REMARK  SMILES = CC\n', b'\xff\xfe',
    b'\xc3\x28', '\u2212'.encode(),
    b'f_m_ct {\n', b'p_m_ct {\n', b'm_atom[999] {\n', b'm_bond[0] {\n',
    b':::\n', b'}\n', b'{', b'"', b'\\', b'#', b'<>', b'i_m_x\n',
    b'DOCKED: ', b'DOCKED: MODEL 2\n', b'DOCKED: ENDMDL\n', b'USER a = 1\n',
    b'INPUT-LIGAND-PDBQT: REMARK SMILES CC\n',
]  # fmt: skip


@st.composite
def spoiled(draw):
    """A file and its content with a few changes."""
    path = draw(st.sampled_from(FILES))
    content = path.read_bytes()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 2, 10, 100, 1000]))
        kind = draw(st.sampled_from(['put', 'replace', 'cut', 'repeat']))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        after = content[at + length :]
        middle = {
            'put': piece + content[at : at + length],
            'replace': piece,
            'cut': b'',
            'repeat': content[at : at + length] * 2,
        }[kind]
        content = content[:at] + middle + after
    return path, content


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('spoiled')


def read(folder, name, content, **kwargs):
    (folder / name).write_bytes(content)
    good = CASES / '01-sdf-no-blank-before-delimiter' / 'docked.sdf'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        poses = read_poses(
            [folder / name, good],
            template={'CPD-17': 'C[N+](C)(C)C'},
            **kwargs,
        )
    poses.report.check()
    for row in poses.report.rows:
        assert row.reason != 'unexpected error', row
    # The other file is read as ever.
    records = {pair for of_set in poses.records for pair in of_set}
    assert {(str(good), n) for n in (1, 2, 3)} <= records
    for pose_set, smiles in zip(poses, poses.smiles, strict=True):
        mol = Chem.MolFromSmiles(smiles)
        assert not any(a.GetNumRadicalElectrons() for a in mol.GetAtoms())
        assert pose_set.pos.isfinite().all() and pose_set.z.min() > 0
        first, *others = pose_set.to_poses()
        assert all(pose.z.equal(first.z) for pose in others)
    return poses


@given(spoiled(), st.sampled_from([None, (), 'stereo', 'protonation']))
@settings(deadline=None, max_examples=150)
def test_spoiled_files(folder, made, may_differ):
    path, content = made
    read(folder, f'a{path.suffix}', content, may_differ=may_differ)


@given(spoiled(), st.data())
@settings(deadline=None, max_examples=50)
def test_spoiled_gzip(folder, made, data):
    path, content = made
    packed = bytearray(gzip.compress(content))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(2, len(packed) - 1))
        packed[at] = data.draw(st.integers(0, 255))
    size = data.draw(st.integers(2, len(packed)))
    read(folder, f'a{path.suffix}.gz', bytes(packed[:size]))


@given(st.binary(max_size=400), st.sampled_from(SUFFIXES))
@settings(deadline=None, max_examples=50)
def test_any_bytes(folder, content, suffix):
    read(folder, f'b.{suffix}', content)


def scored(path):
    """The score of each record by its coordinates, as it was read."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        poses = read_poses(path)
    out = {}
    for pose_set in poses:
        for number, pose in enumerate(pose_set.to_poses()):
            for key in poses.scores:
                value = pose_set[key][number].item()
                out[key, pose.pos.numpy().tobytes()] = value
    return out


def pairs(poses):
    """Where the atoms of each pose are, and its score."""
    out = set()
    for pose_set in poses:
        (key,) = poses.scores
        for pose in pose_set.to_poses():
            places = sorted(map(tuple, pose.pos.round(decimals=3).tolist()))
            score = pose[key].item()
            if score == score:
                out.add((tuple(places), score))
    return out


@functools.cache
def pairs_of(path):
    """Those of a file as it is."""
    return pairs(read_poses(path))


@pytest.mark.parametrize(
    'name',
    ['08-*/docked.sdf', '28-*/scored.mol2', '25-*/*.pdbqt', '60-*/*.pdbqt'],
)
def test_no_score_on_other_coordinates(folder, name):
    """Whatever line is lost, and wherever the file ends."""
    (path,) = CASES.glob(name)
    lines = path.read_bytes().splitlines(keepends=True)
    right = scored(path)
    assert right or name.startswith('60')
    spoiled_path = folder / f'lost{path.suffix}'
    found = 0
    for row in range(len(lines)):
        for content in (
            b''.join(lines[:row] + lines[row + 1 :]),
            b''.join(lines[:row]),
            b''.join(lines[:row]) + lines[row][: len(lines[row]) // 2],
        ):
            spoiled_path.write_bytes(content)
            got = scored(spoiled_path)
            assert right or not got
            for place, value in got.items():
                if place in right and value == value:
                    assert value == right[place]
                    found += 1
    assert found or not right


@pytest.mark.parametrize(
    'path',
    [*SAMPLES, *CASES.glob('68-*/*.mae')],
    ids=lambda path: path.name,
)
@given(data=st.data())
@settings(deadline=None, max_examples=100)
def test_no_score_of_other_coordinates(folder, path, data):
    """Lines that are lost, or there twice, move no score to another pose.

    An SDF cannot promise that: where a value and the next name are lost, the
    next value follows the first name.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    count = data.draw(st.integers(1, 6))
    at = data.draw(st.integers(0, len(lines) - count))
    run = lines[at : at + count]
    middle = run * 2 if data.draw(st.booleans()) else []
    spoiled = folder / f'docked_pv{path.suffix}'
    spoiled.write_bytes(b''.join(lines[:at] + middle + lines[at + count :]))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        poses = read_poses(spoiled)
    expected, got = pairs_of(path), pairs(poses)
    assert len(expected) >= 2
    assert got <= expected
    # A structure that is damaged takes the parts that follow it along.
    assert len(got) >= len(expected) - 3
