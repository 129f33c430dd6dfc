"""Side chains that are not those of the receptor are refused, pose by pose."""

import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyg_multipose.io import read_poses, read_receptor

TURN = {(5, ('N', 'CA', 'CB', 'OG')): 77.0}


@pytest.fixture(scope='module')
def receptor(peptide, flex, tmp_path_factory):
    path = tmp_path_factory.mktemp('receptor') / 'receptor.pdb'
    path.write_text(flex.receptor_text(peptide))
    return read_receptor(path)


@pytest.fixture(scope='module')
def text(peptide, flex):
    """Three models, of one residue that turns in the second."""
    return flex.flexible_pdb(
        [peptide, flex.turned(peptide, TURN), peptide], [5]
    )


@pytest.fixture(scope='module')
def sdf(peptide, flex):
    return flex.flexible_sdf(
        [peptide, flex.turned(peptide, TURN), peptide], [4, 5]
    )


@pytest.fixture(scope='module')
def poses(make_poses, peptide):
    return make_poses(peptide)


@pytest.fixture
def read(tmp_path, receptor, poses):
    def of(flexible, name='flex.pdb', title='CPD', **kwargs):
        (tmp_path / 'docked.sdf').write_text(poses)
        path = tmp_path / name
        path.write_bytes(
            flexible if isinstance(flexible, bytes) else flexible.encode()
        )
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            out = read_poses(
                tmp_path / 'docked.sdf',
                receptor=receptor,
                flexible=path,
                **kwargs,
            )
        out.report.check()
        return out

    return of


def dropped(poses):
    return [
        (row.record, row.reason, row.detail) for row in poses.report.dropped
    ]


def second(text, change):
    """Changes the second model alone."""
    head, two, three = re.split(r'(?=MODEL        [23])', text)
    return head + change(two) + three


def check_second_is_dropped(poses, reason, *words):
    ((record, why, detail),) = dropped(poses)
    assert (record, why) == (2, reason)
    assert all(word in detail for word in words), detail
    (records,) = poses.records
    assert [number for _, number in records] == [1, 3]
    (pose_set,) = poses
    assert pose_set.minimizedAffinity.tolist() == [0.0, -2.0]


def test_good(read, text):
    poses = read(text)
    assert not poses.report.dropped
    assert len({tuple(s.pose_size.tolist()) for s in poses}) == 1
    (pose_set,) = poses
    assert pose_set.pose_size.tolist() == [3, 4, 3]  # OG has moved


def test_atom_that_is_not_in_the_receptor(read, text):
    for old, new, word in (
        (' OG  SER', ' OD  SER', "['C', 'CA', 'CB', 'N', 'O', 'OG']"),
        (' OG  SER A   5', ' OG  SER A  55', 'no residue A/55'),
        (' OG  SER A   5', ' OG  SER B   5', 'no residue B/5'),
        (' OG  SER A   5 ', ' OG  SER A   5B', 'no residue A/5B'),
    ):
        poses = read(second(text, lambda t, o=old, n=new: t.replace(o, n)))
        check_second_is_dropped(
            poses, 'an atom that the receptor does not have', word
        )


def test_another_element(read, text):
    def change(model):
        return re.sub(r'( OG  SER.*) O\b', r'\1 S', model)

    poses = read(second(text, change))
    check_second_is_dropped(
        poses, 'an atom that the receptor does not have', 'element 16'
    )


def test_two_positions_of_an_atom(read, text):
    def change(model):
        (line,) = re.findall(r'.* OG  SER.*\n', model)
        other = line[:30] + '   9.999' + line[38:]
        return model.replace(line, line + other)

    poses = read(second(text, change))
    check_second_is_dropped(poses, 'two positions of an atom', 'OG of SER')


def test_incomplete_side_chain(read, text):
    poses = read(second(text, lambda t: re.sub(r'.* OG  SER.*\n', '', t)))
    check_second_is_dropped(poses, 'incomplete flexible residues', 'OG')


def test_backbone_that_has_moved(read, text):
    def change(model):
        (line,) = re.findall(r'.* CA  SER.*\n', model)
        return model.replace(line, line[:30] + '   1.000' + line[38:])

    poses = read(second(text, change))
    check_second_is_dropped(poses, 'a backbone that has moved', 'CA of SER')


def test_damaged_model(read, text):
    def change(model):
        return re.sub(r'( OG  SER A   5    ).{8}', r'\1     nan', model)

    poses = read(second(text, change))
    check_second_is_dropped(poses, 'unreadable coordinates', 'nan')
    poses = read(second(text, lambda t: t.replace(' SER A   5', ' SER A   x')))
    check_second_is_dropped(poses, 'unreadable flexible residues')
    poses = read(
        second(
            text, lambda t: re.sub(r'(SER A   5    ).{8}', r'\1 99999.0', t)
        )
    )
    check_second_is_dropped(poses, 'unreadable flexible residues', 'range')


def test_model_of_another_ligand(read, text):
    poses = read(second(text, lambda t: t.replace('UNNAMED', 'OTHER')))
    check_second_is_dropped(poses, 'flexible residues', "'OTHER'")


def test_another_number_of_models(read, text):
    """No pose gets the side chains of another one."""
    for spoiled in (
        text + text.replace('MODEL        1', 'MODEL        4'),
        text[: text.index('MODEL        3')],
        text.replace('ENDMDL\nMODEL        2', ''),
    ):
        poses = read(spoiled)
        assert len(poses) == 0
        rows = sorted(dropped(poses))
        assert [row[0] for row in rows] == [1, 2, 3]
        assert any('models, but there are 3' in row[2] for row in rows)


def test_model_without_an_end(read, text):
    poses = read(text.removesuffix('ENDMDL\n'))
    ((record, reason, detail),) = dropped(poses)
    assert (record, reason) == (3, 'incomplete flexible residues')
    assert 'ends within it' in detail


def test_files_that_cannot_be_read(read, text, tmp_path):
    with pytest.raises(ValueError, match='UTF-16'):
        read('\ufeff'.encode('utf-16') + text.encode('utf-16'))
    with pytest.raises(ValueError, match='gzip'):
        read(b'\x1f\x8b\x08\x00', 'flex.pdb.gz')


# Without names ###############################################################


def test_sdf(read, sdf):
    poses = read(sdf, 'flex.sdf')
    assert not poses.report.dropped
    (pose_set,) = poses
    assert pose_set.pose_size.tolist() == [3, 4, 3]


def with_atoms(record, change):
    head, *rest = record.split('V2000\n')
    atoms, end = rest[0].split('M  END')
    return f'{head}V2000\n{change(atoms)}M  END{end}'


@pytest.mark.parametrize(
    'change, reason',
    [
        # The oxygen is too far from its carbon.
        (
            lambda atoms: re.sub(r'.{10}(?=.{20} O )', '   20.0000', atoms),
            'atoms of flexible residues cannot be told apart',
        ),
        # It is another element.
        (
            lambda atoms: re.sub(' O ', ' S ', atoms),
            'atoms of flexible residues cannot be told apart',
        ),
        # A second one.
        (
            lambda atoms: atoms + '    1.0000    2.0000    3.0000 O   0  0\n',
            'an atom that the receptor does not have',
        ),
    ],
)
def test_bad_sdf(read, sdf, change, reason):
    records = sdf.split('$$$$\n')
    records[1] = with_atoms(records[1], change)
    added = change('').count('\n')
    if added:
        size = int(records[1].splitlines()[3][:3])
        records[1] = records[1].replace(
            f'{size:3}  0  0', f'{size + 1:3}  0  0', 1
        )
    poses = read('$$$$\n'.join(records), 'flex.sdf')
    check_second_is_dropped(poses, reason)


def test_mirror_image_is_another_atom(peptide, flex, receptor):
    """Two methyls of a leucine are told apart by the side they are on."""
    import numpy as np

    from pyg_multipose.io.flexible.receptor_atoms import ReceptorAtoms
    from pyg_multipose.io.flexible.torsions import named

    atoms = ReceptorAtoms(receptor)
    for number in (2, 4):  # valine, leucine
        mol = flex.turned(
            peptide,
            {
                (number, ('N', 'CA', 'CB', names)): 90.0
                for names in ({2: 'CG1', 4: 'CG'}[number],)
            },
        )
        rows = flex.rows_of(mol, [number])
        xyz = mol.GetConformer().GetPositions()[rows]
        z = [mol.GetAtomWithIdx(row).GetAtomicNum() for row in rows]
        found = named(z, xyz, atoms)
        expected = {
            flex.label(mol.GetAtomWithIdx(row))[1]: pos
            for row, pos in zip(rows, xyz, strict=True)
        }
        assert len(found) == len(expected)
        for atom in found:
            assert np.allclose(expected[atom.name], atom.pos)


# Spoiled at random ###########################################################

PIECES = [
    '\n', ' ', '-', 'nan', 'ENDMDL\n', 'MODEL        9\n', 'END\n', 'ATOM',
    'SER', ' OG ', ' A ', '9', '$$$$\n', 'M  END\n', '\0', '\u2212',
    'BEGIN_RES SER A 5\n', 'END_RES\n',
]  # fmt: skip


@st.composite
def changes(draw):
    return [
        (
            draw(st.integers(0, 10_000)),
            draw(st.sampled_from([0, 1, 2, 10, 80])),
            draw(st.sampled_from([*PIECES, ''])),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]


def spoil(content, made):
    for at, length, piece in made:
        at %= len(content) + 1
        content = content[:at] + piece + content[at + length :]
    return content


def check(poses, receptor, scores):
    """A score is that of its own record, beside its own receptor."""
    for row in poses.report.rows:
        assert row.reason != 'unexpected error', row
    for records, pose_set in zip(poses.records, poses, strict=True):
        for place, (_, record) in enumerate(records):
            assert scores(pose_set)[place].item() == 1.0 - record
            whole = pose_set.pose(place)
            assert whole.pos.isfinite().all()
            assert (~whole.is_ligand).sum() == receptor.num_nodes


@pytest.mark.parametrize('name', ['flex.pdb', 'flex.sdf'])
@given(made=changes())
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_spoiled_files(read, text, sdf, receptor, name, made):
    content = spoil(text if name == 'flex.pdb' else sdf, made)
    try:
        poses = read(content, name)
    except ValueError as error:
        assert name in str(error)
        return
    check(poses, receptor, lambda pose_set: pose_set.minimizedAffinity)


@given(made=changes())
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_spoiled_models(tmp_path, make, flex, peptide, receptor, made):
    """Side chains in the models of the ligand; only these are spoiled."""
    mol = make.embedded('CCO', hydrogens=True)
    start = peptide.GetConformer().GetPositions().max(axis=0)
    xyz = mol.GetConformer().GetPositions() + start + 1.0
    mol.GetConformer().SetPositions(xyz)
    models = [
        make.pdbqt(mol, 'CCO', score=-float(n))
        + spoil(flex.flexible_pdbqt(peptide, [5, 7]), made[: n % 2 * 3])
        for n in range(3)
    ]
    path = tmp_path / 'out.pdbqt'
    path.write_text(make.models(*models))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        poses = read_poses(path, receptor=receptor)
    poses.report.check()
    if poses.report.seen[str(path)] == 3:  # no piece has cut a model
        check(poses, receptor, lambda pose_set: pose_set.vina_affinity)
        (records,) = poses.records
        assert {1, 3} <= {number for _, number in records}
