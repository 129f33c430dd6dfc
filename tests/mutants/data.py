"""Faults of pose sets and of where their rows are."""

from tests.mutants.mutant import Mutant

_FILES = 'data/files.py'
_GRAPHS = 'data/graphs.py'
_LAYOUT = 'data/layout.py'
_RECEPTORS = 'data/receptors.py'
_RUNS = 'data/runs.py'

_OF_BATCHING = ['data/test_batching.py']
_OF_CHANGES = ['data/test_changes.py']
_OF_FILES = ['data/test_files.py']
_OF_LAYOUT = ['data/test_layout.py']
_OF_RECEPTORS = ['data/test_receptors.py']
_OF_ROWS = ['data/test_rows.py']
_OF_TABLES = ['data/test_tables.py']

MUTANTS = [
    Mutant(
        'layout: reordered edges',
        _LAYOUT,
        'if (owner[1:] < owner[:-1]).any():',
        'if False:',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: edges between two poses',
        _LAYOUT,
        'stray &= other != receptor[owner]',
        'stray[:] = False',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: negative rows',
        _LAYOUT,
        'ends.view(np.uint64).max() >= self.num_nodes',
        'ends.max() >= self.num_nodes',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: tables with other rows',
        _LAYOUT,
        'if got is not None and got != expected[level]:',
        'if False:',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: the first atom of a ligand is taken for the receptor',
        _GRAPHS,
        'torch.where(old >= ligand[graph], by, shifts[0])',
        'torch.where(old > ligand[graph], by, shifts[0])',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: edges of neighbours keep their rows',
        _GRAPHS,
        'return moved.sub_(first) if first else moved',
        'return moved',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: atoms of a pose without its receptor',
        _LAYOUT,
        'out = self.receptor_size[self.set_of_pose] + self.pose_size',
        'out = self.pose_size',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: counts are those of the set',
        _LAYOUT,
        'return on_host(value).copy()',
        'return on_host(value)',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: PyG takes out graphs with rows of the batch',
        _GRAPHS,
        "incs[key] = slice_of['node'][:-1]",
        'pass',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: the first atom of a ligand, in a selection',
        _LAYOUT,
        'is_ligand = old >= first',
        'is_ligand = old > first',
        _OF_CHANGES,
    ),
    Mutant(
        'layout: a selection with edges to another receptor',
        _LAYOUT,
        'own = self._receptor_segment[self.set_of_pose[chosen]]',
        'own = np.repeat(self._receptor_segment[receptor], len(chosen))',
        [*_OF_LAYOUT, 'nn/sharing/test_shared_receptor.py::test_parity'],
    ),
    Mutant(
        'layout: a set without poses',
        'data/checks.py',
        'if 0 in sizes:',
        'if False:',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: tables of poses in another order',
        _GRAPHS,
        'return [value[pose] for pose in poses]',
        'return [value[pose] for pose in sorted(poses)]',
        [*_OF_LAYOUT, *_OF_CHANGES],
    ),
    Mutant(
        'layout: lists of sets are not joined',
        _GRAPHS,
        'if value and isinstance(value[0], list):',
        'if False:',
        [*_OF_LAYOUT, *_OF_BATCHING, *_OF_CHANGES],
    ),
    Mutant(
        'layout: edges beyond the last atom',
        _LAYOUT,
        'if ends.size and ends.view(np.uint64).max() >= self.num_nodes:',
        'if ends.size and ends.view(np.uint64).max() > self.num_nodes:',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: neighbours that do not start at zero',
        _GRAPHS,
        'return moved.sub_(first) if first else moved',
        'return moved.sub_(first) if first > 1 else moved',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: a pose is called by its number in the batch',
        _LAYOUT,
        'pose {pose - self.set_ptr[index]}',
        'pose {pose}',
        _OF_LAYOUT,
    ),
    Mutant(
        'layout: counts that do not fit',
        'data/checks.py',
        'if got != expected:\n            raise ValueError(\n'
        "                f\"'{key}' has {got} entries",
        'if got > expected:\n            raise ValueError(\n'
        "                f\"'{key}' has {got} entries",
        _OF_LAYOUT,
    ),
    Mutant(
        'runs: neighbours are not joined',
        _RUNS,
        'sizes[-1] += size',
        'sizes[-1] = size',
        _OF_LAYOUT,
    ),
    Mutant(
        'runs: gradients get lost',
        _RUNS,
        'rows = to_device(self.rows(), table.device)',
        'rows = to_device(self.rows(), table.device).sort().values',
        _OF_LAYOUT,
    ),
    Mutant(
        'receptors: sums of bits are all that counts',
        _RECEPTORS,
        'value.shape == other[key].shape and torch.equal(value, other[key])',
        'True',
        _OF_RECEPTORS,
    ),
    Mutant(
        'receptors: minus zero is another number',
        _RECEPTORS,
        'value = value + 0.0',
        'pass',
        _OF_RECEPTORS,
    ),
    Mutant(
        'receptors: edges are counted from the first atom of the batch',
        _RECEPTORS,
        'tables[key][:, rows] - atoms.start',
        'tables[key][:, rows]',
        _OF_RECEPTORS,
    ),
    Mutant(
        'receptors: one name for two contents',
        _RECEPTORS,
        'if first != group:',
        'if False:',
        _OF_RECEPTORS,
    ),
    Mutant(
        'receptors: a digest without dtypes',
        _RECEPTORS,
        "f'{key} {value.dtype} {list(value.shape)} '",
        "f'{key} '",
        _OF_RECEPTORS,
    ),
    Mutant(
        'rows: a pose without atoms',
        'data/rows.py',
        'if not of_poses.all():',
        'if False:',
        _OF_ROWS,
    ),
    Mutant(
        'rows: edges that lost one end',
        'data/rows.py',
        "keep[pose_set[f'{name}_index']].all(dim=0)",
        "keep[pose_set[f'{name}_index']].any(dim=0)",
        _OF_ROWS,
    ),
    Mutant(
        'files: a slice is written with all it is a slice of',
        _FILES,
        'v.detach().cpu().clone()',
        'v.detach().cpu()',
        _OF_FILES,
    ),
    Mutant(
        'files: a newer version',
        _FILES,
        "if schema['version'] > VERSION:",
        'if False:',
        _OF_FILES,
    ),
    Mutant(
        'levels: sets with other keys',
        'data/levels.py',
        'if other != text[0]:',
        'if False:',
        ['data/test_levels.py'],
    ),
    Mutant(
        'checks: a whole complex as ligand',
        'data/checks.py',
        'isinstance(given, Tensor) and bool((given != expected).any())',
        'False',
        _OF_TABLES,
    ),
    Mutant(
        'checks: coordinates that are not finite',
        'data/tables.py',
        "if 'pos' in out and not bool(out['pos'].isfinite().all()):",
        'if False:',
        _OF_TABLES,
    ),
    Mutant(
        'pose set: bonds are not counted on in a batch',
        'data/pose_set.py',
        '        if key in INDICES:\n            return self.num_nodes\n',
        "        if key == 'edge_index':\n            return self.num_nodes\n",
        _OF_BATCHING,
    ),
    Mutant(
        'splits: a leak between two parts',
        'data/splits.py',
        'if len(where) > 1]',
        'if len(where) > 2]',
        ['data/test_splits.py'],
    ),
]
