"""Faults of the gate, of sampling, and of the modes but `stream`."""

from tests.mutants.mutant import Mutant

_ACCUMULATOR = 'gradient/modes/accumulator.py'
_EVALUATE = 'gradient/modes/evaluate.py'
_GATE = 'gradient/modes/gate.py'
_RECOMPUTE = 'gradient/modes/recompute.py'
_SAMPLING = 'gradient/modes/sampling.py'
_STORE = 'gradient/modes/store.py'

_OF_ACCUMULATOR = ['gradient/modes/test_accumulator.py']
_OF_EVALUATE = ['gradient/modes/test_evaluate.py']
_OF_GATE = ['gradient/modes/test_gate.py']
_OF_SAMPLING = ['gradient/modes/test_sampling.py']
_AUTOGRAD = 'contracts/test_autograd.py'
_SAMPLED = 'contracts/test_sampling.py'
_SETS = 'contracts/test_sets.py'
_UNSEEN = 'contracts/test_unseen_changes.py'
_UNUSUAL = 'contracts/test_unusual_models.py'

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
        [*_OF_SAMPLING, f'{_SAMPLED}::test_at_most_k_backward_passes'],
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
        'first_pass(again=bool(rest))',
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
        'recompute: negative coefficients do not matter',
        _RECOMPUTE,
        'matters = grad.ne(0)',
        'matters = grad.gt(0)',
        ['contracts/test_parity.py::test_loss_on_poses'],
    ),
    Mutant(
        'recompute: gradients of inputs are lost',
        _RECOMPUTE,
        'input_sums[key].index_add_(0, where, part)',
        'input_sums[key].index_copy_(0, where, part)',
        ['contracts/test_parity.py::test_gradient_of_positions'],
    ),
    Mutant(
        'recompute: predictions are not compared',
        _RECOMPUTE,
        'compared.add(again, self.first[rows], poses, number is None)',
        'pass',
        ['contracts/test_randomness.py::test_generator_of_its_own_is_noticed'],
    ),
    Mutant(
        'recompute: on a GPU only the first chunk is compared',
        _RECOMPUTE,
        '        compared.check()\n        return [',
        '        return [',
        [
            'contracts/test_device.py::test_a_difference_in_any_chunk_is_noticed'
        ],
    ),
    Mutant(
        'recompute: gradients of a chunk that failed are summed',
        _RECOMPUTE,
        'leaf.grad = None  #',
        'pass  #',
        ['contracts/test_out_of_memory_later.py'],
    ),
    Mutant(
        'recompute: changes are not looked for',
        _RECOMPUTE,
        'if not evaluation.unchanged(tensors):',
        'if False:',
        [_UNSEEN],
    ),
    Mutant(
        'recompute: second derivatives are not refused',
        _RECOMPUTE,
        "        refuse_double_backward('recompute')\n",
        '',
        [f'{_AUTOGRAD}::test_double_backward_is_refused'],
    ),
    Mutant(
        'recompute: poses are taken out of chunks that draw',
        _RECOMPUTE,
        'if not self.evaluation.replay.whole_chunks:',
        'if True:',
        [_UNSEEN],
    ),
    Mutant(
        'recompute: a foreign leaf of a later chunk is lost',
        _RECOMPUTE,
        '                check_closure(\n'
        '                    evaluation.model, again, '
        '[*shared, *leaves.values()]\n'
        '                )\n',
        '',
        [f'{_UNUSUAL}::test_foreign_leaf_in_a_later_chunk'],
    ),
    Mutant(
        'store: poses without weight are not left out',
        _STORE,
        'rows = grad.ne(0).nonzero().squeeze(1)',
        'rows = torch.arange(len(grad), device=grad.device)',
        ['contracts/test_no_weight.py'],
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
]
