"""Samples, spoiled at random: no input stops a reading or is lost."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyg_multipose.io import read_cofolded

LARGEST = float(np.finfo(np.float32).max)
PIECES = [
    b'\n', b'\r', b'\0', b'nan', b'-', b' ', b'?', b'.', b"'", b'"', b';',
    b'#', b'loop_\n', b'data_y\n', b'999', b'ATOM', b'HETATM', b'TER\n',
    b'MODEL 2\n', b'LIG', b'GLY', b' A ', b' B ', b'{', b'}', b'[', b':',
    b'null', b'1e9', b'\xff', b'\xff\xfe', b'PK', '\u2212'.encode(),
]  # fmt: skip


@st.composite
def spoiled(draw, content):
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.sampled_from([0, 1, 2, 10, 80, 400, 4000]))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        old = content[at : at + length]
        middle = draw(st.sampled_from([piece + old, piece, b'', old * 2]))
        content = content[:at] + middle + content[at + length :]
    return content


@pytest.fixture(scope='module')
def folder(tmp_path_factory, fold, three):
    """Boltz as mmCIF, Boltz as PDB, and Chai."""
    at = tmp_path_factory.mktemp('samples')
    fold.write_boltz(at / 'a', 'cif', three)
    fold.write_boltz(at / 'b', 'pdb', three, suffix='pdb')
    fold.write_chai(at / 'chai', three)
    return at


KINDS = {
    'cif': ('a/predictions/cif', 'cif_model_{}.cif'),
    'pdb': ('b/predictions/pdb', 'pdb_model_{}.pdb'),
    'chai': ('chai', 'pred.model_idx_{}.cif'),
    'json': ('a/predictions/cif', 'confidence_cif_model_{}.json'),
    'npz': ('chai', 'scores.model_idx_{}.npz'),
}


@pytest.mark.parametrize('kind', KINDS)
@given(data=st.data())
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_spoiled(folder, fold, three, kind, data):
    at, name = KINDS[kind]
    which = data.draw(st.sampled_from([0, 1]))
    path = folder / at / name.format(which)
    good = path.read_bytes()
    path.write_bytes(data.draw(spoiled(good)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            poses = read_cofolded(folder / at, fold.SMILES)
    finally:
        path.write_bytes(good)
    check(poses, three, kind, which)


def check(poses, three, kind, which):
    for row in poses.report.rows:
        assert row.reason != 'unexpected error', row
    (pose_set,) = poses
    (records,) = poses.records
    key = 'aggregate_score' if kind in ('chai', 'npz') else 'confidence_score'
    # The other two samples are read as ever, with their own confidences.
    numbers = [int(file[-5]) for file, _ in records]
    assert {0, 1, 2} - {which} <= set(numbers)
    for place, number in enumerate(numbers):
        value = pose_set[key][place].item()
        own = 0.9 - 0.1 * number
        if number != which or kind not in ('json', 'npz'):
            assert value == pytest.approx(own)
        whole = pose_set.pose(place)
        assert whole.pos.isfinite().all() and whole.z.min() > 0
        if number == which and kind not in ('json', 'npz'):
            continue  # its coordinates may be others
        expected = np.array([a.xyz for a in three[number]])
        got = whole.pos.double().numpy()
        far = np.linalg.norm(expected[:, None] - expected, axis=2)
        now = np.linalg.norm(got[:, None] - got, axis=2)
        assert np.abs(far - now).max() < 3e-3


def test_json_of_any_kind(folder, fold, three):
    path = folder / 'a/predictions/cif/confidence_cif_model_1.json'
    good = path.read_bytes()
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    )

    @given(values)
    @settings(deadline=None, max_examples=40)
    def run(value):
        text = json.dumps({'confidence_score': value})
        path.write_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            (pose_set,) = read_cofolded(path.parent, fold.SMILES)
        got = pose_set.confidence_score[1].item()
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        is_number = isinstance(value, bool | int | float)
        if is_number and abs(value) <= LARGEST:
            assert got == pytest.approx(float(value), rel=1e-6)
        else:
            assert math.isnan(got)

    try:
        run()
    finally:
        path.write_bytes(good)
