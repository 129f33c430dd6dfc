"""Faults of single-pose models that compute a receptor once."""

from tests.mutants.mutant import Mutant

_LAYERS = 'nn/sharing/shared_layers.py'
_REACH = 'nn/sharing/reach.py'
_SEARCH = 'nn/sharing/reach_search.py'
_OF_SEARCH = ['nn/sharing/test_reach_search.py']
_RECEPTOR = 'nn/sharing/shared_receptor.py'

_OF_LAYERS = 'nn/sharing/test_shared_layers.py'
_OF_RECEPTOR = 'nn/sharing/test_shared_receptor.py'
_LAYER_PARITY = [f'{_OF_LAYERS}::test_parity']
_PARITY = [f'{_OF_RECEPTOR}::test_parity']
_DEPTHS = [f'{_OF_RECEPTOR}::test_layers_and_readouts']

MUTANTS = [
    Mutant(
        'reach: one layer less matters',
        _REACH,
        'min(layer, num_layers - layer)',
        'min(layer, max(num_layers - layer - 1, 0))',
        _DEPTHS,
    ),
    Mutant(
        'reach: atoms that are reached later sent already',
        _REACH,
        'torch.where(place < before, place, alone)',
        'torch.where(place < self._place.numel(), place, alone)',
        _PARITY,
    ),
    Mutant(
        'reach: messages to atoms that do not matter',
        _REACH,
        'if 0 < after <= depth',
        'if False',
        [*_PARITY, *_DEPTHS],
    ),
    Mutant(
        'reach on a device: an atom is reached again',
        _SEARCH,
        '(new > 0) & (depth == depths)',
        'new > 0',
        _OF_SEARCH,
    ),
    Mutant(
        'reach on a device: a depth less',
        _SEARCH,
        'depths = min(most, most_senders + 1)',
        'depths = min(most, most_senders)',
        _OF_SEARCH,
    ),
    Mutant(
        'reach on a device: atoms of a depth in any order',
        _SEARCH,
        'pairs = depth.argsort(stable=True)',
        'pairs = depth.flip(0).argsort(stable=True)',
        _OF_SEARCH,
    ),
    Mutant(
        'reach on a device: each mask is asked for',
        _SEARCH,
        'if masks.is_cpu:',
        'if True:',
        _OF_SEARCH,
    ),
    Mutant(
        'reach on a device: the length of ranges is asked for',
        _SEARCH,
        'repeat_interleave(count, output_size=total)',
        'repeat_interleave(count)',
        _OF_SEARCH,
    ),
    Mutant(
        'reach: an atom is reached twice',
        _REACH,
        '(mark & (place == -1))',
        'mark',
        _PARITY,
    ),
    Mutant(
        'reach: atoms without a row are taken for reached',
        _REACH,
        'alone = (place < 0) | (place >= rows)',
        'alone = place < 0',
        _LAYER_PARITY,
    ),
    Mutant(
        'reach: ligand edges into the receptor are left out',
        _REACH,
        'kept[self._into] = bool(after)',
        'kept[self._into] = False',
        _LAYER_PARITY,
    ),
    Mutant(
        'shared receptor: reached atoms send twice',
        _RECEPTOR,
        '                        before,\n                    )',
        '                    )',
        _PARITY,
    ),
    Mutant(
        'shared receptor: sums of the receptor alone are left out',
        _RECEPTOR,
        '_below(alone.aggregated, after, num_ligand)',
        '0 * _below(alone.aggregated, after, num_ligand)',
        _PARITY,
    ),
    Mutant(
        'shared receptor: newly reached atoms are other ones',
        _RECEPTOR,
        'alone.x.index_select(0, after[before.numel() :])',
        'alone.x.index_select(0, after[: after.numel() - before.numel()])',
        _PARITY,
    ),
    Mutant(
        'shared receptor: filters of other edges',
        _RECEPTOR,
        'None if state.rows is None else state.rows[reach.edges]',
        'None',
        _PARITY,
    ),
    Mutant(
        'shared receptor: edges of the ligand may go one way',
        _RECEPTOR,
        'ligand_only and is_symmetric(edges, poses.z.size(0))',
        'ligand_only',
        [f'{_OF_RECEPTOR}::test_way_back_that_is_shorter'],
    ),
    Mutant(
        'shared receptor: edges of the receptor may go one way',
        _RECEPTOR,
        "self.atoms == 'ligand' and state.symmetric",
        "self.atoms == 'ligand'",
        [f'{_OF_RECEPTOR}::test_way_back_that_is_shorter'],
    ),
    Mutant(
        'shared receptor: unchanged atoms do not contribute',
        _RECEPTOR,
        'receptors = alone.repeat(number, 1)',
        'receptors = alone.repeat(number, 1) * 0',
        _PARITY,
    ),
    Mutant(
        'shared receptor: filters cost as much as messages',
        _RECEPTOR,
        '(1 - self.filter_share) * differing\n'
        '        return work / max(whole * number, 1)',
        'differing\n        return work / max(whole * number, 1)',
        [
            f'{_OF_RECEPTOR}::test_cost',
            f'{_OF_RECEPTOR}::test_cost_of_any_depth',
        ],
    ),
    Mutant(
        'shared receptor: elements of atoms that are reached',
        _RECEPTOR,
        'torch.cat([poses.z[size:], poses.z[atoms]])',
        'torch.cat([poses.z[size:], poses.z[: len(atoms)]])',
        [f'{_OF_RECEPTOR}::test_references_of_elements'],
    ),
    Mutant(
        'shared layers: rows of unchanged atoms in another order',
        _LAYERS,
        'torch.cat([after[before.numel() :], step.others])',
        'torch.cat([step.others, after[before.numel() :]])',
        _LAYER_PARITY,
    ),
    Mutant(
        'shared layers: edges of the receptor may go one way',
        _LAYERS,
        "self.atoms == 'ligand' and state.symmetric",
        "self.atoms == 'ligand'",
        [f'{_OF_LAYERS}::test_way_back_that_is_shorter'],
    ),
    Mutant(
        'shared layers: attributes of other edges',
        _LAYERS,
        'state.edge_attr[step.within]',
        'state.edge_attr[: len(step.within)]',
        _LAYER_PARITY,
    ),
    Mutant(
        'shared layers: atoms that do not matter stay',
        _LAYERS,
        'x = x[: reach.pose.numel() + after.numel()]',
        'pass',
        _LAYER_PARITY,
    ),
]
