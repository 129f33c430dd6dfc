"""What the docs say of every transform of PyG is what it does."""

import copy
import warnings
import zlib
from importlib.util import find_spec

import pytest
import torch
import torch_geometric.transforms as T
from torch import nn
from torch_geometric.utils import scatter

from pyg_multipose.data import Layout
from pyg_multipose.data.siblings.written import check_written
from pyg_multipose.nn import MultiPoseReadout
from pyg_multipose.transforms import PerPose
from tests.transforms.pyg_cases import (
    CASES,
    set_of_graphs,
    set_with_receptor,
)
from tests.transforms.pyg_table import HEADER, TABLE, row, seeded, unchanged

pytestmark = pytest.mark.filterwarnings('ignore:Sparse')

CLASSES = sorted(set(T.__all__) - {'BaseTransform'})
FORMS = {
    'set with a receptor': set_with_receptor,
    'set of whole graphs': set_of_graphs,
}
#: What the docs say, by transform.
WRITTEN = {
    line[0]: dict(zip(HEADER, line, strict=True))
    for text in TABLE.read_text(encoding='utf-8').split('\n')
    if text.startswith('| `')
    for line in [[cell.strip() for cell in text.split(' | ')]]
    for line in [
        [line[0].removeprefix('| '), *line[1:-1], line[-1][:-1].strip()]
    ]
}
TRIED = [
    case
    for cases in CASES.values()
    for case in cases
    if not case.library or find_spec(case.library)
]


def written(case):
    return WRITTEN[f'`{case.text.removeprefix("T.")}`']


def with_word(*words):
    """The cases and forms of which the docs say one of these words."""
    return [
        pytest.param(case, make_set, id=f'{case.text}-{make_set.__name__}')
        for case in TRIED
        for form, make_set in FORMS.items()
        if written(case)[form] in words
    ]


# The table ###################################################################


@pytest.mark.parametrize('name', CLASSES)
def test_the_docs_say_what_happens(name):
    assert name in CASES, f'{name} is new: add it to pyg_cases.py'
    for case in CASES[name]:
        if case.library and find_spec(case.library):
            pytest.skip(f'{case.library} is installed, but was not there')
        assert list(written(case).values()) == list(row(case)), (
            'python -m tests.transforms.pyg_table writes the table'
        )


def test_the_docs_have_no_other_rows():
    texts = [case.text for cases in CASES.values() for case in cases]
    assert list(WRITTEN) == [f'`{text.removeprefix("T.")}`' for text in texts]
    for name, cases in CASES.items():
        assert all(case.text.startswith(f'T.{name}(') for case in cases)


def test_traps_are_refused():
    """Those that were silent once."""
    for text in (
        'OneHotDegree(30)',
        'LocalDegreeProfile()',
        'TargetIndegree()',
        'FeaturePropagation(mask)',
        'SVDFeatureReduction(2)',
        'LocalCartesian()',
        'Distance()',
        'Cartesian()',
        'Spherical()',
    ):
        told = WRITTEN[f'`{text}`']
        assert told['set with a receptor'] == 'refused'
        assert told['why'] == 'a pose would know the others'
        assert told['`PerPose`'] == 'whole complexes'


# Predictions #################################################################


class Reader(nn.Module):
    """Reads all there is: distances, handedness, features of any name."""

    def forward(self, batch):
        pos = batch.pos.double()
        x = torch.zeros(batch.num_nodes, 8, dtype=torch.float64)
        edge = torch.zeros(batch.num_edges, 8, dtype=torch.float64)
        graph = torch.zeros(batch.num_graphs, 8, dtype=torch.float64)
        source, target = batch.edge_index
        for key, value in sorted(batch.to_dict().items()):
            if key in ('pos', 'batch', 'ptr') or 'index' in key:
                continue
            value = value.double().reshape(len(value), -1)
            draw = torch.Generator().manual_seed(zlib.crc32(key.encode()))
            weight = torch.randn(
                value.size(1), 8, generator=draw, dtype=torch.float64
            )
            for table in (x, edge, graph):
                if len(table) == len(value):
                    table += (value.nan_to_num() @ weight).tanh()
                    break
        length = (pos[source] - pos[target]).norm(dim=-1, keepdim=True)
        for _ in range(2):
            message = (x[source] + edge - length).tanh()
            x = x + scatter(message, target, 0, batch.num_nodes)
        near = pos.diff(dim=0)
        volume = (near[:-2].cross(near[1:-1], dim=1) * near[2:]).sum(dim=1)
        within = batch.batch[3:] == batch.batch[:-3]
        volume = scatter(
            volume.tanh() * within, batch.batch[3:], 0, batch.num_graphs
        )
        pooled = scatter(x.tanh(), batch.batch, 0, batch.num_graphs)
        return (pooled + graph).sum(dim=1) + volume


def predictions(pose_set):
    readout = MultiPoseReadout(Reader(), 'mean', share_receptor=False)
    return readout(pose_set, return_poses=True)[1].detach()


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def other_siblings(pose_set, pose):
    """The same set, with other poses beside one."""
    out = pose_set.clone()
    rows = torch.repeat_interleave(
        torch.arange(4),
        torch.cat([pose_set.receptor_size, pose_set.pose_size]),
    )
    others = (rows > 0) & (rows != pose + 1)
    out.pos = torch.where(others.view(-1, 1), 3 - 2 * out.pos, out.pos)
    out.x = torch.where(others.view(-1, 1), 1 - 3 * out.x, out.x)
    return out


def prepared(case, make_set, seed=4):
    """A set, and its transform, in double precision if that can be."""
    if 'GPSE' in case.text:
        torch.set_default_dtype(torch.float32)
    extra = tuple(name for name in case.extra if name != 'float')
    pose_set = make_set(seed, extra)
    return pose_set, case.make(pose_set)


@pytest.mark.usefixtures('double')
@pytest.mark.parametrize(
    ('case', 'make_set'), with_word('works', 'one motion per set')
)
def test_a_pose_is_predicted_as_it_is_alone(case, make_set):
    pose_set, transform = prepared(case, make_set)
    seeded(1)
    among = predictions(transform(pose_set))
    seeded(1)
    assert case.idle or not unchanged(pose_set, transform(pose_set))
    for pose in range(3):
        seeded(1)
        if case.of_atoms:
            other = transform(other_siblings(pose_set, pose))
            alone = predictions(other)[pose]
        else:
            alone = predictions(transform(pose_set.select([pose])))[0]
        exact = 1e-6 if 'GPSE' in case.text else 1e-11
        torch.testing.assert_close(among[pose], alone, rtol=exact, atol=exact)


KNOWING = [
    case
    for case in TRIED
    if written(case)['why'].startswith('a pose would know')
]


@pytest.mark.usefixtures('double')
@pytest.mark.parametrize('case', KNOWING, ids=lambda case: case.text)
def test_what_is_refused_would_tell(case):
    """Without the check, predictions depend on siblings."""
    told = 0.0
    for seed in range(6):
        # Principal axes are those of the receptor, where there is one.
        axes = 'NormalizeRotation' in case.text
        make_set = set_of_graphs if axes else set_with_receptor
        pose_set, transform = prepared(case, make_set, seed)
        among = predictions(unchecked(transform, pose_set))
        for pose in range(3):
            if 'FeaturePropagation' in case.text:  # its mask is of all atoms
                other = other_siblings(pose_set, pose)
                other = predictions(unchecked(transform, other))[pose]
            else:
                other = unchecked(transform, pose_set.select([pose]))
                other = predictions(other)[0]
            told = max(told, abs(float(among[pose] - other)))
    assert told > 1e-3


def unchecked(transform, pose_set):
    """What it makes of a set if nobody looks."""
    seeded(1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        call = type(transform).__call__._of_pyg
        out = call(transform, copy.copy(pose_set))
    check_written(pose_set, out)  # declares levels
    if 'lambda_max' in out:
        out.x = out.x * out.lambda_max
    return out


# Pose by pose ################################################################


@pytest.mark.parametrize(
    'case',
    [
        case
        for case in TRIED
        if written(case)['`PerPose`'] in ('receptor shared', 'whole complexes')
    ],
    ids=lambda case: case.text,
)
def test_every_pose_is_what_its_transform_makes(case):
    pose_set = set_with_receptor(5, case.extra)
    transform = case.make(pose_set.pose(0))
    seeded(2)
    out = PerPose(transform)(pose_set)
    Layout(out)
    seeded(2)
    for index, pose in enumerate(pose_set.to_poses()):
        bonds = pose.bond_index
        del pose.bond_index  # PyG does not know them
        expected, got = transform(pose), out.pose(index)
        if expected.num_nodes >= 19:
            assert torch.equal(got.bond_index, bonds)
        del got.bond_index
        assert set(got.keys()) == set(expected.keys()) - {'num_nodes'}
        order = edge_order(got), edge_order(expected)
        for key in got.keys():
            one, two = got[key], expected[key]
            if not torch.is_tensor(two):
                two = torch.tensor([two])
            if 'edge' in key:
                dim = 1 if key == 'edge_index' else 0
                one = one.index_select(dim, order[0])
                two = two.index_select(dim, order[1])
            # ARPACK starts anywhere.
            exact = 1e-6 if key == 'lambda_max' else 0.0
            torch.testing.assert_close(one, two, rtol=exact, atol=exact)


def edge_order(pose):
    """Edges of a shared receptor come first; else nothing is moved."""
    source, target = pose.edge_index
    return torch.argsort(source * pose.num_nodes + target, stable=True)


def test_pages_name_no_other_words():
    words = {'works', 'one motion per set', 'refused', 'not tried'}
    shared = {'receptor shared', 'whole complexes', 'nothing to do'}
    for told in WRITTEN.values():
        for form in FORMS:
            assert told[form] in words | {'returns a bool'}
        assert told['`PerPose`'] in shared | {'refused', 'not tried'}
        refused = 'refused' in told.values() or 'not tried' in told.values()
        assert bool(told['why']) is refused
