"""What happens to the two copies of a case, in order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tests.random_cases.sets import BatchSpec, draw_batch

if TYPE_CHECKING:
    from tests.random_cases.case import Case


def some_bytes(rng: random.Random) -> int:
    """From too little for a pose to enough for all."""
    return int(10 ** rng.uniform(3.7, 5.2))


def draw_events(case: Case, rng: random.Random) -> list[tuple[Any, ...]]:
    """What happens, in order: names of methods of `worlds`, arguments."""
    program = rng.choice(
        ['plain'] * 4
        + ['several', 'twice', 'accumulate', 'subset', 'no-grad', 'double']
        + ['batched']
        + ['steps'] * 4
        + ['perturb'] * 4
    )
    if program == 'plain':
        return [('forward', 0, 0), ('backward', 0, False)]
    if program == 'several':
        first, second = rng.sample([0, 1], 2)
        return [
            ('forward', 0, 0),
            ('forward', 1, 0),
            ('backward', first, False),
            ('backward', second, False),
        ]
    if program == 'twice':
        return [
            ('forward', 0, 0),
            ('backward', 0, True),
            ('backward', 0, False),
        ]
    if program == 'accumulate':
        case.batches.append(draw_batch(rng, case.seed))
        return [
            ('forward', 0, 0),
            ('backward', 0, False),
            ('forward', 1, 1),
            ('backward', 1, False),
        ]
    if program == 'subset':
        return [
            ('forward', 0, 0),
            ('subset', 0, rng.random()),
            ('backward', 0, False),
        ]
    if program == 'no-grad':
        return [
            ('no_grad', 0),
            ('forward', 0, 0),
            ('no_grad', 0),
            ('backward', 0, False),
            ('no_grad', 0),
        ]
    if program in ('double', 'batched'):
        if rng.random() < 0.7:
            case.args['gradient'] = rng.choice(['full', 'auto'])
        return [('forward', 0, 0), (program, 0)]
    if program == 'perturb':
        if rng.random() < 0.4:
            case.args['gradient'] = 'recompute'
        what = rng.choice(
            ['scale', 'scale', 'data', 'data', 'data', 'negate', 'flip']
            + ['mirror'] * 3
            + ['rows', 'elements', 'buffer', 'exchange', 'frozen', 'hook']
            + ['attribute', 'reassign', 'thaw']
        )
        if what == 'mirror' and rng.random() < 0.5:
            # Predictions stay as they are, and gradients of positions do not.
            first = case.batches[0]
            case.batches[0] = BatchSpec(
                first.sets, first.batched, True, first.contradicts
            )
        return [('forward', 0, 0), ('perturbed', 0, what, rng.random())]
    events: list[tuple[Any, ...]] = []
    for number in range(rng.choice([2, 2, 3])):
        slot = number
        where = 0
        if rng.random() < 0.3 and len(case.batches) < 2:
            case.batches.append(draw_batch(rng, case.seed))
        where = rng.randrange(len(case.batches))
        if number:
            events.append(_between(rng))
        events += [('forward', slot, where), ('backward', slot, False)]
        events.append(('step',))
    return [event for event in events if event[0] != 'nothing']


def _between(rng: random.Random) -> tuple[Any, ...]:
    """What a user does between two steps."""
    what = rng.choice(
        ['nothing'] * 5
        + ['flip', 'replace', 'hook', 'override', 'no_grad', 'thaw', 'gate']
        + ['mode', 'mode', 'share', 'share', 'budget', 'chunk', 'mask']
    )
    if what == 'mode':
        mode = rng.choice(['full', 'store', 'stream', 'recompute', 'auto'])
        return ('set', 'gradient', mode)
    if what == 'share':
        return ('set', 'share_receptor', rng.choice([True, False, 'auto']))
    if what == 'budget':
        return ('set', 'memory_budget', rng.choice([None, some_bytes(rng)]))
    if what == 'chunk':
        return ('set', 'max_nodes_per_chunk', rng.choice([None, 1, 35]))
    if what == 'no_grad':
        return ('no_grad', 0)
    return (what, rng.random())
