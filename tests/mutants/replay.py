"""Faults of what makes a second pass the same as the first."""

from tests.mutants.mutant import Mutant

_BUFFERS = 'gradient/replay/buffers.py'
_COMPARISON = 'gradient/replay/comparison.py'
_FOREIGN = 'gradient/replay/foreign_leaf.py'
_PARAMETERS = 'gradient/replay/parameters.py'
_REPLAY = 'gradient/replay/replay.py'

_OF_BUFFERS = ['gradient/replay/test_buffers.py']
_OF_COMPARISON = ['gradient/replay/test_comparison.py']
_OF_PARAMETERS = ['gradient/replay/test_parameters.py']
_OF_REPLAY = ['gradient/replay/test_replay.py']
_UNUSUAL = 'contracts/test_unusual_models.py'

MUTANTS = [
    Mutant(
        'buffers: rewound too far',
        _BUFFERS,
        'stay if to_first_chunk else []',
        '',
        [*_OF_BUFFERS, *_OF_REPLAY],
    ),
    Mutant(
        'buffers: values are not put back',
        _BUFFERS,
        'if buffer is not None and not _equal(buffer, entry[1]):',
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
        [
            'contracts/test_randomness.py'
            '::test_generator_of_its_own_is_noticed',
            f'{_UNUSUAL}::test_numpy_noise_with_an_offset_is_noticed',
        ],
    ),
    Mutant(
        'comparison: an offset hides a difference',
        _COMPARISON,
        'torch.minimum(self._limit, (high - low) * 1e-3)',
        'self._limit * 1e6',
        [
            f'{_UNUSUAL}::test_coupled_poses_with_an_offset',
            f'{_UNUSUAL}::test_numpy_noise_with_an_offset_is_noticed',
        ],
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
