"""Loops over vectors beside torch, for products of any shape."""

import pytest
import torch
from torch.autograd import grad

from pyg_multipose.nn.messages import coupled_loops
from pyg_multipose.nn.messages.coupled_layout import make_layout
from pyg_multipose.nn.messages.coupled_sum import Group, Path, coupled_sum

#: Channels, components, components of outputs; and numbers of features.
SHAPES = {
    'one channel': ([(1, 1, [1])], 1),
    'a vector': ([(8, 3, [3])], 4),
    'a vector and one': ([(9, 3, [3, 1])], 4),
    'many': ([(32, 1, [1, 3, 5]), (16, 3, [5, 1, 3]), (8, 5, [5, 5])], 9),
    'small': ([(3, 4, [2, 7])], 2),
    'odd': ([(3, 1, [3, 7]), (17, 7, [1, 7, 2]), (5, 4, [6])], 16),
}
NUM_ATOMS, NUM_TARGETS = 6, 9


class Case:
    """Products of a shape, with couplings that are mostly zero."""

    def __init__(self, shape, num_edges=40, num_rows=11, gap=3):
        parts, num_features = SHAPES[shape]
        generator = torch.Generator().manual_seed(7)
        groups = []
        at_x = at_w = 0
        at_out = gap
        for mul, num_a, outputs in parts:
            at_x += gap
            paths, couplings = [], []
            at_row = at_channel = 0
            for num_k in outputs:
                size = (num_features, num_a, num_k)
                coupling = torch.randn(size, generator=generator).double()
                kept = torch.rand(size, generator=generator) < 0.2
                couplings.append(coupling * kept)
                paths.append(
                    Path(
                        slice(at_row, at_row + num_k),
                        slice(at_channel, at_channel + mul),
                        slice(at_out, at_out + mul * num_k),
                    )
                )
                at_row, at_channel = at_row + num_k, at_channel + mul
                at_out += mul * num_k + gap
            coupling = torch.cat(
                [torch.zeros(num_features, num_a, 0).double(), *couplings], -1
            )
            groups.append(
                Group(
                    slice(at_x, at_x + mul * num_a),
                    (mul, num_a),
                    slice(at_w, at_w + at_channel),
                    coupling.flatten(1),
                    tuple(paths),
                )
            )
            at_x, at_w = at_x + mul * num_a, at_w + at_channel
        self.groups, self.num_out = tuple(groups), at_out
        self.leaves = [
            torch.randn(size, generator=generator).double().requires_grad_()
            for size in [
                (NUM_ATOMS, at_x),
                (num_rows, num_features),
                (num_rows, at_w),
            ]
        ]
        self.edge_index = torch.stack(
            [
                torch.randint(n, (num_edges,), generator=generator)
                for n in (NUM_ATOMS, NUM_TARGETS - 1)
            ]
        )
        self.rows = torch.randint(num_rows, (num_edges,), generator=generator)

    def __call__(self, *leaves, onto=None):
        x, y, w = leaves or self.leaves
        return coupled_sum(
            x,
            self.edge_index,
            y,
            w,
            NUM_TARGETS,
            self.groups,
            self.num_out,
            self.rows,
            onto,
        )

    def all_orders(self):
        """The sum, and its first and second gradients."""
        out = self()
        first = grad(out.sin().sum(), self.leaves, create_graph=True)
        loss = sum(item.square().sum() for item in first)
        return [out, *first, *grad(loss, self.leaves)]


def assert_close(a, b, tolerance=1e-10):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('shape', SHAPES)
def test_equals_torch(shape, fused, unfused):
    """Tests that rows repeat, and that the last target has no edges."""
    case = Case(shape)
    assert_close(case.all_orders(), unfused(case.all_orders))
    assert {coupled_loops.SUM, coupled_loops.GRADIENTS} <= set(fused)


@pytest.mark.parametrize('shape', ['a vector', 'many', 'odd'])
def test_a_row_for_every_edge(shape, fused, unfused):
    case = Case(shape, num_edges=30, num_rows=30)
    case.rows = None
    assert_close(case.all_orders(), unfused(case.all_orders))
    assert {coupled_loops.SUM, coupled_loops.GRADIENTS} <= set(fused)


@pytest.mark.parametrize('shape', ['a vector', 'many'])
def test_nothing_else_in_the_tensors(shape, fused, unfused):
    """Where nothing is left out, weights are their own table."""
    case = Case(shape, gap=0)
    of_x, of_w, _ = make_layout(case.groups, torch.float64).tables
    x, _, w = case.leaves
    assert of_w.is_same(w.size(1))
    assert not of_x.is_same(x.size(1))
    assert_close(case.all_orders(), unfused(case.all_orders))
    assert fused


@pytest.mark.parametrize('shape', SHAPES)
def test_single_precision(shape, fused, unfused):
    case = Case(shape)
    expected = unfused(case.all_orders)
    case.leaves = [
        item.detach().float().requires_grad_() for item in case.leaves
    ]
    out = case()
    found = [out, *grad(out.sin().sum(), case.leaves)]
    for a, b in zip(found, expected[:4], strict=True):
        assert_close(a.double(), b, 2e-4)
    assert fused


def test_gradcheck(fused):
    case = Case('small', num_edges=3, num_rows=2)
    assert torch.autograd.gradcheck(case, case.leaves)
    assert torch.autograd.gradgradcheck(case, case.leaves)
    assert fused


@pytest.mark.parametrize('num_edges', [0, 1])
def test_few_edges(num_edges, fused, unfused):
    case = Case('odd', num_edges=num_edges)
    assert_close(case.all_orders(), unfused(case.all_orders))
    assert fused


def test_added_in_place(fused):
    case = Case('many')
    onto = torch.randn(NUM_TARGETS, case.num_out).double()
    expected = onto + case()
    assert_close(case(onto=onto), expected)
    assert_close(onto, expected)
    assert fused


@pytest.mark.filterwarnings('ignore:invalid value:RuntimeWarning')
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize('which', range(4))
def test_not_finite(which, value, fused, unfused):
    """Zeros that are left out do not hide it, wherever it is."""
    case = Case('small', num_edges=12, num_rows=4)
    coupling = case.groups[0].coupling.unflatten(1, (4, 9))
    coupling[:, 1], coupling[..., 3] = 0.0, 0.0
    tensors = [item.detach() for item in case.leaves]
    tensors.append(torch.randn(NUM_TARGETS, case.num_out).double())
    source, target = case.edge_index[:, 0]
    row = [source, case.rows[0], case.rows[0], target][which]
    for column in range(tensors[which].size(1)):
        changed = [item.clone() for item in tensors]
        changed[which][row, column] = value
        *leaves, weight = changed
        leaves = [item.requires_grad_() for item in leaves]

        def function(leaves=leaves, weight=weight):
            out = case(*leaves)
            return [out, *grad(out, leaves, weight)]

        for a, b in zip(function(), unfused(function), strict=True):
            finite = b.isfinite()
            assert torch.equal(a.isfinite(), finite)
            assert_close(a[finite], b[finite])
    assert fused


def test_layouts_are_made_once():
    one, other = Case('odd').groups, Case('odd').groups
    layout = make_layout(one, torch.float32)
    assert make_layout(one, torch.float32) is layout
    assert make_layout(one, torch.float64) is not layout
    assert make_layout(other, torch.float32) is not layout


def test_what_is_compiled_is_kept(fresh, monkeypatch, tmp_path):
    """Numba finds in its cache what has inline functions and vectors."""
    numba = pytest.importorskip('numba')
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(tmp_path))
    found = []
    for _ in range(2):
        compiled = coupled_loops.SUM._compile(torch.float32)
        found.append(sum(compiled.stats.cache_hits.values()))
    assert found == [0, 1]
