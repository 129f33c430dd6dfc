"""Faults of a call of the model, and of what it needs and returns."""

from tests.mutants.mutant import Mutant

_EVALUATION = 'gradient/evaluation.py'
_FINITE = 'gradient/model/finite.py'

_SETS = 'contracts/test_sets.py'
_UNSEEN = ['contracts/test_unseen_changes.py']
_UNUSUAL = 'contracts/test_unusual_models.py'

MUTANTS = [
    Mutant(
        'change check: inputs behind the first are not looked at',
        _EVALUATION,
        '*tensors[first + self.num_states :]]',
        '*tensors[first + self.num_states :][:1]]',
        _UNSEEN,
    ),
    Mutant(
        'change check: parameters behind the first are not looked at',
        _EVALUATION,
        'return [*tensors[:first], ',
        'return [*tensors[:first][:1], ',
        _UNSEEN,
    ),
    Mutant(
        'change check: buffers are not looked at',
        _EVALUATION,
        '[*tensors, *self.replay.fingerprint()]',
        'tensors',
        _UNSEEN,
    ),
    Mutant(
        'evaluation: the model changes the leaves of a chunk',
        _EVALUATION,
        'graphs[key] = leaf.clone()',
        'graphs[key] = leaf',
        [f'{_UNUSUAL}::test_model_that_changes_the_batch_in_place'],
    ),
    Mutant(
        'evaluation: passes are not counted',
        _EVALUATION,
        'self.counts.forward += len(poses)',
        'self.counts.forward += 1',
        ['nn/test_multi_pose_readout.py', 'gradient/modes/test_evaluate.py'],
    ),
    Mutant(
        'finite: a set of which nothing is left',
        _FINITE,
        'if (left == 0).any():',
        'if False:',
        [f'{_SETS}::test_nothing_left_after_masking'],
    ),
    Mutant(
        'finite: poses are left out of chunks that couple them',
        _FINITE,
        'if mixed and evaluation.replay.whole_chunks:',
        'if False:',
        [
            'contracts/test_buffers.py::test_masked_poses_need_chunks_of_their_own'
        ],
    ),
    Mutant(
        'predictions: their number is not checked',
        'gradient/model/predictions.py',
        'if out.dim() not in (1, 2) or out.size(0) != len(poses):',
        'if out.dim() not in (1, 2):',
        [f'{_SETS}::test_wrong_model_output'],
    ),
    Mutant(
        'requirements: parameters that are not there yet',
        'gradient/model/requirements.py',
        'if nn.parameter.is_lazy(tensor):',
        'if False:',
        ['nn/test_multi_pose_readout.py::test_model_errors'],
    ),
]
