"""Vectors are to numba what they are to numpy."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pyg_multipose.nn.messages import (
    coupled_loops,
    interpolation_kernel,
    product_kernel,
    shared_kernel,
)
from pyg_multipose.nn.messages.vectors import (
    LANES,
    add_all,
    each,
    fetch,
    inline,
    load,
    load_all,
    spread,
    store,
    teach_numba,
    total,
    weigh,
)


def make(count):
    @inline
    def weighed(array, at):
        return weigh(load(array, 1), array, at, 2, load_all(count, array, 3))

    return weighed


weighed = make(3)


def loop(out, x):
    fetch(x, 5)
    store(load(x, 1) * load(x, 2) + spread(x, 4), out, 0)
    add_all(each(load(x, 3), load_all(3, x, 7)), out, 1, LANES + 1)
    store(weighed(x, 5), out, 5 * LANES)
    out[-1] = total(load(x, 6))


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_numba_does_what_numpy_does(dtype):
    numba = pytest.importorskip('numba')
    teach_numba()
    compiled = numba.njit(f'({dtype}[::1], {dtype}[::1])')(loop)
    x = np.random.default_rng(3).normal(size=5 * LANES).astype(dtype)
    found, expected = np.zeros((2, 7 * LANES), dtype)
    compiled(found, x)
    loop(expected, x)
    np.testing.assert_allclose(found, expected, rtol=100 * np.finfo(dtype).eps)
    assert np.count_nonzero(expected) > 4 * LANES


def test_vectors_may_begin_anywhere():
    numba = pytest.importorskip('numba')
    teach_numba()
    compiled = numba.njit('(float32[::1], float32[::1])')(loop)
    x = np.arange(5.0 * LANES + 3, dtype='float32')
    found, expected = np.zeros((2, 7 * LANES + 3), 'float32')
    for start in range(3):
        compiled(found[start:], x[start:])
        loop(expected[start:], x[start:])
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ('loops', 'names'),
    [
        (coupled_loops, ['coupled_layout', 'vector_types', 'vectors']),
        (interpolation_kernel, ['vector_types', 'vectors']),
        (product_kernel, ['vector_types', 'vectors']),
        (shared_kernel, ['vector_types', 'vectors']),
    ],
)
def test_revision(loops, names):
    """Else numba would go on with loops that it has compiled from others."""
    digest = hashlib.sha256()
    folder = Path(loops.__file__).parent
    for name in names:
        text = (folder / f'{name}.py').read_text(encoding='utf-8')
        digest.update(text.encode())
    assert digest.hexdigest()[:12] == loops.REVISION
