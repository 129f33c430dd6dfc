import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_multipose.data import PoseSet
from pyg_multipose.data.receptors import digest

ATOMS = 5


def make_set(shift=0.0, receptor_name=None, name=None, edges=None, z=1):
    receptor = Data(
        pos=torch.arange(3.0 * ATOMS).view(ATOMS, 3) + shift,
        z=torch.full((ATOMS,), z),
    )
    if edges is not None:
        receptor.edge_index = torch.tensor(edges).view(2, -1)
    ligands = [Data(pos=torch.randn(n, 3), z=torch.ones(n)) for n in (2, 3)]
    for ligand in ligands:
        ligand.z = ligand.z.long()
        if edges is not None:
            ligand.edge_index = torch.tensor([[0], [1]])
    return PoseSet.from_complex(
        receptor, ligands, name=name, receptor_name=receptor_name
    )


def groups(*sets):
    return Batch.from_data_list(list(sets)).receptor_groups().tolist()


def test_groups_are_by_content_not_by_identity():
    a, b = make_set(), make_set()
    assert a.pos is not b.pos
    assert groups(a, b, make_set(1.0), a, make_set(1.0)) == [0, 0, 2, 0, 2]


def test_a_single_set_is_a_group():
    assert make_set().receptor_groups().tolist() == [0]
    none = PoseSet.from_poses([Data(pos=torch.zeros(2, 3))])
    assert none.receptor_groups().tolist() == [-1]


def test_every_key_counts():
    assert groups(make_set(), make_set(z=2)) == [0, 1]
    one, two, three = (
        make_set(edges=edges)
        for edges in ([[0, 1], [1, 0]], [[0, 1], [1, 0]], [[0, 1], [1, 2]])
    )
    assert groups(one, two, three) == [0, 0, 2]
    more = make_set(edges=[[0, 1, 2], [1, 0, 2]])
    assert groups(more, one, two) == [0, 1, 1]


def test_rows_in_another_order_are_another_receptor():
    """Their sums agree, so this reaches the comparison row by row."""
    one, two = make_set(), make_set()
    two.pos[:ATOMS] = two.pos[:ATOMS].flip(0)
    assert groups(one, two, one) == [0, 1, 0]


def test_ligands_do_not_count():
    one, two = make_set(), make_set()
    two.pos[ATOMS:] += 1.0
    assert groups(one, two) == [0, 0]
    assert groups(one, one.select([1])) == [0, 0]


def test_minus_zero_is_zero():
    one, two = make_set(), make_set()
    two.pos[0, 0] = -0.0
    assert one.pos[0, 0] == 0.0
    assert groups(one, two) == [0, 0]


def test_not_a_number_is_never_equal():
    one, two = make_set(), make_set()
    one.pos[0, 0] = two.pos[0, 0] = float('nan')
    assert groups(one, two) == [0, 1]


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float64, torch.complex64]
)
def test_other_dtypes(dtype):
    sets = [make_set(shift) for shift in (0.0, 0.0, 1.0)]
    for of_set in sets:
        of_set.pos = of_set.pos.to(dtype)
    assert groups(*sets) == [0, 0, 2]


def test_sets_with_and_without_receptor_share_a_batch():
    empty = PoseSet.from_complex(
        Data(pos=torch.empty(0, 3), z=torch.empty(0).long()),
        [Data(pos=torch.zeros(2, 3), z=torch.ones(2).long())],
    )
    assert groups(empty, make_set(), empty, make_set()) == [-1, 1, -1, 1]
    empty.receptor_name = 'Mpro'
    named = make_set(receptor_name='Mpro')
    assert groups(empty, named, empty) == [-1, 1, -1]


def test_gradients_do_not_matter():
    batch = Batch.from_data_list([make_set(), make_set()])
    batch.pos.requires_grad_()
    assert batch.receptor_groups().tolist() == [0, 0]


def test_one_content_may_have_several_names():
    sets = make_set(receptor_name='A'), make_set(receptor_name='B')
    assert groups(*sets, make_set()) == [0, 0, 0]


def test_one_name_for_two_contents_is_an_error():
    sets = [
        make_set(0.0, 'Mpro', 'a'),
        make_set(1.0, '', 'b'),
        make_set(1.0, 'Mpro', 'c'),
    ]
    with pytest.raises(
        ValueError, match="set 'a' and set 'c' both call their receptor 'Mpro'"
    ):
        groups(*sets)
    assert groups(sets[0], sets[1]) == [0, 1]


def test_digest_tells_contents_apart():
    base = {'pos': torch.arange(6.0).view(2, 3), 'z': torch.tensor([1, 2])}
    others = [
        {**base, 'z': torch.tensor([2, 1])},
        {**base, 'z': torch.tensor([1, 2]).int()},
        {**base, 'pos': torch.arange(6.0).view(3, 2)},
        {'pos': base['pos']},
        {'pos': base['pos'], 'charge': base['z']},
        {**base, 'pos': torch.empty(2, 0)},
    ]
    assert digest(base) == digest({k: v.clone() for k, v in base.items()})
    assert len({digest(content) for content in (base, *others)}) == 7
