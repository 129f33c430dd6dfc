import gzip
import os
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rdkit')

from rdkit import Chem  # noqa: E402

from pyg_multipose.datasets import build_mpro_moonshot as build  # noqa: E402
from pyg_multipose.datasets.mpro_file import PATH  # noqa: E402

ATOM = 'ATOM   1000  CA AMET B 130A     14.366   4.617  -4.828  1.00 22.02'
PLAIN = 'ATOM   1000  CA  MET A 130      14.366   4.617  -4.828  1.00 22.02'
TAIL = '           C  '


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


def row(smiles, poses=1):
    return {
        'compound_id': 'A',
        'smiles': smiles,
        'pIC50': '5.0',
        'n_heavy_atoms': '3',
        'n_poses': str(poses),
        'vina_best': '-7.0',
    }


POS = [(0.0, 0.0, 0.0), (1.4, 0.0, 0.0), (2.125, -1.25, 0.001)]


def read(tmp_path, text):
    path = tmp_path / 'poses.sdf.gz'
    path.write_bytes(gzip.compress(text.encode()))
    return build.read_poses(path)


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


def test_poses_are_joined_by_name_and_sorted_by_rank(tmp_path):
    poses = read(
        tmp_path,
        record('CCO', POS, rank=2, score=-6.0)
        + record('CCN', POS, name='B')
        + record('CCO', POS, rank=1),
    )
    assert sorted(poses) == ['A', 'B']
    molecule, pos = build.compound(row('CCO', poses=2), poses['A'])
    assert molecule == ((6, 6, 8), ((0, 1, 1), (1, 2, 1)))
    assert pos.shape == (2, 3, 3)
    assert pos[0].tolist() == [[0, 0, 0], [1400, 0, 0], [2125, -1250, 1]]


@pytest.mark.parametrize(
    'records, match',
    [
        ([{'rank': 1}, {'rank': 3, 'score': -6.0}], 'ranks'),
        ([{'rank': 1}, {'rank': 2, 'score': -8.0}], 'scores'),
    ],
)
def test_ranks_and_scores_must_agree(tmp_path, records, match):
    text = ''.join(record('CCO', POS, **values) for values in records)
    with pytest.raises(ValueError, match=match):
        read(tmp_path, text)


def test_unreadable_record_is_not_dropped(tmp_path):
    good = record('CCO', POS)
    bad = good.replace(' O ', ' Qq')
    with pytest.raises(ValueError, match=r'cannot read the records \[1\]'):
        read(tmp_path, good + bad)


def test_cut_off_record_is_not_dropped(tmp_path):
    good = record('CCO', POS)
    with pytest.raises(ValueError, match='cannot read'):
        read(tmp_path, good + good[: len(good) // 2])


@pytest.mark.parametrize(
    'smiles, values, match',
    [
        ('OCC', {}, 'atoms or bonds differ'),  # the order
        ('C=CO', {}, 'atoms or bonds differ'),
        ('CCO', {'y': 5.1}, 'pIC50'),
        ('CCO', {'score': -7.1}, 'vina_best'),
    ],
)
def test_pose_must_be_that_of_its_row(tmp_path, smiles, values, match):
    poses = read(tmp_path, record(smiles, POS, **values))['A']
    with pytest.raises(ValueError, match=match):
        build.compound(row('CCO'), poses)


def test_pose_count_must_be_that_of_its_row(tmp_path):
    poses = read(tmp_path, record('CCO', POS))['A']
    with pytest.raises(ValueError, match='n_poses'):
        build.compound(row('CCO', poses=2), poses)


def test_inverted_stereocentre_is_found(tmp_path):
    smiles = 'F[C@](Cl)(Br)I'
    pos = np.array(
        [(1, 1, 1), (0, 0, 0), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)],
        dtype=float,
    )
    values = {**row(smiles), 'n_heavy_atoms': '5'}
    accepted = []
    for sign in (1, -1):
        poses = read(tmp_path, record(smiles, sign * pos))['A']
        try:
            build.compound(values, poses)
            accepted.append(sign)
        except ValueError as error:
            assert 'not its SMILES' in str(error)
    assert len(accepted) == 1


def test_finer_decimals_are_refused():
    with pytest.raises(ValueError, match='more than three decimals'):
        build._thousandths(np.array([1.0005]), 'x')
    assert build._thousandths(np.array([-11.593]), 'x').tolist() == [-11593]


def test_narrow_types_are_checked():
    with pytest.raises(ValueError, match='too narrow'):
        build._small([256], np.uint8)


def test_pdb(tmp_path):
    path = tmp_path / 'receptor.pdb'
    path.write_text(f'{PLAIN}{TAIL}\nTER\nEND\n')
    (atom,) = build.read_pdb(path, 1)
    assert atom == ('CA', 'MET', 130, (14366, 4617, -4828), 'C')
    with pytest.raises(ValueError, match='1 atoms'):
        build.read_pdb(path, 2)


@pytest.mark.parametrize('column', [16, 21, 26])
def test_pdb_with_other_chains_or_conformations(tmp_path, column):
    line = PLAIN[:column] + ATOM[column] + PLAIN[column + 1 :]
    path = tmp_path / 'receptor.pdb'
    path.write_text(f'{line}{TAIL}\n')
    with pytest.raises(ValueError, match='another chain, conformation'):
        build.read_pdb(path, 1)


def test_pdb_with_unknown_records_or_repeats(tmp_path):
    path = tmp_path / 'receptor.pdb'
    path.write_text(f'{PLAIN}{TAIL}\n{PLAIN}{TAIL}\n')
    with pytest.raises(ValueError, match='an atom is twice'):
        build.read_pdb(path, 2)
    path.write_text(f'{PLAIN.replace("ATOM  ", "HETATM")}{TAIL}\n')
    with pytest.raises(ValueError, match='HETATM'):
        build.read_pdb(path, 1)


def test_pocket_is_found_by_atom():
    chain = [
        build.Atom('CA', 'GLY', 1, (0, 0, 0), 'C'),
        build.Atom('CA', 'GLY', 2, (9000, 0, 0), 'C'),
        build.Atom('N', 'GLY', 2, (30000, 0, 0), 'N'),
        build.Atom('CA', 'GLY', 3, (60000, 0, 0), 'C'),
    ]
    ligand = np.array([[17000, 0, 0]])
    # Residue 2 is whole, though one of its atoms is far.
    assert build.pocket_rows(chain, chain[1:3], ligand) == [1, 2]
    with pytest.raises(ValueError, match='is not 8.0 A'):
        build.pocket_rows(chain, chain[1:2], ligand)
    moved = chain[1]._replace(pos=(9001, 0, 0))
    with pytest.raises(ValueError, match='not in the chain'):
        build.pocket_rows(chain, [moved, chain[2]], ligand)
    with pytest.raises(ValueError, match='order of the chain'):
        build.pocket_rows(chain, chain[2:0:-1], ligand)


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
