import json
import pickle
import warnings

import pytest
import torch
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet

FORMS = ('complex', 'poses')


@pytest.mark.parametrize('form', FORMS)
def test_a_set_comes_back(make, form, tmp_path):
    pose_set = make.set(form, (2, 3), name='cpd 1: "ä"')
    pose_set.save(tmp_path / 'set.pt')
    make.same(PoseSet.load(tmp_path / 'set.pt'), pose_set)


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('count', [1, 3])
def test_a_batch_comes_back(make, form, count, tmp_path):
    sets = [make.set(form, (2, 3)[: 1 + i % 2], i) for i in range(count)]
    batch = Batch.from_data_list(sets)
    batch.save(str(tmp_path / 'batch.pt'))
    make.same(PoseSet.load(str(tmp_path / 'batch.pt')), batch)


def test_sets_without_features_and_without_edges_come_back(make, tmp_path):
    pose_set = PoseSet.from_poses([Data(num_nodes=3), Data(num_nodes=2)])
    pose_set.save(tmp_path / 'set.pt')
    make.same(PoseSet.load(tmp_path / 'set.pt'), pose_set)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float64])
def test_dtypes_come_back(make, dtype, tmp_path):
    pose_set = make.set('complex', (2, 3))
    pose_set.pos = pose_set.pos.to(dtype).requires_grad_()
    pose_set.save(tmp_path / 'set.pt')
    loaded = PoseSet.load(tmp_path / 'set.pt')
    assert not loaded.pos.requires_grad
    make.same(loaded, pose_set.detach())


def test_a_pickled_set_needs_no_trust(make, tmp_path):
    pose_set = make.complex(4, (2, 3), 0)[0]
    torch.save(pose_set, tmp_path / 'pickled.pt')
    loaded = torch.load(tmp_path / 'pickled.pt', weights_only=True)
    make.same(loaded, pose_set)


def test_each_receptor_is_written_once(make, tmp_path):
    sets = [
        make.complex(40, (2, 3), seed, receptor_seed=seed // 3)[0]
        for seed in range(4)
    ]
    Batch.from_data_list(sets).save(tmp_path / 'batch.pt')
    content = torch.load(tmp_path / 'batch.pt', weights_only=True)
    assert len(content['receptors']) == 2
    assert {len(c['pos']) for c in content['receptors'].values()} == {40}
    assert [len(c['pos']) for c in content['sets']] == [5] * 4
    schema = json.loads(content['schema'])
    names = [about['receptor'] for about in schema['sets']]
    assert names[0] == names[1] == names[2] != names[3]
    assert schema['format'] == 'pyg_multipose.PoseSet'
    assert schema['version'] == 1
    loaded = PoseSet.load(tmp_path / 'batch.pt')
    assert loaded.receptor_groups().tolist() == [0, 0, 0, 3]


def test_a_set_of_a_large_batch_is_a_small_file(make, tmp_path):
    """PyTorch writes the whole storage of a slice."""
    sets = [make.set('poses', (20, 20), seed) for seed in range(30)]
    batch = Batch.from_data_list(sets)
    sets[0].save(tmp_path / 'alone.pt')
    batch[0].save(tmp_path / 'slice.pt')
    alone = (tmp_path / 'alone.pt').stat().st_size
    assert (tmp_path / 'slice.pt').stat().st_size < 1.1 * alone


class Malicious:
    def __reduce__(self):
        return print, ('executed',)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'hello',
        pickle.dumps({'schema': Malicious()}),
        pickle.dumps({'schema': '{}'}),
    ],
    ids=['empty', 'text', 'code', 'pickle'],
)
def test_other_files_are_refused(content, tmp_path, capsys):
    (tmp_path / 'bad.pt').write_bytes(content)
    with pytest.raises(
        ValueError, match=r"bad.pt' is not a file of pose sets"
    ):
        PoseSet.load(tmp_path / 'bad.pt')
    assert 'executed' not in capsys.readouterr().out


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize(
    'content',
    [
        {'schema': Malicious()},
        {'weights': torch.zeros(2)},
        torch.zeros(2),
        [1, 2],
        {'schema': json.dumps({'format': 'other', 'version': 1})},
        {'schema': '{}'},
        {'schema': '['},
        {'schema': 1},
    ],
    ids='code dict tensor list format empty json number'.split(),
)
def test_other_contents_are_refused(content, tmp_path, capsys):
    torch.save(content, tmp_path / 'bad.pt')
    with pytest.raises(
        ValueError, match=r"bad.pt' is not a file of pose sets"
    ):
        PoseSet.load(tmp_path / 'bad.pt')
    assert 'executed' not in capsys.readouterr().out


def test_a_damaged_file_is_refused(make, tmp_path):
    path = tmp_path / 'bad.pt'
    make.set('complex', (2, 3)).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(
        ValueError, match='is not a file of pose sets.*damaged'
    ):
        PoseSet.load(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        PoseSet.load(tmp_path / 'none.pt')


def test_a_newer_version_is_refused(make, tmp_path):
    make.set('complex', (2, 3)).save(tmp_path / 'set.pt')
    content = torch.load(tmp_path / 'set.pt', weights_only=True)
    schema = {**json.loads(content['schema']), 'version': 2}
    torch.save({**content, 'schema': json.dumps(schema)}, tmp_path / 'set.pt')
    with pytest.raises(ValueError, match='has version 2, but .* up to 1'):
        PoseSet.load(tmp_path / 'set.pt')


def test_tables_that_do_not_fit_are_refused(make, tmp_path):
    make.set('complex', (2, 3)).save(tmp_path / 'set.pt')
    content = torch.load(tmp_path / 'set.pt', weights_only=True)
    content['sets'][0]['pos'] = content['sets'][0]['pos'][:-1]
    torch.save(content, tmp_path / 'set.pt')
    with pytest.raises(ValueError, match="'pos' .* has 9 rows, expected 10"):
        PoseSet.load(tmp_path / 'set.pt')


# PyG #########################################################################


class Sets(InMemoryDataset):
    """Pose sets as PyG stores them."""

    def __init__(self, root, sets=(), **kwargs):
        self.sets = sets
        super().__init__(root, **kwargs)
        self.load(self.processed_paths[0], data_cls=PoseSet)

    @property
    def processed_file_names(self):
        return 'sets.pt'

    def process(self):
        sets = [
            s
            for s in self.sets
            if self.pre_filter is None or self.pre_filter(s)
        ]
        if self.pre_transform is not None:
            sets = [self.pre_transform(of_set) for of_set in sets]
        self.save(sets, self.processed_paths[0])


@pytest.mark.parametrize('form', [*FORMS, 'bare'])
def test_in_memory_dataset(make, form, tmp_path):
    """Written and read by PyG, without falling back to unsafe pickle."""
    sizes = ((2, 3), (1,), (4, 1, 2))
    if form == 'bare':
        sets = [
            PoseSet.from_poses([Data(num_nodes=n) for n in of_set])
            for of_set in sizes
        ]
    else:
        sets = [make.set(form, s, i, f'c{i}') for i, s in enumerate(sizes)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        Sets(str(tmp_path), sets)
        dataset = Sets(str(tmp_path))
        torch.load(dataset.processed_paths[0], weights_only=True)
    assert len(dataset) == 3
    for index, of_set in enumerate(sets):
        make.same(dataset[index], of_set)
    for batch in DataLoader(dataset[[2, 0]], batch_size=2):
        make.same(batch, Batch.from_data_list([sets[2], sets[0]]))


def test_in_memory_dataset_with_pre_transform_and_filter(make, tmp_path):
    sets = [make.set('complex', (2,) * n, n) for n in (1, 2, 3)]
    dataset = Sets(
        str(tmp_path),
        sets,
        pre_filter=lambda of_set: of_set.num_poses > 1,
        pre_transform=lambda of_set: of_set.select(slice(2)),
        transform=lambda of_set: of_set.put('one', torch.ones(2), 'pose'),
    )
    assert len(dataset) == 2
    make.same(
        dataset[1], sets[2].select([0, 1]).put('one', torch.ones(2), 'pose')
    )
