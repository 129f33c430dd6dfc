"""Faults of a call of the model, and of what it needs and returns."""

from tests.mutants.mutant import Mutant

_COMPOSER = 'gradient/composer.py'
_EVALUATION = 'gradient/evaluation.py'
_FINITE = 'gradient/model/finite.py'

_FIRST_CHUNK = 'contracts/silent/test_first_chunk.py'
_FORCES = 'gradient/modes/test_second_pass.py::test_forces_inside'
_LEAVES = 'contracts/silent/test_leaf_by_closure.py'
_OF_PREDICTIONS = ['gradient/model/test_predictions.py']
_SETS = 'contracts/test_sets.py'
_UNUSUAL = 'contracts/test_unusual_models.py'

MUTANTS = [
    Mutant(
        'composer: the model changes the leaves of a chunk',
        _COMPOSER,
        'graphs[key] = leaf.clone()',
        'graphs[key] = leaf',
        [f'{_UNUSUAL}::test_model_that_changes_the_batch_in_place'],
    ),
    Mutant(
        'composer: a shared receptor has rows of its own',
        _COMPOSER,
        'self._layout.rows(key, poses, self.receptor(poses))',
        'self._layout.rows(key, poses)',
        ['contracts/test_shared_state.py::test_positions_and_loss_on_poses'],
    ),
    Mutant(
        'evaluation: the first chunk decides for all',
        _EVALUATION,
        'if not graph or self.differentiable:',
        'if not graph or self.differentiable or number:',
        [_FIRST_CHUNK],
    ),
    Mutant(
        'evaluation: leaves of the first chunks are lost',
        _EVALUATION,
        'self.check_leaves(out, [*leaves, *states, *inputs.values()])',
        'pass',
        [_LEAVES],
    ),
    Mutant(
        'evaluation: leaves that a model makes are foreign',
        _EVALUATION,
        '[*leaves, *self.made_leaves]',
        'leaves',
        ['contracts/silent/test_valid_input.py::test_forces_inside'],
    ),
    Mutant(
        'evaluation: a model that takes forces has no graph',
        _EVALUATION,
        'needs = graph and self.replay.needs_graph',
        'needs = False',
        [_FORCES],
    ),
    Mutant(
        'evaluation: states that are written to',
        _EVALUATION,
        'if self.receptors is not None and self.receptors.written:',
        'if False:',
        [
            'contracts/test_shared_inference.py::test_a_model_that_writes_to_the_state'
        ],
    ),
    Mutant(
        'evaluation: what was seen of a model is forgotten',
        _EVALUATION,
        '            self.replay.know(traits)\n',
        '',
        [_FORCES],
    ),
    Mutant(
        'predictions: they share memory with the model',
        'gradient/model/predictions.py',
        'out = out.clone()',
        'pass',
        ['contracts/silent/test_reused_buffers.py'],
    ),
    Mutant(
        'predictions: widths that change from chunk to chunk',
        'gradient/model/predictions.py',
        'if len(widths) > 1:',
        'if False:',
        _OF_PREDICTIONS,
    ),
    Mutant(
        'finite: one finite feature is enough',
        _FINITE,
        'finite = finite.all(dim=1)',
        'finite = finite.any(dim=1)',
        _OF_PREDICTIONS,
    ),
    Mutant(
        'requirements: a scripted layer with parameters',
        'gradient/model/requirements.py',
        'if next(module.parameters(), None) is not None:',
        'if False:',
        ['contracts/silent/test_valid_input.py::test_scripted_layer'],
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
