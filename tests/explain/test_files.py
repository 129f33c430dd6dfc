"""Back to SDF, and to CSV."""

import csv
import gzip
import math

import pytest
import torch
from torch_geometric.loader import DataLoader

from pyg_multipose.explain import explain, write_csv, write_sdf
from pyg_multipose.nn import MultiPoseReadout

Chem = pytest.importorskip('rdkit.Chem')

from rdkit.Chem import AllChem  # noqa: E402

from pyg_multipose.io import read_poses  # noqa: E402


class Score(torch.nn.Module):
    def forward(self, batch):
        return batch.CNNscore.double() + batch.num_graphs * 0


def record(smiles, seed, title, hydrogens=False, v3000=False, items=()):
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    mol = mol if hydrogens else Chem.RemoveHs(mol)
    block = Chem.MolToMolBlock(mol, forceV3000=v3000).split('\n', 1)[1]
    items = [('CNNscore', f'{0.1 * seed:.3f}'), ('note', 'a\nb'), *items]
    fields = ''.join(
        f'>  <{name}>  (1) \n{value}\n\n' for name, value in items
    )
    return f'{title}\n{block}{fields}$$$$\n'


RECORDS = [
    record('CCO', 1, 'A'),
    record('CCO', 2, 'A', hydrogens=True),
    'junk\n$$$$\n',
    record('CC(N)=O', 3, 'B', v3000=True),
    record('CCO', 4, 'A'),
]


@pytest.fixture
def poses(tmp_path):
    (tmp_path / 'poses.sdf').write_text(''.join(RECORDS))
    return read_poses(tmp_path / 'poses.sdf', progress=False)


@pytest.fixture
def explained(poses):
    readout = MultiPoseReadout(Score(), 'free_energy')
    return explain(readout, DataLoader(poses, batch_size=2))


def records_of(path):
    opened = gzip.open if path.suffix == '.gz' else open
    with opened(path, 'rt') as file:
        return [text + '$$$$\n' for text in file.read().split('$$$$\n')[:-1]]


@pytest.mark.parametrize('name', ['out.sdf', 'out.sdf.gz'])
def test_round_trip(poses, explained, tmp_path, name):
    out = tmp_path / name
    write_sdf(explained, poses, out)
    written = records_of(out)
    assert written[2] == RECORDS[2]
    for old, new in zip(RECORDS, written, strict=True):
        assert new.startswith(old.removesuffix('$$$$\n'))
    (tmp_path / 'plain.sdf').write_text(''.join(written))
    # A reader of its own: which record is which pose?
    mols = list(Chem.SDMolSupplier(str(tmp_path / 'plain.sdf')))
    by_set = {
        name: [mols[number - 1] for _, number in records]
        for name, records in zip(poses.names, poses.records, strict=True)
    }
    for row in explained.to_table():
        mol = by_set[row['set']][row['pose']]
        assert mol.GetProp('_Name') == row['set']
        tags = mol.GetPropsAsDict()
        assert tags['note'] == 'a\nb'
        score = tags['CNNscore']
        assert math.isclose(
            tags['multipose_pose_prediction'], score, rel_tol=1e-6
        )
        assert math.isclose(
            tags['multipose_weight'], row['weight'], rel_tol=1e-6
        )
        assert tags['multipose_rank'] == row['rank']
        assert math.isclose(
            tags['multipose_prediction'], row['prediction'], rel_tol=1e-6
        )
        assert ('multipose_change' in tags) == (row['set'] == 'A')
        assert 'multipose_num_effective' in tags
    assert [p.name for p in tmp_path.iterdir() if 'part' in p.name] == []
    # What was written is read as before, and can be explained again.
    again = read_poses(out, progress=False)
    assert again.names == poses.names
    assert torch.equal(again[0].pos, poses[0].pos)


def test_a_file_whose_records_are_the_poses(poses, explained, tmp_path):
    only = tmp_path / 'only.sdf'
    # By sets: A, A, A, B. The last has no end.
    order = [RECORDS[k] for k in (0, 1, 4, 3)]
    only.write_text(''.join(order).removesuffix('$$$$\n'))
    write_sdf(explained, only, tmp_path / 'out.sdf')
    mols = list(Chem.SDMolSupplier(str(tmp_path / 'out.sdf')))
    assert [mol.GetProp('_Name') for mol in mols] == ['A', 'A', 'A', 'B']
    weights = [mol.GetDoubleProp('multipose_weight') for mol in mols]
    torch.testing.assert_close(
        torch.tensor(weights).double(), explained.weight, atol=1e-6, rtol=1e-6
    )
    # Several files, one record each.
    files = []
    for number, text in enumerate(order):
        files.append(tmp_path / f'{number}.sdf')
        files[-1].write_text(text.replace('\n', '\r\n'))
    write_sdf(explained, [(f, 1) for f in files], tmp_path / 'all.sdf')
    assert (tmp_path / 'all.sdf').read_text() == (
        tmp_path / 'out.sdf'
    ).read_text()


def fails(explained, records, path, match, error=ValueError, **kwargs):
    with pytest.raises(error, match=match):
        write_sdf(explained, records, path, **kwargs)
    assert not path.exists()
    assert not list(path.parent.glob('*.part'))


def test_what_does_not_fit(poses, explained, tmp_path):
    out = tmp_path / 'out.sdf'
    source = tmp_path / 'poses.sdf'
    fails(explained, source, out, 'has 5 records, but 4 poses')
    file = str(source)
    order = [(file, 1), (file, 5), (file, 2), (file, 4)]
    fails(
        explained, order, out, r"poses.sdf, record 2 is to be pose 2 of set "
        r"'A', but its heavy atoms are not where"
    )  # fmt: skip
    fails(explained, order[:3], out, '3 entries.* 4 explained poses')
    fails(explained, order[:3] * 2, out, '6 entries')
    fails(explained, [order[0], *order[:3]], out, 'record 1 is given for two')
    good = [(file, k) for k in (1, 2, 5, 4)]
    fails(
        explained,
        [*good[:3], (file, 9)],
        out,
        "no record 9, .*pose 0 of set 'B'",
    )
    fails(explained, [*good[:3], (file, 3)], out, 'record 3 .*no mol block')
    fails(explained[0], [(file, 1), (file, 2)], out, '2 entries')
    with pytest.raises(ValueError, match='while it is read'):
        write_sdf(explained, good, source)
    fails(
        explained, [(str(tmp_path / 'none.sdf'), 1), *good[1:]], out,
        'none.sdf', OSError,
    )  # fmt: skip
    write_sdf(explained, good, tmp_path / 'twice.sdf')
    again = [(str(tmp_path / 'twice.sdf'), k) for _, k in good]
    fails(explained, again, out, "record 1 has .*'multipose_pose_prediction'")
    write_sdf(explained, again, tmp_path / 'more.sdf', prefix='second_')
    assert 'second_weight' in (tmp_path / 'more.sdf').read_text()


def test_sets_of_another_dataset(poses, explained, tmp_path):
    out = tmp_path / 'out.sdf'
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'b.sdf').write_text(RECORDS[3])
    other = read_poses(tmp_path / 'b' / 'b.sdf', progress=False)
    fails(explained, other, out, "set 'A' is none of the 1 sets")
    chosen = explain(
        MultiPoseReadout(Score(), 'mean'), poses[0].select([0, 2])
    )
    fails(chosen, poses, out, "'A' .*2 poses.*3 records.*poses.sdf, record 5")
    # Their records are known, so the caller can give them.
    records = poses.records[0]
    write_sdf(chosen, [records[0], records[2]], out)
    assert out.read_text().count('multipose_rank') == 2


def test_csv(explained, tmp_path):
    path = tmp_path / 'table.csv'
    write_csv(explained, path)
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    table = explained.to_table()
    assert len(rows) == len(table) == 4
    for row, expected in zip(rows, table, strict=True):
        for key, value in expected.items():
            assert row[key] == ('' if value is None else str(value))
    assert rows[3]['change'] == ''
