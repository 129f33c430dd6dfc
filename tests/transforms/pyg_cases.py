"""Every class of torch_geometric.transforms, with arguments to try."""

from dataclasses import dataclass, field

import torch
import torch_geometric.transforms as T
from torch_geometric.data import Data
from torch_geometric.nn import GPSE
from torch_geometric.nn.models.gpse import IdentityHead

from pyg_multipose.data import PoseSet
from pyg_multipose.transforms import RadiusGraph

RECEPTOR, LIGAND, POSES = 14, 5, 3
#: The longest edges.
CUTOFF = 2.2


@dataclass(frozen=True)
class Case:
    """How a transform is made for a graph, and what it is called."""

    text: str
    make: callable
    #: What it asks of graphs that pose sets do not have.
    needs: str = ''
    #: A library that may not be there.
    library: str = ''
    #: Whether it draws random numbers for every atom.
    of_atoms: bool = False
    #: Whether it is right that it changes nothing.
    idle: bool = False
    #: What the sets of the case have besides.
    extra: tuple = field(default=())


def case(text, **kwargs):
    """A transform whose arguments do not depend on the graph."""
    return Case(text, lambda _: eval(text, {'T': T, 'torch': torch}), **kwargs)


def small_gpse(_):
    torch.manual_seed(0)
    model = GPSE(dim_in=4, dim_inner=8, layers_mp=2, multi_head_dim_inner=4)
    model.post_mp = IdentityHead()  # as of models that were trained
    return T.AddGPSE(model.eval(), use_vn=False)


def missing(graph):
    place = torch.arange(graph.x.numel()).view_as(graph.x)
    return T.FeaturePropagation(place % 3 == 0)


HETERO = 'HeteroData'
FACES = 'faces, which pose sets have no place for'
PATHS = "[[('a', 'b'), ('b', 'a')]]"
CASES = {
    name: [one if isinstance(one, Case) else case(one) for one in cases]
    for name, cases in {
        # General.
        'Compose': ['T.Compose([T.Center()])'],
        'ComposeFilters': ['T.ComposeFilters([len])'],
        'ToDevice': [case("T.ToDevice('cpu')", idle=True)],
        'ToSparseTensor': ['T.ToSparseTensor()'],
        'Constant': ['T.Constant()'],
        'NormalizeFeatures': ['T.NormalizeFeatures()'],
        'SVDFeatureReduction': ['T.SVDFeatureReduction(2)'],
        'RemoveTrainingClasses': [
            case(
                'T.RemoveTrainingClasses([1])',
                needs='a label of every atom; `y` is that of the set',
            )
        ],
        'RandomNodeSplit': [
            case(
                'T.RandomNodeSplit(num_val=2, num_test=2, key=None)',
                of_atoms=True,
            )
        ],
        'RandomLinkSplit': ['T.RandomLinkSplit()'],
        'NodePropertySplit': [
            "T.NodePropertySplit('density', [.25, .25, .25, .125, .125])"
        ],
        'IndexToMask': [
            case(
                'T.IndexToMask()',
                needs='keys that end with `_index`, which are refused',
            )
        ],
        'MaskToIndex': ['T.MaskToIndex()'],
        'Pad': ['T.Pad(99)'],
        # Graphs.
        'ToUndirected': ['T.ToUndirected()'],
        'OneHotDegree': ['T.OneHotDegree(30)'],
        'TargetIndegree': ['T.TargetIndegree()'],
        'LocalDegreeProfile': ['T.LocalDegreeProfile()'],
        'AddSelfLoops': ['T.AddSelfLoops()'],
        'AddRemainingSelfLoops': ['T.AddRemainingSelfLoops()'],
        'RemoveSelfLoops': [case('T.RemoveSelfLoops()', extra=('loops',))],
        'RemoveIsolatedNodes': ['T.RemoveIsolatedNodes()'],
        'RemoveDuplicatedEdges': ['T.RemoveDuplicatedEdges()'],
        'KNNGraph': [case('T.KNNGraph(3)', library='pyg_lib')],
        'RadiusGraph': [case('T.RadiusGraph(2.2)', library='pyg_lib')],
        'ToDense': ['T.ToDense()'],
        'TwoHop': ['T.TwoHop()'],
        'LineGraph': ['T.LineGraph()'],
        'LaplacianLambdaMax': ["T.LaplacianLambdaMax('sym', True)"],
        'GDC': [
            "T.GDC(sparsification_kwargs={'method': 'threshold', 'eps': .01})"
        ],
        'SIGN': [case('T.SIGN(2)', extra=('float',))],
        'GCNNorm': ['T.GCNNorm()', 'T.GCNNorm(add_self_loops=False)'],
        'AddMetaPaths': [case(f'T.AddMetaPaths({PATHS})', needs=HETERO)],
        'AddRandomMetaPaths': [
            case(f'T.AddRandomMetaPaths({PATHS})', needs=HETERO)
        ],
        'RootedEgoNets': ['T.RootedEgoNets(1)'],
        'RootedRWSubgraph': [
            case('T.RootedRWSubgraph(2)', library='pyg_lib')
        ],
        'LargestConnectedComponents': ['T.LargestConnectedComponents()'],
        'VirtualNode': ['T.VirtualNode()'],
        'AddLaplacianEigenvectorPE': [
            'T.AddLaplacianEigenvectorPE(2, is_undirected=True)'
        ],
        'AddRandomWalkPE': ['T.AddRandomWalkPE(3)'],
        'AddGPSE': [Case(
                'T.AddGPSE(model, use_vn=False)', small_gpse, of_atoms=True
            )
        ],
        'FeaturePropagation': [
            Case('T.FeaturePropagation(mask)', missing, extra=('float',))
        ],
        'HalfHop': ['T.HalfHop()'],
        # Points.
        'Distance': ['T.Distance()', 'T.Distance(norm=False)'],
        'Cartesian': ['T.Cartesian()', 'T.Cartesian(norm=False)'],
        'LocalCartesian': [
            'T.LocalCartesian()',
            'T.LocalCartesian(norm=False)',
        ],
        'Polar': [
            case(f'T.Polar({norm})', needs='positions in a plane')
            for norm in ('', 'norm=False')
        ],
        'Spherical': ['T.Spherical()', 'T.Spherical(norm=False)'],
        'PointPairFeatures': ['T.PointPairFeatures()'],
        'Center': ['T.Center()'],
        'NormalizeRotation': [
            'T.NormalizeRotation()',
            'T.NormalizeRotation(sort=True)',
        ],
        'NormalizeScale': ['T.NormalizeScale()'],
        'RandomJitter': [case('T.RandomJitter(0.1)', of_atoms=True)],
        'RandomFlip': ['T.RandomFlip(0, p=1.0)'],
        'LinearTransformation': [
            'T.LinearTransformation(2 * torch.eye(3).flip(0))'
        ],
        'RandomScale': ['T.RandomScale((0.5, 2.0))'],
        'RandomRotate': ['T.RandomRotate(180)'],
        'RandomShear': ['T.RandomShear(0.2)'],
        'FaceToEdge': [case('T.FaceToEdge()', needs=FACES)],
        'SamplePoints': [case('T.SamplePoints(9)', needs=FACES)],
        'FixedPoints': ['T.FixedPoints(9)', 'T.FixedPoints(99, False)'],
        'GenerateMeshNormals': [
            case('T.GenerateMeshNormals()', needs=FACES)
        ],
        'Delaunay': ['T.Delaunay()'],
        'ToSLIC': [case('T.ToSLIC()', library='skimage')],
        'GridSampling': [case('T.GridSampling(1.0)', library='pyg_lib')],
    }.items()
}  # fmt: skip


def complexes(seed, extra=()):
    """A receptor and its ligands, atoms with features of their own."""
    draw = torch.Generator().manual_seed(seed)

    def atoms(count, spread, bonds):
        def numbers(*shape):
            return torch.randn(shape, generator=draw, dtype=torch.float64)

        first = torch.arange(count - 1)
        ends = torch.stack([first, first + 1])
        return Data(
            z=torch.randint(6, 9, (count,), generator=draw),
            pos=spread * numbers(count, 3),
            x=numbers(count, 4),
            norm=torch.nn.functional.normalize(numbers(count, 3), dim=1),
            train_mask=torch.rand(count, generator=draw) < 0.5,
            bond_index=torch.cat([ends, ends.flip(0)], dim=1),
        )

    receptor = atoms(RECEPTOR, 1.5, False)
    receptor.pos[-1] += 50.0  # an atom that touches no other
    return receptor, [atoms(LIGAND, 1.0, True) for _ in range(POSES)]


def set_with_receptor(seed, extra=()):
    receptor, ligands = complexes(seed)
    pose_set = PoseSet.from_complex(receptor, ligands, y=1.0, name='A')
    return finished(pose_set, extra)


def set_of_graphs(seed, extra=()):
    """Conformers: the same graphs without a receptor, of different sizes."""
    poses = []
    for number, size in enumerate((LIGAND, LIGAND + 4, LIGAND + 2)):
        pose = complexes(seed + 10 * number)[0].subgraph(torch.arange(size))
        first = torch.arange(size - 1)
        ends = torch.stack([first, first + 1])
        pose.bond_index = torch.cat([ends, ends.flip(0)], dim=1)
        poses.append(pose)
    return finished(PoseSet.from_poses(poses, y=1.0, name='A'), extra)


def finished(pose_set, extra):
    if 'float' in extra:
        pose_set.x = pose_set.x.float()
    return RadiusGraph(CUTOFF, loop='loops' in extra)(pose_set)
