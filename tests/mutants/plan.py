"""Faults of chunks, of budgets and of the planner."""

from tests.mutants.mutant import Mutant

_BUDGET = 'gradient/plan/budget.py'
_CHUNKS = 'gradient/plan/chunks.py'
_MEMORY = 'gradient/plan/out_of_memory.py'
_ORDER = 'gradient/plan/best_first.py'
_PLANNER = 'gradient/plan/planner.py'

_OF_BEST_FIRST = [
    'gradient/plan/test_best_first.py',
    'contracts/test_best_first.py',
]
_OF_CHUNKS = ['gradient/plan/test_chunks.py']
_OF_MEMORY = [
    'gradient/plan/test_out_of_memory.py',
    'contracts/test_out_of_memory.py',
    'contracts/test_out_of_memory_later.py',
]
_LATELY = 'gradient/plan/lately.py'
_OF_LATELY = ['gradient/plan/test_lately.py']
_OF_PLANNER = ['gradient/plan/test_planner.py']
_BUDGETS = 'contracts/test_budget.py'
_SIDE = 'contracts/silent/test_side_effects.py'
_OF_PLANS = ['contracts/test_plans.py']

MUTANTS = [
    Mutant(
        'chunks: the pose that comes next is not counted',
        _CHUNKS,
        'total + nodes > max_nodes',
        'total > max_nodes',
        _OF_CHUNKS,
    ),
    Mutant(
        'chunks: they go on where groups end',
        _CHUNKS,
        'parts[end] != parts[end - 1]',
        'False',
        _OF_CHUNKS,
    ),
    Mutant(
        'chunks: some poses are cut by the sizes of others',
        _CHUNKS,
        'sizes = size[chosen].tolist()',
        'sizes = size[: len(chosen)].tolist()',
        _OF_CHUNKS,
    ),
    Mutant(
        'best first: the worst comes first',
        _ORDER,
        'score = -score',
        'pass',
        _OF_BEST_FIRST,
    ),
    Mutant(
        'best first: sets are mixed',
        _ORDER,
        'np.lexsort((score, layout.set_of_pose))',
        'np.lexsort((layout.set_of_pose, score))',
        _OF_BEST_FIRST,
    ),
    Mutant(
        'budget: parameters count as part of a graph',
        _BUDGET,
        'if storage.data_ptr() not in outside:',
        'if True:',
        _OF_PLANNER,
    ),
    Mutant(
        'budget: dense graphs weigh as much as others',
        _BUDGET,
        'round(math.log2(1 + evaluation.edges_per_node))',
        '0',
        _OF_PLANS,
    ),
    Mutant(
        'budget: one gradient for all sets',
        _BUDGET,
        'return math.ceil(size) * evaluation.layout.num_sets',
        'return math.ceil(size)',
        [*_OF_PLANNER, *_OF_PLANS],
    ),
    Mutant(
        'budget: the poses that were measured count',
        _BUDGET,
        'out.counts = Counts(evaluation.layout.num_poses)',
        'pass',
        _OF_PLANNER,
    ),
    Mutant(
        'lately: only the last step counts',
        _LATELY,
        'self._last if nearer else self._mean',
        'self._last',
        _OF_LATELY,
    ),
    Mutant(
        'lately: only the mean counts',
        _LATELY,
        'self._last if nearer else self._mean',
        'self._mean',
        _OF_LATELY,
    ),
    Mutant(
        'planner: among equals, what holds most',
        _PLANNER,
        'best = min(order, key=lambda name: costs[name])',
        'best = min([*order][::-1], key=lambda name: costs[name])',
        ['contracts/test_first_steps.py', 'gradient/plan/test_planner.py'],
    ),
    Mutant(
        'planner: a pose that does not fit',
        _PLANNER,
        'if pose * running > budget:',
        'if False:',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: no room for the chunk that runs',
        _PLANNER,
        'room = limit - running * max(sizes)',
        'room = limit',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: nothing beside the graph of the chunk that runs',
        _PLANNER,
        'running *= RUNNING',
        'pass',
        [*_OF_PLANNER, 'contracts/test_budget.py'],
    ),
    Mutant(
        'planner: stream takes any number of sets',
        _PLANNER,
        'if no_stream is None and sums > room:',
        'if False:',
        [*_OF_PLANS, *_OF_PLANNER],
    ),
    Mutant(
        'planner: the last graph is never held',
        _PLANNER,
        'if keep == len(sizes) - 1 and total + moment <= limit:',
        'if False:',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: a second pass takes no forward pass',
        _PLANNER,
        'again = share * (1 + BACKWARD)',
        'again = share * BACKWARD',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: one chunk is always held',
        _PLANNER,
        'if BACKWARD <= share * (1 + BACKWARD):',
        'if True:',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: it counts on poses that are not drawn',
        _PLANNER,
        'share = min(share, float(most) / layout.num_poses)',
        'pass',
        ['gradient/modes/test_sampling.py::test_planner_counts_on_at_most_k'],
    ),
    Mutant(
        'planner: receptors cost nothing',
        _PLANNER,
        'budget = self.budget - receptors',
        'budget = self.budget',
        ['contracts/test_budget.py::test_never_above_the_budget'],
    ),
    Mutant(
        'out of memory: chunks are halved once',
        _MEMORY,
        'while most_nodes >= nodes:',
        'if most_nodes >= nodes:',
        _OF_MEMORY,
    ),
    Mutant(
        'out of memory: chunks that must stay are cut',
        _MEMORY,
        'if not stay:\n        return most_nodes',
        'if most_nodes:\n        return most_nodes',
        [
            'contracts/test_out_of_memory.py'
            '::test_chunks_that_were_asked_for_stay',
        ],
    ),
    Mutant(
        'out of memory: poses are drawn anew',
        _MEMORY,
        '            if generator is not None and state is not None:\n'
        '                generator.set_state(state)\n'
        '            if not isinstance(',
        '            if not isinstance(',
        _OF_MEMORY,
    ),
    Mutant(
        'out of memory: a pass that is run again leaves a trace',
        _MEMORY,
        'evaluation.replay.rewind()',
        'pass',
        [*_OF_MEMORY, 'contracts/test_boundaries.py'],
    ),
    Mutant(
        'out of memory: what was learned is forgotten',
        _MEMORY,
        'return min(filter(None, (fits, asked)), default=None)',
        'return asked',
        _OF_MEMORY,
    ),
    Mutant(
        'out of memory: all graphs are held again',
        _MEMORY,
        'self._most_bytes[kind] = most\n',
        'pass\n',
        _OF_MEMORY,
    ),
    Mutant(
        'out of memory: what a second pass learned is lost',
        _MEMORY,
        'self._most_nodes[self._last[0]] = self._last[1].most_nodes',
        'pass',
        _OF_MEMORY,
    ),
    Mutant(
        'out of memory: a model that draws is cut anew',
        _MEMORY,
        '        if self.whole(evaluation):\n            stay = WHOLE\n',
        '',
        _OF_MEMORY,
    ),
    Mutant(
        'best first: all keys begin with a minus',
        _ORDER,
        "if key.startswith('-'):",
        'if True:',
        _OF_BEST_FIRST,
    ),
    Mutant(
        'best first: keys of atoms',
        _ORDER,
        "layout.levels.get(name) != 'pose'\n        or ",
        '',
        _OF_BEST_FIRST,
    ),
    Mutant(
        'planner: the order of what is held',
        _PLANNER,
        'for size in reversed(sizes):',
        'for size in sizes:',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: a model that cannot be measured breaks the budget',
        _PLANNER,
        '        if self.budget is not None:\n            raise ValueError(\n'
        "                f'memory_budget={self.budget} bytes cannot",
        '        if False:\n            raise ValueError(\n'
        "                f'memory_budget={self.budget} bytes cannot",
        [*_OF_PLANNER, 'contracts/silent/test_table.py', _SIDE, _BUDGETS],
    ),
    Mutant(
        'planner: half of what is free is all of it',
        _PLANNER,
        '    return pages // 2\n',
        '    return pages\n',
        _OF_PLANNER,
    ),
    Mutant(
        'planner: chunks that must stay are cut anew',
        _PLANNER,
        "if free_chunks and not whole and device.type == 'cpu':",
        "if free_chunks and device.type == 'cpu':",
        [*_OF_PLANNER, *_OF_PLANS, 'contracts/test_boundaries.py'],
    ),
    Mutant(
        'budget: the states of receptors weigh nothing',
        _BUDGET,
        'size = states + sum(',
        'size = sum(',
        [*_OF_PLANNER, *_OF_PLANS, _BUDGETS],
    ),
    Mutant(
        'budget: the model itself is measured',
        _BUDGET,
        'out.sharer = twin(evaluation.sharer)',
        'out.sharer = evaluation.sharer',
        [*_OF_PLANNER, *_OF_PLANS, _SIDE],
    ),
]
