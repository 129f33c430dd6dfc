import inspect
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import ToDevice

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot, mpro_file
from tests.without import without

RULES = ('date', 'scaffold')
SPLITS = ('train', 'valid', 'test')


@pytest.fixture(scope='module')
def dataset():
    return MproMoonshot('all')


@pytest.fixture(scope='module')
def items(dataset):
    return list(dataset)


def same(one, two):
    assert one.keys() == two.keys()
    for key in one.keys():
        if isinstance(one[key], torch.Tensor):
            assert torch.equal(one[key], two[key]), key
        else:
            assert one[key] == two[key], key


def by_name(dataset, name):
    return dataset[dataset.names.index(name)]


# Splits ######################################################################


@pytest.mark.parametrize('by', RULES)
def test_splits_are_a_partition(by, dataset):
    parts = [MproMoonshot(split, by=by) for split in SPLITS]
    assert [len(part) for part in parts] == [160, 40, 40]
    names = [name for part in parts for name in part.names]
    assert len(set(names)) == len(names) == 240
    assert sorted(names) == dataset.names
    assert sum(int(part.num_poses.sum()) for part in parts) == 1901


def test_date_split_is_by_date():
    train, valid, test = (MproMoonshot(split) for split in SPLITS)
    assert max(train.dates) == '2021-03-31' <= min(valid.dates)
    assert max(valid.dates) == '2021-09-24' <= min(test.dates)
    assert max(test.dates) == '2021-12-29'


def test_scaffold_split_divides_no_scaffold():
    parts = [set(MproMoonshot(s, by='scaffold').scaffolds) for s in SPLITS]
    assert all(parts)
    assert sum(map(len, parts)) == len(set.union(*parts)) == 118


def test_defaults_are_the_documented_ones():
    dataset = MproMoonshot()
    assert repr(dataset) == (
        "MproMoonshot(160, split='train', by='date', receptor='pocket')"
    )
    assert dataset.transform is None
    names = list(inspect.signature(MproMoonshot).parameters)
    assert names == ['split', 'by', 'receptor', 'transform']


@pytest.mark.parametrize(
    'argument, choices',
    [
        ('split', ['train', 'valid', 'test', 'all']),
        ('by', ['date', 'scaffold']),
        ('receptor', ['pocket', 'chain']),
    ],
)
@pytest.mark.parametrize('value', ['val', None])
def test_unknown_choice_lists_the_choices(argument, choices, value):
    with pytest.raises(ValueError) as info:
        MproMoonshot(**{argument: value})
    for text in (argument, repr(value), *choices):
        assert text in str(info.value)


# Items #######################################################################


def test_items_hold_what_is_documented(dataset, items):
    for index, item in enumerate(items):
        assert isinstance(item, PoseSet)
        num_poses = int(dataset.num_poses[index])
        num_atoms = int(dataset.num_heavy_atoms[index])
        assert item.num_poses == num_poses and 3 <= num_poses <= 9
        assert item.pose_size.tolist() == [num_atoms] * num_poses
        assert item.num_nodes == 487 + num_poses * num_atoms
        assert item.name == dataset.names[index]
        assert item.receptor_name == 'mpro_pocket'
        assert 'edge_index' not in item and 'edge_attr' not in item

        assert item.z.dtype == item.residue.dtype == torch.int64
        assert item.bond_index.dtype == item.bond_type.dtype == torch.int64
        assert item.pos.dtype == item.vina_score.dtype == torch.float32
        assert item.pos.shape == (item.num_nodes, 3)
        assert item.pos.isfinite().all() and item.vina_score.isfinite().all()
        ligand = item.z[item.is_ligand]
        assert set(ligand.tolist()) <= {6, 7, 8, 9, 16, 17, 35}
        assert torch.equal(ligand, ligand[:num_atoms].repeat(num_poses))
        assert set(item.z[~item.is_ligand].tolist()) == {6, 7, 8, 16}
        assert torch.equal(item.residue == 0, item.is_ligand)

        score = item.vina_score
        assert score.shape == (num_poses,)
        assert torch.equal(score, score.sort().values)
        assert score[0] == dataset.vina_best[index] and score[-1] < 0
        assert score[-1] - score[0] <= 2.0 + 1e-5
        assert item.y.dtype == torch.float32 and item.y.shape == (1,)
        assert item.y[0] == dataset.y[index]
        assert 4.0 <= item.y[0] <= 7.2
    assert sum(item.num_poses for item in items) == 1901


def test_bonds_are_complete_and_within_a_pose(items):
    for item in items:
        source, target = item.bond_index
        size = int(item.pose_size[0])
        start = int(item.receptor_size)
        assert source.min() >= start  # none of the receptor
        pose = (source - start) // size
        assert torch.equal(pose, (target - start) // size)

        # Every pose has the same molecule, in both directions and once.
        kinds = torch.zeros(item.num_poses, size, size, dtype=torch.long)
        i, j = (source - start) % size, (target - start) % size
        kinds[pose, i, j] = item.bond_type
        assert int((kinds > 0).sum()) == source.numel()
        assert (kinds == kinds[:1]).all()
        assert torch.equal(kinds, kinds.transpose(1, 2))
        assert not kinds.diagonal(dim1=1, dim2=2).any()
        assert set(item.bond_type.tolist()) <= {1, 2, 3, 4}

        length = (item.pos[source] - item.pos[target]).norm(dim=1)
        assert length.min() > 1.1 and length.max() < 2.0


def test_bonds_are_sorted_by_source_and_target(items):
    for item in items:
        source, target = item.bond_index
        assert ((source * item.num_nodes + target).diff() > 0).all()


def test_poses_differ(items):
    for item in items:
        pos = item.pos[item.is_ligand].view(item.num_poses, -1)
        away = torch.cdist(pos, pos) + 100 * torch.eye(item.num_poses)
        assert away.min() / (pos.size(1) / 3) ** 0.5 > 1.0


def test_molecules_are_their_smiles(dataset, items):
    chem = pytest.importorskip('rdkit.Chem')
    types = {1.0: 1, 2.0: 2, 3.0: 3, 1.5: 4}
    for smiles, item in zip(dataset.smiles, items, strict=True):
        mol = chem.MolFromSmiles(smiles)
        pose = item.pose(0)
        z = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
        assert pose.z[pose.is_ligand].tolist() == z
        got = {
            (i - 487, j - 487): kind
            for (i, j), kind in zip(
                pose.bond_index.t().tolist(),
                pose.bond_type.tolist(),
                strict=True,
            )
        }
        expected = {}
        for bond in mol.GetBonds():
            i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            kind = types[bond.GetBondTypeAsDouble()]
            expected[i, j] = expected[j, i] = kind
        assert got == expected


@pytest.mark.parametrize(
    'name, pose, score, first, last, y',
    [  # copied by hand from the source files
        (
            'AAR-POS-8a4e0f60-7',
            0,
            -7.739,
            (11.593, 2.294, 23.373),
            (10.858, -0.795, 22.901),
            4.423,
        ),
        (
            'BEN-DND-4f474d93-1',
            7,
            -5.470,
            (6.426, -0.066, 23.087),
            (9.008, 1.739, 22.479),
            5.509,
        ),
        (
            'WIL-UNI-d4749f31-37',
            8,
            -6.283,
            (10.392, -4.765, 24.887),
            (8.940, -2.228, 23.787),
            4.588,
        ),
    ],
)
def test_poses_are_those_of_the_source(
    dataset, name, pose, score, first, last, y
):
    item = by_name(dataset, name)
    ligand = item.pose(pose)
    pos = ligand.pos[ligand.is_ligand]
    assert torch.equal(pos[0], torch.tensor(first))
    assert torch.equal(pos[-1], torch.tensor(last))
    assert item.vina_score[pose] == torch.tensor(score)
    assert item.y[0] == torch.tensor(y)


def test_table_is_that_of_the_source(dataset):
    index = dataset.names.index('LON-WEI-4d77710c-65')
    smiles = 'CC(C)(C)c1ccc(-c2nnc(Sc3cnc([N+](=O)[O-])s3)o2)cc1'
    assert dataset.smiles[index] == smiles
    assert dataset.dates[index] == '2020-11-17'
    assert dataset.y[index] == torch.tensor(5.38)
    assert dataset.y_std[index] == torch.tensor(0.344)
    assert dataset.num_measurements[index] == 2
    assert dataset.num_heavy_atoms[index] == 24
    assert dataset.num_poses[index] == 7
    assert dataset.vina_best[index] == torch.tensor(-6.631)


def test_spread_is_nan_for_single_measurements(dataset):
    single = dataset.num_measurements == 1
    assert torch.equal(dataset.y_std.isnan(), single)
    assert int((~single).sum()) == 35


# The protein #################################################################


def test_receptors():
    chain = MproMoonshot(receptor='chain').receptor
    pocket = MproMoonshot(receptor='pocket').receptor
    assert chain.num_nodes == 2333 and pocket.num_nodes == 487
    assert chain.residue.unique().tolist() == list(range(1, 303))
    assert pocket.residue.unique().numel() == 64
    for data, row, z, residue, pos in [
        (chain, 0, 7, 1, (-2.179, 4.147, -16.787)),
        (chain, 999, 6, 130, (14.366, 4.617, 4.828)),
        (chain, 2332, 8, 302, (8.438, 3.968, -22.735)),
        (pocket, 0, 7, 19, (4.322, -15.775, 15.965)),
        (pocket, 486, 6, 194, (14.261, 11.108, 14.681)),
    ]:
        assert data.z[row] == z and data.residue[row] == residue
        assert torch.equal(data.pos[row], torch.tensor(pos))
    # Whole residues: each atom of one in the pocket is in it.
    inside = torch.isin(chain.residue, pocket.residue)
    assert torch.equal(chain.pos[inside], pocket.pos)
    assert torch.equal(chain.z[inside], pocket.z)


@pytest.mark.parametrize('receptor', ['pocket', 'chain'])
def test_all_items_have_the_one_receptor(receptor):
    dataset = MproMoonshot('valid', receptor=receptor)
    expected = dataset.receptor
    for item in dataset:
        assert item.receptor_name == f'mpro_{receptor}'
        for key in expected.keys():
            assert torch.equal(item.receptor[key], expected[key])


def test_pocket_and_chain_differ_in_the_receptor_only():
    pocket, chain = MproMoonshot()[0], MproMoonshot(receptor='chain')[0]
    for key in ('z', 'pos', 'residue'):
        assert torch.equal(
            pocket[key][pocket.is_ligand], chain[key][chain.is_ligand]
        )
    assert torch.equal(pocket.bond_index - 487, chain.bond_index - 2333)


def test_crystal_ligand(dataset):
    crystal = dataset.crystal_ligand
    item = by_name(dataset, crystal.name)
    rmsd = []
    for pose in item.to_poses():
        assert torch.equal(pose.z[pose.is_ligand], crystal.z)
        assert torch.equal(pose.bond_index - 487, crystal.bond_index)
        assert torch.equal(pose.bond_type, crystal.bond_type)
        moved = pose.pos[pose.is_ligand] - crystal.pos
        rmsd.append(float(moved.square().sum(dim=1).mean().sqrt()))
    assert rmsd[0] == pytest.approx(1.56, abs=0.005)
    assert min(rmsd[1:]) > 3.0
    # The first atom of the SMILES, from the source file.
    assert torch.equal(crystal.pos[0], torch.tensor((9.382, 1.079, 21.021)))


# The sequence ################################################################


def test_indexing(dataset):
    same(dataset[-1], dataset[239])
    same(dataset[torch.tensor(3)], dataset[3])
    for index in (240, -241):
        with pytest.raises(IndexError):
            dataset[index]


@pytest.mark.parametrize(
    'index, expected',
    [
        (slice(10, 2, -3), [10, 7, 4]),
        ([5, -1, 5], [5, 239, 5]),
        (torch.tensor([2, 0]), [2, 0]),
        (np.arange(240) % 100 == 7, [7, 107, 207]),
        ([], []),
    ],
)
def test_subsets_keep_table_and_items_aligned(dataset, index, expected):
    subset = dataset[index]
    assert isinstance(subset, MproMoonshot)
    assert len(subset) == len(expected) == len(list(subset))
    for key in ('names', 'smiles', 'scaffolds', 'dates'):
        column = getattr(dataset, key)
        assert getattr(subset, key) == [column[i] for i in expected]
    for key in (
        'y',
        'y_std',
        'num_measurements',
        'num_heavy_atoms',
        'num_poses',
        'vina_best',
    ):
        got, column = getattr(subset, key), getattr(dataset, key)
        torch.testing.assert_close(got, column[expected], equal_nan=True)
    assert [item.name for item in subset] == subset.names
    again = subset[::-1]
    assert again.names == subset.names[::-1]
    assert len(dataset) == 240


def test_transform_is_applied_at_access():
    seen = []

    def transform(item):
        seen.append(item.name)
        return item.select([0])

    dataset = MproMoonshot('test', transform=transform)
    assert seen == []
    assert dataset[3].num_poses == 1
    assert dataset[2:4][1].num_poses == 1
    assert seen == [dataset.names[3]] * 2
    assert int(dataset.num_poses[3]) > 1


def test_writing_to_an_item_changes_no_other():
    dataset = MproMoonshot()
    expected = dataset[0].clone()
    item = dataset[0]
    for key in item.keys():
        if isinstance(item[key], torch.Tensor):
            item[key].zero_()
    receptor, crystal = dataset.receptor, dataset.crystal_ligand
    receptor.pos.zero_()
    crystal.pos.zero_()
    dataset.y.zero_()
    same(dataset[0], expected)
    assert dataset.receptor.pos.any() and dataset.crystal_ligand.pos.any()
    assert dataset.y.all()


def test_pickle_is_small_and_equal():
    dataset = MproMoonshot('valid', by='scaffold', receptor='chain')[3:7]
    dataset.transform = ToDevice('cpu')
    content = pickle.dumps(dataset)
    assert len(content) < 10_000  # workers load the data themselves
    copy = pickle.loads(content)
    assert copy.names == dataset.names and repr(copy) == repr(dataset)
    same(copy[1], dataset[1])


@pytest.mark.parametrize('num_workers', [0, 1])
def test_batches(num_workers):
    dataset = MproMoonshot('test')[:6]
    loader = DataLoader(dataset, batch_size=4, num_workers=num_workers)
    first, last = loader
    assert first.num_graphs == 4 and last.num_graphs == 2
    assert first.name == dataset.names[:4]
    assert torch.equal(first.y, dataset.y[:4])
    assert torch.equal(first.set_size, dataset.num_poses[:4])
    same(first[2], dataset[2])
    assert first.receptor_groups().tolist() == [0, 0, 0, 0]


# The file ####################################################################


def test_file_is_small_and_without_pickles():
    assert mpro_file.PATH.stat().st_size < 2_000_000
    with np.load(mpro_file.PATH, allow_pickle=False) as file:
        for key in file.files:
            assert file[key].dtype.kind in 'iufU', key


def test_licences_are_beside_the_file():
    text = mpro_file.PATH.with_suffix('.LICENSE.txt').read_text()
    for part in ('2023 asapdiscovery', '2022 kaminow', 'CC0', 'MIT'):
        assert part in text


def test_file_is_decoded_once():
    MproMoonshot('valid')
    before = mpro_file.load.cache_info().misses
    MproMoonshot('test', receptor='chain')[0]
    assert mpro_file.load.cache_info().misses == before


@pytest.mark.parametrize('version', [0, 2, None])
def test_other_schema_versions_are_refused(tmp_path, version):
    with np.load(mpro_file.PATH) as file:
        arrays = dict(file)
    del arrays['schema_version']
    if version is not None:
        arrays['schema_version'] = np.array(version)
    path = tmp_path / 'other.npz'
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f'schema version {version}.*reads'):
        mpro_file.MproFile(path)


def test_loads_without_rdkit():
    code = (
        'from pyg_multipose.datasets import MproMoonshot\n'
        "assert MproMoonshot('test')[0].num_poses > 2\n"
        "print('loaded')\n"
    )
    assert without(['rdkit'], code) == 'loaded\n'
