"""Faults of single-pose models, whole complex by whole complex."""

from tests.mutants.mutant import Mutant

_CONV = 'nn/models/equivariant_conv.py'
_COUPLED = 'nn/messages/coupled_sum.py'
_COUPLED_KERNEL = 'nn/messages/coupled_kernel.py'
_COUPLED_LAYOUT = 'nn/messages/coupled_layout.py'
_COUPLED_LOOPS = 'nn/messages/coupled_loops.py'
_EDGES = 'nn/messages/edges.py'
_EQUIVARIANT_FILTERS = 'nn/models/equivariant_filters.py'
_EQUIVARIANT = 'nn/models/equivariant_gnn.py'
_GAUSSIANS = 'nn/models/gaussians.py'
_GATE = 'nn/models/gate.py'
_KERNEL = 'nn/messages/kernel.py'
_MESSAGES = 'nn/messages/message_sum.py'
_POOLING = 'nn/messages/pooling.py'
_PRODUCT = 'nn/models/tensor_product.py'
_PRODUCT_KERNEL = 'nn/messages/product_kernel.py'
_RADIAL = 'nn/models/radial_basis.py'
_SCHNET = 'nn/models/schnet.py'
_SHARED_KERNEL = 'nn/messages/shared_kernel.py'
_SHARED_SUM = 'nn/messages/shared_sum.py'
_SOFTPLUS_MLP = 'nn/models/softplus_mlp.py'
_SCHNET_LAYER = 'nn/models/schnet_layer.py'

_OF_CONV = ['nn/models/test_equivariant_conv.py']
_OF_EDGES = ['nn/messages/test_edges.py']
_OF_EQUIVARIANT = 'nn/models/test_equivariant_gnn.py'
_OF_GATE = ['nn/models/test_gate.py']
_OF_MESSAGES = ['nn/messages/test_message_sum.py']
_OF_POOLING = ['nn/messages/test_pooling.py']
_OF_PRODUCT = 'nn/models/test_tensor_product.py'
_OF_RADIAL = ['nn/models/test_radial_basis.py']
_OF_SCHNET = 'nn/models/test_schnet.py'

MUTANTS = [
    Mutant(
        'edges: from source to target',
        _EDGES,
        'vec = vec - pos.index_select(0, edge_index[1])',
        'vec = pos.index_select(0, edge_index[1]) - vec',
        _OF_EDGES,
    ),
    Mutant(
        'edges: distances in half precision',
        _EDGES,
        'return vec.to(torch.promote_types(vec.dtype, torch.float32))',
        'return vec',
        _OF_EDGES,
    ),
    Mutant(
        'edges: all are symmetric',
        _EDGES,
        'return torch.equal(forth, ',
        'return True or torch.equal(forth, ',
        [
            *_OF_EDGES,
            'nn/sharing/test_shared_receptor.py::test_edges_that_go_one_way',
        ],
    ),
    Mutant(
        'messages: a block loses its last edge',
        _MESSAGES,
        'slice(start, start + _BLOCK)',
        'slice(start, start + _BLOCK - 1)',
        _OF_MESSAGES,
    ),
    Mutant(
        'messages: what atoms send is changed in place',
        _MESSAGES,
        'left * right if i is None else left.mul_(right)',
        'left.mul_(right)',
        _OF_MESSAGES,
    ),
    Mutant(
        'messages: the gradient of filters goes to other rows',
        _MESSAGES,
        'apply(_ProductSum, grad, source, k, i, j, sizes[1], None)',
        'apply(_ProductSum, grad, source, k, i, None, sizes[1], None)',
        _OF_MESSAGES,
    ),
    Mutant(
        'coupled sum: padding sends messages',
        _COUPLED,
        'return y.masked_fill_(block.padding, 0.0)',
        'return y',
        [f'{_OF_PRODUCT}::test_equals_e3nn'],
    ),
    Mutant(
        'coupled sum: padding gets gradients',
        _COUPLED,
        'grad_y_b.masked_fill_(block.padding, 0.0)',
        'pass',
        [f'{_OF_PRODUCT}::test_equals_e3nn', f'{_OF_PRODUCT}::test_gradcheck'],
    ),
    Mutant(
        'coupled sum: gradients of features without weights',
        _COUPLED,
        'grad_wx.mul_(w_g)',
        'grad_wx',
        [f'{_OF_PRODUCT}::test_equals_e3nn'],
    ),
    Mutant(
        'coupled sum: only the first components count',
        _COUPLED,
        'for i in range(1, A):',
        'for i in range(1, A - 1):',
        [f'{_OF_PRODUCT}::test_equals_e3nn'],
    ),
    Mutant(
        'coupled sum: second derivatives of one argument by itself',
        _COUPLED,
        'ctx.needs_input_grad[j] and j != i for j in range(3)',
        'ctx.needs_input_grad[j] for j in range(3)',
        [
            f'{_OF_PRODUCT}::test_gradcheck',
            f'{_OF_PRODUCT}::test_gradient_of_one_gradient',
        ],
    ),
    Mutant(
        'coupled sum: the last second derivative wins',
        _COUPLED,
        'out[j] = term if old is None else old + term',
        'out[j] = term',
        [f'{_OF_PRODUCT}::test_equals_e3nn'],
    ),
    Mutant(
        'coupled sum: targets beyond the last',
        _COUPLED,
        'if degree.numel() > dim_size:',
        'if False:',
        [f'{_OF_PRODUCT}::test_bad_input', 'nn/messages/test_coupled_sum.py'],
    ),
    Mutant(
        'kernel: a dispatch mode does not see what happens',
        _KERNEL,
        'and _get_current_dispatch_mode() is None\n',
        '\n',
        ['nn/messages/test_kernel.py'],
    ),
    Mutant(
        'kernel: without a cache nothing is compiled',
        _KERNEL,
        'compiled = _jit(numba, signature, self.loop, **self.options)',
        'raise',
        ['nn/messages/test_kernel.py'],
    ),
    Mutant(
        'product kernel: negative indices count from the end',
        _PRODUCT_KERNEL,
        'and 0 <= right < num_b',
        'and right < num_b',
        ['nn/messages/test_product_kernel.py'],
    ),
    Mutant(
        'vectors: the last channels are left out',
        'nn/messages/vectors.py',
        '        out[at + u] += a[i + u] * b[j + u]\n',
        '        pass\n',
        ['nn/messages/test_shared_sum.py'],
    ),
    Mutant(
        'shared kernel: sources of the receptor from the first on',
        _SHARED_KERNEL,
        'add_product(out, at, alone, left, w, at_w, width)',
        'add_product(out, at, alone, 0, w, at_w, width)',
        ['nn/messages/test_shared_sum.py'],
    ),
    Mutant(
        'shared kernel: differences have no gradient of the receptor',
        _SHARED_KERNEL,
        'if needs[1] and atoms is not None:',
        'if False:',
        ['nn/messages/test_shared_sum.py'],
    ),
    Mutant(
        'shared kernel: receptor atoms are not looked at',
        _SHARED_KERNEL,
        'if not 0 <= atoms[n] < num_alone:',
        'if False:',
        ['nn/messages/test_shared_sum.py'],
    ),
    Mutant(
        'shared sum: no difference by torch',
        _SHARED_SUM,
        'zeros.index_add(0, atoms, grad, alpha=-1)',
        'zeros',
        ['nn/messages/test_shared_sum.py'],
    ),
    Mutant(
        'mlp: hooks do not count',
        _SOFTPLUS_MLP,
        'and not any(hooks)',
        '',
        ['nn/models/test_softplus_mlp.py'],
    ),
    Mutant(
        'mlp: all activations are kept',
        _SOFTPLUS_MLP,
        'x.size(1) >= w1.size(0) and any',
        'any',
        ['nn/models/test_softplus_mlp.py'],
    ),
    Mutant(
        'mlp: the shift of single precision',
        _SOFTPLUS_MLP,
        '        out.sub_(shift)\n',
        '        out.sub_(0.6931471824645996)\n',
        ['nn/models/test_softplus_mlp.py'],
    ),
    Mutant(
        'mlp: gradients of the last block only',
        _SOFTPLUS_MLP,
        'grad_w1.addmm_(inner.t(), rows)',
        'torch.mm(inner.t(), rows, out=grad_w1)',
        ['nn/models/test_softplus_mlp.py'],
    ),
    Mutant(
        'coupled kernel: gradients of tables for those of tensors',
        _COUPLED_KERNEL,
        'if table.is_same(like.size(1)):',
        'if values.size() == like.size():',
        ['nn/messages/test_coupled_shapes.py'],
    ),
    Mutant(
        'coupled kernel: weights beyond the last',
        _COUPLED_KERNEL,
        'or not of_w.fits(w.size(1))',
        '',
        ['nn/messages/test_coupled_kernel.py'],
    ),
    Mutant(
        'coupled loops: atoms beyond the last',
        _COUPLED_LOOPS,
        '0 <= source[e] < num_atoms',
        '0 <= source[e]',
        ['nn/messages/test_coupled_kernel.py'],
    ),
    Mutant(
        'coupled loops: gradients of weights by the last edge',
        _COUPLED_LOOPS,
        'store(load(grad_w, at) + grad_w_b, grad_w, at)',
        'store(grad_w_b, grad_w, at)',
        ['nn/messages/test_coupled_kernel.py'],
    ),
    Mutant(
        'coupled layout: zeros hide what is not a number',
        _COUPLED_LAYOUT,
        'used[0, ~used.any((0, 2)), 0] = True',
        'pass',
        ['nn/messages/test_coupled_shapes.py'],
    ),
    Mutant(
        'coupled layout: the last tile only',
        _COUPLED_LAYOUT,
        'before = at\n',
        'before = 0\n',
        ['nn/messages/test_coupled_shapes.py'],
    ),
    Mutant(
        'tensor product: paths have no norm',
        _PRODUCT,
        'path.path_weight * w3j.transpose(0, 1)',
        'w3j.transpose(0, 1)',
        [f'{_OF_PRODUCT}::test_equals_e3nn'],
    ),
    Mutant(
        'tensor product: constants of double precision are rounded',
        _PRODUCT,
        'buffer.copy_(o3.wigner_3j(l1, l2, l3, dtype=torch.float64))',
        'pass',
        [f'{_OF_PRODUCT}::test_constants_are_exact_and_not_state'],
    ),
    Mutant(
        'convolution: the number of neighbors without its root',
        _CONV,
        'self.num_neighbors**-0.5',
        '1 / self.num_neighbors',
        _OF_CONV,
    ),
    Mutant(
        'convolution: two terms are one too many',
        _CONV,
        'half = math.sqrt(0.5)',
        'half = 1.0',
        _OF_CONV,
    ),
    Mutant(
        'gate: odd scalars become even',
        _GATE,
        'odd.tanh() * _TANH',
        'odd.sigmoid() * _TANH',
        _OF_GATE,
    ),
    Mutant(
        'gate: gates without their norm',
        _GATE,
        'gates.sigmoid() * _SIGMOID',
        'gates.sigmoid()',
        _OF_GATE,
    ),
    Mutant(
        'equivariant: no envelope',
        _EQUIVARIANT_FILTERS,
        'self.basis(dist) * self.envelope(dist).unsqueeze(-1)',
        'self.basis(dist)',
        [f'{_OF_EQUIVARIANT}::test_cutoff'],
    ),
    Mutant(
        'equivariant: coincident atoms have a direction',
        _EQUIVARIANT_FILTERS,
        '(square > _COINCIDENT**2).unsqueeze(-1)',
        '(square >= 0).unsqueeze(-1)',
        [f'{_OF_EQUIVARIANT}::test_coincident_atoms'],
    ),
    Mutant(
        'equivariant: the mean is scaled',
        _EQUIVARIANT,
        'self.mean + self.std * out',
        'self.std * (self.mean + out)',
        [f'{_OF_EQUIVARIANT}::test_mean_and_std'],
    ),
    Mutant(
        'equivariant: all atoms instead of the ligand',
        'nn/messages/interaction.py',
        "batch.is_ligand if self.atoms == 'ligand' else None",
        'None',
        [f'{_OF_EQUIVARIANT}::test_ligand'],
    ),
    Mutant(
        'radial: another polynomial',
        _RADIAL,
        'p * (p + 2), p * (p + 1) / 2',
        'p * (p + 1), p * (p + 1) / 2',
        _OF_RADIAL,
    ),
    Mutant(
        'radial: the envelope rises again',
        _RADIAL,
        '(dist / self.cutoff).clamp(max=1.0)',
        'dist / self.cutoff',
        _OF_RADIAL,
    ),
    Mutant(
        'radial: Bessel functions with another norm',
        _RADIAL,
        'math.sqrt(2.0 / 3.0)',
        'math.sqrt(2.0 / self.cutoff)',
        _OF_RADIAL,
    ),
    Mutant(
        'radial: narrow Gaussians',
        _RADIAL,
        '(-0.5 * (scaled - self.order).square()).exp()',
        '(-(scaled - self.order).square()).exp()',
        _OF_RADIAL,
    ),
    Mutant(
        'pooling: all atoms instead of the ligand',
        _POOLING,
        'is_ligand.unsqueeze(-1),\n',
        'torch.ones_like(is_ligand).unsqueeze(-1),\n',
        _OF_POOLING,
    ),
    Mutant(
        'pooling: the mean over all atoms',
        _POOLING,
        'count = is_ligand.unsqueeze(-1).to(dtype)',
        'pass',
        _OF_POOLING,
    ),
    Mutant(
        'pooling: sums in half precision',
        _POOLING,
        'dtype = torch.promote_types(contribution.dtype, torch.float32)',
        'dtype = contribution.dtype',
        _OF_POOLING,
    ),
    Mutant(
        'pooling: a mean of nothing',
        _POOLING,
        'bool((count < 1).any()):',
        'False:',
        _OF_POOLING,
    ),
    Mutant(
        'schnet: the cosine rises again',
        _GAUSSIANS,
        '(dist / cutoff).clamp(max=1.0)',
        'dist / cutoff',
        [f'{_OF_SCHNET}::test_cutoff'],
    ),
    Mutant(
        'schnet: the root of zero',
        _EDGES,
        'square.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)',
        'square.sqrt()',
        [f'{_OF_SCHNET}::test_coincident_atoms'],
    ),
    Mutant(
        'schnet: the mean is scaled',
        _SCHNET,
        'out * self.std + self.mean',
        '(out + self.mean) * self.std',
        [f'{_OF_SCHNET}::test_pyg'],
    ),
    Mutant(
        'schnet: no references of elements',
        _SCHNET,
        'out = out + self.atomref(z)',
        'pass',
        [f'{_OF_SCHNET}::test_atomref', f'{_OF_SCHNET}::test_pyg'],
    ),
    Mutant(
        'schnet: a cap that has no say is not refused',
        _SCHNET,
        'graph.max_num_neighbors is not None',
        'False',
        [f'{_OF_SCHNET}::test_max_num_neighbors'],
    ),
    Mutant(
        'schnet: both directions have the length of one',
        _SCHNET,
        'if isinstance(self.interaction_graph, RadiusInteractionGraph):',
        'if True:',
        [f'{_OF_SCHNET}::test_other_interaction_graph'],
    ),
    Mutant(
        'schnet: an update forgets what was before',
        _SCHNET_LAYER,
        'self.lin, onto=x',
        'self.lin',
        [f'{_OF_SCHNET}::test_pyg'],
    ),
    Mutant(
        'schnet: filters do not end',
        _SCHNET_LAYER,
        'self.mlp(gaussians) * cutoff',
        'self.mlp(gaussians)',
        [f'{_OF_SCHNET}::test_pyg'],
    ),
]
