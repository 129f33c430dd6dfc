"""Faults of receptors that are evaluated once."""

from tests.mutants.mutant import Mutant

_CACHE = 'gradient/receptors/cache.py'
_RECEPTORS = 'gradient/receptors/receptors.py'
_SHARING = 'gradient/receptors/sharing.py'

_OF_CACHE = ['gradient/receptors/test_cache.py']
_STATE = 'contracts/test_shared_state.py'

MUTANTS = [
    Mutant(
        'cache: states that were written to',
        _CACHE,
        'entry.receptor == look and entry.untouched',
        'entry.receptor == look',
        _OF_CACHE,
    ),
    Mutant(
        'cache: states are copied with gradient too',
        _CACHE,
        'if isinstance(leaf, Tensor) and leaf.grad_fn and leaf._base is None:',
        'if False:',
        _OF_CACHE,
    ),
    Mutant(
        'cache: views are not copied with gradient',
        _CACHE,
        'and leaf.grad_fn and leaf._base is None:',
        'and leaf.grad_fn:',
        _OF_CACHE,
    ),
    Mutant(
        'cache: what was overwritten is taken',
        _CACHE,
        'if not all(entry.unwritten for entry in entries):',
        'if False:',
        _OF_CACHE,
    ),
    Mutant(
        'cache: any receptor is the one that is known',
        _CACHE,
        'entry.receptor == look and entry.untouched',
        'entry.untouched',
        _OF_CACHE,
    ),
    Mutant(
        'cache: models that change themselves',
        _CACHE,
        'if drew or self._model != after:',
        'if drew:',
        _OF_CACHE,
    ),
    Mutant(
        'cache: models that draw',
        _CACHE,
        'if drew or self._model != after:',
        'if self._model != after:',
        _OF_CACHE,
    ),
    Mutant(
        'cache: the model holds what is compared',
        _CACHE,
        'encode(receptors[number].clone())',
        'encode(receptors[number])',
        _OF_CACHE,
    ),
    Mutant(
        'cache: autocast does not count',
        _CACHE,
        'out += [on, torch.get_autocast_dtype(kind)]',
        'pass',
        _OF_CACHE,
    ),
    Mutant(
        'cache: it is kept with gradient',
        _CACHE,
        '        if torch.is_grad_enabled():\n            self.clear()\n',
        '        if torch.is_grad_enabled():\n',
        _OF_CACHE,
    ),
    Mutant(
        'cache: parts that nobody can compare',
        _CACHE,
        'return self._known and self.unwritten',
        'return self.unwritten',
        _OF_CACHE,
    ),
    Mutant(
        'receptors: leaves of equal ones become one',
        _RECEPTORS,
        'if own:',
        'if False:',
        [f'{_STATE}::test_positions_and_loss_on_poses'],
    ),
    Mutant(
        'receptors: one that is dropped keeps its poses',
        _RECEPTORS,
        'self.of_pose[self.of_pose == index] = -1',
        'pass',
        [
            'nn/sharing/test_shared_receptor.py'
            '::test_auto_shares_where_it_saves',
            _STATE,
        ],
    ),
    Mutant(
        'receptors: one name for two',
        'data/receptors.py',
        'check_names(names, out, layout)',
        'pass',
        [f'{_STATE}::test_one_name_for_two_receptors'],
    ),
    Mutant(
        'receptors: a state takes the tensors of another',
        _RECEPTORS,
        'kept.append(_Place(len(self.tensors)))',
        'kept.append(_Place(len(kept)))',
        [f'{_STATE}::test_parity', 'nn/sharing/test_shared_layers.py'],
    ),
    Mutant(
        'sharing: where nothing is saved',
        _SHARING,
        'return each is None or number >= MANY or 1 + number * each <= number',
        'return True',
        [
            'nn/sharing/test_shared_receptor.py'
            '::test_auto_shares_where_it_saves',
        ],
    ),
    Mutant(
        'sharing: the bound is what it costs',
        'gradient/receptors/sharing.py',
        'if each is None or not _gains(len(poses), each):',
        'if each is None:',
        ['gradient/receptors/test_sharing.py'],
    ),
    Mutant(
        'shared receptor: the bound has a layer too few',
        'nn/sharing/shared_receptor.py',
        'layers = number if moved else number - 1',
        'layers = max(number - 2, 0)',
        ['nn/sharing/test_shared_receptor.py'],
    ),
    Mutant(
        'snapshot: no hooks of any name are seen',
        'gradient/replay/snapshot.py',
        'if key in _HOOKS and type(value) is OrderedDict and not value:',
        'if type(value) is OrderedDict:',
        ['gradient/replay/test_snapshot.py'],
    ),
    Mutant(
        'sharing: of one pose',
        _SHARING,
        'if number < 2:',
        'if False:',
        [
            f'{_STATE}::test_who_shares_and_why_not',
            'nn/sharing/test_shared_receptor.py'
            '::test_auto_shares_where_it_saves',
        ],
    ),
]
