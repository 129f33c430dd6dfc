"""Faults of what makes a second pass the same as the first."""

from tests.mutants.mutant import Mutant

_BUFFERS = 'gradient/replay/buffers.py'
_COMPARISON = 'gradient/replay/comparison.py'
_FOREIGN = 'gradient/replay/foreign_leaf.py'
_INVENTORY = 'gradient/model/inventory.py'
_PARAMETERS = 'gradient/replay/parameters.py'
_REPLAY = 'gradient/replay/replay.py'

_OF_BUFFERS = ['gradient/replay/test_buffers.py']
_OF_INVENTORY = ['gradient/model/test_inventory.py']
_OF_COMPARISON = ['gradient/replay/test_comparison.py']
_OF_PARAMETERS = ['gradient/replay/test_parameters.py']
_OF_REPLAY = ['gradient/replay/test_replay.py']
_LEAVES = 'contracts/silent/test_leaf_by_closure.py'
_UNUSUAL = 'contracts/test_unusual_models.py'

MUTANTS = [
    Mutant(
        'inventory: names may change',
        _INVENTORY,
        'and names == self._names',
        '',
        _OF_INVENTORY,
    ),
    Mutant(
        'inventory: modules and parameters may change',
        _INVENTORY,
        'and all(map(is_, objects, self._objects))',
        '',
        _OF_INVENTORY,
    ),
    Mutant(
        'inventory: classes may change',
        _INVENTORY,
        'objects.append(module.__class__)',
        'pass',
        _OF_INVENTORY,
    ),
    Mutant(
        'inventory: modules that a model tells of itself are kept',
        _INVENTORY,
        'or not self._can_hold',
        '',
        _OF_INVENTORY,
    ),
    Mutant(
        'buffers: rewound too far',
        _BUFFERS,
        'bisect_right(history, chunk, key=_start) - 1',
        '0',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: values are not put back',
        _BUFFERS,
        'if buffer is not None and not _equal(buffer, entry):',
        'if False:',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: those of the chunk before',
        _BUFFERS,
        'bisect_right(history, chunk, key=_start) - 1',
        'max(bisect_right(history, chunk - 1, key=_start) - 1, 0)',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: the second pass changes what was recorded',
        _BUFFERS,
        'copies.of(self._before(place, chunk))',
        'self._before(place, chunk)',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: those of now are not put back',
        _BUFFERS,
        'self._put(enumerate(before))',
        'pass',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: NaN is a change',
        _BUFFERS,
        'return bool(((first == second) | nan).all())',
        'return bool((first == second).all())',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: changes behind version counters are not noticed',
        _BUFFERS,
        'if not (every or known) and _unmarked(',
        'if _unmarked(',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: one tensor in two places becomes two',
        _BUFFERS,
        'if id(tensor) not in self._made:',
        'if True:',
        _OF_BUFFERS,
    ),
    Mutant(
        'replay: the second pass runs with the flags of now',
        _REPLAY,
        '                for module, training in self._training:\n'
        '                    module.training = training\n',
        '',
        _OF_REPLAY,
    ),
    Mutant(
        'replay: the second pass runs without autocast',
        _REPLAY,
        'torch.autocast(kind, dtype, enabled, cache)',
        'torch.autocast(kind, dtype, False, cache)',
        _OF_REPLAY,
    ),
    Mutant(
        'replay: the second pass moves the random state',
        _REPLAY,
        'stack.enter_context(torch.random.fork_rng(others))',
        'pass',
        _OF_REPLAY,
    ),
    Mutant(
        'replay: the second pass draws anew',
        _REPLAY,
        'self._set_random_state(self._draws[chunk])',
        'pass',
        _OF_REPLAY,
    ),
    Mutant(
        'replay: a pass that failed moves the random state',
        _REPLAY,
        'self._set_random_state(self._start)',
        'pass',
        [
            *_OF_REPLAY,
            'contracts/test_randomness.py'
            '::test_exception_leaves_everything_as_it_was',
        ],
    ),
    Mutant(
        'replay: norms without statistics do not couple',
        _REPLAY,
        'module.training or not module.track_running_stats',
        'module.training',
        _OF_REPLAY,
    ),
    Mutant(
        'comparison: other predictions are let pass',
        _COMPARISON,
        'off = (again - first).abs() > limit',
        'off = (again - first) > limit',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: an offset hides a difference',
        _COMPARISON,
        'torch.minimum(self._limit, (high - low) * 1e-3)',
        'self._limit * 1e6',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: half precision everywhere',
        _COMPARISON,
        '(4 if half else 256)',
        '2**40',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: NaN in one of the passes is let pass',
        _COMPARISON,
        'off |= again.isfinite() != first.isfinite()',
        'pass',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: only the first chunk is looked at',
        _COMPARISON,
        'if off.is_cpu or not self._looked:',
        'if not self._looked:',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: another pose is named',
        _COMPARISON,
        'row = int(off.argmax())',
        'row = int(off.argmin())',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: one feature that is right is enough',
        _COMPARISON,
        'off.reshape(len(off), -1).any(dim=1)',
        'off.reshape(len(off), -1).all(dim=1)',
        _OF_COMPARISON,
    ),
    Mutant(
        'comparison: what is not finite sets the limit',
        _COMPARISON,
        'first.abs().masked_fill(~finite, 0.0).max()',
        'first.abs().max()',
        _OF_COMPARISON,
    ),
    Mutant(
        'buffers: what came before all chunks is not looked at',
        _BUFFERS,
        'if chunk < 0 or (keep and place not in self._unread):',
        'if keep and chunk >= 0 and place not in self._unread:',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: those that changed stay copied for nothing',
        _BUFFERS,
        '                self._history[place] = []\n',
        '                pass\n',
        _OF_BUFFERS,
    ),
    Mutant(
        'buffers: one that changed is constant',
        _BUFFERS,
        'if buffer is not None and place not in self._changed',
        'if buffer is not None',
        _OF_BUFFERS,
    ),
    Mutant(
        'replay: what was seen before is forgotten',
        _REPLAY,
        'self._coupling = self._coupling or traits.mixes',
        'pass',
        [*_OF_REPLAY, _UNUSUAL, 'contracts/silent/test_table.py'],
    ),
    Mutant(
        'replay: models that mix poses are not named',
        _REPLAY,
        'if self._coupling and num_chunks > 1:',
        'if False:',
        _OF_REPLAY,
    ),
    Mutant(
        'replay: one chunk is warned of',
        _REPLAY,
        'if self._coupling and num_chunks > 1:',
        'if self._coupling:',
        _OF_REPLAY,
    ),
    Mutant(
        'replay: casts of autocast are kept',
        _REPLAY,
        '            torch.clear_autocast_cache()\n',
        '            pass\n',
        _OF_REPLAY,
    ),
    Mutant(
        'parameters: RNNs keep the others',
        _PARAMETERS,
        'getattr(rnn, name, None) for name',
        'None and getattr(rnn, name, None) for name',
        _OF_PARAMETERS,
    ),
    Mutant(
        'foreign leaf: a cache that holds a leaf of an earlier pass',
        _FOREIGN,
        'if place in places or _references(node) > _of_forgotten():',
        'if _references(node) > _of_forgotten():',
        [
            *_OF_PARAMETERS,
            _UNUSUAL,
            'contracts/silent/test_leaf_by_closure.py',
        ],
    ),
    Mutant(
        'foreign leaf: a leaf that nobody holds',
        _FOREIGN,
        'if place in places or _references(node) > _of_forgotten():',
        'if True:',
        [
            *_OF_PARAMETERS,
            _UNUSUAL,
            'contracts/silent/test_leaf_by_closure.py',
        ],
    ),
    Mutant(
        'foreign leaf: only the first branch is followed',
        _FOREIGN,
        'for child, _ in node.next_functions)',
        'for child, _ in node.next_functions[:1])',
        [*_OF_PARAMETERS, _UNUSUAL],
    ),
    Mutant(
        'parameters: a shared one is two',
        _PARAMETERS,
        'if id(tensor) not in number:',
        'if True:',
        _OF_PARAMETERS,
    ),
    Mutant(
        'parameters: they are not put back',
        _PARAMETERS,
        '                module._parameters[name] = tensor\n',
        '                pass\n',
        _OF_PARAMETERS,
    ),
]
