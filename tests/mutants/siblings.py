"""Faults of the check whether a transform lets a pose know the others."""

from tests.mutants.mutant import Mutant

_CHECK = 'data/siblings/check.py'
_DISTURBED = 'data/siblings/disturbed.py'
_LIKENESS = 'data/siblings/likeness.py'
_PER_POSE = 'transforms/per_pose.py'
_REBUILT = 'data/rebuilt.py'
_STORAGE = 'data/storage.py'
_TWIN = 'data/siblings/twin.py'
_WRITTEN = 'data/siblings/written.py'

_OF_CHECK = ['data/siblings/test_check.py', 'transforms/test_pyg_table.py']
_OF_LIKENESS = ['data/siblings/test_likeness.py']
_OF_DISTURBED = ['data/siblings/test_disturbed.py']
_OF_PER_POSE = ['transforms/test_per_pose.py']

MUTANTS = [
    Mutant(
        'siblings: poses are not compared with poses alone',
        _CHECK,
        'if found and not draws:',
        'if False:',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: no other poses are tried',
        _CHECK,
        'if draws or not number:',
        'if False:',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: only the first set is looked at',
        _CHECK,
        'if count == 1 or number == _RANDOM:\n        return []',
        'if count == 1 or number:\n        return []',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: sets of another kind count as known',
        _CHECK,
        'bool(layout.receptor_size.any()),',
        'True,',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: other random numbers for a pose alone',
        _CHECK,
        '"""With the same random numbers."""\n        self.numbers.restore()',
        '"""With the same random numbers."""',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: the global random state is used up',
        _CHECK,
        '        finally:\n            after.restore()\n        calls[kind]',
        '        finally:\n            pass\n        calls[kind]',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: what fails for all poses together is not explained',
        _CHECK,
        'self._explain(error, looked, lone)\n            raise',
        'raise',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: tensors of the set may be written to',
        _CHECK,
        'if written:',
        'if False:',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: a failure for more neighbours is one',
        _CHECK,
        'if not rewired:\n                    raise',
        'raise',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: the same pairs keep their edges',
        _DISTURBED,
        'if rewired:',
        'if False:',
        [*_OF_DISTURBED, *_OF_CHECK],
    ),
    Mutant(
        'siblings: other poses have the same features',
        _DISTURBED,
        'return value + size * noise.to(value)',
        'return value',
        [*_OF_DISTURBED, *_OF_CHECK],
    ),
    Mutant(
        'siblings: rewired edges turn around',
        _DISTURBED,
        'falls = ends[0, joins] > ends[1, joins]',
        'falls = ends[0, joins] < ends[0, joins]',
        _OF_DISTURBED,
    ),
    Mutant(
        'siblings: a mirror image counts as moved',
        _LIKENESS,
        'last[-1] = torch.linalg.det(u @ v).sign()',
        'last[-1] = 1.0',
        [*_OF_LIKENESS, *_OF_CHECK],
    ),
    Mutant(
        'siblings: positions may differ in any way',
        _LIKENESS,
        'return bool(error <= _rounding(one.dtype) * max(size, 1.0))',
        'return True',
        _OF_LIKENESS,
    ),
    Mutant(
        'siblings: missing numbers differ',
        _LIKENESS,
        'same = (one == two) | (one.isnan() & two.isnan())',
        'same = one == two',
        _OF_LIKENESS,
    ),
    Mutant(
        'siblings: random numbers of a transform are used up',
        _TWIN,
        'return copy.deepcopy(value)',
        'return value',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: counts may change',
        _WRITTEN,
        'for key in COUNTS:',
        'for key in ():',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: names that batching changes are let in',
        _WRITTEN,
        "check_keys(new, 'what it added')",
        'pass',
        _OF_CHECK,
    ),
    Mutant(
        'siblings: PyG goes by numbers of rows',
        _STORAGE,
        'return parse(first).get(key) or level_by_name(key)',
        'return None',
        ['data/test_pyg.py', *_OF_CHECK],
    ),
    Mutant(
        'per pose: a receptor that differs is shared',
        _REBUILT,
        'if not all(_equal(fixed[key], first[key]) for key in fixed):',
        'if False:',
        _OF_PER_POSE,
    ),
    Mutant(
        'per pose: no receptor is shared',
        _REBUILT,
        'if receptor and same_atoms:',
        'if False:',
        _OF_PER_POSE,
    ),
    Mutant(
        'per pose: edges to the receptor are moved, too',
        _REBUILT,
        'torch.where(value < receptor, value, value + shift)',
        'value + shift',
        _OF_PER_POSE,
    ),
    Mutant(
        'per pose: bonds stay where they were',
        _PER_POSE,
        'ends = place[bonds',
        'ends = torch.arange(len(place))[bonds',
        _OF_PER_POSE,
    ),
    Mutant(
        'per pose: PyG sees bonds',
        _PER_POSE,
        'if of_pyg:\n        for key in bonds:',
        'if False:\n        for key in bonds:',
        _OF_PER_POSE,
    ),
    Mutant(
        'per pose: edges need not follow',
        _PER_POSE,
        "and _equal(out.get('edge_index'), edges)",
        'and False',
        _OF_PER_POSE,
    ),
]
