"""Faults of following a model of somebody else's through its layers."""

from tests.mutants.mutant import Mutant

_ATOMS = 'nn/sharing/changed_atoms.py'
_REPLAY = 'nn/sharing/replay.py'
_RECORDING = 'nn/sharing/recording.py'
_POOLINGS = 'nn/sharing/poolings.py'
_DECISIONS = 'nn/sharing/decisions.py'
_CALLS = 'nn/sharing/layer_calls.py'
_ARGUMENTS = 'nn/sharing/arguments.py'
_MODEL = 'nn/sharing/shared_model.py'

_TESTS = ['nn/sharing/test_shared_model.py']

MUTANTS = [
    Mutant(
        'followed: the sum that is left out counts changed atoms',
        _REPLAY,
        'left.index_add(0, atoms.pose, changed, alpha=-1)',
        'left.index_add(0, atoms.pose, changed, alpha=0)',
        _TESTS,
    ),
    Mutant(
        'followed: an extremum takes changed atoms as they were, too',
        _REPLAY,
        'out[atoms.pairs] = False',
        'pass',
        _TESTS,
    ),
    Mutant(
        'followed: a layer reads what is left of other atoms, not the record',
        _REPLAY,
        'recorded = known.atoms[place].index_select(0, step.others)',
        'recorded = value[step.first : step.first + len(step.others)]',
        _TESTS,
    ),
    Mutant(
        'followed: a layer returns zeros for atoms that did not change',
        _REPLAY,
        'recorded])\n\n        args, kwargs',
        '0 * recorded])\n\n        args, kwargs',
        _TESTS,
    ),
    Mutant(
        'followed: another layer than the recorded one is not noticed',
        _REPLAY,
        'if name != known.name or len(given.values) != len(known.kinds):',
        'if len(given.values) != len(known.kinds):',
        _TESTS,
    ),
    Mutant(
        'followed: fewer layers are not noticed',
        _REPLAY,
        'out.check()',
        'pass',
        _TESTS,
    ),
    Mutant(
        'followed: a step takes the edges of the step before',
        _ATOMS,
        'first = self.num_ligand + self._reach.atoms(layer + 1).numel()',
        'first = self.num_ligand + self._reach.atoms(layer).numel()',
        _TESTS,
    ),
    Mutant(
        'followed: sources keep only the edges that are evaluated',
        _ATOMS,
        'if not self._margin:',
        'if True:',
        _TESTS,
    ),
    Mutant(
        'followed: edge rows are those of the unsorted edges',
        _ATOMS,
        'self._recording.order[last.within],',
        'last.within,',
        _TESTS,
    ),
    Mutant(
        'followed: a layer that counts edges of sources reaches no further',
        _MODEL,
        'self.margin = int(reads_degrees(layers_of(model).values()))',
        'self.margin = 0',
        _TESTS,
    ),
    Mutant(
        'followed: what layers return besides rows of atoms is not noticed',
        _RECORDING,
        "if found != {'atoms'}:",
        'if False:',
        _TESTS,
    ),
    Mutant(
        'followed: a layer that is given the batch vector is not noticed',
        _RECORDING,
        'if any(value is graph.batch for value in given.values):',
        'if False:',
        _TESTS,
    ),
    Mutant(
        'followed: sums within a layer are taken for poolings',
        _RECORDING,
        'with poolings.off():',
        'with decisions.off():',
        _TESTS,
    ),
    Mutant(
        'followed: rows of graphs may come back to atoms',
        _POOLINGS,
        'if func in _TAKES and not self._off:',
        'if False:',
        _TESTS,
    ),
    Mutant(
        'followed: an index that is equal to the batch vector is not seen',
        _POOLINGS,
        'return self._is_batch(index) or torch.equal(\n'
        '            _column(index), self._batch\n        )',
        'return self._is_batch(index)',
        _TESTS,
    ),
    Mutant(
        'followed: a truth value that differs is not noticed',
        _DECISIONS,
        'if known is not None and list(known[number : number + 1]) != [out]:',
        'if False:',
        _TESTS,
    ),
    Mutant(
        'followed: layers within layers are followed as well',
        _CALLS,
        'inside.update(id(inner) for inner in module.modules())',
        'pass',
        _TESTS,
    ),
    Mutant(
        'followed: edges of its own are taken for those of the graph',
        _ARGUMENTS,
        'if same or torch.equal(value, self.edge_index):',
        'if True:',
        _TESTS,
    ),
    Mutant(
        'followed: a second pass in other chunks may go another way',
        'gradient/modes/second_pass.py',
        'except (Mismatch, UnsuitedError):',
        'except Mismatch:',
        _TESTS,
    ),
    Mutant(
        'followed: so may a chunk whose memory is measured',
        'nn/multi_pose_readout.py',
        'except UnsuitedError as error:  # it was measured, on a copy',
        'except KeyError as error:',
        _TESTS,
    ),
    Mutant(
        'followed: poses are not looked at alone',
        'gradient/receptors/agreement.py',
        'together.compare(each)',
        'pass',
        ['gradient/receptors/test_agreement.py'],
    ),
]
