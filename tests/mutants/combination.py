"""Faults of combinations."""

from tests.mutants.mutant import Mutant

_COMBINE = 'nn/_combine.py'
_BASE = 'nn/combination/base.py'
_FUNCTIONAL = 'nn/combination/functional.py'
_MAX = 'nn/combination/max.py'
_SCALED = 'nn/combination/scaled.py'
_BOLTZMANN = 'nn/combination/boltzmann_mean.py'
_MEAN = 'nn/combination/mean.py'
_RUNNING = 'nn/combination/running.py'

_ERRORS = ['nn/combination/test_errors.py']
_LEARNED = ['nn/combination/test_learned_scale.py']
_PRIOR = ['nn/combination/test_prior.py']
_BEST = ['nn/combination/test_hard_max.py']
_TWO = ['nn/combination/test_two_level.py']
_ATTENTION = ['nn/combination/test_gated_attention.py']
_IN_MODES = ['contracts/test_pose_values.py']
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
        'a = scale * (signed - extremum.index_select(0, index))',
        'far = scale * extremum\n'
        '    a = scale * signed - far.index_select(0, index)',
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
        'total.log() / scale\n    return -out if negate else out',
        'total.log() / scale\n    return out',
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
        'log_prior)[0].exp()\n'
        '    return out / group_sum(out, index, dim_size)'
        '.index_select(0, index)',
        'log_prior)[0].exp()\n    return out',
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
        'functional.softmax_weights(x, *options, prior)',
        'functional.softmax_weights(x.detach(), *options, prior)',
        _GRADIENTS,
    ),
    Mutant(
        'max: a scale of zero',
        _SCALED,
        'not 0 < float(scale) < math.inf',
        'not 0 <= float(scale) < math.inf',
        _ERRORS,
    ),
    Mutant(
        'free energy: a maximum',
        'nn/combination/free_energy.py',
        'super().__init__(scale, True, False',
        'super().__init__(scale, False, False',
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
        'functional: weights of the group before a prior',
        _FUNCTIONAL,
        'a = a + log_prior.unsqueeze(1)',
        'a = a - log_prior.unsqueeze(1)',
        _PRIOR,
    ),
    Mutant(
        'functional: a clash is part of the derivative by the scale',
        _FUNCTIONAL,
        'signed = signed.masked_fill(nothing, 0.0)',
        'pass',
        _LEARNED,
    ),
    Mutant(
        'functional: a pose that is left out may be the best',
        _FUNCTIONAL,
        'nothing = nothing | (log_prior == -math.inf).unsqueeze(1)',
        'pass',
        _PRIOR,
    ),
    Mutant(
        'functional: N is not the sum of prior weights',
        _FUNCTIONAL,
        'log_total = log_total - _log_mass(log_prior, index, dim_size)',
        'log_total = log_total - group_size(x, index, dim_size).log()',
        _PRIOR,
    ),
    Mutant(
        'functional: a clash spoils a Boltzmann mean',
        _FUNCTIONAL,
        'off = off.masked_fill(weights == 0, 0.0)  # 0 times inf is NaN',
        'pass',
        ['nn/combination/test_boltzmann_mean.py'],
    ),
    Mutant(
        'functional: each of the best counts fully',
        _FUNCTIONAL,
        '    out = (x == best).to(x.dtype)\n'
        '    return out / group_sum(out, index, dim_size)'
        '.index_select(0, index)',
        '    return (x == best).to(x.dtype)',
        _BEST,
    ),
    Mutant(
        'functional: what is equal to the last counts fully',
        _FUNCTIONAL,
        'share = left / group_sum(equal, index, dim_size)',
        'share = left.clamp(max=1)',
        _BEST,
    ),
    Mutant(
        'functional: groups lose their order by value',
        _FUNCTIONAL,
        'index[order].sort(dim=0, stable=True)',
        'index[order].sort(dim=0, stable=True, descending=True)',
        _BEST,
    ),
    Mutant(
        'boltzmann mean: the derivative of fixed weights',
        _BOLTZMANN,
        'grad_rows * weights * (1.0 + sign * scale * off)',
        'grad_rows * weights',
        _GRADIENTS,
    ),
    Mutant(
        'max: the derivative by the scale of the value alone',
        _MAX,
        'grad_scale = (grad_y * (mean - y)).sum() / scale',
        'grad_scale = (grad_y * -y).sum() / scale',
        _LEARNED,
    ),
    Mutant(
        'max: the derivative by prior weights without their sum',
        _MAX,
        'weights = weights - functional.prior_weights(',
        'functional.prior_weights(',
        _LEARNED,
    ),
    Mutant(
        'scaled: a learned scale is set anew in the graph',
        _SCALED,
        'self._scale = value\n        self.reset_parameters()',
        'self._scale = value',
        _LEARNED,
    ),
    Mutant(
        'scaled: a learned scale is streamed',
        _SCALED,
        'return self.log_scale is None\n',
        'return True\n',
        _LEARNED,
    ),
    Mutant(
        'scaled: a set without weights',
        _SCALED,
        'if none.any():',
        'if False:',
        _PRIOR,
    ),
    Mutant(
        'top k: a set with too few poses',
        'nn/combination/top_k_mean.py',
        'if not compiling and small.any():',
        'if False:',
        _BEST,
    ),
    Mutant(
        'attention: half precision under autocast',
        'nn/combination/gated_attention.py',
        'with torch.autocast(x.device.type, enabled=False):\n'
        '            gated',
        'if True:\n            gated',
        _ATTENTION,
    ),
    Mutant(
        'two levels: conformers of one number are one in all sets',
        'nn/combination/two_level.py',
        'torch.stack([index, conformer.long()], dim=1)',
        'torch.stack([0 * index, conformer.long()], dim=1)',
        _TWO,
    ),
    Mutant(
        'two levels: weights stay in the order of poses',
        'nn/combination/two_level.py',
        'key: value[order]',
        'key: value',
        _TWO,
    ),
    Mutant(
        'combine: weights of poses that are left out',
        _COMBINE,
        'values = {key: value[kept] for key, value in values.items()}',
        'values = {k: v[: int(kept.sum())] for k, v in values.items()}',
        _IN_MODES,
    ),
    Mutant(
        'combine: sets whose weights were all masked',
        _COMBINE,
        'if not evaluation.finite.all():  # some were left out since',
        'if False:',
        _IN_MODES,
    ),
    Mutant(
        'stream: weights of the first poses for every chunk',
        'gradient/modes/stream.py',
        'return [value[to_device(poses, value.device)] for value in values]',
        'return [value[: len(poses)] for value in values]',
        _IN_MODES,
    ),
    Mutant(
        'running: prior weights are lost in large energies',
        _RUNNING,
        'shifted = signed.double() + log_prior / self.scale',
        'shifted = (signed + (log_prior / self.scale).float()).double()',
        _PRIOR,
    ),
    Mutant(
        'running: the sum of prior weights of the last chunk',
        _RUNNING,
        'mass if before is None else before.logaddexp(mass)',
        'mass',
        _PRIOR,
    ),
    Mutant(
        'running: the best of the last chunk',
        _RUNNING,
        'best = merge(best, before)',
        'pass',
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
        'if not evaluation.finite.all():\n        kept',
        'if False:\n        kept',
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
