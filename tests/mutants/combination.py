"""Faults of combinations."""

from tests.mutants.mutant import Mutant

_COMBINE = 'nn/_combine.py'
_BASE = 'nn/combination/base.py'
_FUNCTIONAL = 'nn/combination/functional.py'
_MAX = 'nn/combination/max.py'
_MEAN = 'nn/combination/mean.py'
_RUNNING = 'nn/combination/running.py'

_ERRORS = ['nn/combination/test_errors.py']
_GRADIENTS = [
    'nn/combination/test_gradients.py',
    'nn/combination/test_contract.py',
]
_PRECISION = ['nn/combination/test_precision.py']
_OF_RUNNING = ['nn/combination/test_running.py']
_OF_COMBINE = ['nn/test_combine.py']
_VALUES = ['nn/combination/test_values.py']

MUTANTS = [
    Mutant(
        'functional: the product goes before the extremum',
        _FUNCTIONAL,
        'return scale * (signed - extremum.index_select(0, index)), extremum',
        'far = scale * extremum\n'
        '    return scale * signed - far.index_select(0, index), extremum',
        _PRECISION,
    ),
    Mutant(
        'functional: infinity minus infinity',
        _FUNCTIONAL,
        'extremum.masked_fill(extremum == -math.inf, 0.0)',
        'extremum',
        _PRECISION,
    ),
    Mutant(
        'functional: the logarithm is not divided by the scale',
        _FUNCTIONAL,
        'extremum + total.log() / scale',
        'extremum + total.log()',
        _VALUES,
    ),
    Mutant(
        'functional: the minimum is a maximum of the negative',
        _FUNCTIONAL,
        'return -out if negate else out',
        'return out',
        _VALUES,
    ),
    Mutant(
        'functional: no bias is subtracted',
        _FUNCTIONAL,
        'total = total / group_size(x, index, dim_size)',
        'pass',
        _VALUES,
    ),
    Mutant(
        'functional: weights are not normalised',
        _FUNCTIONAL,
        'return out / group_sum(out, index, dim_size).index_select(0, index)',
        'return out',
        _GRADIENTS,
    ),
    Mutant(
        'mean: each pose gets the gradient of the sum',
        _MEAN,
        'return (grad_y / size).index_select(0, index)',
        'return grad_y.index_select(0, index)',
        _GRADIENTS,
    ),
    Mutant(
        'max: weights are constants to the second derivative',
        _MAX,
        'functional.softmax_weights(x, index, *ctx.options)',
        'functional.softmax_weights(x.detach(), index, *ctx.options)',
        _GRADIENTS,
    ),
    Mutant(
        'max: a scale of zero',
        _MAX,
        'not 0 < float(scale) < math.inf',
        'not 0 <= float(scale) < math.inf',
        _ERRORS,
    ),
    Mutant(
        'free energy: a maximum',
        'nn/combination/free_energy.py',
        'negate=True',
        'negate=False',
        ['nn/combination/test_module.py', *_VALUES],
    ),
    Mutant(
        'running: the mass is not rescaled',
        _RUNNING,
        'rescale * self._mass + mass',
        'self._mass + mass',
        _OF_RUNNING,
    ),
    Mutant(
        'running: the extremum of the last chunk',
        _RUNNING,
        'extremum = torch.maximum(extremum, self._extremum)',
        'pass',
        _OF_RUNNING,
    ),
    Mutant(
        'running: earlier weights rise with the extremum',
        _RUNNING,
        '(self.scale * (self._extremum - origin)).exp()',
        '(self.scale * (origin - self._extremum)).exp()',
        _OF_RUNNING,
    ),
    Mutant(
        'running: infinity minus infinity',
        _RUNNING,
        'extremum.masked_fill(extremum == -math.inf, 0.0)',
        'extremum',
        _OF_RUNNING,
    ),
    Mutant(
        'running: no bias is subtracted',
        _RUNNING,
        'size = self.num_predictions if self.normalize else 1',
        'size = 1',
        _OF_RUNNING,
    ),
    Mutant(
        'running: the mean of the last chunk',
        _RUNNING,
        'self._total = self._total + x.sum()',
        'self._total = x.sum()',
        _OF_RUNNING,
    ),
    Mutant(
        'running: half precision is combined as it is',
        _RUNNING,
        'return x.to(torch.promote_types(x.dtype, torch.float32))',
        'return x',
        [*_PRECISION, *_OF_RUNNING],
    ),
    Mutant(
        'combination: a group without poses',
        _BASE,
        'if not compiling and not bool(valid):',
        'if False:',
        _ERRORS,
    ),
    Mutant(
        'combination: boundaries that end too early',
        _BASE,
        'ends & (count > 0).all()',
        '(count > 0).all()',
        _ERRORS,
    ),
    Mutant(
        'combination: no predictions are no group',
        _BASE,
        'dim_size = 1\n',
        'pass\n',
        _ERRORS,
    ),
    Mutant(
        'combination: a compiled group without poses is a number',
        _BASE,
        'out = out.masked_fill(count.unsqueeze(-1) == 0, math.nan)',
        'pass',
        ['nn/combination/test_module.py::test_compile'],
    ),
    Mutant(
        'combination: every group is the first',
        _BASE,
        'index = torch.repeat_interleave(count, output_size=num_rows)',
        'index = torch.zeros_like(rows[..., 0], dtype=torch.long).view(-1)',
        [*_VALUES, *_ERRORS],
    ),
    Mutant(
        'combination: predictions come back in another dimension',
        _BASE,
        '.movedim(0, dim)\n',
        '\n',
        ['nn/combination/test_module.py', 'nn/combination/test_properties.py'],
    ),
    Mutant(
        'combine: poses that are left out count',
        _COMBINE,
        'if not evaluation.finite.all():',
        'if False:',
        ['contracts/test_sets.py::test_nonfinite_prediction_is_masked'],
    ),
    Mutant(
        'combine: the sets of poses that are left out',
        _COMBINE,
        'poses, index = poses[kept], index[kept]',
        'poses, index = poses[kept], index[: int(kept.sum())]',
        ['contracts/test_sets.py::test_nonfinite_prediction_is_masked'],
    ),
    Mutant(
        'combine: a combination runs twice',
        _COMBINE,
        'if combined is None and poses.requires_grad:',
        'if False:',
        [*_OF_COMBINE, 'contracts/silent/test_norm_in_the_combination.py'],
    ),
    Mutant(
        'combine: a combination that ran already counts again',
        _COMBINE,
        'combination = copy.deepcopy(combination)',
        'pass',
        _OF_COMBINE,
    ),
    Mutant(
        'combine: parameters of a combination get no gradient',
        _COMBINE,
        'combined = again if own else again.detach()',
        'combined = again.detach()',
        _OF_COMBINE,
    ),
    Mutant(
        'combine: weights of the first feature',
        _COMBINE,
        '            combined.sum(), each, retain_graph=True',
        '            combined.reshape(-1)[0], each, retain_graph=True',
        _OF_COMBINE,
    ),
]
