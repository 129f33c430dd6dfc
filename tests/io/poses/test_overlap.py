import warnings
from types import SimpleNamespace

import pytest
import torch
from torch_geometric.data import Data

pytest.importorskip('gemmi')

from pyg_multipose.data import PoseSet  # noqa: E402
from pyg_multipose.io.poses.overlap import check_overlap  # noqa: E402
from pyg_multipose.io.receptor.read_receptor import read_receptor  # noqa: E402


def line(name, residue, number, x, het=False, element='C'):
    return (
        f'{"HETATM" if het else "ATOM  "}    1  {name:<3} {residue:>3} A'
        f'{number:>4}    {x:8.3f}{0:8.3f}{0:8.3f}  1.00 20.00          '
        f'{element:>2}\n'
    )


TEXT = (
    ''.join(
        line(name, 'CYS', 1, x)
        for name, x in (('N', 0), ('CA', 1.5), ('C', 2.5), ('SG', 30))
    )
    + line('CB', 'CYS', 1, 31.8)
    + ''.join(line(f'C{n}', 'INH', 301, 10 + 1.4 * n, True) for n in range(5))
    + line('ZN', 'ZN', 401, 50, True, 'ZN')
    + line('O', 'HOH', 402, 60, True, 'O')
)


@pytest.fixture
def made(tmp_path):
    (tmp_path / 'r.pdb').write_text(TEXT)

    def make(**kwargs):
        return read_receptor(tmp_path / 'r.pdb', **kwargs)

    return make


def poses(*starts, z=(6, 6), receptor=None, name='L'):
    """Poses of a ligand on the x axis, atoms 1.4 Angstrom apart."""
    z = torch.tensor(z)
    steps = 1.4 * torch.arange(len(z))
    out = []
    for start in starts:
        pos = torch.stack([start + steps, 0 * steps, 0 * steps], dim=1)
        out.append(Data(z=z, pos=pos, residue=torch.zeros_like(z)))
    if receptor is None:
        return PoseSet.from_poses(out, name=name)
    return PoseSet.from_complex(receptor, out, name=name)


def names(found):
    return [(one.residue, one.is_kept, one.num_poses) for one in found]


def test_ligand_left_inside(made):
    receptor = made(keep='INH')
    sets = [poses(10.05, 11.0, 100), poses(11.5, receptor=receptor, name='M')]
    with pytest.warns(UserWarning, match="INH A/301: 3 poses.*'L'.*drop="):
        found = check_overlap(receptor, sets)
    assert names(found) == [('INH A/301', True, 3)]
    assert found[0].distance == pytest.approx(0.05, abs=1e-5)
    assert found[0].example == "pose 0 of 'L'"
    (row,) = receptor.report.flagged
    assert row.title == 'INH A/301' and row.reason == 'overlaps with poses'
    assert row.file.endswith('r.pdb')


def test_ligand_left_out(made):
    """It is reported, but it cannot tell the model anything."""
    receptor = made()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = check_overlap(receptor, poses(10.0))
    assert names(found) == [('INH A/301', False, 1)]
    assert found[0].distance == pytest.approx(0, abs=1e-5)
    (row,) = receptor.report.flagged
    assert 'was left out' in row.reason


@pytest.mark.parametrize(
    'start, z, expected',
    [
        (28.2 - 1.4, (6, 6), []),  # a covalent bond to SG
        (30.5, (6, 6), ['CYS A/1']),
        (29.0, (6, 6), ['CYS A/1']),
        (52.0, (6, 6), []),  # bound to zinc
        (51.0, (6, 6), ['ZN A/401']),
        (51.0, (1, 6), []),  # hydrogens may be anywhere
        (61.6, (8, 6), ['HOH A/402']),
        (62.7, (8, 6), []),  # hydrogen-bonded to water
        (20.0, (6, 6), []),
    ],
)
def test_rule(made, start, z, expected):
    receptor = made(waters=True)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = check_overlap(receptor, poses(start, z=z))
    assert [one.residue for one in found] == expected


def test_most_poses_first(made):
    receptor = made(keep='INH')
    with pytest.warns(UserWarning, match='2 residues'):
        found = check_overlap(receptor, [poses(10, 11, 51)])
    assert names(found) == [('INH A/301', True, 2), ('ZN A/401', True, 1)]


def test_other_receptors():
    """Without names, by the key of residues, or as a whole."""
    z = torch.tensor([6, 6, 6])
    pos = torch.tensor([[0.0, 0, 0], [1.4, 0, 0], [9.0, 0, 0]])
    for receptor, expected in (
        (Data(z=z, pos=pos, residue=torch.tensor([4, 4, 5])), 'residue 4'),
        (Data(z=z, pos=pos), 'the receptor'),
    ):
        with pytest.warns(UserWarning, match=expected):
            found = check_overlap(receptor, [poses(0.3, 70)])
        assert names(found) == [(expected, True, 1)]
        assert not check_overlap(receptor, [])


def test_against_all_pairs(made):
    """The rule by a loop over all pairs of atoms."""
    receptor = made(keep='INH', waters=True)
    generator = torch.Generator().manual_seed(0)
    z = torch.tensor([6, 7, 1, 8])
    numbers = receptor.residue.unique().tolist()
    sizes = {n: int((receptor.residue == n).sum()) for n in numbers}
    expected = SimpleNamespace(poses=dict.fromkeys(numbers, 0))
    ligands = []
    for _ in range(300):
        pos = torch.rand(4, 3, generator=generator) * torch.tensor([65, 3, 3])
        ligands.append(Data(z=z, pos=pos, residue=torch.zeros_like(z)))
        distance = torch.cdist(pos[z != 1], receptor.pos).min(dim=0).values
        for number in numbers:
            of_residue = distance[receptor.residue == number]
            touch = 1.7 if sizes[number] == 1 else 1.2
            if (of_residue <= 2).sum() > 1 or of_residue.min() < touch:
                expected.poses[number] += 1
    with pytest.warns(UserWarning):
        found = check_overlap(receptor, PoseSet.from_poses(ligands))
    got = {one.residue: one.num_poses for one in found}
    assert got == {
        str(receptor.residues[n - 1]): count
        for n, count in expected.poses.items()
        if count
    }
    assert len(got) > 2


def test_reading_flags_it(made, tmp_path):
    """A ligand left inside is a row of the report, and a warning."""
    chem = pytest.importorskip('rdkit.Chem')
    from pyg_multipose.io import read_poses

    mol = chem.MolFromSmiles('CCO')
    texts = []
    for start in (10.05, 11.0, 55.0):
        conformer = chem.Conformer(3)
        for atom in range(3):
            x, y, z = start + 1.4 * atom, 0.2 * (atom == 1), 0.2 * (atom == 2)
            conformer.SetAtomPosition(atom, (x, y, z))
        mol.RemoveAllConformers()
        mol.AddConformer(conformer)
        block = chem.MolToMolBlock(mol).split('\n', 1)[1]
        texts.append(f'LIG\n{block}> <docking_score>\n-1\n\n$$$$\n')
    path = tmp_path / 'poses.sdf'
    path.write_text(''.join(texts))

    receptor = made(keep='INH')
    with pytest.warns(UserWarning, match='INH A/301: 2 poses') as caught:
        poses = read_poses(path, receptor=receptor)
    assert [one.filename for one in caught] == [__file__]
    (row,) = poses.report.flagged
    assert (row.title, row.reason) == ('INH A/301', 'overlaps with poses')
    assert row.file.endswith('r.pdb') and 'INH A/301' in str(poses.report)
    assert not receptor.report.flagged
    poses.report.check()

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        poses = read_poses(path, receptor=made())
        assert not read_poses(path).report.flagged
    (row,) = poses.report.flagged
    assert 'was left out' in row.reason

    with pytest.raises(ValueError, match="needs the keys 'z' and 'pos'"):
        read_poses(path, receptor=Data(pos=receptor.pos))
