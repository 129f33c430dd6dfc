"""What every transform of PyG does to pose sets, tried.

``python -m tests.transforms.pyg_table`` writes docs/pyg-transforms-table.md.
"""

import copy
import random
import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch_geometric

from benchmarks.table import markdown
from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import PerPose
from tests.transforms.pyg_cases import (
    CASES,
    set_of_graphs,
    set_with_receptor,
)

TABLE = Path(__file__).parents[2] / 'docs' / 'pyg-transforms-table.md'
SEEDS = (0, 1, 2)
HEADER = (
    'transform',
    'set with a receptor',
    'set of whole graphs',
    '`PerPose`',
    'why',
)


def seeded(seed=0):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def tried(case, make_set, per_pose=False):
    """What happens to some sets: a word, and an error if there is one."""
    words, error = [], None
    for seed in SEEDS:
        pose_set = make_set(seed, case.extra)
        before = pose_set.clone()
        transform = case.make(pose_set.pose(0) if per_pose else pose_set)
        transform = PerPose(transform) if per_pose else transform
        seeded(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                after = transform(pose_set)
        except Exception as found:
            words.append('refused')
            error = found
        else:
            words.append(outcome(before, after, per_pose, case.idle))
        assert unchanged(before, pose_set), f'{case.text} changes its input'
    for word in ('refused', 'whole complexes', 'one motion per set', 'works'):
        if word in words:
            return word, error
    return words[0], error


def outcome(before, after, per_pose, idle):
    """What became of a set."""
    if not isinstance(after, PoseSet):
        return f'returns a {type(after).__name__}'
    if unchanged(before, after) and not idle:
        return 'nothing to do'
    if per_pose:
        shared = after.receptor is not None
        return 'receptor shared' if shared else 'whole complexes'
    rest = [copy.copy(data) for data in (before, after)]
    for data in rest:
        del data.pos
    if not idle and unchanged(*rest) and is_one_motion(before.pos, after.pos):
        return 'one motion per set'
    return 'works'


def unchanged(one, two):
    """Whether two sets hold the same."""
    ours, theirs = one.to_dict(), two.to_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(value, theirs[key])
        if torch.is_tensor(value)
        else value == theirs[key]
        for key, value in ours.items()
    )


def is_one_motion(one, two):
    """Whether one affine map takes all atoms of a set where they are now."""
    ones = torch.ones(len(one), 1, dtype=one.dtype)
    table = torch.cat([one, ones], dim=1)
    found = torch.linalg.lstsq(table, two).solution
    return bool((table @ found - two).abs().max() < 1e-9)


def why(error):
    """Why a transform is refused, in a few words."""
    text = str(error)
    if 'lets a pose know' in text:
        return 'a pose would know the others'
    if 'joins atom' in text:
        return 'edges between poses'
    if 'were reordered' in text:
        return 'edges in another order'
    key = re.search(r"the key '(\w+)'|values of '(\w+)'", text)
    if key:
        return f'`{key[1] or key[2]}` would not outlive batching'
    if 'did not follow' in text:
        return 'edges do not follow their atoms'
    if re.search(r"\d+ rows, expected|sets 'num_nodes'", text):
        return 'another number of atoms'
    if 'has shape' in text:
        return 'not a row for each atom in all keys'
    if 'more than once' in text:
        return 'the same atom several times'
    made = re.search(r'(?:returned|makes) an? (\w+)', text)
    if made:
        return f'returns a {made[1]}'
    return f'fails with {type(error).__name__}'


def row(case):
    """The cells of a transform."""
    code = f'`{case.text.removeprefix("T.")}`'
    if case.library and not find_spec(case.library):
        return code, *3 * ('not tried',), f'needs {case.library}'
    cells = [
        tried(case, set_with_receptor),
        tried(case, set_of_graphs),
        tried(case, set_with_receptor, per_pose=True),
    ]
    reasons = [why(error) for _, error in cells if error is not None]
    if case.needs:
        reasons = [f'needs {case.needs}']
    elif cells[2][1] is not None and len(set(reasons)) > 1:
        reasons[-1] = f'`PerPose`: {reasons[-1]}'
    words = [word for word, _ in cells]
    return code, *words, '; '.join(dict.fromkeys(reasons))


def rows():
    return [row(case) for cases in CASES.values() for case in cases]


def table():
    """The page, as it has to be in the docs."""
    lines = markdown([HEADER, *rows()])
    return (
        '---\norphan: true\n---\n\n<!-- table -->\n'
        f'torch-geometric {torch_geometric.__version__}\n\n{lines}\n'
    )


if __name__ == '__main__':
    TABLE.write_text(table(), encoding='utf-8')
    print(f'{TABLE.name}: written')
