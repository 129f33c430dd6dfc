"""Which errors are allowed: reasons that the package may give, narrowly.

An error is allowed only if a rule below applies to what was drawn *and* its
text says the reason. Everything else is a failure of the case.
"""

from __future__ import annotations

import re

from tests.random_cases.case import RUNNING, Case
from tests.random_cases.models import Built

#: Why a model that can share its receptor does not, as plans say it.
NO_NEED = (
    r'^whole complexes.*(asked for|no set has a receptor|several poses|'
    r'would cost|gradient=.store)'
)
CHANGED = (
    r'chang|does not reproduce|modified by an inplace operation|'
    r'different number of tensors was saved'
)


def in_forward(
    case: Case, built: Built, args: dict, batch: int, changed: bool
) -> list[tuple[str, str]]:
    """Reasons for a refusal when a readout is built, set or called.

    Args:
        case: The case.
        built: Its model, as it is now.
        args: The arguments of the readout, as they are now.
        batch: Number of the batch.
        changed: Whether the user changed what the model computes, or the mask
            of the ligand, since it was built.
    """
    spec = case.batches[batch]
    mode, share = args['gradient'], args['share_receptor']
    rules = []
    if mode == 'stream' and case.combination not in RUNNING:
        rules.append(('no running form', r"gradient='stream'.*running form"))
    if mode in ('stream', 'store'):
        if spec.leaf:
            rules.append(('leaf', rf"gradient='{mode}'.*require grad"))
        if built.width > 1:
            rules.append(('vector', rf"gradient='{mode}'.*returned 3"))
    if mode == 'store' and share is True:
        rules.append(('store and share', "share_receptor=True.*'store'"))
    if share is True and (
        not built.shares
        or changed
        or spec.contradicts
        or not spec.has_receptor
    ):
        rules.append(('sharing', r'(?i)shar.*receptor|receptor.*shar'))
    if mode == 'auto' and (args['memory_budget'] or 10**9) < 10**9:
        rules.append(('budget', r'memory_budget=\d+ bytes is not enough'))
    if built.leaves and mode != 'full':
        rules.append(('closure', r'requires grad and is neither'))
    rules += _replaced(case, args)
    hooked = 'hook' in case.twists or 'hook' in {e[0] for e in case.events}
    if case.kind == 'forces' and hooked and 'checkpoints' in case.twists:
        # What it makes a leaf is another tensor, which the batch has not.
        rules.append(('leaf inside', r'requires grad and is neither'))
    if built.bare and mode in ('stream', 'store', 'recompute'):
        rules.append(('gradients inside', r"gradient='full'"))
    return rules


def in_backward(
    case: Case, built: Built, args: dict, mode: str, double: bool
) -> list[tuple[str, str]]:
    """Reasons for a refusal when autograd comes.

    Args:
        case: The case.
        built: Its model.
        args: The arguments of the readout.
        mode: The mode that the last call ran in.
        double: Whether second derivatives were asked for, or a batch of
            gradients.
    """
    rules = []
    if mode == 'stream' and case.loss in ('poses', 'pose', 'both'):
        rules.append(('pose loss', r"gradient='stream'"))
    if double and mode != 'full':
        rules.append(('more than one gradient', r"gradient='full'"))
    # `auto` may replay poses whose graph it holds, beside some without weight.
    if built.leaves and args['gradient'] != 'full':
        rules.append(('closure', r'requires grad and is neither'))
    if 'own-buffer' in case.twists and ('no_grad', 0) in case.events:
        # Such a call writes to it, maybe between forward and backward.
        rules.append(('changed', "between forward and backward: .*'own'"))
    return rules + _replaced(case, args)


def _replaced(case: Case, args: dict) -> list[tuple[str, str]]:
    """A forward of an object goes on with the module that was replaced."""
    events = [event[0] for event in case.events]
    forwards = 'instance' in case.twists or 'override' in events
    if not forwards or 'replace' not in events:
        return []
    if args['gradient'] == 'full':
        return []
    return [('replaced', r'requires grad and is neither')]


def reason(error: Exception, rules: list[tuple[str, str]]) -> str | None:
    """The rule that allows an error, if there is one."""
    if type(error).__name__ not in (
        'ValueError',
        'RuntimeError',
        'CheckpointError',
        'VectorPredictionError',
        'Mismatch',
    ):
        return None
    text = str(error)
    for name, pattern in rules:
        if re.search(pattern, text, re.DOTALL):
            return name
    return None
