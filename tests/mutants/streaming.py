"""Faults of the mode `stream`."""

from tests.mutants.mutant import Mutant

_STREAM = 'gradient/modes/stream.py'

_AUTOGRAD = 'contracts/test_autograd.py'
_OF_STREAM = ['gradient/modes/test_stream.py']
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
        ['contracts/test_no_weight.py'],
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
        'stream: predictions share memory with the model',
        _STREAM,
        'predictions.append(out.detach().clone())',
        'predictions.append(out.detach())',
        _OF_STREAM,
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
        'if evaluation and not evaluation.unchanged(',
        'if False and not evaluation.unchanged(',
        [
            'contracts/test_shared_bad_input.py'
            '::test_weights_changed_between_the_passes',
            'contracts/test_shared_bad_input.py'
            '::test_receptor_edited_after_encoding',
        ],
    ),
]
