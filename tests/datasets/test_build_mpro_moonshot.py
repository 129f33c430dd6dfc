import gzip
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('rdkit')
pytest.importorskip('gemmi')

from rdkit import Chem  # noqa: E402

from pyg_multipose.datasets import build_mpro_moonshot as build  # noqa: E402
from pyg_multipose.datasets.mpro_file import PATH  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    'ignore:No poses were read', 'ignore:.*sets have one pose'
)


def record(smiles, pos, name='A', rank=1, score=-7.0, y=5.0):
    mol = Chem.MolFromSmiles(smiles)
    conformer = Chem.Conformer(mol.GetNumAtoms())
    for index, xyz in enumerate(pos):
        conformer.SetAtomPosition(index, xyz)
    mol.AddConformer(conformer)
    text = Chem.MolToMolBlock(mol).split('\n', 1)[1]
    values = {
        'compound_id': name,
        'pose_rank': rank,
        'vina_score': score,
        'pIC50': y,
    }
    fields = ''.join(f'>  <{k}>\n{v}\n\n' for k, v in values.items())
    return f'{name}\n{text}{fields}$$$$\n'


def row(smiles, poses=1, name='A'):
    return {
        'compound_id': name,
        'smiles': smiles,
        'pIC50': '5.0',
        'n_heavy_atoms': '3',
        'n_poses': str(poses),
        'vina_best': '-7.0',
    }


POS = [(0.0, 0.0, 0.5), (1.4, 0.0, 0.0), (2.125, -1.25, 0.001)]
#: Other coordinates, since a pose that is there twice is refused.
MOVED = [(x + 1, y, z) for x, y, z in POS]


@pytest.fixture
def read(tmp_path):
    """Reads records as the poses of compounds."""

    def read_text(text, *rows):
        path = tmp_path / 'poses.sdf.gz'
        path.write_bytes(gzip.compress(text.encode()))
        return build.read_docked(path, rows)

    return read_text


def test_write_is_reproducible(tmp_path):
    arrays = {
        'b': np.arange(12).reshape(3, 4).T,
        'a': np.array('text'),
        'c': np.array(3),
    }
    build.write(arrays, tmp_path / 'one.npz')
    later = time.time() + 100_000
    content = (tmp_path / 'one.npz').read_bytes()
    os.utime(tmp_path / 'one.npz', (later, later))
    reordered = {key: arrays[key] for key in 'cab'}
    build.write(reordered, tmp_path / 'two.npz')
    assert (tmp_path / 'two.npz').read_bytes() == content
    with np.load(tmp_path / 'two.npz', allow_pickle=False) as file:
        for key, value in arrays.items():
            assert file[key].shape == value.shape
            assert np.array_equal(file[key], value)


def test_rewriting_the_bundled_arrays_gives_them_again(tmp_path):
    with np.load(PATH, allow_pickle=False) as file:
        arrays = dict(file)
    build.write(arrays, tmp_path / 'again.npz')
    with np.load(tmp_path / 'again.npz', allow_pickle=False) as file:
        assert sorted(file.files) == sorted(arrays)
        for key, value in arrays.items():
            assert file[key].dtype == value.dtype
            np.testing.assert_array_equal(file[key], value)


def test_poses_are_read_by_name(read):
    rows = [row('CCO', poses=2), row('CCN', name='B')]
    poses = read(
        record('CCO', POS)
        + record('CCN', POS, name='B')
        + record('CCO', MOVED, rank=2, score=-6.0),
        *rows,
    )
    assert poses.names == ['A', 'B']
    molecule, pos = build.compound(rows[0], poses[0], 5.0)
    assert [number for number, _, _ in molecule.atoms] == [6, 6, 8]
    assert molecule.bonds == ((0, 1, 1), (1, 2, 1))
    assert pos.shape == (2, 3, 3)
    assert pos[0].tolist() == [[0, 0, 500], [1400, 0, 0], [2125, -1250, 1]]


@pytest.mark.parametrize(
    'records, match',
    [
        ([{'rank': 1}, {'rank': 3, 'score': -6.0}], 'ranks'),
        ([{'rank': 2, 'score': -6.0}, {'rank': 1}], 'ranks'),
        ([{'rank': 1}, {'rank': 2, 'score': -8.0}], 'scores'),
    ],
)
def test_ranks_and_scores_must_agree(read, records, match):
    text = ''.join(
        record('CCO', pos, **values)
        for pos, values in zip([POS, MOVED], records, strict=True)
    )
    poses = read(text, row('CCO', poses=2))
    with pytest.raises(ValueError, match=match):
        build.compound(row('CCO', poses=2), poses[0], 5.0)


@pytest.mark.parametrize(
    'bad, match',
    [
        (record('CCO', MOVED).replace(' O ', ' Qq'), 'unknown element'),
        (record('CCO', MOVED)[:150], 'cut off'),
        (record('CCN', MOVED), 'another molecule than its template'),
        (record('C=CO', MOVED), 'than its template'),
        (record('CCO', POS), 'duplicate pose'),
        (record('CCO', MOVED, score=''), 'missing score'),
    ],
)
def test_nothing_is_dropped_or_flagged(read, bad, match):
    with pytest.raises(ValueError, match=f'record 2 .*{match}'):
        read(record('CCO', POS) + bad, row('CCO', poses=2))


@pytest.mark.parametrize(
    'smiles, values, match',
    [
        ('OCC', {}, 'not in the order of its SMILES'),
        ('CCO', {'y': 5.1}, 'pIC50'),
        ('CCO', {'score': -7.1}, 'vina_best'),
    ],
)
def test_pose_must_be_that_of_its_row(read, smiles, values, match):
    (pose_set,) = read(record(smiles, POS, **values), row('CCO'))
    with pytest.raises(ValueError, match=match):
        build.compound(row('CCO'), pose_set, 5.0)


def test_pose_count_must_be_that_of_its_row(read):
    (pose_set,) = read(record('CCO', POS), row('CCO'))
    with pytest.raises(ValueError, match='n_poses'):
        build.compound(row('CCO', poses=2), pose_set, 5.0)


def test_inverted_stereocentre_is_found(read):
    smiles = 'F[C@](Cl)(Br)I'
    pos = np.array(
        [(1, 1, 1), (0, 0, 0), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)],
        dtype=float,
    )
    accepted = []
    for sign in (1, -1):
        try:
            read(record(smiles, sign * pos), row(smiles))
            accepted.append(sign)
        except ValueError as error:
            assert 'another stereoisomer than its template' in str(error)
    assert len(accepted) == 1


def test_crystal_ligand_is_in_the_order_of_its_poses(tmp_path):
    source = tmp_path
    content = gzip.compress(record('CCO', POS).encode())
    (source / 'poses.sdf.gz').write_bytes(content)
    crystal = source / 'crystal_ligand.sdf'
    crystal.write_text(record('OCC', MOVED))
    name, pos = build.read_crystal(source)
    assert name == 'A'
    expected = np.array(MOVED)[::-1] * 1000
    np.testing.assert_array_equal(pos, expected.round())
    crystal.write_text(record('OCN', MOVED))
    with pytest.raises(ValueError, match='another molecule under one id'):
        build.read_crystal(source)
    crystal.write_text(record('OCC', MOVED, name='B'))
    with pytest.raises(ValueError, match='B has no poses'):
        build.read_crystal(source)
    poses = gzip.compress(record('COC', POS).encode())
    (source / 'poses.sdf.gz').write_bytes(poses)
    crystal.write_text(record('COC', MOVED))
    with pytest.raises(ValueError, match='2 ways to match'):
        build.read_crystal(source)


def test_finer_decimals_are_refused():
    with pytest.raises(ValueError, match='more than three decimals'):
        build._thousandths(torch.tensor([1.0005]), 'x')
    with pytest.raises(ValueError, match='more than three decimals'):
        build._thousandths(torch.tensor([99.0001]), 'x')
    values = torch.tensor([-11.593, 99.999, -312.001])
    found = build._thousandths(values, 'x').tolist()
    assert found == [-11593, 99999, -312001]


def test_narrow_types_are_checked():
    with pytest.raises(ValueError, match='too narrow'):
        build._small([256], np.uint8)


def residues(*numbers, chain='A', x=0.0, code=' '):
    """Lines of glycines without oxygen."""
    lines = []
    for number in numbers:
        for name, dx in (('N', 0.0), ('CA', 1.5), ('C', 3.0)):
            lines.append(
                f'ATOM  {len(lines) + 1:5d}  {name:<3} GLY {chain}'
                f'{number:4d}{code}   {x + 10 * number + dx:8.3f}   0.000'
                f'   0.000  1.00  0.00           {name[0]}'
            )
    return '\n'.join(lines) + '\n'


@pytest.fixture
def chain(tmp_path):
    def read_text(text, size, name='receptor.pdb'):
        path = tmp_path / name
        path.write_text(f'{text}TER\nEND\n')
        return build.read_chain(path, size)

    return read_text


def test_chain(chain):
    receptor = chain(residues(1, 2, 4), 9)
    assert receptor.z.tolist() == [7, 6, 6] * 3
    numbers = build._numbers(receptor).tolist()
    assert numbers == [1, 1, 1, 2, 2, 2, 4, 4, 4]


@pytest.mark.parametrize(
    'text, match',
    [
        (residues(1) + residues(2, chain='B'), 'GLY B/2 is of another chain'),
        (residues(1) + residues(1, code='A', x=5), 'or inserted'),
        (residues(2, 1), 'out of order'),
        (residues(1, 303), 'residues 1 to 303'),
        (residues(0, 1), 'residues 0 to 1'),
        (residues(1, 2, 3), '9 atoms, expected 6'),
        (residues(1, 2) + residues(2), 'receptor.pdb'),
        (
            residues(1, 2)
            + residues(3).replace('ATOM  ', 'HETATM').replace('GLY', 'HOH'),
            'water',
        ),
    ],
)
def test_chain_must_be_plain(chain, text, match):
    with pytest.raises(ValueError, match=match):
        chain(text, 6)


def test_pocket_is_found_by_atom(chain):
    whole = chain(residues(1, 2, 3, 4), 12)
    pocket = chain(residues(2, 3), 6, 'pocket.pdb')
    # Residue 2 is whole, though its first atom is far.
    ligand = np.array([[31000, 0, 0]])
    assert build.pocket_rows(whole, pocket, ligand) == [3, 4, 5, 6, 7, 8]
    small = chain(residues(3), 3, 'small.pdb')
    with pytest.raises(ValueError, match='is not 8.0 A'):
        build.pocket_rows(whole, small, ligand)
    moved = chain(residues(2, 3, x=0.001), 6, 'moved.pdb')
    with pytest.raises(ValueError, match='not in the chain'):
        build.pocket_rows(whole, moved, ligand)


@pytest.mark.skipif(
    'MPRO_MOONSHOT_SOURCE' not in os.environ,
    reason='MPRO_MOONSHOT_SOURCE, the folder of the source files, is not set',
)
def test_bundled_file_is_what_the_source_gives(tmp_path):
    arrays = build.build(Path(os.environ['MPRO_MOONSHOT_SOURCE']))
    with np.load(PATH, allow_pickle=False) as file:
        assert sorted(file.files) == sorted(arrays)
        for key, value in arrays.items():
            np.testing.assert_array_equal(file[key], value, strict=True)
