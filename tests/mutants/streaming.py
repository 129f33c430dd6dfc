"""Faults of the mode `stream`."""

from tests.mutants.mutant import Mutant

_STREAM = 'gradient/modes/stream.py'

_CHANGES = 'contracts/silent/test_changes_between_passes.py'
_AUTOGRAD = 'contracts/test_autograd.py'
_OF_SECOND = ['gradient/modes/test_second_pass.py']
_OF_STREAM = ['gradient/modes/test_stream.py']
_NO_WEIGHT = 'contracts/silent/test_weight_zero.py'
_SKIPPING = 'contracts/test_skipping.py'
_PARITY = 'contracts/test_parity.py::test_combined_loss'

MUTANTS = [
    Mutant(
        'stream: the mass dropped so far is not rescaled',
        _STREAM,
        'before = self._dropped * rescale',
        'before = self._dropped',
        _OF_STREAM,
    ),
    Mutant(
        'stream: what earlier chunks dropped is forgotten',
        _STREAM,
        'self._dropped = torch.where(drop, dropped, before).max()',
        'self._dropped = self._dropped',
        _OF_STREAM,
    ),
    Mutant(
        'stream: zero times NaN in backward',
        _STREAM,
        'if weight == 0:',
        'if False:',
        [*_OF_STREAM, _NO_WEIGHT],
    ),
    Mutant(
        'stream: poses that are dropped go backward all the same',
        _STREAM,
        'weights = torch.where(drop, 0, weights)',
        'pass',
        _OF_STREAM,
    ),
    Mutant(
        'stream: the sums are not rescaled',
        _STREAM,
        'self._sums.scale(rescale)',
        'pass',
        [_PARITY],
    ),
    Mutant(
        'stream: the sums are not normalised',
        _STREAM,
        'self._sums.scale(self.running.normalizer())',
        'pass',
        [_PARITY],
    ),
    Mutant(
        'stream: weights that count are not rescaled',
        _STREAM,
        'torch.cat([before * rescale, weights])',
        'torch.cat([before, weights])',
        _OF_STREAM,
    ),
    Mutant(
        'stream: predictions in the order of the chunks',
        _STREAM,
        'joined(predictions)[np.argsort(order)]',
        'joined(predictions)',
        ['contracts/test_best_first.py'],
    ),
    Mutant(
        'stream: a loss on poses is not refused',
        _STREAM,
        'if grad_poses is not None:',
        'if False:',
        [f'{_AUTOGRAD}::test_loss_on_poses_is_refused_by_stream'],
    ),
    Mutant(
        'stream: fp16 is not refused',
        _STREAM,
        'if evaluation.replay.half_autocast:',
        'if False:',
        ['contracts/test_mixed_precision.py', 'contracts/test_randomness.py'],
    ),
    Mutant(
        'stream: changes of what a receptor is made of are not noticed',
        _STREAM,
        "change = ctx.seal.change(saved[:last]) if ctx.seal else ''",
        "change = ''",
        [
            'contracts/test_shared_bad_input.py'
            '::test_weights_changed_between_the_passes',
            f'{_CHANGES}::test_change_in_every_mode',
        ],
    ),
    Mutant(
        'stream: weights are in the scale of their chunk',
        _STREAM,
        'drop = dropped <= tolerance * self.running.mass',
        'drop = dropped <= tolerance * weights.sum()',
        [*_OF_STREAM, _SKIPPING, 'contracts/test_best_first.py'],
    ),
    Mutant(
        'stream: drops are in the order of their size',
        _STREAM,
        'drop = torch.empty_like(drop).scatter_(0, order, drop)',
        'pass',
        [*_OF_STREAM, _PARITY, _SKIPPING],
    ),
    Mutant(
        'stream: poses with an infinite derivative spoil the sum',
        _STREAM,
        'or self._sums.finite()\n        ):',
        'or True\n        ):',
        [_NO_WEIGHT],
    ),
    Mutant(
        'stream: what spoiled a chunk is summed, too',
        _STREAM,
        '        self._sums.forget()\n        assert',
        '        self._sums.collect()\n        assert',
        [_NO_WEIGHT],
    ),
    Mutant(
        'stream: unbounded poses are those of another chunk',
        _STREAM,
        'start = len(self._weights) - len(poses)',
        'start = 0',
        _OF_STREAM,
    ),
    Mutant(
        'stream: poses that matter and are unbounded are left out',
        _STREAM,
        'if matter[place]:',
        'if False:',
        [*_OF_STREAM, _NO_WEIGHT],
    ),
    Mutant(
        'stream: poses that do not matter count as if they did',
        _STREAM,
        'matter = ~small & (weights != 0)',
        'matter = weights != 0',
        [*_OF_STREAM, 'contracts/test_plans.py', _NO_WEIGHT],
    ),
    Mutant(
        'stream: foreign leaves are lost',
        _STREAM,
        'evaluation.check_leaves(out, leaves)',
        'pass',
        ['contracts/silent/test_leaf_by_closure.py'],
    ),
    Mutant(
        'stream: predictions of a frozen model ask for gradients',
        _STREAM,
        'if not differentiable:',
        'if False:',
        _OF_SECOND,
    ),
    Mutant(
        'stream: the first chunk decides for all',
        _STREAM,
        'differentiable |= out.requires_grad',
        'differentiable = out.requires_grad',
        ['contracts/silent/test_first_chunk.py'],
    ),
    Mutant(
        'stream: gradients of all sets at once',
        _STREAM,
        "refuse_batched('stream', grad, grad_poses)",
        'pass',
        [
            'contracts/silent/test_valid_input.py'
            '::test_gradients_of_all_sets_at_once',
        ],
    ),
]
