import numpy as np
import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.nn import GCNConv

from pyg_multipose.data import PoseSet


def pose(size=3, **kwargs):
    return Data(pos=torch.zeros(size, 3), z=torch.ones(size).long(), **kwargs)


def refused(poses, *messages, **kwargs):
    with pytest.raises(ValueError) as error:
        PoseSet.from_poses(poses, name='cpd', **kwargs)
    for message in messages:
        assert message in str(error.value)


def test_no_poses():
    refused([], "set 'cpd' has no poses")
    with pytest.raises(ValueError, match='the set has no poses'):
        PoseSet.from_complex(pose(), [])


@pytest.mark.parametrize(
    ('other', 'got'),
    [
        (None, 'NoneType'),
        (torch.zeros(3), 'Tensor'),
        ({'pos': torch.zeros(2, 3)}, 'dict'),
        (HeteroData(), 'HeteroData'),
        (Batch.from_data_list([pose(), pose()]), 'DataBatch'),
        (PoseSet.from_poses([pose()]), 'PoseSet'),
    ],
)
def test_what_is_no_graph(other, got):
    refused(
        [pose(), other],
        "set 'cpd', pose 1",
        f'expected a torch_geometric Data, got {got}',
    )
    with pytest.raises(ValueError, match='receptor'):
        PoseSet.from_complex(other, [pose()])


def test_a_single_graph_is_no_list():
    refused(pose(), 'expected a list of Data, one per pose, got a single Data')


def test_no_receptor_is_another_constructor():
    with pytest.raises(ValueError, match='PoseSet.from_poses'):
        PoseSet.from_complex(None, [pose()])


def test_whole_complexes_are_no_ligands():
    complexes = PoseSet.from_complex(pose(), [pose(), pose()])
    with pytest.raises(ValueError, match='pose 0 has 3 receptor atoms'):
        PoseSet.from_complex(complexes.receptor, complexes.to_poses())
    with pytest.raises(ValueError, match='receptor has 3 ligand atoms'):
        PoseSet.from_complex(complexes.pose(0), [pose()])
    again = PoseSet.from_poses(complexes.to_poses())
    assert torch.equal(again.pose(1).is_ligand, complexes.pose(1).is_ligand)


def test_names_are_strings():
    with pytest.raises(ValueError, match='is a string, got 7'):
        PoseSet.from_poses([pose()], name=7)
    with pytest.raises(ValueError, match='is a string, got 7'):
        PoseSet.from_complex(pose(), [pose()], receptor_name=7)


# Keys ########################################################################


def test_a_key_that_only_some_poses_have():
    refused(
        [pose(), pose(), pose(x=torch.zeros(3, 2))],
        "only set 'cpd', pose 2 has ['x']",
        'pose_attrs',
    )
    refused(
        [pose(x=torch.zeros(3, 2)), pose()],
        "only set 'cpd', pose 0 has ['x']",
    )


def test_a_key_that_only_the_receptor_has():
    with pytest.raises(
        ValueError, match=r"only the set, receptor has \['x'\]"
    ):
        PoseSet.from_complex(pose(x=torch.zeros(3, 2)), [pose()])


@pytest.mark.parametrize('key', ['edge_index', 'bond_index'])
def test_edges_that_only_some_poses_have(key):
    edges = {key: torch.tensor([[0], [1]])}
    refused([pose(**edges), pose()], 'pose 1', f"['{key}']", 'pose 0')
    refused([pose(), pose(**edges)], 'pose 1', f"['{key}']", 'pose 0')


def test_edge_features_that_only_the_receptor_has():
    index, attr = torch.tensor([[0], [1]]), torch.zeros(1)
    with pytest.raises(
        ValueError, match=r'pose 0 and the set, receptor.*attr'
    ):
        PoseSet.from_complex(
            pose(edge_index=index, edge_attr=attr), [pose(edge_index=index)]
        )


def test_edge_features_without_edges():
    refused(
        [pose(edge_attr=torch.zeros(4))],
        "set 'cpd', pose 0: ['edge_attr'] describe the rows of 'edge_index'",
    )


@pytest.mark.parametrize(
    'key', ['batch', 'ptr', 'pose_size', 'set_size', 'levels']
)
def test_keys_for_bookkeeping(key):
    refused([pose(**{key: torch.zeros(3)})], 'pose 0', f"'{key}'")


@pytest.mark.parametrize(
    'key', ['pose_index', 'pose_batch', 'pose_ptr', 'face', 'adj', 'adj_t']
)
def test_keys_that_pyg_changes(key):
    refused([pose(**{key: torch.zeros(3).long()})], f"'{key}'", 'rename it')
    refused(
        [pose(**{key: torch.zeros(1).long()})],
        f"'{key}'",
        'rename it',
        pose_attrs=[key],
    )


@pytest.mark.parametrize('key', ['receptor', 'num_poses', 'select', 'pose'])
def test_keys_that_a_set_has_of_its_own(key):
    refused([pose(**{key: torch.zeros(3)})], f"'{key}' of its own")


def test_keys_with_blanks():
    data = pose()
    data['vina score'] = torch.zeros(1)
    refused([data], "'vina score' is no Python identifier")


@pytest.mark.parametrize('key', ['y', 'name', 'receptor_name'])
@pytest.mark.parametrize('attrs', [(), None])
def test_what_belongs_to_the_set(key, attrs):
    value = torch.ones(1) if key == 'y' else 'me'
    refused(
        [pose(), pose(**{key: value})],
        f"set 'cpd', pose 1 has '{key}'",
        f'pass {key}=...',
        pose_attrs=[key] if attrs is None else attrs,
    )


# Values ######################################################################


def test_another_dtype():
    other = pose()
    other.pos = other.pos.double()
    refused(
        [pose(), other],
        "set 'cpd', pose 1: 'pos' has dtype torch.float64",
        'torch.float32',
    )


def test_another_width():
    poses = [pose(x=torch.zeros(3, width)) for width in (2, 4)]
    refused(poses, "pose 1: 'x' has feature shape [4]", '[2]')


def test_another_width_of_edges():
    index = torch.tensor([[0], [1]])
    poses = [
        pose(edge_index=index, edge_attr=torch.zeros(1, width))
        for width in (2, 4)
    ]
    refused(poses, "pose 1: 'edge_attr' has feature shape [4]", '[2]')


def test_another_dtype_in_the_receptor():
    other = pose()
    other.z = other.z.int()
    with pytest.raises(
        ValueError, match="pose 0: 'z' has dtype .*int64.*int32"
    ):
        PoseSet.from_complex(other, [pose()])


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_coordinates_that_are_not_finite(bad):
    other = pose()
    other.pos[1, 2] = bad
    refused(
        [pose(), other],
        f"set 'cpd', pose 1: 'pos' of atom 1 is [0.0, 0.0, {bad}]",
        'expected finite',
    )
    with pytest.raises(ValueError, match="the set, receptor: 'pos' of atom 1"):
        PoseSet.from_complex(other, [pose()])


def test_a_pose_without_atoms():
    refused([pose(), pose(0)], "set 'cpd', pose 1 has no atoms")


def test_a_pose_that_does_not_tell_its_size():
    edges = torch.tensor([[0], [1]])
    refused([Data(edge_index=edges)], 'pose 0 does not tell how many atoms')
    refused([Data()], 'pose 0 does not tell how many atoms')


def test_rows_that_are_not_those_of_atoms():
    refused(
        [pose(score=torch.zeros(1))],
        "pose 0: 'score' has shape [1], expected 3 rows, one per atom",
        'pose_attrs',
        "'edge_' or 'bond_'",
    )
    refused([pose(num_nodes=4)], "'pos' has shape [3, 3], expected 4 rows")
    refused([pose(score=-7.5)], "'score' is a float", 'pose_attrs')
    refused([pose(charges=[0, 1, 2])], "'charges' is a list")
    refused(
        [pose(x=torch.eye(3).to_sparse())], "'x' is a Tensor, expected a d"
    )


def test_rows_that_are_not_those_of_edges():
    edges = torch.tensor([[0, 1], [1, 0]])
    refused(
        [pose(edge_index=edges, edge_attr=torch.zeros(3))],
        "pose 0: 'edge_attr' has shape [3], expected 2 rows, one per edge",
    )


@pytest.mark.parametrize(
    ('edges', 'message'),
    [
        (torch.tensor([[0], [3]]), 'holds atoms 0 to 3, but there are 3'),
        (torch.tensor([[-1], [0]]), 'holds atoms -1 to 0'),
        (torch.zeros(3, 2).long(), '[3, 2] and torch.int64'),
        (torch.zeros(4).long(), '[4] and torch.int64'),
        (torch.zeros(2, 4), '[2, 4] and torch.float32'),
        (torch.zeros(2, 4).int(), '[2, 4] and torch.int32'),
        ([[0], [1]], 'is list, expected shape [2, num_rows]'),
    ],
)
@pytest.mark.parametrize('key', ['edge_index', 'bond_index'])
def test_edges_that_are_none(key, edges, message):
    refused([pose(**{key: edges})], f"set 'cpd', pose 0: '{key}'", message)


def test_kinds_of_an_index_become_plain_tensors():
    edges = torch.tensor([[0, 1], [1, 2]])
    index = EdgeIndex(edges, sparse_size=(3, 3), sort_order='row')
    pose_set = PoseSet.from_poses([pose(edge_index=index)] * 2)
    for tensor in (pose_set.edge_index, pose_set.pose(1).edge_index):
        assert type(tensor) is torch.Tensor
    assert torch.equal(pose_set.pose(1).edge_index, edges)
    assert GCNConv(3, 1)(pose_set.pos, pose_set.edge_index).shape == (6, 1)


# Attributes of poses #########################################################


def test_a_pose_attribute_that_a_pose_lacks():
    refused(
        [pose(score=1.0), pose()],
        "set 'cpd', pose 1 has no 'score', which pose_attrs names",
        pose_attrs=['score'],
    )


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ((1.0, 2), "'score' has dtype torch.int64"),
        ((1.0, 'a'), "'score' is 'a', but a pose before it has 1.0"),
        (('a', 1.0), "'score' is 1.0, but a pose before it has 'a'"),
        ((torch.ones(1, 2), torch.ones(1, 3)), 'feature shape [3]'),
        ((torch.ones(1), torch.ones(2)), 'has shape [2], expected 1 rows'),
        ((1.0, {'a': 1}), "'score' is a dict"),
    ],
)
def test_pose_attributes_that_do_not_fit(values, message):
    poses = [pose(score=value) for value in values]
    refused(poses, "set 'cpd', pose 1:", message, pose_attrs=['score'])


@pytest.mark.parametrize('key', ['pos', 'edge_attr', 'is_ligand'])
def test_pose_attributes_with_names_of_other_levels(key):
    poses = [Data(num_nodes=3, **{key: torch.zeros(1)})]
    refused(poses, f"'{key}' is on level", 'rename it', pose_attrs=[key])


def test_pose_attributes_of_the_receptor_are_left_out():
    pose_set = PoseSet.from_complex(
        pose(score=1.0), [pose(score=2.0)] * 2, pose_attrs=['score']
    )
    assert pose_set.score.tolist() == [2.0, 2.0]
    assert 'score' not in pose_set.receptor


# Labels ######################################################################


@pytest.mark.parametrize(
    ('y', 'got'),
    [
        (torch.ones(3), '[3]'),
        ([1.0, 2.0], '[2]'),
        (torch.ones(2, 1), '[2, 1]'),
        (torch.ones(1, 2, 3), '[1, 2, 3]'),
        (torch.ones(0), '[0]'),
        (np.ones(2), '[2]'),
        ('high', "'high'"),
    ],
)
def test_labels_of_another_shape(y, got):
    refused([pose()], "set 'cpd': 'y' is the label", f'got {got}', y=y)
