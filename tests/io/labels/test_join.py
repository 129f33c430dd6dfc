import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from pyg_multipose.data import PoseSet
from pyg_multipose.io.labels.ids import likeness
from pyg_multipose.io.labels.join import join_labels
from pyg_multipose.io.labels.labels import read_labels

LN_10 = math.log(10)


def pose_set(name, receptor_name=None, number=0):
    z = torch.tensor([6, 7, 8])
    pos = torch.randn(3, 3, generator=torch.Generator().manual_seed(number))
    poses = [Data(z=z, pos=pos), Data(z=z, pos=pos + 1)]
    if receptor_name is None:
        return PoseSet.from_poses(poses, name=name)
    receptor = Data(z=z, pos=pos + 9)
    return PoseSet.from_complex(
        receptor, poses, name=name, receptor_name=receptor_name
    )


@pytest.fixture
def labels(tmp_path):
    def make(*rows, **kwargs):
        path = tmp_path / 'a.csv'
        head = 'ligand_id,target_id,value,unit,kind'
        path.write_text('\n'.join([head, *rows]))
        return read_labels(path, **kwargs)

    return make


def test_by_id_not_by_position(labels):
    known = labels('A,T,1,uM,Ki', 'B,T,10,uM,Ki', 'C,T,100,uM,Ki')
    sets = [pose_set(name, number=n) for n, name in enumerate('CAB')]
    joined = join_labels(sets, known, target_id='T')
    assert [(one.name, one.y.item()) for one in joined] == [
        ('C', 4), ('A', 6), ('B', 5)
    ]  # fmt: skip
    for one, before in zip(joined, sets, strict=True):
        assert one.pos.equal(before.pos)
        assert 'y' not in before
    assert [label.ligand_id for label in joined.labels] == list('CAB')
    assert not joined.report.rows


def test_keys_of_a_set(labels):
    joined = join_labels(
        [pose_set('A'), pose_set('B')],
        labels('A,T,1,uM,Ki', 'A,T,100,uM,Ki', 'B,T,>10,uM,Ki'),
        target_id='T',
    )
    a, b = joined
    assert isinstance(a, PoseSet) and a.num_poses == 2
    assert a.y.shape == a.y_relation.shape == a.y_std.shape == (1,)
    assert a.y.dtype == a.y_std.dtype == torch.get_default_dtype()
    assert (a.y.item(), a.y_relation.item(), a.y_count.item()) == (5, 0, 2)
    assert a.y_std.item() == pytest.approx(math.sqrt(2))
    assert (b.y.item(), b.y_relation.item(), b.y_count.item()) == (5, -1, 1)
    assert b.y_std.isnan()
    batch = next(iter(DataLoader(joined, batch_size=2)))
    assert batch.y.tolist() == [5, 5]
    assert batch.y_relation.tolist() == [0, -1]
    assert batch[1].y_relation.tolist() == [-1]
    assert a.select([1]).y_relation.tolist() == [0]


@pytest.mark.parametrize(
    'scale, per_pk, unit',
    [('pK', 1, 'pK'), ('dG_kT', -LN_10, 'kT'),
     ('dG_kcal', -LN_10 * 0.0019872043 * 310, 'kcal/mol')],
)  # fmt: skip
def test_scales(labels, scale, per_pk, unit):
    """Bounds turn over with the sign of the scale, spreads do not."""
    known = labels(
        'A,T,1,uM,Ki', 'A,T,100,uM,Ki', 'B,T,>10,uM,Ki', 'C,T,<10,uM,Ki'
    )
    sets = [pose_set(name) for name in 'ABC']
    joined = join_labels(
        sets, known, target_id='T', scale=scale, temperature=310
    )
    y = [one.y.item() for one in joined]
    assert y == pytest.approx([5 * per_pk] * 3, rel=1e-6)
    assert y[0] == pytest.approx(known[0].value(unit, 310))
    sign = 1 if per_pk > 0 else -1
    relations = [one.y_relation.item() for one in joined]
    assert relations == [0, -sign, sign]
    std = joined[0].y_std.item()
    assert std == pytest.approx(math.sqrt(2) * abs(per_pk), rel=1e-6)


def test_unmatched(labels):
    known = labels(
        'A,T,1,uM,Ki', 'x-7,T,1,uM,Ki', 'N,T,1,uM,Ki', 'W,U,1,uM,Ki'
    )
    names = ['X-007', 'A', 'M', 'W']
    joined = join_labels(
        [pose_set(name) for name in names], known, target_id='T'
    )
    assert [one.name for one in joined] == ['A']
    assert joined.labels_without_poses == [
        ('x-7', 'T'),
        ('N', 'T'),
        ('W', 'U'),
    ]
    assert joined.poses_without_label == [
        ('X-007', 'T'), ('M', 'T'), ('W', 'T')
    ]  # fmt: skip
    report = joined.report
    assert (report.num_seen, report.num_kept, report.num_dropped) == (4, 1, 3)
    dropped = {row.title: row for row in report.dropped}
    assert "nearly the same: ['x-7']" in dropped['X-007'].detail
    assert "labels are of ['U']" in dropped['W'].detail
    assert dropped['M'].record == 3 and dropped['M'].reason == 'no label'
    flagged = {row.title: row for row in report.flagged}
    assert "nearly the same: ['X-007']" in flagged['x-7'].detail
    assert flagged['N'].record == 4 and flagged['N'].file.endswith('a.csv')
    assert '1 of 4 pose sets' in report.summary


def test_nothing_matches(labels):
    with pytest.warns(UserWarning, match='(?s)No pose set has a label.*A'):
        joined = join_labels(
            [pose_set('a')], labels('A,T,1,uM,Ki'), target_id='T'
        )
    assert len(joined) == 0


def test_targets(labels):
    known = labels('A,T,1,uM,Ki', 'A,U,10,uM,Ki')
    sets = [pose_set('A', 'T'), pose_set('A', 'U')]
    joined = join_labels(sets, known)
    assert [one.y.item() for one in joined] == [6, 5]
    sets = [pose_set('A', 'pdb1'), pose_set('A', 'pdb2')]
    joined = join_labels(sets, known, target_id={'pdb1': 'U', 'pdb2': 'T'})
    assert [one.y.item() for one in joined] == [5, 6]
    joined = join_labels(sets, known, target_id='T')
    assert [one.y.item() for one in joined] == [6, 6]
    (row,) = (
        row for row in joined.report.flagged if row.title == 'A'
        and 'several sets' in row.reason
    )  # fmt: skip
    assert row.detail.startswith('[1, 2]')
    with pytest.raises(ValueError, match=r"set 0 'A'.*target_id=.*\['T', 'U"):
        join_labels([pose_set('A')], known)
    with pytest.raises(ValueError, match="set 1 'A'.*'pdb2'"):
        join_labels(sets, known, target_id={'pdb1': 'T'})


def test_kinds(labels):
    rows = ['A,T,1,uM,Ki', 'A,T,10,uM,IC50', 'B,T,1,uM,Ki']
    sets = [pose_set('A'), pose_set('B')]
    known = labels(*rows)
    with pytest.raises(ValueError, match=r"\{'Ki': 2, 'IC50': 1\}.*pool"):
        join_labels(sets, known, target_id='T')
    joined = join_labels(sets, known, target_id='T', kind='Ki')
    assert [one.y.item() for one in joined] == [6, 6]
    joined = join_labels(sets, known, target_id='T', kind='IC50')
    assert [one.y.item() for one in joined] == [5]
    with pytest.raises(ValueError, match="'Kd'.*'Ki'"):
        join_labels(sets, known, target_id='T', kind='Kd')
    joined = join_labels(
        sets, labels(*rows, pool_kinds=True), target_id='T'
    )  # fmt: skip
    assert [one.y.item() for one in joined] == [5.5, 6]


def test_scale_is_checked(labels):
    with pytest.raises(ValueError, match="'kcal'.*'dG_kcal'"):
        join_labels([], labels('A,T,1,uM,Ki'), target_id='T', scale='kcal')


def test_blanks_around_names(labels):
    joined = join_labels(
        [pose_set(' A\u00a0')], labels('A,T,1,uM,Ki'), target_id=' T '
    )
    assert len(joined) == 1


def test_transform_and_slices(labels):
    known = labels('A,T,1,uM,Ki', 'B,T,10,uM,Ki')

    def shifted(one):
        one.pos = one.pos + 1
        return one

    sets = [pose_set('B'), pose_set('A')]
    joined = join_labels(sets, known, target_id='T', transform=shifted)
    assert joined[0].pos.equal(sets[0].pos + 1)
    part = joined[1:]
    assert len(part) == 1 and part[0].y.item() == 6
    assert [label.ligand_id for label in part.labels] == ['A']
    assert repr(part) == 'LabeledPoses(1 sets)'


@given(
    st.lists(st.sampled_from('ABCDEF'), unique=True),
    st.lists(st.sampled_from('ABCDEF'), unique=True, min_size=1),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=40)
def test_join(tmp_path_factory, names, known, rng):
    """Each id once on each side, in any order."""
    path = tmp_path_factory.mktemp('join') / 'a.csv'
    pk = {name: 1.0 + 'ABCDEF'.index(name) for name in known}
    rows = [f'{name},T,{pk[name]},pKi' for name in known]
    rng.shuffle(rows)
    path.write_text('\n'.join(['ligand_id,target_id,value,unit', *rows]))
    labels = read_labels(path)
    sets = [pose_set(name) for name in names]
    both = [name for name in names if name in pk]
    if both:
        joined = join_labels(sets, labels, target_id='T')
    else:
        with pytest.warns(UserWarning, match='No pose set'):
            joined = join_labels(sets, labels, target_id='T')
    joined.report.check()
    assert [one.name for one in joined] == both
    assert [one.y.item() for one in joined] == [pk[name] for name in both]
    assert {name for name, _ in joined.labels_without_poses} == set(
        known
    ) - set(names)
    assert {name for name, _ in joined.poses_without_label} == set(
        names
    ) - set(known)


def test_likeness():
    for one, other, same in (
        ('CPD-1', 'cpd_001', True), ('CPD-1', 'CPD 1', True),
        ('A1-1', 'A-11', False), ('CPD-1', 'CPD-10', False),
        ('A', 'B', False), ('\uff21-1', 'a1', True), ('0', '00', True),
        ('CPD-0', 'CPD-', False),
    ):  # fmt: skip
        assert (likeness((one, 'T')) == likeness((other, 'T'))) == same
    assert likeness(('A', 'T')) != likeness(('A', 'U'))


def test_nothing_random(labels):
    states = random.getstate(), torch.get_rng_state()
    join_labels([pose_set('A')], labels('A,T,1,uM,Ki'), target_id='T')[0]
    assert random.getstate() == states[0]
    assert torch.get_rng_state().equal(states[1])
