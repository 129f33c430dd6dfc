"""Faults of filters that are found in a table."""

from tests.mutants.mutant import Mutant

_INTERPOLATION = 'nn/messages/interpolation.py'
_KERNEL = 'nn/messages/interpolation_kernel.py'
_SHARED = 'nn/sharing/shared_receptor.py'
_TABLES = 'nn/models/filter_tables.py'
_FILTERS = 'nn/models/radial_filters.py'
_OF_SCHNET = 'nn/models/schnet_filters.py'
_OF_MLP = 'nn/models/softplus_mlp.py'
_OF_E3NN = 'nn/models/equivariant_filters.py'

_OF_INTERPOLATION = ['nn/messages/test_interpolation.py']
_OF_EQUIVARIANT = ['nn/models/test_equivariant_tables.py']
_OF_TABLES = ['nn/models/test_filter_tables.py']

MUTANTS = [
    Mutant(
        'interpolation: one knot off',
        _INTERPOLATION,
        'POINTS // 2 - 1',
        'POINTS // 2',
        _OF_INTERPOLATION,
    ),
    Mutant(
        'interpolation: functions do not end',
        _INTERPOLATION,
        '.masked_fill_((x >= number).unsqueeze(-1), 0.0)',
        '.clone()',
        [*_OF_INTERPOLATION, *_OF_TABLES],
    ),
    Mutant(
        'interpolation: the place of what is no number',
        _INTERPOLATION,
        '.nan_to_num()',
        '',
        [*_OF_INTERPOLATION, *_OF_TABLES],
    ),
    Mutant(
        'interpolation: a gradient that ends after the first order',
        _INTERPOLATION,
        'apply(_Interpolate, grad[0], *ctx.saved_tensors)',
        'None',
        _OF_INTERPOLATION,
    ),
    Mutant(
        'interpolation: a row has the weight of another one',
        _KERNEL,
        'store(load(out, v + 5 * width) + f * g',
        'store(load(out, v + 5 * width) + e * g',
        _OF_INTERPOLATION,
    ),
    Mutant(
        'interpolation: channels that are no whole vector are left out',
        _KERNEL,
        'for u in range(whole, width):',
        'for u in range(0):',
        _OF_INTERPOLATION,
    ),
    Mutant(
        'interpolation: rows beyond the table are written to',
        _KERNEL,
        'first[r] <= size - POINTS',
        'first[r] <= size',
        _OF_INTERPOLATION,
    ),
    Mutant(
        'filter tables: nobody looks how exact they are',
        _TABLES,
        'if not bool(error <= bound):',
        'if False:',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: what is no number is exact',
        _TABLES,
        'if not bool(error <= bound):',
        'if bool(error > bound):',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: looked at on the knots',
        _TABLES,
        '.double() + 0.5',
        '.double()',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: positions that need gradients',
        _FILTERS,
        'and not pos.requires_grad',
        '',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: under autocast',
        _FILTERS,
        "and not torch.is_autocast_enabled('cpu')",
        '',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: of filters that were changed',
        _FILTERS,
        'and self._is_as_made()',
        '',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: of few edges',
        _TABLES,
        'num_edges > 2 * self.number',
        'num_edges > self.number',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: a bend at the cutoff',
        _OF_SCHNET,
        'cosine_cutoff(dist / self.cutoff)',
        'cosine_cutoff((dist / self.cutoff).clamp(max=1.0))',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: distances are rounded once more',
        _TABLES,
        'x = dist.double() * (self.number / self.cutoff)',
        'x = dist.half().double() * (self.number / self.cutoff)',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: a geometry of its own is not asked, schnet',
        _OF_SCHNET,
        'type(self).edge_geometry is SchNetFilters.edge_geometry',
        'True',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: a geometry of the object is not asked, schnet',
        _OF_SCHNET,
        "and 'edge_geometry' not in vars(self)",
        '',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: layers that were changed are not asked, schnet',
        _OF_SCHNET,
        'and all(map(has_own_filters, self.layers))',
        '',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: a geometry of its own is not asked, e3nn',
        _OF_E3NN,
        'type(self).edge_geometry is EquivariantFilters.edge_geometry',
        'True',
        _OF_EQUIVARIANT,
    ),
    Mutant(
        'filter tables: a geometry of the object is not asked, e3nn',
        _OF_E3NN,
        "and 'edge_geometry' not in vars(self)",
        '',
        _OF_EQUIVARIANT,
    ),
    Mutant(
        'filter tables: layers that were changed are not asked, e3nn',
        _OF_E3NN,
        'and all(map(has_own_filters, self.layers))',
        '',
        _OF_EQUIVARIANT,
    ),
    Mutant(
        'filter tables: an envelope that was changed is not asked',
        _OF_E3NN,
        'and is_as_made(self.envelope, PolynomialEnvelope)',
        '',
        _OF_EQUIVARIANT,
    ),
    Mutant(
        'filter tables: a bend at the cutoff, e3nn',
        _OF_E3NN,
        'self.envelope.polynomial(dist / self.envelope.cutoff)',
        'self.envelope(dist)',
        _OF_EQUIVARIANT,
    ),
    Mutant(
        'filter tables: a quotient of zeros',
        _OF_E3NN,
        'dist = dist.masked_fill(dist == 0, 1e-15 * self.cutoff)',
        'pass',
        _OF_EQUIVARIANT,
    ),
    Mutant(
        'filter tables: a replaced activation is not asked',
        _OF_MLP,
        'and all(map(is_as_made, network, kinds))',
        '',
        [*_OF_TABLES, *_OF_EQUIVARIANT],
    ),
    Mutant(
        'filter tables: poses do not take those of their receptor',
        _SHARED,
        'self.layer_geometries(poses.pos, edges, state.tables)',
        'self.layer_geometries(poses.pos, edges)',
        _OF_TABLES,
    ),
    Mutant(
        'filter tables: none with a receptor',
        _SHARED,
        'tables = self.filter_tables(receptor.pos, edges)',
        'tables = None',
        _OF_TABLES,
    ),
]
