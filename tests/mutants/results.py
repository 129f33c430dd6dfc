"""Faults of what is made of predictions: strategies, losses, explanations."""

from tests.mutants.mutant import Mutant

_STRATEGY = ['nn/strategy/test_strategy.py', 'nn/strategy/test_parity.py']
_PARTS = ['nn/strategy/test_parts.py', *_STRATEGY]
_LOSS = ['nn/loss/test_label_losses.py', 'nn/loss/test_log_ndtr.py']
_POSES = ['nn/loss/test_pose_cross_entropy.py']
_AFFINITY = ['nn/affinity/test_affinity.py']
_EXPLAIN = ['explain/test_attribution.py', 'explain/test_atoms.py']
_MEMBERS = ['uncertainty/test_members.py']
_INTERVALS = ['uncertainty/test_intervals.py']

MUTANTS = [
    Mutant(
        'delta: the receptor is added',
        'nn/strategy/delta.py',
        'return whole - ligand - receptor',
        'return whole - ligand + receptor',
        _STRATEGY,
    ),
    Mutant(
        'delta: the ligand has the head of complexes',
        'nn/strategy/delta.py',
        "own = None if part == 'complex' else getattr(self, f'{part}_head')",
        'own = None',
        _STRATEGY,
    ),
    Mutant(
        'parts: the ligand part is that of the receptor',
        'nn/strategy/parts.py',
        '        poses.is_ligand,\n        graph[is_ligand],',
        '        ~poses.is_ligand,\n        graph[is_ligand],',
        _PARTS,
    ),
    Mutant(
        'parts: edges between ligand and receptor stay with the ligand',
        'nn/strategy/parts.py',
        'inside = keep[values[key]].all(dim=0)',
        'inside = keep[values[key]].any(dim=0)',
        _PARTS,
    ),
    Mutant(
        'loss: a bound counts from the wrong side',
        'nn/loss/gaussian_nll.py',
        'bound = -log_ndtr(labels.codes * z)',
        'bound = -log_ndtr(-labels.codes * z)',
        _LOSS,
    ),
    Mutant(
        'loss: bounds are taken for labels',
        'nn/loss/gaussian_nll.py',
        'each = torch.where(labels.codes == 0, each, bound)',
        'pass',
        _LOSS,
    ),
    Mutant(
        'loss: the derivative of a bound is off by a factor',
        'nn/loss/log_ndtr.py',
        'return grad * (math.sqrt(2 / math.pi) / mills)',
        'return grad * (math.sqrt(2) / mills)',
        _LOSS,
    ),
    Mutant(
        'affinity: pKi has the sign of the free energy',
        'nn/affinity/functional.py',
        '/ (-_LN_10 * per_kt',
        '/ (_LN_10 * per_kt',
        _AFFINITY,
    ),
    Mutant(
        'affinity: Cheng-Prusoff the wrong way round',
        'nn/affinity/functional.py',
        "check_values('pki', pki) - cheng",
        "check_values('pki', pki) + cheng",
        _AFFINITY,
    ),
    Mutant(
        'explain: the change when a pose is left out has the other sign',
        'explain/measures.py',
        'parts.append(without - together)',
        'parts.append(together - without)',
        _EXPLAIN,
    ),
    Mutant(
        'explain: another pose is left out',
        'explain/measures.py',
        '(number[:-1] >= left_out.unsqueeze(1)).long()',
        '(number[:-1] > left_out.unsqueeze(1)).long()',
        _EXPLAIN,
    ),
    Mutant(
        'explain: weights that are no distribution have an entropy',
        'explain/measures.py',
        'return out.masked_fill(~known, torch.nan)',
        'return out',
        _EXPLAIN,
    ),
    Mutant(
        'explain: a contribution is the gradient alone',
        'explain/atoms.py',
        'return flat, (flat * leaf.detach().reshape(flat.shape)).sum(dim=1)',
        'return flat, flat.sum(dim=1)',
        _EXPLAIN,
    ),
    Mutant(
        'uncertainty: members vary as a sample',
        'uncertainty/variance.py',
        'return self.members.var(dim=0, correction=0)',
        'return self.members.var(dim=0, correction=1)',
        _MEMBERS,
    ),
    Mutant(
        'uncertainty: the spread is about the plain mean',
        'uncertainty/variance.py',
        'square = (poses - mean[index]).square()',
        'square = (poses - poses.mean(0)).square()',
        _MEMBERS,
    ),
    Mutant(
        'uncertainty: coverage of the level is that of its complement',
        'uncertainty/coverage.py',
        'intervals.quantile(round(1 - level, 12))',
        'intervals.quantile(round(level, 12))',
        _INTERVALS,
    ),
]
