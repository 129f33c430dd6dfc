import math
import re
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_multipose.transforms import cell_search
from pyg_multipose.transforms.cell_search import CellSearch
from pyg_multipose.transforms.neighbors import (
    nearest,
    radius,
    radius_graph,
    warn_cut,
)
from pyg_multipose.transforms.tree_search import TreeSearch

SEARCHES = [TreeSearch, CellSearch]
DTYPES = [torch.float32, torch.float64]


def brute(x, y, r, batch_x=None, batch_y=None):
    """Pairs (row of y, row of x), from the definition."""
    step = y.double()[:, None] - x.double()[None]
    near = (step * step).sum(dim=-1) <= r * r
    if batch_x is not None:
        near &= batch_y[:, None] == batch_x[None]
    return near.nonzero().t()


def brute_graph(x, r, batch=None, loop=False):
    target, source = brute(x, x, r, batch, batch)
    keep = (source != target) | loop
    return torch.stack([source[keep], target[keep]])


@st.composite
def atoms(draw, spacing, dtype, num_graphs, batch_sorted):
    # A lattice, so that many distances are exactly or just about the radius,
    # with coincident atoms, empty graphs, and graphs far from each other.
    numbers = st.integers(-1, 2)
    cell = st.tuples(numbers, numbers, numbers)
    fewest = draw(st.sampled_from([0, 15]))
    cells = draw(st.lists(cell, min_size=fewest, max_size=25))
    x = torch.tensor(cells, dtype=torch.float64).view(-1, 3) * spacing
    jitter = draw(st.sampled_from([0.0, 1e-16, 1e-9, 0.4]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    x += jitter * spacing * torch.rand(x.shape, generator=generator)
    graph = st.integers(0, num_graphs - 1)
    batch = draw(st.lists(graph, min_size=len(x), max_size=len(x)))
    batch = torch.tensor(batch, dtype=torch.long)
    if batch_sorted:
        batch = batch.sort().values
    far = draw(st.sampled_from([0.0, 1e3, 1e6]))
    x += far * (batch % 2)[:, None]
    return x.to(dtype), batch


@st.composite
def problems(draw):
    spacing = draw(st.sampled_from([1e-3, 0.1, 1 / 3, 1.0, 1.7, 1e6]))
    ratio = [1.0, math.sqrt(2), math.sqrt(3), 2.0, 0.9, 1e-6, 1e6]
    dtype = draw(st.sampled_from(DTYPES))
    args = spacing, dtype, draw(st.integers(1, 5)), draw(st.booleans())
    x, batch_x = draw(atoms(*args))
    y, batch_y = draw(atoms(*args))
    return x, y, spacing * draw(st.sampled_from(ratio)), batch_x, batch_y


@pytest.mark.parametrize('search', SEARCHES)
@settings(max_examples=100, deadline=None)
@given(problem=problems(), loop=st.booleans())
def test_equals_brute_force(search, problem, loop):
    x, y, r, batch_x, batch_y = problem
    prepared = search(x, r, batch_x)
    expected = brute_graph(x, r, batch_x, loop)
    assert torch.equal(prepared.graph(loop), expected)
    expected = brute(x, y, r, batch_x, batch_y)
    assert torch.equal(prepared.query(y, batch_y), expected)


@pytest.mark.parametrize('search', SEARCHES)
@settings(max_examples=50, deadline=None)
@given(problem=problems())
def test_one_graph_equals_brute_force(search, problem):
    x, y, r, _, _ = problem
    prepared = search(x, r)
    assert torch.equal(prepared.graph(), brute_graph(x, r))
    assert torch.equal(prepared.query(y), brute(x, y, r))


@pytest.mark.parametrize('search', SEARCHES)
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shuffled', [False, True])
def test_many_atoms(search, dtype, shuffled):
    # Enough for several trees and chunks of candidates; graph 0, 3 and 7
    # (the last) have no atoms, graph 5 has one.
    generator = torch.Generator().manual_seed(0)
    size = [0, 260, 30, 0, 30, 1, 400, 0]
    batch = torch.repeat_interleave(torch.tensor(size))
    x = torch.rand(len(batch), 3, generator=generator, dtype=dtype) * 15
    if shuffled:
        order = torch.randperm(len(x), generator=generator)
        batch, x = batch[order], x[order]
    expected = brute_graph(x, 4.5, batch)
    assert torch.equal(search(x, 4.5, batch).graph(), expected)


@pytest.mark.parametrize('search', SEARCHES)
@pytest.mark.parametrize(
    'x',
    [
        torch.zeros(0, 3),
        torch.zeros(1, 3),
        torch.zeros(40, 3),  # all in one place
        torch.arange(40.0)[:, None] * torch.tensor([1.0, 0.0, 0.0]),
        torch.arange(40.0)[:, None] * torch.tensor([1.0, -1.0, 1.0]),
        torch.cartesian_prod(*[torch.arange(4.0)] * 3) * 1.5,
        torch.tensor([[0.0, 0.0, 0.0], [1e6, 0.0, 0.0], [1e6, 1.5, 0.0]]),
        torch.tensor([[0.0, 0, 0], [1e30, 0, 0], [1e30, 0, 0], [1.5, 0, 0]]),
    ],
)
@pytest.mark.parametrize('r', [1e-200, 1e-6, 1.0, 1.5, 1e6, 1e200])
def test_degenerate(search, x, r):
    assert torch.equal(search(x, r).graph(), brute_graph(x, r))
    assert torch.equal(search(x, r).query(x + 1), brute(x, x + 1, r))


@pytest.mark.parametrize('search', SEARCHES)
def test_lattice_with_spacing_of_the_radius(search):
    # 0.1 * 3 > 0.3: whether a neighbour is in is decided by rounding.
    x = torch.cartesian_prod(*[torch.arange(6.0).double()] * 3) * 0.1
    for r in (0.1, 0.2, 0.3):
        assert torch.equal(search(x, r).graph(), brute_graph(x, r))


def test_chunks_of_candidates(monkeypatch):
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(1)) * 6
    for size in (1, 7, 1000):
        monkeypatch.setattr(cell_search, '_CANDIDATES', size)
        assert torch.equal(CellSearch(x, 3.0).graph(), brute_graph(x, 3.0))


def test_functions():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(50, 3, generator=generator) * 5
    y = torch.rand(20, 3, generator=generator) * 5
    batch_x = torch.arange(50) // 10
    batch_y = torch.arange(20) // 4
    assert torch.equal(
        radius_graph(x, 2.0, batch_x, loop=True),
        brute_graph(x, 2.0, batch_x, loop=True),
    )
    assert torch.equal(
        radius(x, y, 2.0, batch_x, batch_y),
        brute(x, y, 2.0, batch_x, batch_y),
    )


@pytest.mark.parametrize('search', SEARCHES)
def test_output_is_integer_without_gradient(search):
    x = torch.rand(10, 3, requires_grad=True)
    for out in (search(x, 1.0).graph(), search(x, 1.0).query(x)):
        assert out.dtype == torch.long
        assert out.device == x.device
        assert not out.requires_grad
        assert out.is_contiguous()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_narrow_types_are_searched_as_given(dtype):
    x = (torch.rand(60, 3) * 6).to(dtype)
    assert torch.equal(radius_graph(x, 1.5), brute_graph(x, 1.5))


@pytest.mark.parametrize('search', SEARCHES)
@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, 1e200])
def test_coordinates_not_finite(search, bad):
    x = torch.zeros(6, 3, dtype=torch.float64)
    x[4, 1] = bad
    with pytest.raises(ValueError, match=r'Atom 4 .*\[0.0, .*, 0.0\]'):
        search(x, 1.0)
    with pytest.raises(ValueError, match=r'Graph 2, atom 1 \(row 4'):
        search(x, 1.0, torch.tensor([0, 0, 0, 2, 2, 2]))
    with pytest.raises(ValueError, match="row 4 of 'y'"):
        search(x[:4], 1.0).query(x, torch.zeros(6, dtype=torch.long))


@pytest.mark.parametrize('r', [0, -1.0, math.nan, math.inf, '5', None, True])
def test_bad_radius(r):
    with pytest.raises(ValueError, match="'r' has to be"):
        radius_graph(torch.zeros(2, 3), r)


@pytest.mark.parametrize('search', SEARCHES)
def test_bad_shapes(search):
    for x in (torch.zeros(3), torch.zeros(3, 2), None):
        with pytest.raises((ValueError, AttributeError)):
            search(x, 1.0)
    x = torch.zeros(3, 3)
    for batch in (torch.zeros(2).long(), torch.zeros(3), -torch.ones(3).int()):
        with pytest.raises(ValueError, match='batch vector'):
            search(x, 1.0, batch)
        with pytest.raises(ValueError, match="batch vector of 'y'"):
            search(x, 1.0).query(x, batch)


def test_nearest():
    x = torch.tensor([0.0, 1.0, 2.0, 2.5, 9.0])[:, None] * torch.eye(3)[:1]
    edge_index = radius_graph(x, 3.0, loop=True)
    keep, cut = nearest(edge_index, x, 2)
    kept = {tuple(edge) for edge in edge_index[:, keep].t().tolist()}
    # Atom 1 has 0 and 2 at the same distance, and 3 further away.
    expected = {(1, 0), (2, 0), (0, 1), (2, 1), (3, 2), (1, 2), (2, 3), (1, 3)}
    assert kept == expected | {(i, i) for i in range(5)}
    assert cut.tolist() == [True, True, True, True, False]
    keep, cut = nearest(edge_index, x, 1)
    kept = edge_index[:, keep & (edge_index[0] != edge_index[1])]
    assert kept.t().tolist() == [[1, 0], [0, 1], [3, 2], [2, 3]]
    keep, cut = nearest(edge_index, x, 3)
    assert keep.all()
    assert not cut.any()
    keep, cut = nearest(edge_index[:, :0], x, 3)
    assert keep.shape == (0,)
    assert not cut.any()


def test_warning_lists_some_graphs():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        warn_cut(3, [('a', 0)])
    cuts = [(f'graph {i}', i) for i in range(12)]
    expected = 'graph 8: 8 atoms; and 3 more'
    with pytest.warns(UserWarning, match=re.escape(expected)):
        warn_cut(3, cuts)
