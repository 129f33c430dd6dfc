"""Faults of the gate, of sampling, and of the modes but `stream`."""

from tests.mutants.mutant import Mutant

_ACCUMULATOR = 'gradient/modes/accumulator.py'
_EVALUATE = 'gradient/modes/evaluate.py'
_GATE = 'gradient/modes/gate.py'
_HELD = 'gradient/modes/held.py'
_RECOMPUTE = 'gradient/modes/recompute.py'
_REFUSALS = 'gradient/modes/refusals.py'
_SAMPLING = 'gradient/modes/sampling.py'
_SECOND = 'gradient/modes/second_pass.py'
_STORE = 'gradient/modes/store.py'

_OF_ACCUMULATOR = ['gradient/modes/test_accumulator.py']
_OF_EVALUATE = ['gradient/modes/test_evaluate.py']
_OF_GATE = ['gradient/modes/test_gate.py']
_OF_SAMPLING = ['gradient/modes/test_sampling.py']
_AUTOGRAD = 'contracts/test_autograd.py'
_SAMPLED = 'contracts/test_sampling.py'
_SETS = 'contracts/test_sets.py'
_CHANGES = 'contracts/silent/test_changes_between_passes.py'
_CHANGE = f'{_CHANGES}::test_change_in_every_mode'
_NO_WEIGHT = 'contracts/silent/test_weight_zero.py'
_UNUSUAL = 'contracts/test_unusual_models.py'
_FIRST_CHUNK = 'contracts/silent/test_first_chunk.py'
_LEAVES = 'contracts/silent/test_leaf_by_closure.py'
_MIXED_PLANS = 'contracts/test_mixed_plans.py::test_masked_poses'
_OF_HELD = ['gradient/modes/test_second_pass.py']
_OF_SECOND = ['gradient/modes/test_second_pass.py']
_OF_STORE = ['gradient/modes/test_second_pass.py']
_PARITY = 'contracts/test_parity.py::test_loss_on_poses'
_SECOND_DERIVATIVES = 'contracts/silent/test_second_derivatives.py'
_VALID = 'contracts/silent/test_valid_input.py'

MUTANTS = [
    Mutant(
        'gate: the mass of the batch instead of the set',
        _GATE,
        'drop = mass <= tolerance * mass[:, -1:]',
        'drop = mass <= tolerance * mass[:, -1:].sum()',
        _OF_GATE,
    ),
    Mutant(
        'gate: a zero beside NaN is kept',
        _GATE,
        '    drop |= ordered == 0\n',
        '',
        _OF_GATE,
    ),
    Mutant(
        'gate: infinite coefficients are dropped',
        _GATE,
        '    drop &= ordered.isfinite()\n',
        '',
        _OF_GATE,
    ),
    Mutant(
        'gate: one negligible feature drops a pose',
        _GATE,
        'mask[pose].all(dim=1)',
        'mask[pose].any(dim=1)',
        [
            *_OF_GATE,
            f'{_UNUSUAL}::test_a_feature_of_little_weight_keeps_its_poses',
        ],
    ),
    Mutant(
        'gate: the glance forgets how many poses there are',
        _GATE,
        'tolerance * largest * most.item()',
        'tolerance * most.item()',
        _OF_GATE,
    ),
    Mutant(
        'gate: the epsilon of half precision',
        _GATE,
        'torch.finfo(torch.promote_types(dtype, torch.float32)).eps',
        'torch.finfo(dtype).eps',
        [*_OF_GATE, f'{_SETS}::test_combined_in_float32_at_least'],
    ),
    Mutant(
        'gate: pieces in the inverse order',
        _GATE,
        'out[order] = torch.cat(pieces)',
        'out = torch.cat(pieces)[order]',
        _OF_GATE,
    ),
    Mutant(
        'gate: what is negligible is let through',
        _GATE,
        'kept = torch.where(mask, torch.zeros_like(grad), grad)',
        'kept = grad.clone()',
        [*_OF_GATE, 'contracts/test_skipping.py'],
    ),
    Mutant(
        'gate: pieces that were not drawn go backward',
        _GATE,
        'kept[rows] if known[-1][poses].any()',
        'kept[rows] if known[0][poses].any()',
        _OF_GATE,
    ),
    Mutant(
        'gate: no gradient instead of zeros',
        _GATE,
        'if out and all(part is None for part in out):',
        'if False:',
        _OF_GATE,
    ),
    Mutant(
        'gate: drawn poses are differentiated twice',
        _GATE,
        'if ctx.draws is not None and torch.is_grad_enabled():',
        'if False:',
        [f'{_SAMPLED}::test_double_backward_is_refused'],
    ),
    Mutant(
        'sampling: the total mass is left out',
        _SAMPLING,
        'hits * total / (count * mass)',
        'hits / (count * mass)',
        _OF_SAMPLING,
    ),
    Mutant(
        'sampling: as many as K are drawn too',
        _SAMPLING,
        'keepdim=True) <= count',
        'keepdim=True) < count',
        _OF_SAMPLING,
    ),
    Mutant(
        'sampling: infinite coefficients are drawn away',
        _SAMPLING,
        'torch.where(exact | ~finite, 1, factor)',
        'torch.where(exact, 1, factor)',
        _OF_SAMPLING,
    ),
    Mutant(
        'accumulator: gradients share their storage',
        _ACCUMULATOR,
        'grad.clone()',
        'grad',
        [
            *_OF_ACCUMULATOR,
            f'{_UNUSUAL}::test_gradients_that_share_storage',
        ],
    ),
    Mutant(
        'accumulator: sums in half precision',
        _ACCUMULATOR,
        'grad = grad.float()',
        'pass',
        _OF_ACCUMULATOR,
    ),
    Mutant(
        'accumulator: nothing is scaled',
        _ACCUMULATOR,
        'torch._foreach_mul_(sums, factor)',
        'pass',
        _OF_ACCUMULATOR,
    ),
    Mutant(
        'accumulator: None without a backward pass',
        _ACCUMULATOR,
        'elif any_backward or not leaf.requires_grad:',
        'else:\n                out.append(None)\n            if False:',
        _OF_ACCUMULATOR,
    ),
    Mutant(
        'evaluate: one graph more is held',
        _EVALUATE,
        'max(count - keep, 0)',
        'max(count - keep - 1, 0)',
        _OF_EVALUATE,
    ),
    Mutant(
        'evaluate: a prediction holds the batch',
        _EVALUATE,
        '    evaluation.release()\n',
        '',
        [
            'contracts/test_budget.py::test_a_prediction_that_is_kept_holds_nothing'
        ],
    ),
    Mutant(
        'evaluate: nothing is recorded for the second pass',
        _EVALUATE,
        'first_pass(again=True)',
        'first_pass(again=False)',
        ['contracts/test_randomness.py::test_dropout'],
    ),
    Mutant(
        'evaluate: masked poses stay in the graphs that are held',
        _EVALUATE,
        '    if finite.all():\n        return piece\n',
        '    return piece\n',
        [
            f'{_SETS}::test_nonfinite_prediction_is_masked[full-nan-1000]',
        ],
    ),
    Mutant(
        'second pass: negative coefficients do not matter',
        _SECOND,
        'matters = grad.ne(0)',
        'matters = grad.gt(0)',
        ['contracts/test_parity.py::test_loss_on_poses'],
    ),
    Mutant(
        'second pass: gradients of inputs are lost',
        _SECOND,
        'input_sums[key].index_add_(0, where, part)',
        'input_sums[key].index_copy_(0, where, part)',
        ['contracts/test_parity.py::test_gradient_of_positions'],
    ),
    Mutant(
        'second pass: predictions are not compared',
        _SECOND,
        'compared.add(again, self.first[rows], poses, number is None)',
        'pass',
        ['contracts/test_randomness.py::test_generator_of_its_own_is_noticed'],
    ),
    Mutant(
        'second pass: on a GPU only the first chunk is compared',
        _SECOND,
        '        compared.check()\n        return [',
        '        return [',
        _OF_SECOND,
    ),
    Mutant(
        'second pass: gradients of a chunk that failed are summed',
        _SECOND,
        'leaf.grad = None  #',
        'pass  #',
        ['contracts/test_out_of_memory_later.py'],
    ),
    Mutant(
        'recompute: changes are not looked for',
        _RECOMPUTE,
        '            if change:\n',
        '            if False:\n',
        [_CHANGE],
    ),
    Mutant(
        'recompute: second derivatives are not refused',
        _RECOMPUTE,
        "            refuse_double_backward('recompute')\n",
        '',
        [f'{_AUTOGRAD}::test_double_backward_is_refused'],
    ),
    Mutant(
        'second pass: poses are taken out of chunks that draw',
        _SECOND,
        'if not self.evaluation.replay.whole_chunks:',
        'if True:',
        _OF_SECOND,
    ),
    Mutant(
        'second pass: a foreign leaf of a later chunk is lost',
        _SECOND,
        'evaluation.check_leaves(again, [*shared, *leaves.values()])',
        'pass',
        [
            f'{_UNUSUAL}::test_foreign_leaf_in_a_later_chunk',
            _LEAVES,
        ],
    ),
    Mutant(
        'store: poses without weight are not left out',
        _STORE,
        'rows = grad.ne(0).nonzero().squeeze(1)',
        'rows = torch.arange(len(grad), device=grad.device)',
        [*_OF_STORE, _NO_WEIGHT],
    ),
    Mutant(
        'store: the scale of fp16 stays in the gradients',
        _STORE,
        'g if g is None else g / scale for g in grads',
        'g for g in grads',
        ['contracts/test_mixed_precision.py', _AUTOGRAD],
    ),
    Mutant(
        'store: gradients of inputs are not refused',
        _STORE,
        '    if keys:\n',
        '    if False:\n',
        [f'{_AUTOGRAD}::test_inputs_that_require_grad_are_refused'],
    ),
    Mutant(
        'store: a pose that others spoiled is not evaluated alone',
        _STORE,
        'and not _finite(grads)\n',
        'and False\n',
        [_NO_WEIGHT],
    ),
    Mutant(
        'store: the next pose has the gradients of the one before',
        _STORE,
        '            leaf.grad = None\n',
        '            pass\n',
        [*_OF_STORE, _PARITY],
    ),
    Mutant(
        'store: foreign leaves are lost',
        _STORE,
        'evaluation.check_leaves(out, leaves)',
        'pass',
        [_LEAVES],
    ),
    Mutant(
        'store: predictions of a frozen model ask for gradients',
        _STORE,
        'if not any(ctx.used):',
        'if False:',
        [*_OF_STORE, _FIRST_CHUNK],
    ),
    Mutant(
        'store: gradients are summed in half precision',
        _STORE,
        'wide = torch.promote_types(leaf.dtype, torch.float32)',
        'wide = leaf.dtype',
        [*_OF_STORE, 'contracts/test_mixed_precision.py'],
    ),
    Mutant(
        'gate: second derivatives of negligible poses vanish',
        _GATE,
        'if torch.is_grad_enabled() or is_transformed(grad):',
        'if is_transformed(grad):',
        [*_OF_GATE, _SECOND_DERIVATIVES],
    ),
    Mutant(
        'gate: many gradients at once are looked at as one',
        _GATE,
        'if torch.is_grad_enabled() or is_transformed(grad):',
        'if torch.is_grad_enabled():',
        [f'{_VALID}::test_gradients_of_all_sets_at_once'],
    ),
    Mutant(
        'gate: a later backward pass is exact for zeros only',
        _GATE,
        'drop = negligible(grad, ctx.layout, ctx.tolerance)',
        'drop = negligible(grad, ctx.layout, 0.0)',
        [*_OF_GATE, 'contracts/test_skipping.py'],
    ),
    Mutant(
        'held: second derivatives go past the graph',
        _HELD,
        'if torch.is_grad_enabled() or is_transformed(grad):',
        'if is_transformed(grad):',
        [*_OF_HELD, _SECOND_DERIVATIVES, 'contracts/test_mixed_plans.py'],
    ),
    Mutant(
        'held: graphs of which little matters go backward',
        _HELD,
        'if matter * (1 + BACKWARD) < len(grad) * BACKWARD:',
        'if False:',
        [*_OF_HELD, *_OF_EVALUATE],
    ),
    Mutant(
        'held: poses are taken out of chunks that draw',
        _HELD,
        'if matter < len(grad) and not held.whole.whole_chunks:',
        'if matter < len(grad):',
        [*_OF_HELD, *_OF_EVALUATE],
    ),
    Mutant(
        'held: poses without weight spoil their chunk',
        _HELD,
        '            held.mixed = True\n',
        '',
        [*_OF_HELD, _NO_WEIGHT],
    ),
    Mutant(
        'held: it is never over with a backward pass',
        _HELD,
        'self.passed, self.again, self.mixed = {}, {}, False',
        'pass',
        [*_OF_HELD, f'{_VALID}::test_one_set_after_the_other'],
    ),
    Mutant(
        'recompute: a chunk that was spoiled stays so',
        _RECOMPUTE,
        'if mixed and not _finite(sums):',
        'if False:',
        [*_OF_HELD, _NO_WEIGHT],
    ),
    Mutant(
        'recompute: what was spoiled is summed, too',
        _RECOMPUTE,
        'sums, again = [None] * len(sums), {**again, **passed}',
        'again = {**again, **passed}',
        [*_OF_HELD, _NO_WEIGHT],
    ),
    Mutant(
        'recompute: one of two gradients is enough',
        _RECOMPUTE,
        '    return one + two\n',
        '    return two\n',
        [*_OF_EVALUATE, 'contracts/test_mixed_plans.py'],
    ),
    Mutant(
        'recompute: many gradients at once',
        _RECOMPUTE,
        "            refuse_batched('recompute', grad)\n",
        '',
        [f'{_VALID}::test_gradients_of_all_sets_at_once'],
    ),
    Mutant(
        'recompute: predictions of a frozen model ask for gradients',
        _RECOMPUTE,
        'if pieces and not evaluation.differentiable:',
        'if False:',
        [*_OF_SECOND, _FIRST_CHUNK],
    ),
    Mutant(
        'second pass: a mismatch of new chunks is the end',
        _SECOND,
        '            except (Mismatch, UnsuitedError):\n',
        '            except UnsuitedError:\n',
        _OF_SECOND,
    ),
    Mutant(
        'second pass: chunks larger than before',
        _SECOND,
        'self._regrouped(matter, most)',
        'self._regrouped(matter, 2 * most)',
        [*_OF_SECOND, 'contracts/test_memory.py'],
    ),
    Mutant(
        'second pass: poses without weight, too',
        _SECOND,
        'poses = matter.nonzero()[0]',
        'poses = np.arange(len(matter))',
        [*_OF_EVALUATE, 'contracts/test_skipping.py'],
    ),
    Mutant(
        'second pass: with the buffers of now',
        _SECOND,
        'evaluation.replay.enter(number)',
        'pass',
        ['contracts/test_randomness.py', 'contracts/test_buffers.py'],
    ),
    Mutant(
        'second pass: on the parameters themselves',
        _SECOND,
        'evaluation.on(self.parameters):',
        'torch.enable_grad():',
        ['contracts/test_hooks.py', *_OF_EVALUATE],
    ),
    Mutant(
        'evaluate: changes during the first pass count',
        _EVALUATE,
        '    seal.close()\n',
        '    seal._content = __import__("torch").zeros(0)\n',
        [f'{_CHANGES}::test_no_change'],
    ),
    Mutant(
        'evaluate: held chunks are those that come first',
        _EVALUATE,
        'rest, kept = range(start), range(start, count)',
        'rest, kept = range(count - start, count), range(count - start)',
        [*_OF_EVALUATE, 'contracts/test_mixed_plans.py'],
    ),
    Mutant(
        'evaluate: what mattered is counted in full',
        _EVALUATE,
        'counts.mattered -= int(',
        'counts.mattered -= 0 * int(',
        _OF_SECOND,
    ),
    Mutant(
        'evaluate: leaves of receptors get lost',
        _EVALUATE,
        'evaluation.check_leaves(state, [])',
        'pass',
        [_LEAVES],
    ),
    Mutant(
        'evaluate: one masked pose leaves out its chunk',
        _EVALUATE,
        '    if not finite.any():\n',
        '    if not finite.all():\n',
        [f'{_SETS}::test_nonfinite_prediction_is_masked', _MIXED_PLANS],
    ),
    Mutant(
        'evaluate: without gradient, none is looked for',
        _EVALUATE,
        'evaluation.first(number, graph)',
        'evaluation.first(number, False)',
        [_LEAVES],
    ),
    Mutant(
        'refusals: second derivatives',
        _REFUSALS,
        '    if torch.is_grad_enabled():\n        raise',
        '    if False:\n        raise',
        [f'{_AUTOGRAD}::test_double_backward_is_refused'],
    ),
    Mutant(
        'refusals: many gradients at once',
        _REFUSALS,
        'if any(grad is not None and is_transformed(grad) for grad in grads):',
        'if False:',
        [f'{_VALID}::test_gradients_of_all_sets_at_once'],
    ),
    Mutant(
        'refusals: forward-mode derivatives',
        _REFUSALS,
        'if torch.autograd.forward_ad._current_level >= 0:',
        'if False:',
        [f'{_SECOND_DERIVATIVES}::test_slope_along_positions'],
    ),
    Mutant(
        'refusals: vmap',
        _REFUSALS,
        'elif any(one.key() == _VMAP for one in stack):',
        'elif False:',
        [f'{_VALID}::test_transform'],
    ),
    Mutant(
        'refusals: a legacy batch is one gradient',
        _REFUSALS,
        ') or functorch.is_legacy_batchedtensor(tensor)',
        ')',
        [f'{_VALID}::test_gradients_of_all_sets_at_once'],
    ),
    Mutant(
        'refusals: an error of autograd is explained as another',
        _REFUSALS,
        "if 'inplace' not in str(error):",
        'if False:',
        _OF_SECOND,
    ),
]
