"""Faults of atoms of a receptor that have moved in poses."""

from tests.mutants.mutant import Mutant

_ATOMS = 'data/moved_atoms.py'
_COMPLEXES = 'data/complexes.py'
_LAYOUT = 'data/layout.py'
_POCKET = 'transforms/pocket_cut.py'
_REACH = 'nn/sharing/reach.py'
_RECEPTOR = 'nn/sharing/shared_receptor.py'
_REPLAY = 'nn/sharing/replay.py'
_ROWS = 'data/moved_rows.py'
_SHARING = 'gradient/receptors/sharing.py'

_OF_ATOMS = ['data/test_moved_atoms.py']
_OF_COMPLEXES = ['data/test_complexes.py']
_OF_ERRORS = ['data/test_moved_atoms_errors.py']
_OF_SHARING = ['nn/sharing/test_moved_atoms.py']
_OF_TRANSFORMS = ['transforms/test_moved_atoms.py']

MUTANTS = [
    Mutant(
        'moved rows: absent atoms stay',
        _ROWS,
        'rows = np.delete(rows, gone[absent] - receptor.start)',
        'pass',
        _OF_ATOMS,
    ),
    Mutant(
        'moved rows: the first atom of a ligand has moved',
        _ROWS,
        'ligand[stands[~absent] - own.start] = False',
        'ligand[stands - own.start] = False',
        _OF_ATOMS,
    ),
    Mutant(
        'moved rows: edges with one end that is gone stay',
        _ROWS,
        '~is_gone[index[:, receptor]].any(axis=0)',
        '~is_gone[index[:, receptor]].all(axis=0)',
        _OF_ATOMS,
    ),
    Mutant(
        'moved rows: what is gone in a pose is so in the next',
        _ROWS,
        '        is_gone[gone] = False\n',
        '',
        _OF_ATOMS,
    ),
    Mutant(
        'moved rows: absent atoms count as moved',
        _ROWS,
        'before = offsets(self._is_moved)',
        'before = offsets(np.ones_like(self._is_moved))',
        _OF_ATOMS,
    ),
    Mutant(
        'moved rows: an edge to where an atom was',
        _ROWS,
        'if touched.any():',
        'if False:',
        _OF_ERRORS,
    ),
    Mutant(
        'moved rows: an atom in two places',
        _ROWS,
        'if (count > 1).any():',
        'if (count > 2).any():',
        _OF_ERRORS,
    ),
    Mutant(
        'moved rows: pairs of two atoms of a receptor',
        _ROWS,
        'np.flatnonzero(moved.count + moved.within)',
        'np.flatnonzero(moved.count)',
        _OF_ERRORS,
    ),
    Mutant(
        'layout: a complex has all atoms of its receptor',
        _LAYOUT,
        'return out if self.moved is None else out - self.moved.count',
        'return out',
        _OF_ATOMS,
    ),
    Mutant(
        'moved atoms: bonds of absent atoms',
        _ATOMS,
        '& ~absent[ends].any(dim=0)',
        '& ~absent[ends].all(dim=0)',
        _OF_ATOMS,
    ),
    Mutant(
        'moved atoms: their bonds lead to where they were',
        _ATOMS,
        'place[moved.index] = pose.size + torch.arange(',
        'place[moved.index] = -1 - torch.arange(',
        _OF_ATOMS,
    ),
    Mutant(
        'moved atoms: a place and none',
        _ATOMS,
        'gone = torch.cat([index, absent])\n    outside',
        'gone = index\n    outside',
        _OF_ERRORS,
    ),
    Mutant(
        'moved atoms: coordinates that are not finite',
        _ATOMS,
        "check_finite(new, f'{where}, moved atoms')",
        'pass',
        _OF_ERRORS,
    ),
    Mutant(
        'checks: keys that are rows of no table of a graph',
        'data/checks.py',
        "if level_by_name(key) == 'moved':",
        'if False:',
        _OF_ERRORS,
    ),
    Mutant(
        'levels: moved atoms are left out of a batch',
        'data/levels.py',
        "if 'moved_index' in declared and 'moved_index' not in keys:",
        'if False:',
        _OF_ERRORS,
    ),
    Mutant(
        'complexes: values other than positions are those of most',
        _COMPLEXES,
        'differ |= unlike',
        'pass',
        _OF_COMPLEXES,
    ),
    Mutant(
        'complexes: coordinates that are not finite are those of most',
        _COMPLEXES,
        "check_finite(data['pos'], where)",
        'pass',
        _OF_COMPLEXES,
    ),
    Mutant(
        'complexes: the receptor of each atom is another one',
        _COMPLEXES,
        'best[agreeing[usual] == agreeing.amax(dim=0)] = usual',
        'pass',
        _OF_COMPLEXES,
    ),
    Mutant(
        'complexes: what one other value tells is enough',
        _COMPLEXES,
        'unlike = unlike.any(dim=-1)',
        'unlike = unlike.all(dim=-1)',
        _OF_COMPLEXES,
    ),
    Mutant(
        'complexes: bonds with a ligand get lost',
        _COMPLEXES,
        'if across.any():',
        'if False:',
        _OF_COMPLEXES,
    ),
    Mutant(
        'complexes: snapped without a word',
        _COMPLEXES,
        'if near.numel():',
        'if False:',
        _OF_COMPLEXES,
    ),
    Mutant(
        'reach: atoms that have gone go on sending',
        _REACH,
        'if self.gone is None:\n            return None\n',
        'return None\n',
        _OF_SHARING,
    ),
    Mutant(
        'reach: atoms that have gone are reached',
        _REACH,
        'place[self.gone] = _GONE',
        'pass',
        _OF_SHARING,
    ),
    Mutant(
        'reach: what atoms sent to that have gone is as before',
        _REACH,
        'new = torch.cat([new, into[kept]])',
        'pass',
        _OF_SHARING,
    ),
    Mutant(
        'reach: layers hear atoms that have gone',
        _REACH,
        'kept = (sender != _GONE).nonzero().squeeze(1)',
        'kept = (sender != -3).nonzero().squeeze(1)',
        _OF_SHARING,
    ),
    Mutant(
        'shared receptor: atoms that have gone send twice',
        _RECEPTOR,
        '        -alone.source,',
        '        alone.source,',
        _OF_SHARING,
    ),
    Mutant(
        'shared receptor: the pose of an absent atom is the next',
        _RECEPTOR,
        'torch.searchsorted(end, stands, right=True)',
        'torch.searchsorted(end, stands + 1, right=True)',
        _OF_SHARING,
    ),
    Mutant(
        'pooling: atoms that have gone count',
        _RECEPTOR,
        'there[reach.gone] = False',
        'there[reach.gone] = True',
        _OF_SHARING,
    ),
    Mutant(
        'pooling: moved atoms are the ligand',
        _RECEPTOR,
        'return pool(ligand[is_ligand], reach.pose[is_ligand], number)',
        'return pool(ligand, reach.pose, number)',
        _OF_SHARING,
    ),
    Mutant(
        'replay: sums with atoms that have gone',
        _REPLAY,
        'left = left.index_add(0, pose, gone, alpha=-1)',
        'pass',
        _OF_SHARING,
    ),
    Mutant(
        'replay: extrema with atoms that have gone',
        _REPLAY,
        'out[atoms.gone] = False',
        'pass',
        _OF_SHARING,
    ),
    Mutant(
        'sharing: moved atoms contradict the mask',
        _SHARING,
        'expected[layout.moved.stands()] = False',
        'pass',
        _OF_SHARING,
    ),
    Mutant(
        'sharing: a strategy takes one receptor for all',
        _SHARING,
        "getattr(sharer, 'rigid_only', False)",
        'False',
        ['nn/strategy/test_moved_atoms.py'],
    ),
    Mutant(
        'witnesses: absent atoms are nothing new',
        'gradient/receptors/witnesses.py',
        'if (absent if poses is None else absent[np.asarray(poses)]).any():',
        'if False:',
        ['gradient/receptors/test_moved_atoms.py'],
    ),
    Mutant(
        'witnesses: moved atoms are those of a ligand',
        'gradient/receptors/witnesses.py',
        "out[moved] = _PARTS.index('moved')",
        'pass',
        ['gradient/receptors/test_moved_atoms.py'],
    ),
    Mutant(
        'pose edges: to where atoms have gone from',
        'transforms/pose_edges.py',
        'ends = ends[:, ~torch.isin(of_row[ends[1]] * size + ends[0], gone)]',
        'pass',
        _OF_TRANSFORMS,
    ),
    Mutant(
        'pose cap: a receptor is taken apart for nothing',
        'transforms/pose_cap.py',
        'if not any(cut):',
        'if False:',
        _OF_TRANSFORMS,
    ),
    Mutant(
        'pocket cut: atoms that have left stay near',
        _POCKET,
        'near = near[~torch.isin(of_ligand[point] * size + near, gone)]',
        'pass',
        _OF_TRANSFORMS,
    ),
    Mutant(
        'pocket cut: atoms that have come are far',
        _POCKET,
        'return torch.cat([near, atom[is_moved][moved]])',
        'return near',
        _OF_TRANSFORMS,
    ),
    Mutant(
        'pocket cut: near in another pose',
        _POCKET,
        'pos[stands[is_moved]], around, self.r, of_moved, of_ligand',
        'pos[stands[is_moved]], around, self.r',
        _OF_TRANSFORMS,
    ),
    Mutant(
        'pocket cut: one name for two pockets',
        _POCKET,
        'if self.around is None or _gone(pose_set)[0].numel():',
        'if self.around is None:',
        _OF_TRANSFORMS,
    ),
    Mutant(
        'planted energy: with the receptor of no pose',
        'transforms/planted_energy.py',
        "if pose_set.get('moved_index', z.new_empty(2, 0)).numel():",
        'if False:',
        _OF_TRANSFORMS,
    ),
]
