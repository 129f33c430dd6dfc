"""What may be wrong with a pose."""

import pytest
import torch
from torch_geometric.data import Data

from pyg_multipose.data import PoseSet
from pyg_multipose.datasets import MproMoonshot
from pyg_multipose.transforms import FlagPoses, pose_flags
from pyg_multipose.transforms.pose_flags import FLAGS

#: A zigzag of six carbons with bonds of 1.53 Angstrom.
CHAIN = torch.tensor([[1.25 * n, 0.882 * (n % 2), 0.0] for n in range(6)])


def chain(pos=CHAIN, z=None, types=None, **kwargs):
    first = torch.arange(len(pos) - 1)
    bonds = torch.stack([first, first + 1])
    z = torch.full((len(pos),), 6) if z is None else torch.tensor(z)
    types = (
        torch.ones(len(first), dtype=torch.long) if types is None else types
    )
    return Data(
        z=z,
        pos=pos.clone(),
        bond_index=torch.cat([bonds, bonds.flip(0)], dim=1),
        bond_type=torch.as_tensor(types).repeat(2),
        **kwargs,
    )


def wall(*pos, z=6):
    """A receptor of these atoms, and a plane of them under the chain."""
    plane = [[x, y, -4.0] for x in (0.0, 3.0, 6.0) for y in (0.0, 3.0)]
    pos = torch.tensor([*plane, *pos])
    return Data(z=torch.full((len(pos),), z), pos=pos)


def counts(receptor, *ligands):
    if receptor is None:
        pose_set = PoseSet.from_poses(ligands, name='A')
    else:
        pose_set = PoseSet.from_complex(receptor, ligands, name='A')
    return {
        key.removeprefix('flag_'): value.tolist()
        for key, value in pose_flags(pose_set).items()
    }


def test_a_sound_pose():
    found = counts(wall(), chain())
    assert list(found) == [key.removeprefix('flag_') for key in FLAGS]
    assert not any(value != [0] for value in found.values())


def test_the_bundled_poses_are_sound():
    for pose_set in MproMoonshot('test')[::5]:
        assert not sum(value.sum() for value in pose_flags(pose_set).values())


@pytest.mark.parametrize(
    ('z', 'distance', 'expected'),
    [
        (6, 2.54, 1),  # 0.75 of 3.40 is 2.55
        (6, 2.56, 0),
        (8, 2.41, 1),  # of 3.22: 2.415
        (8, 2.42, 0),
        (30, 1.5, 0),  # a metal
        (1, 1.0, 0),
    ],
)
def test_clash(z, distance, expected):
    receptor = wall([0.0, 0.0, distance])
    receptor.z[-1] = z
    shifted = chain(CHAIN + torch.tensor([0.0, 9.0, 0.0]))
    assert counts(receptor, chain(), shifted)['clash'] == [expected, 0]


def test_self_clash():
    pos = CHAIN.clone()
    pos[5] = pos[0] + torch.tensor([0.0, 0.0, 2.03])  # 0.6 of 3.40 is 2.04
    assert counts(None, chain(), chain(pos))['self_clash'] == [0, 1]
    pos[5, 2] += 0.02
    assert counts(None, chain(), chain(pos))['self_clash'] == [0, 0]
    # Three bonds apart: as in a ring.
    pos = CHAIN.clone()
    pos[3] = pos[0] + torch.tensor([0.0, 0.0, 1.5])
    assert counts(None, chain(pos))['self_clash'] == [0]


@pytest.mark.parametrize(
    ('length', 'expected'), [(1.13, 1), (1.15, 0), (1.89, 0), (1.91, 1)]
)
def test_stretched(length, expected):
    """0.75 and 1.25 of 1.52 Angstrom are 1.14 and 1.90."""
    pos = CHAIN.clone()
    pos[0] = pos[1] - torch.tensor([0.0, length, 0.0])
    assert counts(None, chain(pos))['stretched'] == [expected]
    for z in (30, 1):  # a metal, hydrogen
        found = counts(None, chain(pos, z=[z, 6, 6, 6, 6, 6]))
        assert found['stretched'] == [0]


def test_valence():
    types = [3, 2, 1, 1, 1]
    found = counts(None, chain(), chain(types=types))
    assert found['valence'] == [0, 1]  # five bonds of the second atom
    assert counts(None, chain(z=[6, 9, 6, 6, 6, 6]))['valence'] == [1]
    assert counts(None, chain(z=[6, 26, 6, 6, 6, 6]))['valence'] == [0]
    hydrogens = torch.tensor([3, 2, 2, 2, 2, 3])
    assert counts(None, chain(num_hydrogens=hydrogens))['valence'] == [0]
    assert counts(None, chain(num_hydrogens=hydrogens + 1))['valence'] == [6]
    bare = chain()
    del bare.bond_type
    assert counts(None, bare)['valence'] == [0]


def test_valence_of_real_molecules():
    """No sound molecule is flagged; one bond more always is."""
    chem = pytest.importorskip('rdkit.Chem')
    kinds = {'SINGLE': 1, 'DOUBLE': 2, 'TRIPLE': 3, 'AROMATIC': 4}
    for smiles in (
        'O=c1cc[nH]c2ccccc12',
        'C[N+](=O)[O-]',
        'OCl(=O)(=O)=O',
        'CS(=O)(=O)Nc1ccc(cc1)[N+](C)(C)C',
        'c1ccc2c(c1)ccn1cccc21',
        'O=P(O)(O)OC#N',
        'c1cc[o+]cc1',
        'C1=CC=C[CH-]1.[Na+]',
        'N=[N+]=[N-]',
        'FC(F)(F)I',
    ):
        mol = chem.MolFromSmiles(smiles)
        atoms = list(mol.GetAtoms())
        bonds = [
            (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), str(b.GetBondType()))
            for b in mol.GetBonds()
        ]
        i, j, kind = zip(*bonds, strict=True)
        index = torch.tensor([i + j, j + i])
        pose = Data(
            z=torch.tensor([atom.GetAtomicNum() for atom in atoms]),
            num_hydrogens=torch.tensor([a.GetTotalNumHs() for a in atoms]),
            bond_index=index,
            bond_type=torch.tensor([kinds[one] for one in kind] * 2),
        )
        pose_set = PoseSet.from_poses([pose])
        found = pose_flags(pose_set)
        assert list(found) == ['flag_valence', 'flag_other_atoms']
        assert found['flag_valence'].tolist() == [0], smiles


def test_other_atoms():
    other = chain(z=[6, 6, 6, 6, 6, 7])
    assert counts(wall(), other, chain(), chain())['other_atoms'] == [1, 0, 0]
    assert counts(None, chain(), other)['other_atoms'] == [0, 1]
    bonds = chain(types=[1, 1, 2, 1, 1])
    assert counts(None, chain(), bonds)['other_atoms'] == [0, 1]


def test_outside():
    """Half of the atoms may be away from the receptor."""
    ladder = [
        chain(CHAIN + torch.tensor([shift, 0.0, 0.0]))
        for shift in (0.0, 5.0, 8.0, 30.0)
    ]
    pos = wall().pos
    expected = []
    for ligand in ladder:
        away = int((torch.cdist(ligand.pos, pos).amin(dim=1) > 5).sum())
        expected.append(away if away > 3 else 0)
    assert expected[:2] == [0, 0] and expected[3] == 6 and expected[2]
    assert counts(wall(), *ladder)['outside'] == expected


def test_whole_graphs_are_judged_as_complexes():
    pose_set = PoseSet.from_complex(
        wall([0.0, 0.0, 2.0]), [chain(), chain(CHAIN + 40.0)]
    )
    whole = PoseSet.from_poses(pose_set.to_poses())
    one, two = pose_flags(pose_set), pose_flags(whole)
    assert one['flag_clash'][0] == 2 and one['flag_outside'].tolist() == [0, 6]
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_little_to_judge():
    """Hydrogens alone, one atom, no elements."""
    hydrogens = chain(CHAIN[:2], z=[1, 1])
    found = counts(Data(z=torch.tensor([1]), pos=CHAIN[:1]), hydrogens)
    assert set(found) == {key.removeprefix('flag_') for key in FLAGS}
    assert not sum(map(sum, found.values()))
    found = counts(None, chain(CHAIN[:1]))
    assert not sum(map(sum, found.values())) and 'clash' not in found
    assert counts(None, Data(x=torch.ones(2, 1))) == {'other_atoms': [0]}


def test_transform():
    sets = PoseSet.from_complex(
        wall([0.0, 0.0, 2.0]),
        [chain(), chain(CHAIN + torch.tensor([0.0, 9.0, 0.0]))],
        name='A',
    )
    flagged = FlagPoses()(sets)
    assert flagged.num_poses == 2 and 'flag_clash' not in sets
    assert flagged.flag_clash.tolist() == [2, 0]
    assert flagged.pose(0).flag_clash.tolist() == [2]
    kept = FlagPoses(drop='flag_clash')(sets)
    assert kept.num_poses == 1 and kept.flag_clash.tolist() == [0]
    with pytest.raises(ValueError, match="Of set 'A' no pose is left"):
        FlagPoses(['flag_clash'])(sets.select([0]))
    with pytest.raises(ValueError, match=r"Unknown flags \['clash'\]"):
        FlagPoses('clash')
    with pytest.raises(ValueError, match="set 'B' cannot be judged by"):
        FlagPoses('flag_clash')(PoseSet.from_poses([chain()], name='B'))


def test_poses_of_one_receptor_are_judged_together(monkeypatch):
    """As each alone, by one search for all of them."""
    pose_set = MproMoonshot('test')[0].clone()
    first = int(pose_set.receptor_size)
    noise = torch.Generator().manual_seed(0)
    moved = torch.randn(pose_set.pos[first:].shape, generator=noise)
    pose_set.pos[first:] += 0.6 * moved
    pose_set.pos[-20:] += 30.0
    bonds = pose_set.bond_index
    bonds[:, (bonds >= first).all(dim=0).nonzero()[0]] = first  # of pose 0
    searches = []
    names = pose_flags.__globals__
    search = names['radius']
    monkeypatch.setitem(
        names, 'radius', lambda *a: searches.append(a) or search(*a)
    )
    together = pose_flags(pose_set)
    assert len(searches) == 1
    alone = [
        pose_flags(PoseSet.from_poses([pose], pose_attrs=['vina_score']))
        for pose in pose_set.to_poses()
    ]
    assert len(searches) == 1 + pose_set.num_poses
    del together['flag_other_atoms']
    for key, value in together.items():
        assert value.tolist() == [int(flags[key]) for flags in alone], key
    assert sum(bool(value.any()) for value in together.values()) >= 3
